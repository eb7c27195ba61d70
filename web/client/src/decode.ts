/**
 * Names what came from outside. A decoder takes `unknown` and either answers a value of its type or throws a
 * {@link DecodeError} that says where the document was wrong.
 */
import type { Json, JsonObject } from './json';

/** What was read is not what it should have been. `pointer` is a JSON pointer into it. */
export class DecodeError extends Error {
  readonly pointer: string;

  constructor(pointer: string, expected: string) {
    super(`expected ${expected} at "${pointer}"`);
    this.name = 'DecodeError';
    this.pointer = pointer;
  }
}

/** Names a value, or throws; `pointer` says where the value stands. */
export type Decoder<T> = (value: unknown, pointer: string) => T;

/** Deeper than this nothing is read: the server takes 128 levels of data, and what surrounds them is flat. */
const LEVELS_MAX = 160;

/** A text. */
export const text: Decoder<string> = (value, pointer) => {
  if (typeof value !== 'string') throw new DecodeError(pointer, 'a text');
  return value;
};

/** A finite number. */
export const number: Decoder<number> = (value, pointer) => {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw new DecodeError(pointer, 'a number');
  return value;
};

/** A count or a version: whole, not negative, and exact as a double. */
export const count: Decoder<number> = (value, pointer) => {
  if (typeof value !== 'number' || !Number.isSafeInteger(value) || value < 0) {
    throw new DecodeError(pointer, 'a whole number, 0 or more');
  }
  return value;
};

/** true or false. */
export const flag: Decoder<boolean> = (value, pointer) => {
  if (typeof value !== 'boolean') throw new DecodeError(pointer, 'true or false');
  return value;
};

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const escaped = (name: string) => name.replaceAll('~', '~0').replaceAll('/', '~1');

function assertJson(value: unknown, pointer: string, level: number): asserts value is Json {
  if (level > LEVELS_MAX) throw new DecodeError(pointer, `at most ${LEVELS_MAX} levels`);
  if (value === null || typeof value === 'string' || typeof value === 'boolean') return;
  if (typeof value === 'number' && Number.isFinite(value)) return;
  if (Array.isArray(value)) {
    for (let index = 0; index < value.length; index++) assertJson(value[index], pointer, level + 1);
    return;
  }
  if (!isObject(value)) throw new DecodeError(pointer, 'JSON');
  for (const name in value) assertJson(value[name], pointer, level + 1);
}

function assertJsonObject(value: unknown, pointer: string): asserts value is JsonObject {
  if (!isObject(value)) throw new DecodeError(pointer, 'an object');
  assertJson(value, pointer, 0);
}

/** Any JSON; a fault inside is reported at the value's own pointer. */
export const json: Decoder<Json> = (value, pointer) => {
  assertJson(value, pointer, 0);
  return value;
};

/** A JSON object whose members are the application's own. */
export const jsonObject: Decoder<JsonObject> = (value, pointer) => {
  assertJsonObject(value, pointer);
  return value;
};

/** A list of what `element` names. */
export const array =
  <T>(element: Decoder<T>): Decoder<readonly T[]> =>
  (value, pointer) => {
    if (!Array.isArray(value)) throw new DecodeError(pointer, 'a list');
    return value.map((one: unknown, index) => element(one, `${pointer}/${index}`));
  };

/** An object used as a map: any names, values of one kind. */
export const dictionary =
  <T>(element: Decoder<T>): Decoder<Readonly<Record<string, T>>> =>
  (value, pointer) => {
    if (!isObject(value)) throw new DecodeError(pointer, 'an object');
    return Object.fromEntries(
      Object.entries(value).map(([name, member]) => [name, element(member, `${pointer}/${escaped(name)}`)]),
    );
  };

/** One of these words. */
export const oneOf =
  <const W extends string>(...words: readonly W[]): Decoder<W> =>
  (value, pointer) => {
    const found = words.find((word) => word === value);
    if (found === undefined) throw new DecodeError(pointer, `one of ${words.join(', ')}`);
    return found;
  };

/** null, or what `inner` names. */
export const nullable =
  <T>(inner: Decoder<T>): Decoder<T | null> =>
  (value, pointer) =>
    value === null ? null : inner(value, pointer);

/** Reads the members of one object; members that nobody asks for are left alone, for a newer server may have more. */
export class Members {
  private readonly value: Readonly<Record<string, unknown>>;
  private readonly pointer: string;

  constructor(value: unknown, pointer = '') {
    if (!isObject(value)) throw new DecodeError(pointer, 'an object');
    this.value = value;
    this.pointer = pointer;
  }

  /** Whether the member is there, be it null. */
  has(name: string): boolean {
    return Object.hasOwn(this.value, name);
  }

  /** A member that must be there. */
  get<T>(name: string, decoder: Decoder<T>): T {
    return decoder(this.has(name) ? this.value[name] : undefined, `${this.pointer}/${escaped(name)}`);
  }

  /** A member that may be absent or null. */
  find<T>(name: string, decoder: Decoder<T>): T | undefined {
    const value = this.has(name) ? this.value[name] : undefined;
    return value === undefined || value === null ? undefined : decoder(value, `${this.pointer}/${escaped(name)}`);
  }

  /** `{name: value}` to be spread into an object, or `{}` when it is absent: for optional properties. */
  part<N extends string, T>(name: N, decoder: Decoder<T>): { readonly [K in N]?: T };
  part<T>(name: string, decoder: Decoder<T>): { readonly [name: string]: T } {
    const value = this.find(name, decoder);
    return value === undefined ? {} : { [name]: value };
  }
}

/** Text to JSON; throws a {@link DecodeError} when it is none. */
export const parseJson = (source: string): Json => {
  let value: unknown;
  try {
    value = JSON.parse(source);
  } catch {
    throw new DecodeError('', 'JSON');
  }
  return json(value, '');
};
