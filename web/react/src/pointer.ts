/** Reading and changing JSON by pointer (RFC 6901), without touching what was given. */
import type { Json, JsonObject, Pointer } from '@stet/client';

/** The names a pointer goes through: `/a~1b/0` is `a/b`, `0`; the empty pointer is the whole. */
export function partsOf(pointer: Pointer): readonly string[] {
  if (pointer === '') return [];
  return pointer
    .slice(1)
    .split('/')
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** The pointer through these names. */
export function pointerOf(parts: readonly string[]): Pointer {
  return parts.map((part) => `/${part.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');
}

/** Whether a value is an object of JSON. */
export function isJsonObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
const isList = (value: Json): value is readonly Json[] => Array.isArray(value);

/** What stands there; undefined where nothing does. */
export function valueAt(data: Json | undefined, pointer: Pointer): Json | undefined {
  let value = data;
  for (const part of partsOf(pointer)) {
    if (value === undefined || value === null || typeof value !== 'object') return undefined;
    if (isList(value)) value = value[Number(part)];
    else value = Object.hasOwn(value, part) ? value[part] : undefined;
  }
  return value;
}

/** A copy with another value in one place; undefined takes the place out. Objects on the way are made, lists are not. */
export function withValueAt(data: Json, pointer: Pointer, value: Json | undefined): Json {
  const change = (at: Json | undefined, parts: readonly string[]): Json | undefined => {
    const [part, ...rest] = parts;
    if (part === undefined) return value;
    if (at !== undefined && at !== null && isList(at)) {
      const next = change(at[Number(part)], rest);
      const copy = at.map((item, index) => (index === Number(part) && next !== undefined ? next : item));
      if (next === undefined) return copy.filter((_, index) => index !== Number(part));
      return Number(part) === at.length ? [...copy, next] : copy;
    }
    const before = isJsonObject(at) ? at : {};
    const next = change(Object.hasOwn(before, part) ? before[part] : undefined, rest);
    const copy = Object.entries(before).filter(([name]) => name !== part || next !== undefined);
    if (next === undefined) return Object.fromEntries(copy);
    return Object.hasOwn(before, part)
      ? Object.fromEntries(copy.map(([name, old]) => [name, name === part ? next : old]))
      : Object.fromEntries([...copy, [part, next]]);
  };
  return change(data, partsOf(pointer)) ?? null;
}

/** Whether two values say the same, whatever the order of members. */
export function sameJson(one: Json | undefined, other: Json | undefined): boolean {
  if (one === other) return true;
  if (one === undefined || other === undefined || one === null || other === null) return false;
  if (typeof one !== 'object' || typeof other !== 'object') return false;
  if (isList(one) || isList(other)) {
    return isList(one) && isList(other) && one.length === other.length && one.every((item, index) => sameJson(item, other[index]));
  }
  const names = Object.keys(one);
  return names.length === Object.keys(other).length && names.every((name) => Object.hasOwn(other, name) && sameJson(one[name], other[name]));
}
