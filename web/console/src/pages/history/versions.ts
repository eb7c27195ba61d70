/** The versions of a record: what the server tells of each, and how two of them differ. */
import { StetError, type Client, type Json, type JsonObject } from '@stet/client';
import { isObject, listOf, numberOf, objectOf, textOf } from '../../outside';

/** How one field came about in a merge. */
export interface MergedFrom {
  readonly pointer: string;
  readonly from: string;
  readonly rule: string | undefined;
}

/** One line of the timeline. */
export interface VersionEntry {
  readonly version: number;
  readonly op: string;
  readonly at: string;
  readonly by: string;
  readonly base: number;
  readonly source: string | undefined;
  readonly revertedTo: number | undefined;
  readonly strategy: string | undefined;
  readonly merged: readonly MergedFrom[];
  readonly conflictId: string | undefined;
  readonly operation: string | undefined;
  readonly function: string | undefined;
  readonly pruned: boolean;
}

/** Names one line of the answer; null for what has no version. */
export function decodeEntry(found: unknown): VersionEntry | null {
  if (!isObject(found)) return null;
  const version = numberOf(found['version']);
  if (version === undefined) return null;
  const merge = objectOf(found['merge']);
  return {
    version,
    op: textOf(found['op']) ?? '',
    at: textOf(found['at']) ?? '',
    by: textOf(found['by']) ?? '',
    base: numberOf(found['baseVersion']) ?? 0,
    source: textOf(found['source']),
    revertedTo: numberOf(found['revertedTo']),
    strategy: textOf(merge['strategy']),
    merged: Object.entries(objectOf(merge['fields'])).map(([pointer, field]) => ({
      pointer,
      from: textOf(objectOf(field)['from']) ?? '',
      rule: textOf(objectOf(field)['rule']),
    })),
    conflictId: textOf(merge['conflictId']),
    operation: textOf(found['operation']),
    function: textOf(found['function']),
    pruned: found['pruned'] === true,
  };
}

export interface Timeline {
  /** Newest first. */
  readonly entries: readonly VersionEntry[];
  readonly more: boolean;
}

const pageMax = 100;
const pathOf = (type: string, id: string): string => `/records/${encodeURIComponent(type)}/${encodeURIComponent(id)}`;

/** Reads at least so many versions, newest first. */
export async function readTimeline(client: Client, type: string, id: string, wanted: number, signal: AbortSignal): Promise<Timeline> {
  const entries: VersionEntry[] = [];
  let before: number | undefined;
  do {
    const { body } = await client.http.request('GET', `${pathOf(type, id)}/history`, { query: { limit: Math.min(pageMax, wanted), before }, signal });
    const answer = objectOf(body);
    for (const found of listOf(answer['changes'])) {
      const entry = decodeEntry(found);
      if (entry !== null) entries.push(entry);
    }
    before = numberOf(answer['next']);
  } while (before !== undefined && entries.length < wanted);
  return { entries, more: before !== undefined };
}

/** One version as it was. `gone`: why there is nothing to see. */
export interface Snapshot {
  readonly version: number;
  readonly data: JsonObject | null;
  readonly gone: 'deleted' | 'pruned' | 'missing' | null;
}

/** Reads a version, or what stood there at a time. What cannot be seen any more is told, not thrown. */
export async function readSnapshot(client: Client, type: string, id: string, which: { readonly version: number } | { readonly at: string }, signal: AbortSignal): Promise<Snapshot> {
  const version = 'version' in which ? which.version : 0;
  try {
    const record = await client.records.get(type, id, { ...which, signal });
    return record.deleted === true ? { version: record.version, data: null, gone: 'deleted' } : { version: record.version, data: record.data, gone: null };
  } catch (reason) {
    if (!(reason instanceof StetError)) throw reason;
    if (reason.code === 'DELETED') return { version, data: null, gone: 'deleted' };
    if (reason.code === 'PRUNED' || reason.code === 'PURGED') return { version, data: null, gone: 'pruned' };
    if (reason.code === 'NOT_FOUND') return { version, data: null, gone: 'missing' };
    throw reason;
  }
}

/** One field of two versions. */
export interface ComparedField {
  readonly name: string;
  readonly left: Json | undefined;
  readonly right: Json | undefined;
  readonly changed: boolean;
}

const same = (one: Json | undefined, other: Json | undefined): boolean => canonical(one) === canonical(other);

/** Members in the order of their names, so that order makes no difference. */
const canonical = (value: Json | undefined): string =>
  JSON.stringify(value, (_, inner: unknown) =>
    isObject(inner) ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1))) : inner,
  ) ?? '';

/** All fields of two versions, in the order of the newer one, those that it lacks at the end. */
export function compare(left: JsonObject | null, right: JsonObject | null): readonly ComparedField[] {
  const names = [...new Set([...Object.keys(right ?? {}), ...Object.keys(left ?? {})])];
  return names.map((name) => ({
    name,
    left: left?.[name],
    right: right?.[name],
    changed: !same(left?.[name], right?.[name]),
  }));
}

/** Puts the data of an earlier version back, provided that nobody changed the record since `base`. */
export async function revert(client: Client, type: string, id: string, to: number, base: number): Promise<void> {
  await client.http.request('POST', `${pathOf(type, id)}/revert`, { query: { to }, ifMatch: base });
}

/** A time of an `<input type="datetime-local">`, which knows no zone, as the server takes it; null when it is none. */
export function timeOf(local: string): string | null {
  const at = new Date(local);
  return local === '' || Number.isNaN(at.getTime()) ? null : at.toISOString();
}
