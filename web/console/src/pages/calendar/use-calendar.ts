import type { Client } from '@stet/client';
import { useClient, useClientState } from '@stet/react';
import { useEffect, useMemo, useState } from 'react';
import type { Source, SourceState } from '../../live-source';
import { useSource } from '../../use-source';
import { addDays, clockOfDay, type Day } from './dates';
import type { CalendarType, Intervals } from './declaration';
import type { Draft } from './draft';
import { calendarPageOf, joined, type CalendarPage, type Occurrence } from './occurrence';
import { overlaid, type Heard, type Shown } from './overlay';
import { timesOf } from './times';

export interface CalendarView {
  readonly state: SourceState<Reading>;
  readonly source: Source<Reading>;
  readonly shown: readonly Shown[];
}
interface Reading {
  readonly occurrences: readonly Occurrence[];
  /** So many readings came before. */
  readonly round: number;
}

const pageLimit = 1000;
const changesMs = 300;
/** A type without a calendar of its own is read as records; more are not looked through. */
const recordsMax = 20_000;
const noEdits: readonly never[] = [];
let rounds = 0;

/** What takes place in these days, as it changes. `moves` are on their way; they are to be forgotten with the reading after their answer. */
export function useCalendar(type: CalendarType, kind: Intervals, from: Day, to: Day, zone: string, moves: ReadonlyMap<string, Draft>): CalendarView {
  const client = useClient();
  const [heard, setHeard] = useState<ReadonlyMap<string, Heard>>(new Map());
  const key = JSON.stringify([client.space, type.type, kind.resource, from, to, zone]);
  const { state, source } = useSource<Reading>(key, () => ({
    atMostEveryMs: changesMs,
    everyMs: 120_000,
    follow: (changed) => client.feed.follow({ types: [type.type] }, changed),
    read: async (signal) => ({ occurrences: await read(client, type, kind, from, to, zone, signal), round: (rounds += 1) }),
  }));
  useEffect(
    () =>
      client.feed.follow({ types: [type.type] }, (event) => {
        if (event.kind !== 'change') return;
        const { address, id, version, data, deleted } = event.record;
        setHeard((before) => new Map(before).set(address, { id, version, data: deleted === true || event.op === 'delete' || event.op === 'purge' ? null : data }));
      }),
    [client, type.type],
  );
  // What was read is newer than what was heard before.
  const round = state.value?.round;
  useEffect(() => setHeard((before) => (before.size === 0 ? before : new Map())), [round]);
  const edits = useClientState((all) => all.edits, noEdits);
  const occurrences = state.value?.occurrences;
  const shown = useMemo(() => overlaid(occurrences ?? [], type.type, kind, { heard, edits, moves }), [occurrences, type, kind, heard, edits, moves]);
  return { state, source, shown };
}

async function read(client: Client, type: CalendarType, kind: Intervals, from: Day, to: Day, zone: string, signal: AbortSignal): Promise<readonly Occurrence[]> {
  if (!kind.exclusive) return readRecords(client, type, kind, from, to, signal);
  const pages: CalendarPage[] = [];
  let after: string | null = null;
  do {
    const answer = await client.http.request('GET', `/calendar/${encodeURIComponent(type.type)}`, {
      signal,
      query: { from, to, zone, limit: pageLimit, ...(kind.resource === null ? {} : { field: kind.resource }), ...(after === null ? {} : { after }) },
    });
    const page = calendarPageOf(answer.body);
    pages.push(page);
    after = page.next;
  } while (after !== null);
  return joined(pages);
}

/** Records of a type that only has a start and an end: those that are in the time, found here. */
async function readRecords(client: Client, type: CalendarType, kind: Intervals, from: Day, to: Day, signal: AbortSignal): Promise<readonly Occurrence[]> {
  const found: Occurrence[] = [];
  let after: string | undefined;
  let looked = 0;
  do {
    const page = await client.records.list(type.type, { limit: pageLimit, signal, ...(after === undefined ? {} : { after }) });
    for (const record of page.records) {
      const times = timesOf(kind, record.data);
      if (times === null || times.end < clockOfDay(addDays(from, -1)) || times.start > clockOfDay(addDays(to, 1))) continue;
      found.push({ key: record.address, id: record.id, address: record.address, version: record.version, series: null, originalStart: null, heldUntil: null, data: record.data, ...times });
    }
    looked += page.records.length;
    after = page.next ?? undefined;
  } while (after !== undefined && looked < recordsMax);
  if (after !== undefined) throw new Error(`"${type.type}" has more than ${recordsMax} records and declares no times`);
  return found.sort((one, other) => one.start - other.start);
}
