/** What two states of a record's data differ in, field by field. */
import type { Json, JsonObject, Pointer } from '@stet/client';
import { isObject } from './outside';

/** `from` is absent where the field was not there, `to` where it no longer is. */
export interface FieldDifference {
  readonly pointer: Pointer;
  readonly from?: Json;
  readonly to?: Json;
}

/** As many are looked for; whoever wants all of them looks at the record's history. */
export const differencesMax = 100;

const isPlain = (value: Json | undefined): value is JsonObject => isObject(value);

const token = (key: string): string => key.replace(/~/g, '~0').replace(/\//g, '~1');

/** Equal as JSON: the order of an object's members does not count. */
export function sameJson(one: Json | undefined, other: Json | undefined): boolean {
  if (one === other) return true;
  if (Array.isArray(one) && Array.isArray(other)) return one.length === other.length && one.every((value: Json, index) => sameJson(value, other[index]));
  if (!isPlain(one) || !isPlain(other)) return false;
  const keys = Object.keys(one);
  return keys.length === Object.keys(other).length && keys.every((key) => Object.hasOwn(other, key) && sameJson(one[key], other[key]));
}

/** Objects are gone into, lists and everything else are compared as a whole; at most {@link differencesMax}. */
export function differencesOf(before: JsonObject, after: JsonObject): readonly FieldDifference[] {
  const found: FieldDifference[] = [];
  const look = (one: JsonObject, other: JsonObject, path: Pointer) => {
    for (const key of new Set([...Object.keys(one), ...Object.keys(other)])) {
      if (found.length >= differencesMax) return;
      const from = one[key];
      const to = other[key];
      if (sameJson(from, to)) continue;
      const pointer = `${path}/${token(key)}`;
      if (isPlain(from) && isPlain(to)) look(from, to, pointer);
      else found.push({ pointer, ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) });
    }
  };
  look(before, after, '');
  return found;
}

/** `/address/city` as people say it: `address.city`. */
export const fieldName = (pointer: Pointer): string =>
  pointer
    .split('/')
    .slice(1)
    .map((part) => part.replace(/~1/g, '/').replace(/~0/g, '~'))
    .join('.');
