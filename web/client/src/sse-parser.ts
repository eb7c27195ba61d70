/** The wire format of event streams (the HTML standard's `text/event-stream`), taken in pieces as they come. */
export interface ServerEvent {
  readonly event: string;
  readonly data: string;
  readonly id: string | null;
}

/** Longer lines than any that a server may send: it is no event stream. */
const lineMax = 64 * 1024 * 1024;

/** Takes text in pieces, cut anywhere, and gives the events that are whole. Throws a RangeError at a line without end. */
export function createSseParser(): (piece: string) => readonly ServerEvent[] {
  let rest = '';
  let event = '';
  let data: string[] = [];
  let id: string | null = null;
  let first = true;
  let afterReturn = false;

  const line = (text: string, found: ServerEvent[]) => {
    if (text === '') {
      if (data.length > 0) found.push({ event: event === '' ? 'message' : event, data: data.join('\n'), id });
      event = '';
      data = [];
      id = null;
      return;
    }
    const colon = text.indexOf(':');
    if (colon === 0) return;
    const name = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? '' : text.slice(colon + (text[colon + 1] === ' ' ? 2 : 1));
    if (name === 'event') event = value;
    else if (name === 'data') data.push(value);
    else if (name === 'id' && !value.includes('\0')) id = value;
  };

  return (piece) => {
    const found: ServerEvent[] = [];
    let text = piece;
    if (first && text !== '') {
      first = false;
      if (text.startsWith('\uFEFF')) text = text.slice(1);
    }
    // A line feed that belongs to a carriage return of the piece before.
    if (afterReturn && text.startsWith('\n')) text = text.slice(1);
    if (text !== '') afterReturn = false;
    let from = 0;
    const end = /\r\n|\n|\r/g;
    for (let match = end.exec(text); match !== null; match = end.exec(text)) {
      line(rest + text.slice(from, match.index), found);
      rest = '';
      from = end.lastIndex;
      if (match[0] === '\r' && from === text.length) afterReturn = true;
    }
    rest += text.slice(from);
    if (rest.length > lineMax) throw new RangeError('a line of the event stream has no end');
    return found;
  };
}
