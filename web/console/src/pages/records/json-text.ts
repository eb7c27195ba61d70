/** Reads JSON that somebody writes by hand, and says where it stops being some. */
import type { JsonObject } from '@stet/client';
import { isJsonObject } from '../../types/type-definition';

export type JsonText =
  | { readonly ok: true; readonly value: JsonObject }
  | { readonly ok: false; readonly reason: 'syntax' | 'object' | 'duplicate'; readonly offset: number; readonly line: number; readonly column: number; readonly name?: string };

const placeOf = (text: string, offset: number) => {
  const before = text.slice(0, offset);
  const line = before.split('\n').length;
  return { offset, line, column: offset - (before.lastIndexOf('\n') + 1) + 1 };
};

class Stop extends Error {
  readonly offset: number;
  readonly duplicate: string | null;
  constructor(offset: number, duplicate: string | null = null) {
    super('stop');
    this.offset = offset;
    this.duplicate = duplicate;
  }
}

const depthMax = 100;

/** Walks over one value; throws {@link Stop} at the first sign that cannot stand there. The browsers' own messages differ and often do not say where. */
function walk(text: string): void {
  let at = 0;
  const blank = () => {
    while (at < text.length && ' \t\n\r'.includes(text.charAt(at))) at += 1;
  };
  const match = (pattern: RegExp): string => {
    pattern.lastIndex = at;
    const found = pattern.exec(text);
    if (!found) throw new Stop(at);
    at = pattern.lastIndex;
    return found[0];
  };
  const string = () => {
    const begin = at;
    at += 1;
    while (text.charAt(at) !== '"') {
      if (at >= text.length) throw new Stop(begin);
      if (text.charAt(at) < ' ') throw new Stop(at);
      if (text.charAt(at) === '\\') match(/\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})/y);
      else at += 1;
    }
    at += 1;
    return text.slice(begin, at);
  };
  const members = (end: string, one: () => void) => {
    at += 1;
    blank();
    if (text.charAt(at) === end) {
      at += 1;
      return;
    }
    for (;;) {
      blank();
      one();
      blank();
      const sign = text.charAt(at);
      if (sign !== ',' && sign !== end) throw new Stop(at);
      at += 1;
      if (sign === end) return;
    }
  };
  const value = (depth: number): void => {
    blank();
    const sign = text.charAt(at);
    if (depth > depthMax) throw new Stop(at);
    if (sign === '{') {
      const names = new Set<string>();
      members('}', () => {
        const begin = at;
        if (text.charAt(at) !== '"') throw new Stop(at);
        const name: unknown = JSON.parse(string());
        if (typeof name === 'string' && names.has(name)) throw new Stop(begin, name);
        names.add(String(name));
        blank();
        if (text.charAt(at) !== ':') throw new Stop(at);
        at += 1;
        value(depth + 1);
      });
    } else if (sign === '[') members(']', () => value(depth + 1));
    else if (sign === '"') string();
    else match(/true|false|null|-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y);
  };
  value(0);
  blank();
  if (at < text.length) throw new Stop(at);
}

/** The object that a text says; a record's data is always one. A name that stands twice is refused, for one of both would be lost. */
export function parseJsonObject(text: string): JsonText {
  try {
    walk(text);
  } catch (stop) {
    if (!(stop instanceof Stop)) throw stop;
    return stop.duplicate === null ? { ok: false, reason: 'syntax', ...placeOf(text, stop.offset) } : { ok: false, reason: 'duplicate', name: stop.duplicate, ...placeOf(text, stop.offset) };
  }
  const value: unknown = JSON.parse(text);
  return isJsonObject(value) ? { ok: true, value } : { ok: false, reason: 'object', ...placeOf(text, 0) };
}
