import type { Client } from '@stet/client';
import { useClient } from '@stet/react';
import type { Source, SourceState } from '../../live-source';
import { useSource } from '../../use-source';
import { lanesOf, type Lane } from './lane';
import { workPageOf, type Work } from './work';

/** Which operations are shown. Empty texts are no condition. */
export interface WorkFilter {
  readonly lane: string;
  /** `open`, `all`, or one of the statuses. */
  readonly status: string;
  readonly agent: string;
  readonly by: string;
  readonly parent: string;
}
export interface WorkList {
  readonly work: readonly Work[];
  /** There are more than were asked for. */
  readonly more: boolean;
}

const pageMax = 1000;
const changesMs = 700;

const followOperations = (client: Client) => (changed: () => void) => client.feed.follow({ events: ['operation'] }, changed);

/** The lanes with their counts. What waits, runs and asks for work is no record: it is asked for every two seconds. */
export function useLanes(): { readonly state: SourceState<readonly Lane[]>; readonly source: Source<readonly Lane[]> } {
  const client = useClient();
  return useSource(`lanes ${client.space}`, () => ({
    atMostEveryMs: changesMs,
    everyMs: 2000,
    follow: followOperations(client),
    read: async (signal) => lanesOf((await client.http.request('GET', '/lanes', { signal })).body),
  }));
}

/** Operations with their places, at most so many; read again as they move. */
export function useWork(filter: WorkFilter, most: number): { readonly state: SourceState<WorkList>; readonly source: Source<WorkList> } {
  const client = useClient();
  return useSource(JSON.stringify([client.space, filter, most]), () => ({
    atMostEveryMs: changesMs,
    everyMs: 10_000,
    follow: followOperations(client),
    read: (signal) => readWork(client, filter, most, signal),
  }));
}

async function readWork(client: Client, filter: WorkFilter, most: number, signal: AbortSignal): Promise<WorkList> {
  const work: Work[] = [];
  let after: string | null = null;
  do {
    const answer = await client.http.request('GET', '/operations', {
      signal,
      query: {
        ...(filter.lane === '' ? {} : { lane: filter.lane }),
        ...(filter.status === 'all' ? {} : { status: filter.status }),
        ...(filter.agent === '' ? {} : { agent: filter.agent }),
        ...(filter.by === '' ? {} : { by: filter.by }),
        ...(filter.parent === '' ? {} : { parent: filter.parent }),
        limit: Math.min(pageMax, most - work.length),
        ...(after === null ? {} : { after }),
      },
    });
    const page = workPageOf(answer.body);
    work.push(...page.work);
    after = page.next;
  } while (after !== null && work.length < most);
  return { work, more: after !== null };
}
