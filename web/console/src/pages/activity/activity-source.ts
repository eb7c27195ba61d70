/** Where the activity comes from: what happened last is read, page by page backwards; what happens then is followed. */
import type { Client, FeedEvent, Live, Seq } from '@stet/client';
import { isJsonObject } from '../../types/type-definition';
import { listOf, objectOf, textOf } from '../../outside';
import type { FieldDifference } from '../../differences';
import type { ActivityLog } from './activity-log';
import { heardOf, pageOf, type ChangeEntry, type Heard } from './entry';

export interface ActivityFilter {
  /** Null: all but the system's. */
  readonly type: string | null;
  /** An expression; empty: none. It is asked of records, so there are no conflicts and operations then. */
  readonly where: string;
}

export interface SourceState {
  readonly status: 'loading' | 'ready' | 'error';
  /** There may be older entries. */
  readonly hasOlder: boolean;
  readonly readingOlder: boolean;
  readonly error: unknown;
}

export interface ActivitySource extends Live<SourceState> {
  start(): void;
  stop(): void;
  older(): Promise<void>;
  /** Finds out what a change changed. */
  explain(entry: ChangeEntry): void;
}

/** As many entries make a first page, if there are so many. */
const wantedAtOnce = 40;
/** How far back is looked at once, in positions; it doubles as long as too little is found. */
const windowFirst = 400;
const windowsMax = 6;
const pageMax = 1000;
/** Differences that are asked for at the same time. */
const explainingMax = 3;

export function createActivitySource(client: Client, log: ActivityLog, filter: ActivityFilter, now: () => number = Date.now): ActivitySource {
  let state: SourceState = { status: 'loading', hasOlder: false, readingOlder: false, error: null };
  let from: Seq = 0;
  let abort = new AbortController();
  let undo: readonly (() => void)[] = [];
  let explaining = 0;
  const asked = new Set<string>();
  const waiting: ChangeEntry[] = [];
  const listeners = new Set<() => void>();
  const withEvents = filter.type === null && filter.where === '';
  const set = (next: Partial<SourceState>) => {
    state = { ...state, ...next };
    listeners.forEach((listener) => listener());
  };
  const time = () => new Date(now()).toISOString();

  const read = async (query: Readonly<Record<string, string | number | readonly string[]>>, signal: AbortSignal) => pageOf((await client.http.request('GET', '/changes', { query, signal })).body, time());

  /** All that happened behind `after`, up to and including `upTo`. */
  const readSpan = async (after: Seq, upTo: Seq, signal: AbortSignal): Promise<readonly Heard[]> => {
    const found: Heard[] = [];
    const kinds = [{ ...(filter.type === null ? {} : { type: filter.type }), ...(filter.where === '' ? {} : { where: filter.where }) }, ...(withEvents ? [{ events: ['conflict', 'operation'] }] : [])];
    for (const kind of kinds) {
      for (let since = after; since < upTo; ) {
        const { heard, next } = await read({ ...kind, since, limit: pageMax }, signal);
        found.push(...heard.filter(({ entry }) => entry.seq <= upTo));
        if (next <= since) break;
        since = next;
      }
    }
    return found;
  };

  const readOlder = async (signal: AbortSignal) => {
    let span = windowFirst;
    let count = 0;
    for (let turn = 0; turn < windowsMax && from > 0 && count < wantedAtOnce; turn += 1, span *= 2) {
      const upTo = from;
      const after = Math.max(0, upTo - span);
      const heard = await readSpan(after, upTo, signal);
      if (signal.aborted) return;
      from = after;
      count += heard.length;
      log.add(heard);
    }
    set({ hasOlder: from > 0 });
  };

  const hear = (event: FeedEvent) => {
    if (event.kind === 'failed') return set({ error: event.error });
    const heard = heardOf(event, time());
    if (heard !== null) log.add([heard]);
  };

  const begin = async (signal: AbortSignal) => {
    try {
      const { next } = await read({ since: 'now', limit: 1, ...(filter.where === '' ? {} : { where: filter.where }) }, signal);
      if (signal.aborted) return;
      from = next;
      undo = [
        client.feed.follow({ since: next, ...(filter.type === null ? {} : { types: [filter.type] }), ...(filter.where === '' ? {} : { where: filter.where }) }, hear),
        ...(withEvents ? [client.feed.follow({ since: next, events: ['conflict', 'operation'] }, hear)] : []),
      ];
      await readOlder(signal);
      if (!signal.aborted) set({ status: 'ready', error: null });
    } catch (error) {
      if (!signal.aborted) set({ status: 'error', error });
    }
  };

  const explainNext = () => {
    const entry = waiting.pop();
    if (entry === undefined || explaining >= explainingMax) {
      if (entry !== undefined) waiting.push(entry);
      return;
    }
    explaining += 1;
    readDifferences(client, entry, abort.signal)
      // One that is no longer kept, or not for this person, is told of without.
      .catch((): readonly FieldDifference[] | null => null)
      .then((differences) => {
        if (differences !== null) log.explain(entry.key, differences);
      })
      .finally(() => {
        explaining -= 1;
        explainNext();
      });
  };

  return {
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    getSnapshot: () => state,
    start: () => {
      abort = new AbortController();
      log.clear();
      asked.clear();
      set({ status: 'loading', hasOlder: false, readingOlder: false, error: null });
      void begin(abort.signal);
    },
    stop: () => {
      abort.abort();
      undo.forEach((stop) => stop());
      undo = [];
      waiting.length = 0;
    },
    older: async () => {
      if (state.readingOlder || !state.hasOlder) return;
      const { signal } = abort;
      set({ readingOlder: true });
      try {
        await readOlder(signal);
        if (!signal.aborted) set({ readingOlder: false, error: null });
      } catch (error) {
        if (!signal.aborted) set({ readingOlder: false, error });
      }
    },
    explain: (entry) => {
      if (entry.differences !== null || entry.version < 2 || asked.has(entry.key)) return;
      asked.add(entry.key);
      waiting.push(entry);
      explainNext();
    },
  };
}

async function readDifferences(client: Client, entry: ChangeEntry, signal: AbortSignal): Promise<readonly FieldDifference[]> {
  const path = `/records/${encodeURIComponent(entry.type)}/${encodeURIComponent(entry.id)}/diff`;
  const { text } = await client.http.request('GET', path, { query: { from: entry.version - 1, to: entry.version }, signal });
  const body: unknown = JSON.parse(text);
  return listOf(objectOf(body)['changes']).flatMap((one): readonly FieldDifference[] => {
    if (!isJsonObject(one)) return [];
    const pointer = textOf(one['pointer']);
    const { from, to } = one;
    return pointer === undefined ? [] : [{ pointer, ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) }];
  });
}
