import type { Client } from '@stet/client';
import { useClient } from '@stet/react';
import { useMemo } from 'react';
import { textOf } from '../../outside';
import { useSource } from '../../use-source';
import { addDays } from './dates';
import type { CalendarType, Intervals } from './declaration';
import { calendarPageOf } from './occurrence';

/** Something that can be booked. */
export interface Resource {
  readonly id: string;
  readonly name: string;
  readonly kind: string | null;
}

/** Where the names of what can be booked stand, when there is such a type. */
const namesType = 'resources';
const pageLimit = 1000;

/** The names of resources: records of a type `resources`, by their id. Where there is none, ids are their own names. */
export function useResourceNames(known: boolean): ReadonlyMap<string, Resource> {
  const client = useClient();
  const { state } = useSource(`resources ${client.space} ${known}`, () => ({
    atMostEveryMs: 2000,
    everyMs: null,
    read: (signal) => (known ? readNames(client, signal) : Promise.resolve(new Map<string, Resource>())),
    ...(known ? { follow: (changed: () => void) => client.feed.follow({ types: [namesType] }, changed) } : {}),
  }));
  const { value } = state;
  return useMemo(() => value ?? new Map<string, Resource>(), [value]);
}

async function readNames(client: Client, signal: AbortSignal): Promise<ReadonlyMap<string, Resource>> {
  const names = new Map<string, Resource>();
  let after: string | undefined;
  do {
    const page = await client.records.list(namesType, { limit: pageLimit, signal, ...(after === undefined ? {} : { after }) });
    for (const { id, data } of page.records) names.set(id, { id, name: textOf(data['name']) ?? textOf(data['title']) ?? id, kind: textOf(data['kind']) ?? null });
    after = page.next ?? undefined;
  } while (after !== undefined);
  return names;
}

/** How many days before and after today are looked through for what is booked. */
const lookedThroughDays = 30;
const none: ReadonlySet<string> = new Set();

/** What was booked of late, or soon will be: so that a day on which nothing takes place has its columns, too. */
export function useBookedResources(type: CalendarType, kind: Intervals): ReadonlySet<string> {
  const client = useClient();
  const { state } = useSource<ReadonlySet<string>>(`booked ${client.space} ${type.type} ${kind.resource}`, () => ({
    atMostEveryMs: 60_000,
    everyMs: null,
    read: async (signal) => {
      if (!kind.exclusive || kind.resource === null) return none;
      const today = new Date().toISOString().slice(0, 10);
      const query = { field: kind.resource, from: addDays(today, -lookedThroughDays), to: addDays(today, lookedThroughDays), limit: pageLimit };
      const answer = await client.http.request('GET', `/calendar/${encodeURIComponent(type.type)}`, { signal, query });
      return new Set(calendarPageOf(answer.body).occurrences.flatMap((one) => one.resources));
    },
  }));
  return state.value ?? none;
}

/** The resources to choose from: those that are booked, and the others of their kinds, by name. */
export function resourcesToShow(used: ReadonlySet<string>, names: ReadonlyMap<string, Resource>): readonly Resource[] {
  const kinds = new Set([...used].map((id) => names.get(id)?.kind ?? null).filter((kind) => kind !== null));
  const shown = new Map<string, Resource>();
  for (const id of used) shown.set(id, names.get(id) ?? { id, name: id, kind: null });
  for (const one of names.values()) if (one.kind !== null && kinds.has(one.kind)) shown.set(one.id, one);
  return [...shown.values()].sort((one, other) => (one.kind ?? '').localeCompare(other.kind ?? '') || one.name.localeCompare(other.name));
}
