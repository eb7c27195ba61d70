/** From what the application asks for to the edit that says it: the version it was made from, and as little as possible. */
import { addressOf } from './address';
import type { WriteOptions } from './client';
import { DecodeError, jsonObject } from './decode';
import type { Change, Edit } from './edit';
import { StetError } from './error';
import { isList, isMap, type Json, type JsonObject } from './json';
import { diffMergePatch, minimalPatch } from './merge-patch';
import type { MutationId, Time } from './record';
import type { RecordStore } from './record-store';
import { isShown } from './view';

/** Who writes, when, and under which name. */
export interface Author {
  readonly id: MutationId;
  readonly actor: string;
  readonly madeAt: Time;
  readonly transaction?: MutationId;
}

/** Data that the application gave: members that are undefined are absent, as `JSON.stringify` has it. */
export const givenData = (value: unknown): JsonObject => {
  try {
    return jsonObject(JSON.parse(JSON.stringify(value) ?? 'null'), '');
  } catch (cause) {
    const detail = cause instanceof DecodeError ? `the data are no JSON object: ${cause.message}` : 'the data are no JSON object';
    throw new StetError({ code: 'BAD_JSON', detail, cause });
  }
};

const gone = (address: string): StetError => new StetError({ code: 'NOT_FOUND', detail: `there is no record "${address}" to change` });

/** Whole numbers past 2^53 that stand in it: they were rounded when they were read. */
const roundedIn = (value: Json, found: Set<number> = new Set()): Set<number> => {
  if (typeof value === 'number' && Number.isInteger(value) && !Number.isSafeInteger(value)) found.add(value);
  else if (isList(value)) for (const one of value) roundedIn(one, found);
  else if (isMap(value)) for (const one of Object.values(value)) roundedIn(one, found);
  return found;
};

/** A list goes as a whole, and so does a document with a null: a number in it that nobody touched would be saved as it was rounded here. */
const sendable = (sent: JsonObject, from: JsonObject | null): JsonObject => {
  const rounded = roundedIn(sent);
  if (rounded.size > 0 && from !== null && [...roundedIn(from)].some((number) => rounded.has(number)))
    throw new StetError({ code: 'BAD_REQUEST', detail: 'this change would save a whole number that JavaScript cannot hold exactly' });
  return sent;
};

const edit = (store: RecordStore, author: Author, type: string, id: string, change: Change, options: WriteOptions): Edit => {
  const address = addressOf(type, id);
  const state = store.seen(address);
  const base = options.base ?? state.record?.version ?? null;
  const made = change.op === 'create';
  const below = state.edits.findLast(isShown);
  return {
    id: author.id,
    type,
    recordId: id,
    address,
    change,
    base: made ? null : base,
    baseData: made ? null : options.base === undefined ? state.data : store.shownAt(address, options.base),
    ...(options.onConflict === undefined ? {} : { onConflict: options.onConflict }),
    ...(author.transaction === undefined ? {} : { transaction: author.transaction }),
    after: below?.id ?? null,
    actor: author.actor,
    madeAt: author.madeAt,
    state: 'pending',
    attempts: 0,
  };
};

export const createEdit = (
  store: RecordStore,
  author: Author,
  type: string,
  id: string,
  data: unknown,
  options: WriteOptions & { readonly parent?: string },
): Edit =>
  edit(store, author, type, id, { op: 'create', data: givenData(data), ...(options.parent === undefined ? {} : { parent: options.parent }) }, options);

/**
 * An edit that changes parts of a record; null when nothing would be another afterwards. The record has to be known.
 *
 * @param change  a merge patch, or what makes the new data of those that were looked at
 */
export const updateEdit = (
  store: RecordStore,
  author: Author,
  type: string,
  id: string,
  change: unknown,
  options: WriteOptions,
): Edit | null => {
  const address = addressOf(type, id);
  const state = store.seen(address);
  // Somebody who began at an older version changed what they saw there, not what came meanwhile.
  const seen = options.base === undefined ? state.data : store.shownAt(address, options.base);
  if (typeof change !== 'function') {
    const given = givenData(change);
    if (state.data === null && options.base === undefined) throw gone(address);
    const patch = seen === null ? given : minimalPatch(seen, given);
    return Object.keys(patch).length === 0 ? null : edit(store, author, type, id, { op: 'patch', patch: sendable(patch, seen) }, options);
  }
  const from = seen ?? state.data;
  if (from === null) throw gone(address);
  const wanted = givenData(change(from));
  const patch = diffMergePatch(from, wanted);
  // A merge patch cannot set null: then the whole goes.
  if (patch === null) return edit(store, author, type, id, { op: 'put', data: sendable(wanted, from) }, options);
  return Object.keys(patch).length === 0 ? null : edit(store, author, type, id, { op: 'patch', patch: sendable(patch, from) }, options);
};

export const removeEdit = (store: RecordStore, author: Author, type: string, id: string, options: WriteOptions): Edit => {
  const state = store.get(addressOf(type, id));
  if (state.data === null && options.base === undefined) throw gone(state.address);
  return edit(store, author, type, id, { op: 'delete' }, options);
};

/** An edit of a transaction, whose change the caller spelt out. */
export const changeEdit = (store: RecordStore, author: Author, type: string, id: string, change: Change, options: WriteOptions): Edit => {
  if (change.op === 'create') return createEdit(store, author, type, id, change.data, { ...options, ...(change.parent === undefined ? {} : { parent: change.parent }) });
  const known: Change =
    change.op === 'put' ? { op: 'put', data: givenData(change.data) } : change.op === 'patch' ? { op: 'patch', patch: givenData(change.patch) } : change;
  return edit(store, author, type, id, known, options);
};
