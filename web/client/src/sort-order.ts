/** The order of a list, as the server has it (docs/http.md, "Lists"): so that a change moves a record without asking. */
import type { RecordState } from './client';
import type { Address, RecordOf } from './record';
import { isList, isMap, type Json, type JsonObject } from './json';
import { memberOf } from './merge-patch';

type Key = Json | undefined;

/** What of a record's state its place depends on. */
export type Placed = Pick<RecordState, 'address' | 'type' | 'id' | 'record'> & { readonly data: JsonObject | null };

interface Field {
  readonly descending: boolean;
  readonly read: (state: Placed) => Key;
}

/** Where a record stands: its values, then when it was made, then its address. */
export interface Place {
  readonly keys: readonly Key[];
  readonly createdAt: string;
  readonly address: string;
}

export interface SortOrder {
  /** It is only the order in which records came. */
  readonly arrival: boolean;
  placeOf(state: Placed): Place;
  /** Below 0: `left` comes first. */
  compare(left: Place, right: Place): number;
}

const rank = (value: Key): number => {
  if (value === undefined) return 0;
  if (value === null) return 1;
  if (value === false) return 2;
  if (value === true) return 3;
  if (typeof value === 'number') return 4;
  return typeof value === 'string' ? 5 : 6;
};

/** Texts by their UTF-8 bytes, which is the order of code points. JavaScript's own puts the pairs of U+10000 and up before U+E000. */
export const compareTexts = (left: string, right: string): number => {
  const end = Math.min(left.length, right.length);
  for (let index = 0; index < end; index++) {
    const [a, b] = [left.charCodeAt(index), right.charCodeAt(index)];
    if (a === b) continue;
    const [aPair, bPair] = [a >= 0xd800 && a <= 0xdfff, b >= 0xd800 && b <= 0xdfff];
    return aPair === bPair ? a - b : aPair ? 1 : -1;
  }
  return left.length - right.length;
};

const compareKeys = (left: Key, right: Key): number => {
  const [a, b] = [rank(left), rank(right)];
  if (a !== b) return a - b;
  if (typeof left === 'number' && typeof right === 'number') return left < right ? -1 : left > right ? 1 : 0;
  if (typeof left === 'string' && typeof right === 'string') return compareTexts(left, right);
  return 0;
};

/** Times as the server writes them: the part of the second may be shorter in one than in the other. */
const compareTimes = (left: string, right: string): number => compareTexts(left.replace(/Z$/, ''), right.replace(/Z$/, ''));

const step = (value: Key, name: string): Key => {
  if (value === undefined) return undefined;
  if (isMap(value)) return memberOf(value, name);
  return isList(value) && /^\d+$/.test(name) ? value[Number(name)] : undefined;
};

const pathOf = (field: string): readonly string[] | null => {
  if (field.startsWith('/')) return field.slice(1).split('/').map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));
  const path = field.replaceAll(/\[(\d+)\]/g, '.$1').split('.');
  return path.every((part) => /^[\p{L}\p{N}_]+$/u.test(part)) ? path : null;
};

const metadata: Readonly<Record<string, (state: Placed) => Key>> = {
  $id: (state) => state.id,
  $type: (state) => state.type,
  $version: (state) => state.record?.version,
  $seq: (state) => state.record?.seq,
  $created_at: (state) => state.record?.createdAt.replace(/Z$/, ''),
  $created_by: (state) => state.record?.createdBy,
  $updated_at: (state) => state.record?.updatedAt.replace(/Z$/, ''),
  $updated_by: (state) => state.record?.updatedBy,
  $parent: (state) => state.record?.parent,
};

/** Times of what is not yet at the server: the newest there can be. */
const TIMES: ReadonlySet<string> = new Set(['$created_at', '$updated_at', '$seq']);

const fieldOf = (given: string): Field | null => {
  const word = given.trim();
  const descending = word.startsWith('-');
  const name = descending ? word.slice(1) : word;
  const meta = Object.hasOwn(metadata, name) ? metadata[name] : undefined;
  if (meta !== undefined) {
    const late: Key = TIMES.has(name) ? (name === '$seq' ? Number.MAX_VALUE : '9999') : undefined;
    return { descending, read: (state) => (state.record === null && late !== undefined ? late : meta(state)) };
  }
  if (name.startsWith('$')) return null;
  const path = pathOf(name);
  return path === null ? null : { descending, read: (state) => path.reduce<Key>(step, state.data ?? undefined) };
};

/**
 * The order that `sort` asks for; null when it cannot be told here (an unknown field), so that the list has to be read anew.
 * Without `sort`: by id.
 */
export const sortOrderOf = (sort: string | undefined): SortOrder | null => {
  const words = (sort ?? '').split(',').filter((word) => word.trim() !== '');
  const fields = (words.length === 0 ? ['$id'] : words).map(fieldOf);
  const known = fields.filter((field) => field !== null);
  if (known.length !== fields.length) return null;
  return {
    arrival: false,
    placeOf: (state) => ({
      keys: known.map((field) => field.read(state)),
      createdAt: state.record?.createdAt ?? '9999',
      address: state.address,
    }),
    compare(left, right) {
      for (let index = 0; index < known.length; index++) {
        const order = compareKeys(left.keys[index], right.keys[index]);
        if (order !== 0) return known[index]?.descending === true ? -order : order;
      }
      return compareTimes(left.createdAt, right.createdAt) || compareTexts(left.address, right.address);
    },
  };
};


/** The order in which records came: first these, then whatever is met. */
export const arrivalOrder = (first: readonly Address[] = []): SortOrder => {
  const numbers = new Map<Address, number>(first.map((address, index) => [address, index]));
  return {
    arrival: true,
    placeOf(state) {
      const number = numbers.get(state.address) ?? numbers.size;
      numbers.set(state.address, number);
      return { keys: [number], createdAt: '', address: state.address };
    },
    compare: (left, right) => compareKeys(left.keys[0], right.keys[0]),
  };
};

/** Whether records as the server sent them stand in this order. */
export const isInOrder = (order: SortOrder, records: readonly RecordOf[]): boolean => {
  if (order.arrival) return false;
  const places = records.map((record) => order.placeOf({ ...record, record }));
  return places.every((place, index) => {
    const before = places[index - 1];
    return before === undefined || order.compare(before, place) <= 0;
  });
};
