/** The form of a record: which fields, with what control, and what is wrong with a value, by the type's definition and what the data holds. */
import type { Json, JsonObject } from '@stet/client';
import { fieldLabel, humanize, isJsonObject, pointerParts, toPointer, valueAt, type FieldDefinition, type TypeDefinition } from '../../types/type-definition';

export type Control = 'line' | 'text' | 'number' | 'switch' | 'choice' | 'words' | 'date' | 'time' | 'json';

export interface FormField {
  readonly pointer: string;
  readonly label: string;
  readonly control: Control;
  readonly required: boolean;
  readonly integer: boolean;
  readonly nullable: boolean;
  readonly choices: readonly Json[];
  readonly description: string | null;
  /** It is set once. */
  readonly immutable: boolean;
  readonly definition: FieldDefinition | null;
}
export interface FormGroup {
  /** Of an object inside the record; null: the record itself. */
  readonly label: string | null;
  readonly fields: readonly FormField[];
}

const nothing: FieldDefinition = { pointer: '', kinds: [], required: false, title: null, description: null, fallback: undefined, choices: null, minimum: null, maximum: null, minBytes: null, maxBytes: null, merge: null, immutable: false };
const longBytes = 1000;

function controlOf(definition: FieldDefinition, value: Json | undefined): Control {
  const kinds = definition.kinds.filter((kind) => kind !== 'null');
  if (definition.choices) return 'choice';
  const only = kinds.length === 1 ? kinds[0] : undefined;
  if (only === 'boolean') return 'switch';
  if (only === 'number' || only === 'integer') return 'number';
  if (only === 'array') return value === undefined || value === null || (Array.isArray(value) && value.every((one) => typeof one === 'string')) ? 'words' : 'json';
  if (only === 'object' || kinds.length > 1) return 'json';
  if (only === 'string') {
    if (definition.merge === 'text' || (definition.maxBytes ?? 0) > longBytes || (typeof value === 'string' && (value.includes('\n') || value.length > 120))) return 'text';
    return 'line';
  }
  // Nothing is declared: what is there says it.
  if (typeof value === 'boolean') return 'switch';
  if (typeof value === 'number') return 'number';
  if (typeof value === 'string') return value.includes('\n') || value.length > 120 ? 'text' : 'line';
  if (Array.isArray(value) && value.length > 0 && value.every((one) => typeof one === 'string')) return 'words';
  return value === undefined ? 'line' : 'json';
}

const dateLike = /^\d{4}-\d{2}-\d{2}$/;

function formField(definition: FieldDefinition, value: Json | undefined): FormField {
  const control = controlOf(definition, value);
  const isDate = control === 'line' && ((typeof value === 'string' && dateLike.test(value)) || (definition.maxBytes === 10 && /(date|_on|_until|close|due)$/.test(definition.pointer)));
  return {
    pointer: definition.pointer,
    label: fieldLabel(definition),
    control: isDate ? 'date' : control,
    required: definition.required,
    integer: definition.kinds.includes('integer') && !definition.kinds.includes('number'),
    nullable: definition.kinds.includes('null'),
    choices: definition.choices ?? [],
    description: definition.description,
    immutable: definition.immutable,
    definition: definition === nothing ? null : definition,
  };
}

/** The fields of a form in their order: as declared, then what the data has besides. Objects whose members are declared are groups. */
export function formOf(type: TypeDefinition | undefined, data: JsonObject): readonly FormGroup[] {
  const declared = (type?.fields ?? []).filter((field) => !field.pointer.includes('*'));
  const parents = new Set(declared.map((field) => toPointer(pointerParts(field.pointer).slice(0, -1))).filter((pointer) => pointer !== ''));
  const shown = declared.filter((field) => !parents.has(field.pointer));
  const known = new Set([...declared.map((field) => field.pointer), ...parents]);
  const besides = Object.keys(data).map((name) => toPointer([name])).filter((pointer) => !known.has(pointer)).map((pointer) => ({ ...nothing, pointer }));
  const groups = new Map<string, FormField[]>();
  for (const definition of [...shown, ...besides]) {
    const group = toPointer(pointerParts(definition.pointer).slice(0, -1));
    const field = formField(definition, valueAt(data, definition.pointer));
    const members = groups.get(group);
    if (members) members.push(field);
    else groups.set(group, [field]);
  }
  return [...groups].map(([pointer, fields]) => ({ label: pointer === '' ? null : (declared.find((field) => field.pointer === pointer)?.title ?? pointerParts(pointer).map(humanize).join(' · ')), fields }));
}

/** A value as a control shows it. */
export function writtenAs(field: FormField, value: Json | undefined): string {
  if (value === undefined || value === null) return '';
  if (field.control === 'words') return Array.isArray(value) ? value.map(String).join(', ') : String(value);
  if (field.control === 'json') return JSON.stringify(value, null, 2);
  if (field.control === 'choice') return JSON.stringify(value);
  return typeof value === 'string' ? value : JSON.stringify(value);
}

export type Reading = { readonly value: Json | undefined; readonly wrong: null } | { readonly value: undefined; readonly wrong: Wrong };
export type Wrong =
  | { readonly kind: 'required' | 'number' | 'integer' | 'json' }
  | { readonly kind: 'minimum' | 'maximum' | 'minBytes' | 'maxBytes'; readonly bound: number };

const nan: Reading = { value: undefined, wrong: { kind: 'number' } };

/** What somebody wrote, as a value; undefined as value: the field is to go. The same rules as the server's, which has the last word. */
export function readField(field: FormField, text: string): Reading {
  const definition = field.definition;
  const empty = text.trim() === '';
  if (field.control === 'words') {
    const words = text.split(',').map((word) => word.trim()).filter((word) => word !== '');
    return { value: [...new Set(words)], wrong: null };
  }
  if (empty && field.control !== 'text') {
    if (field.required && !field.nullable) return { value: undefined, wrong: { kind: 'required' } };
    return { value: field.nullable ? null : undefined, wrong: null };
  }
  if (field.control === 'number') {
    if (!/^\s*[-+]?(\d+([.,]\d*)?|[.,]\d+)([eE][-+]?\d+)?\s*$/.test(text)) return nan;
    const value = Number(text.replace(',', '.'));
    if (!Number.isFinite(value)) return nan;
    if (field.integer && !Number.isInteger(value)) return { value: undefined, wrong: { kind: 'integer' } };
    if (definition?.minimum !== null && definition !== null && value < definition.minimum) return { value: undefined, wrong: { kind: 'minimum', bound: definition.minimum } };
    if (definition?.maximum !== null && definition !== null && value > definition.maximum) return { value: undefined, wrong: { kind: 'maximum', bound: definition.maximum } };
    return { value, wrong: null };
  }
  if (field.control === 'json' || field.control === 'choice') {
    try {
      const value: Json = JSON.parse(text);
      return { value, wrong: null };
    } catch {
      return { value: undefined, wrong: { kind: 'json' } };
    }
  }
  if (field.control === 'switch') return { value: text === 'true', wrong: null };
  const bytes = new TextEncoder().encode(text).length;
  if (field.required && empty && (definition?.minBytes ?? 0) > 0) return { value: undefined, wrong: { kind: 'required' } };
  if (definition !== null && definition.minBytes !== null && bytes < definition.minBytes) return { value: undefined, wrong: { kind: 'minBytes', bound: definition.minBytes } };
  if (definition !== null && definition.maxBytes !== null && bytes > definition.maxBytes) return { value: undefined, wrong: { kind: 'maxBytes', bound: definition.maxBytes } };
  return { value: text, wrong: null };
}

/** A copy with one place set, or without it. Objects on the way are made; elements of lists are left alone. */
export function withValue(data: JsonObject, pointer: string, value: Json | undefined): JsonObject {
  const [first, ...rest] = pointerParts(pointer);
  if (first === undefined) return data;
  if (rest.length > 0) {
    const inner = data[first];
    if (value === undefined && !isJsonObject(inner)) return data;
    return { ...data, [first]: withValue(isJsonObject(inner) ? inner : {}, toPointer(rest), value) };
  }
  if (value !== undefined) return { ...data, [first]: value };
  const { [first]: gone, ...others } = data;
  return gone === undefined ? data : others;
}

export const sameJson = (a: Json | undefined, b: Json | undefined): boolean => {
  if (a === b) return true;
  if (Array.isArray(a) && Array.isArray(b)) return a.length === b.length && a.every((one, index) => sameJson(one, b[index]));
  if (!isJsonObject(a) || !isJsonObject(b)) return false;
  const names = Object.keys(a);
  return names.length === Object.keys(b).length && names.every((name) => Object.hasOwn(b, name) && sameJson(a[name], b[name]));
};

/** What was written so far, by pointer: the text as it stands in the control. */
export type Draft = ReadonlyMap<string, string>;

/** The data with the draft put on, and what of it is wrong. Fields that say what the data says already are left as they are. */
export function applyDraft(data: JsonObject, groups: readonly FormGroup[], draft: Draft): { readonly data: JsonObject; readonly wrong: ReadonlyMap<string, Wrong> } {
  const wrong = new Map<string, Wrong>();
  let result = data;
  for (const field of groups.flatMap((group) => group.fields)) {
    const text = draft.get(field.pointer);
    if (text === undefined) continue;
    const read = readField(field, text);
    if (read.wrong) wrong.set(field.pointer, read.wrong);
    else if (!sameJson(valueAt(data, field.pointer), read.value)) result = withValue(result, field.pointer, read.value);
  }
  return { data: result, wrong };
}

/** For a new record: what is declared as default, and what must be there and is not. */
export function missingFields(data: JsonObject, groups: readonly FormGroup[]): ReadonlyMap<string, Wrong> {
  return new Map(
    groups.flatMap((group) => group.fields).filter((field) => field.required && field.definition?.fallback === undefined && valueAt(data, field.pointer) === undefined).map((field) => [field.pointer, { kind: 'required' } as const]),
  );
}

/** What a new record begins with. */
export function defaultsOf(type: TypeDefinition | undefined): JsonObject {
  let data: JsonObject = {};
  for (const field of type?.fields ?? []) {
    if (field.fallback !== undefined && !field.pointer.includes('*')) data = withValue(data, field.pointer, field.fallback);
  }
  return data;
}

/** What was changed between `base` and `edited`, put on `data`, which may have moved on meanwhile. */
export function rebaseData(base: JsonObject, edited: JsonObject, data: JsonObject): JsonObject {
  let result = data;
  for (const name of new Set([...Object.keys(base), ...Object.keys(edited)])) {
    const before = base[name];
    const after = edited[name];
    if (sameJson(before, after)) continue;
    const now = result[name];
    const next = isJsonObject(before) && isJsonObject(after) && isJsonObject(now) ? rebaseData(before, after, now) : after;
    result = withValue(result, toPointer([name]), next);
  }
  return result;
}

/** The field that the server named, as a pointer into the data: it may name it inside of what was sent. */
export function fieldOfError(field: string | null, groups: readonly FormGroup[]): string | null {
  if (field === null) return null;
  const pointers = groups.flatMap((group) => group.fields).map(({ pointer }) => pointer);
  const named = [field, field.replace(/^\/(data|patch)(?=\/)/, '')].flatMap((candidate) => pointers.find((pointer) => candidate === pointer || candidate.startsWith(`${pointer}/`)) ?? []);
  return named[0] ?? null;
}
