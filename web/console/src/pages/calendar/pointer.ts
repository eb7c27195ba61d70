/** JSON pointers into a record's data, and the merge patches that set what they name. */
import type { Json, JsonObject, Pointer } from '@stet/client';
import { isObject } from '../../outside';

function partsOf(pointer: Pointer): readonly string[] {
  return pointer
    .split('/')
    .slice(1)
    .map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
}

/** What stands there; undefined where nothing does. */
export function valueAt(data: unknown, pointer: Pointer): unknown {
  let at = data;
  for (const part of partsOf(pointer)) {
    if (!isObject(at)) return undefined;
    at = Object.hasOwn(at, part) ? at[part] : undefined;
  }
  return at;
}

/** The merge patch with these values at these places. Null takes away. */
export function patchOf(values: readonly (readonly [Pointer, Json])[]): JsonObject {
  let patch: JsonObject = {};
  for (const [pointer, value] of values) patch = withValue(patch, partsOf(pointer), value);
  return patch;
}

function withValue(patch: JsonObject, parts: readonly string[], value: Json): JsonObject {
  const [name, ...rest] = parts;
  if (name === undefined) return patch;
  if (rest.length === 0) return { ...patch, [name]: value };
  const inside = patch[name];
  return { ...patch, [name]: withValue(isJsonObject(inside) ? inside : {}, rest, value) };
}

export function isJsonObject(value: Json | undefined): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** What a merge patch (RFC 7396) makes of data. */
export function patched(data: JsonObject, patch: JsonObject): JsonObject {
  const result: { [key: string]: Json } = { ...data };
  for (const [name, value] of Object.entries(patch)) {
    const before = result[name];
    if (value === null) delete result[name];
    else result[name] = isJsonObject(value) ? patched(isJsonObject(before) ? before : {}, value) : value;
  }
  return result;
}
