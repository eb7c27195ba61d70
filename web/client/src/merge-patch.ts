/** Merge patches (RFC 7396): what they make of a document, and the smallest one that leads from one to another. */
import { isList, isMap, type Json, type JsonObject } from './json';

/** Whether two values are the same JSON: numbers by value, members in any order. */
export const sameJson = (left: Json | undefined, right: Json | undefined): boolean => {
  if (left === right) return true;
  if (left === undefined || right === undefined) return false;
  if (isList(left)) {
    return isList(right) && left.length === right.length && left.every((one, index) => sameJson(one, right[index]));
  }
  if (!isMap(left) || !isMap(right)) return false;
  const names = Object.keys(left);
  return names.length === Object.keys(right).length && names.every((name) => Object.hasOwn(right, name) && sameJson(left[name], right[name]));
};

/** A member of the object's own, or undefined: `toString` is none. */
export const memberOf = (from: JsonObject, name: string): Json | undefined =>
  Object.hasOwn(from, name) ? from[name] : undefined;

const put = (into: Record<string, Json>, name: string, value: Json) => {
  // An assignment to `__proto__` would set the prototype.
  if (name === '__proto__') Object.defineProperty(into, name, { value, enumerable: true, configurable: true, writable: true });
  else into[name] = value;
};

const applyValue = (target: Json | undefined, patch: Json): Json => {
  if (!isMap(patch)) return patch;
  return applyMergePatch(target !== undefined && isMap(target) ? target : {}, patch);
};

/** The document with the patches on it, one after the other; it is copied once for all of them. What they leave alone stays the same
 *  object; so does the whole when nothing changes. */
export const applyMergePatches = (target: JsonObject, patches: readonly JsonObject[]): JsonObject => {
  let made: Record<string, Json> | null = null;
  for (const patch of patches) {
    for (const name of Object.keys(patch)) {
      const wanted = patch[name];
      const there: Json | undefined = memberOf(made ?? target, name);
      if (wanted === undefined) continue;
      if (wanted === null) {
        if (there === undefined) continue;
        made ??= { ...target };
        delete made[name];
        continue;
      }
      const value = applyValue(there, wanted);
      if (value === there) continue;
      made ??= { ...target };
      put(made, name, value);
    }
  }
  return made ?? target;
};

/** One patch; see {@link applyMergePatches}. */
export const applyMergePatch = (target: JsonObject, patch: JsonObject): JsonObject => applyMergePatches(target, [patch]);

/** Puts a patch behind those that `made` stands for, so that `made` stands for all of them. False when one patch cannot: an object
 *  that follows a plain value or a null replaces what is there, and in one patch it would be merged with it; `made` is good for nothing then. */
export const composePatch = (made: Record<string, Json>, patch: JsonObject): boolean => {
  for (const name of Object.keys(patch)) {
    const wanted = patch[name];
    if (wanted === undefined) continue;
    const there = memberOf(made, name);
    if (!isMap(wanted) || there === undefined) {
      put(made, name, wanted);
      continue;
    }
    if (!isMap(there)) return false;
    const inner = { ...there };
    if (!composePatch(inner, wanted)) return false;
    put(made, name, inner);
  }
  return true;
};

/** Whether a null stands in an object somewhere below: a merge patch cannot put it there. Those in lists are taken as they are. */
const holdsNull = (value: Json): boolean =>
  isMap(value) && Object.values(value).some((member) => member === null || holdsNull(member));

/**
 * The smallest merge patch that leads from one document to the other, or null when none does: null means "absent" in a merge
 * patch, so a member cannot be set to null by one. Then the whole document has to be put.
 */
export const diffMergePatch = (from: JsonObject, to: JsonObject): JsonObject | null => {
  const patch: Record<string, Json> = {};
  for (const name of Object.keys(from)) if (!Object.hasOwn(to, name)) put(patch, name, null);
  for (const name of Object.keys(to)) {
    const wanted = memberOf(to, name);
    const there = memberOf(from, name);
    if (wanted === undefined || sameJson(there, wanted)) continue;
    if (wanted === null) return null;
    if (there !== undefined && isMap(there) && isMap(wanted)) {
      const inner = diffMergePatch(there, wanted);
      if (inner === null) return null;
      put(patch, name, inner);
    } else {
      if (holdsNull(wanted)) return null;
      put(patch, name, wanted);
    }
  }
  return patch;
};

/** What of a patch changes a document: the rest of it is left out, so that it touches no more than it must. */
export const minimalPatch = (target: JsonObject, patch: JsonObject): JsonObject => {
  const made: Record<string, Json> = {};
  for (const name of Object.keys(patch)) {
    const wanted = patch[name];
    const there = memberOf(target, name);
    if (wanted === undefined) continue;
    if (wanted === null) {
      // It takes the member out, also one that is null.
      if (there !== undefined) put(made, name, null);
    } else if (isMap(wanted) && there !== undefined && isMap(there)) {
      const inner = minimalPatch(there, wanted);
      if (Object.keys(inner).length > 0) put(made, name, inner);
    } else if (!sameJson(there, wanted)) put(made, name, wanted);
  }
  return made;
};

/**
 * Puts what changed from `base` to `mine` onto `current`, member by member; where both changed, `mine` stands. Nulls are values here.
 * It is what the screen shows of a whole document that was put while others went on changing it; the server has its own rules.
 */
export const rebase = (base: JsonObject, mine: JsonObject, current: JsonObject): JsonObject => {
  if (base === current || sameJson(base, current)) return mine;
  const made: Record<string, Json> = {};
  for (const name of new Set([...Object.keys(current), ...Object.keys(mine)])) {
    const [was, wanted, there] = [memberOf(base, name), memberOf(mine, name), memberOf(current, name)];
    if (sameJson(was, wanted)) {
      if (there !== undefined) put(made, name, there);
    } else if (wanted !== undefined) {
      const deeper = was !== undefined && isMap(was) && isMap(wanted) && there !== undefined && isMap(there);
      put(made, name, deeper ? rebase(was, wanted, there) : wanted);
    }
  }
  return made;
};
