/** Events of the feed: as the server writes them on either kind of connection, and as tabs pass them on. */
import { toCamel } from './camel';
import { array, count, flag, jsonObject, Members, oneOf, text, type Decoder } from './decode';
import { errorFromJson, errorToJson } from './edit-codec';
import type { Json } from './json';
import { presence, record } from './record-decoder';
import type { Seq } from './record';
import type { FeedEvent } from './seams';

/** What a connection says. */
export type StreamEvent =
  | FeedEvent
  /** A position without news. */
  | { readonly kind: 'bookmark'; readonly seq: Seq }
  /** Who listens may do so no longer, or under other rights: `changed`. */
  | { readonly kind: 'auth'; readonly changed: boolean }
  | { readonly kind: 'end' };

/** Names an event of the server; null for one that is not known here. Throws a DecodeError when a known one is not what it should be.
 *  @param data  as it came, in snake_case */
export const streamEventOf = (name: string, data: Json): StreamEvent | null => {
  const body = toCamel(data);
  const from = new Members(body);
  switch (name) {
    case 'change':
      return {
        kind: 'change',
        seq: from.get('seq', count),
        op: from.get('op', text),
        record: from.get('record', record),
        left: from.find('left', flag) ?? false,
      };
    case 'ready':
    case 'reset':
    case 'bookmark':
      return { kind: name, seq: from.get('seq', count) };
    case 'revoked': {
      const seq = from.get('seq', count);
      const address = from.find('address', text);
      // Nothing of a whole type may be read any more: whatever was followed is read anew, and not found.
      return address === undefined ? { kind: 'reset', seq } : { kind: 'revoked', seq, address };
    }
    case 'conflict':
    case 'operation':
      return { kind: name, seq: from.get('seq', count), event: from.get('event', text), body: jsonObject(body, '') };
    case 'queue':
      return { kind: name, body: jsonObject(body, '') };
    case 'presence':
      return { kind: name, address: from.get('address', text), people: from.get('people', array(presence)) };
    case 'auth':
      return { kind: name, changed: from.find('changed', flag) ?? false };
    case 'end':
      return { kind: name };
    default:
      return null;
  }
};

/** The position of an event that has one. */
export const seqOf = (event: StreamEvent): Seq | null => ('seq' in event ? event.seq : null);

/** For other tabs. */
export const feedEventToJson = (event: FeedEvent): object =>
  event.kind === 'failed' ? { kind: event.kind, error: errorToJson(event.error) } : event;

/** What another tab passed on. */
export const feedEventOf: Decoder<FeedEvent | null> = (value, pointer) => {
  const from = new Members(value, pointer);
  const kind = from.get('kind', oneOf('ready', 'change', 'revoked', 'reset', 'conflict', 'operation', 'queue', 'presence', 'failed'));
  switch (kind) {
    case 'ready':
    case 'reset':
      return { kind, seq: from.get('seq', count) };
    case 'change':
      return {
        kind,
        seq: from.get('seq', count),
        op: from.get('op', text),
        record: from.get('record', record),
        left: from.get('left', flag),
      };
    case 'revoked':
      return { kind, seq: from.get('seq', count), address: from.get('address', text) };
    case 'conflict':
    case 'operation':
      return { kind, seq: from.get('seq', count), event: from.get('event', text), body: from.get('body', jsonObject) };
    case 'queue':
      return { kind, body: from.get('body', jsonObject) };
    case 'presence':
      return { kind, address: from.get('address', text), people: from.get('people', array(presence)) };
    case 'failed': {
      const error = errorFromJson(from.get('error', jsonObject));
      return error && { kind, error };
    }
  }
};
