/** What the console knows of a type: its declaration, decoded from `GET …/types` as the server writes it. Members that a page needs
 *  and this does not name stand in `raw`. */
import type { Json, JsonObject } from '@stet/client';

export type JsonKind = 'string' | 'number' | 'integer' | 'boolean' | 'object' | 'array' | 'null' | 'any';

export interface FieldDefinition {
  /** JSON pointer; `*` stands for any element or member. */
  readonly pointer: string;
  /** Empty: anything. */
  readonly kinds: readonly JsonKind[];
  readonly required: boolean;
  readonly title: string | null;
  readonly description: string | null;
  readonly fallback: Json | undefined;
  readonly choices: readonly Json[] | null;
  readonly minimum: number | null;
  readonly maximum: number | null;
  readonly minBytes: number | null;
  readonly maxBytes: number | null;
  readonly merge: string | null;
  readonly immutable: boolean;
}

export interface TypeDefinition {
  readonly name: string;
  readonly title: string | null;
  readonly description: string | null;
  readonly version: number;
  readonly fields: readonly FieldDefinition[];
  readonly onConflict: string;
  /** Lists of this type are quick by these pointers. */
  readonly indexed: readonly string[];
  readonly raw: JsonObject;
}

const kinds: ReadonlySet<string> = new Set(['string', 'number', 'integer', 'boolean', 'object', 'array', 'null', 'any']);
const isKind = (value: unknown): value is JsonKind => typeof value === 'string' && kinds.has(value);
export const isJsonObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);
const textOf = (value: unknown): string | null => (typeof value === 'string' ? value : null);
const numberOf = (value: unknown): number | null => (typeof value === 'number' ? value : null);
const listOf = (value: unknown): readonly unknown[] => (Array.isArray(value) ? value : []);

function decodeField(pointer: string, found: JsonObject): FieldDefinition {
  const type = found['type'];
  const choices = found['enum'];
  return {
    pointer,
    kinds: (Array.isArray(type) ? listOf(type) : [type]).filter(isKind).filter((kind) => kind !== 'any'),
    required: found['required'] === true,
    title: textOf(found['title']),
    description: textOf(found['description']),
    fallback: found['default'],
    choices: isJsonList(choices) ? choices : null,
    minimum: numberOf(found['minimum']),
    maximum: numberOf(found['maximum']),
    minBytes: numberOf(found['min_bytes']),
    maxBytes: numberOf(found['max_bytes']),
    merge: textOf(found['merge']),
    immutable: found['merge'] === 'immutable',
  };
}
const isJsonList = (value: Json | undefined): value is readonly Json[] => Array.isArray(value);

export function decodeType(found: unknown): TypeDefinition | null {
  if (!isJsonObject(found)) return null;
  const name = textOf(found['id']);
  if (name === null) return null;
  const fields = found['fields'];
  return {
    name,
    title: textOf(found['title']),
    description: textOf(found['description']),
    version: numberOf(found['version']) ?? 0,
    fields: isJsonObject(fields) ? Object.entries(fields).flatMap(([pointer, field]) => (pointer !== '' && isJsonObject(field) ? [decodeField(pointer, field)] : [])) : [],
    onConflict: textOf(found['on_conflict']) ?? 'reject',
    indexed: listOf(found['index']).flatMap((entry) => (typeof entry === 'string' ? [entry] : listOf(entry).filter((part): part is string => typeof part === 'string'))),
    raw: found,
  };
}

/** `GET …/types`, its text: what cannot be read of one type leaves the others. */
export function decodeTypes(text: string): readonly TypeDefinition[] {
  const body: unknown = JSON.parse(text);
  if (!isJsonObject(body)) return [];
  return listOf(body['types']).flatMap((found) => decodeType(found) ?? []);
}

/** `GET …/stats`, its text: how many records each type has. */
export function decodeCounts(text: string): ReadonlyMap<string, number> {
  const body: unknown = JSON.parse(text);
  const types = isJsonObject(body) ? body['types'] : null;
  if (!isJsonObject(types)) return new Map();
  return new Map(Object.entries(types).flatMap(([name, found]) => (isJsonObject(found) && typeof found['records'] === 'number' ? [[name, found['records']] as const] : [])));
}

/** The parts of a pointer: `/a~1b/c` is `['a/b', 'c']`. */
export const pointerParts = (pointer: string): readonly string[] => pointer.split('/').slice(1).map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
export const toPointer = (parts: readonly string[]): string => parts.map((part) => `/${part.replaceAll('~', '~0').replaceAll('/', '~1')}`).join('');

/** What stands there; undefined where nothing does. */
export function valueAt(data: Json | undefined, pointer: string): Json | undefined {
  let value: Json | undefined = data;
  for (const part of pointerParts(pointer)) {
    if (isJsonObject(value)) value = Object.hasOwn(value, part) ? value[part] : undefined;
    else if (isJsonList(value)) value = /^\d+$/.test(part) ? value[Number(part)] : undefined;
    else return undefined;
  }
  return value;
}

/** `unit_price` as a heading: "Unit price". */
export function humanize(name: string): string {
  const words = name.replace(/([a-z])([A-Z])/g, '$1 $2').replace(/[_-]+/g, ' ').trim();
  return words === '' ? name : `${words.charAt(0).toUpperCase()}${words.slice(1)}`;
}

/** What a field is called: its title, else its name. */
export function fieldLabel({ pointer, title }: Pick<FieldDefinition, 'pointer' | 'title'>): string {
  const parts = pointerParts(pointer);
  const [last, before] = [parts.at(-1), parts.at(-2)];
  // The entries of a list are called by the list.
  return title ?? (last === '*' && before !== undefined ? `${humanize(before)} []` : humanize(last ?? pointer));
}

/** The text that stands for a record in a sentence: its title or name, when it has one. */
export function recordName(data: Json | undefined): string | null {
  if (!isJsonObject(data)) return null;
  for (const name of ['title', 'name', 'subject', 'label', 'number']) {
    const value = data[name];
    if (typeof value === 'string' && value.trim() !== '') return value;
  }
  return null;
}
