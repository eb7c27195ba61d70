/** Turns the server's snake_case into camelCase, around what is the application's own and is never touched. */
import { isList, isMap, type Json } from './json';

/** Members whose whole value is the application's: data, sides of a conflict, inputs and results, definitions. */
const OPAQUE: ReadonlySet<string> = new Set([
  'data', 'base', 'current', 'yours', 'merged', 'patch', 'input', 'result', 'value', 'from', 'to', 'body', 'schema',
  'definition', 'properties', 'input_schema', 'result_schema', 'headers',
]);

/** Members whose names are the application's (types, pointers, ids), and whose values are ours. */
const NAMED: ReadonlySet<string> = new Set(['fields', 'lists', 'types', 'functions', 'hours']);

const NAMES_MAX = 4096;
const names = new Map<string, string>();

/** `created_at` → `createdAt`. */
export const camelName = (name: string): string => {
  const known = names.get(name);
  if (known !== undefined) return known;
  const made = name.replace(/(?<=[a-z0-9])_([a-z0-9])/g, (_, letter: string) => letter.toUpperCase());
  if (names.size < NAMES_MAX) names.set(name, made);
  return made;
};

const values = (value: Json): Json =>
  isMap(value) ? Object.fromEntries(Object.entries(value).map(([name, member]) => [name, toCamel(member)])) : toCamel(value);

/** An answer in camelCase. Names that begin with `__` come through as they are, `__proto__` as a member like any other. */
export const toCamel = (value: Json): Json => {
  if (isList(value)) return value.map(toCamel);
  if (!isMap(value)) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [
      camelName(name),
      OPAQUE.has(name) ? member : NAMED.has(name) ? values(member) : toCamel(member),
    ]),
  );
};
