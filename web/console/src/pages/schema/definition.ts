/** A type's definition as an editor changes it: JSON in the server's own spelling, without what the record of it says. See docs/types.md. */
import type { Json, JsonObject, Pointer } from '@stet/client';
import { isJsonObject } from '../../types/type-definition';

const recordMembers = new Set(['id', 'version', 'seq', 'created_at', 'created_by', 'updated_at', 'updated_by', 'last_modified', 'unchanged', 'deleted', 'dry_run', 'forced']);

/** What would be put to leave the type as it is. */
export const definitionOf = (raw: JsonObject): JsonObject => Object.fromEntries(Object.entries(raw).filter(([name]) => !recordMembers.has(name)));

export const strategies = ['reject', 'merge', 'last_writer_wins', 'newest', 'server_wins', 'ask'] as const;
export const fieldKinds = ['string', 'number', 'integer', 'boolean', 'object', 'array', 'null', 'any'] as const;
export const mergeRules = ['reject', 'last_writer_wins', 'first', 'min', 'max', 'delta', 'set', 'by_key', 'append', 'text', 'immutable', 'atomic'] as const;

/** The object with a value put at a path of member names, or taken out for undefined. What it stands in is made, and left when it is empty. */
export function withMember(object: JsonObject, path: readonly string[], value: Json | undefined): JsonObject {
  const [name, ...rest] = path;
  if (name === undefined) return object;
  const { [name]: before, ...others } = object;
  const after = rest.length === 0 ? value : withMember(isJsonObject(before) ? before : {}, rest, value);
  if (after === undefined) return others;
  // A member keeps its place among the others.
  return name in object ? Object.fromEntries(Object.entries(object).map(([key, was]) => [key, key === name ? after : was])) : { ...object, [name]: after };
}

/** The member at a path; undefined where there is none. */
export function memberAt(object: JsonObject, path: readonly string[]): Json | undefined {
  let value: Json | undefined = object;
  for (const name of path) value = isJsonObject(value) ? value[name] : undefined;
  return value;
}

/** The definition with a field called by another pointer, in its place; the same definition when there is one already. */
export function withFieldRenamed(definition: JsonObject, from: Pointer, to: Pointer): JsonObject {
  const fields = definition['fields'];
  if (!isJsonObject(fields) || from === to || to in fields) return definition;
  return { ...definition, fields: Object.fromEntries(Object.entries(fields).map(([pointer, field]) => [pointer === from ? to : pointer, field])) };
}

/** A pointer that no field has yet. */
export function freshPointer(definition: JsonObject): Pointer {
  const fields = definition['fields'];
  const taken = isJsonObject(fields) ? fields : {};
  for (let number = 1; ; number += 1) {
    const pointer = number === 1 ? '/field' : `/field_${number}`;
    if (!(pointer in taken)) return pointer;
  }
}

/** Where in a definition something is wrong, from the server's pointer: `/fields/~1amount/minimum` is the minimum of the field `/amount`. */
export interface Place {
  readonly section: string;
  /** Of a field: its pointer. */
  readonly field: Pointer | null;
  readonly member: string | null;
}

export function placeOf(pointer: Pointer): Place {
  const parts = pointer
    .split('/')
    .slice(1)
    .map((part) => part.replace(/~1/g, '/').replace(/~0/g, '~'));
  const [section = '', second, third] = parts;
  return section === 'fields' ? { section, field: second ?? null, member: third ?? null } : { section, field: null, member: second ?? null };
}

/** Index entries, one a line, the fields of one with commas between: `/owner, -/amount`. */
export function indexLines(value: Json | undefined): string {
  if (!Array.isArray(value)) return '';
  return value.map((entry: Json) => (Array.isArray(entry) ? entry.join(', ') : String(entry))).join('\n');
}

/** The same back; undefined when nothing is written. */
export function indexOf(lines: string): Json | undefined {
  const entries = lines
    .split('\n')
    .map((line) => line.split(',').map((part) => part.trim()).filter((part) => part !== ''))
    .filter((parts) => parts.length > 0)
    .map((parts): Json => (parts.length === 1 ? (parts[0] ?? '') : parts));
  return entries.length === 0 ? undefined : entries;
}

/** An access rule as it is written in a form: `true`, `false`, or an expression; nothing for a rule that is not there. */
export const ruleText = (value: Json | undefined): string => (value === undefined ? '' : String(value));
export function ruleOf(text: string): Json | undefined {
  const rule = text.trim();
  if (rule === '') return undefined;
  return rule === 'true' ? true : rule === 'false' ? false : rule;
}

/** What records do not fit a definition, from a problem in the client's camelCase. */
export interface Violations {
  readonly count: number;
  readonly forcible: boolean;
  readonly examples: readonly { readonly address: string; readonly field: string; readonly detail: string }[];
}

export function violationsOf(problem: unknown): Violations | null {
  const found = isJsonObject(problem) ? problem['violations'] : undefined;
  if (!isJsonObject(found)) return null;
  const examples = found['examples'];
  return {
    count: typeof found['count'] === 'number' ? found['count'] : 0,
    forcible: found['forcible'] === true,
    examples: (Array.isArray(examples) ? examples : []).flatMap((one: Json) =>
      isJsonObject(one) && typeof one['address'] === 'string' ? [{ address: one['address'], field: String(one['field'] ?? ''), detail: String(one['detail'] ?? '') }] : [],
    ),
  };
}

/** Values as JSON with commas between, for a list of choices: `"new", "won", 3`; words need no quotes. */
export const choicesText = (value: Json | undefined): string => (Array.isArray(value) ? value.map((one: Json) => (typeof one === 'string' && /^[\w -]+$/.test(one) && Number.isNaN(Number(one)) && !['true', 'false', 'null'].includes(one) ? one : JSON.stringify(one))).join(', ') : '');

/** The same back; null when it cannot be read, undefined when nothing is written. */
export function choicesOf(text: string): readonly Json[] | null | undefined {
  if (text.trim() === '') return undefined;
  const parts = text.match(/\s*"(?:[^"\\]|\\.)*"\s*|[^,]+/g) ?? [];
  const values: Json[] = [];
  for (const part of parts.map((one) => one.trim()).filter((one) => one !== '')) {
    const value = jsonOf(part);
    if (value === undefined && /^["[{]/.test(part)) return null;
    values.push(value === undefined ? part : value);
  }
  return values;
}

const isJson = (value: unknown): value is Json =>
  value === null || ['string', 'number', 'boolean'].includes(typeof value) || (Array.isArray(value) ? value.every(isJson) : typeof value === 'object' && Object.values(value ?? {}).every(isJson));

/** JSON from a text; undefined when it is none. */
export function jsonOf(text: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return isJson(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
