import type { JsonObject, RecordOf, RecordState } from '@stet/client';
import { useMemo } from 'react';
import { useStet } from './provider';
import { useLive } from './use-live';

const addressOf = (type: string, id: string): string => `${encodeURIComponent(type)}/${encodeURIComponent(id)}`;

const stateBefore = <T>(type: string, id: string, record: RecordOf<T> | undefined): RecordState<T> => ({
  address: record?.address ?? addressOf(type, id),
  type,
  id,
  status: record === undefined ? 'loading' : 'ready',
  record: record ?? null,
  data: record?.data ?? null,
  edits: [],
  phase: 'idle',
  conflict: null,
  error: null,
  people: [],
  stale: record !== undefined,
});

/** What to show until the record was read here. That it could not be read is told beside it; who may not see it does not. */
const untilRead = <T>(state: RecordState<T>, before: RecordState<T>): RecordState<T> => {
  if (state.record !== null || state.data !== null) return state;
  if (state.status === 'loading') return before;
  const refused = state.error?.status === 401 || state.error?.status === 403;
  return state.status === 'error' && !refused ? { ...before, error: state.error } : state;
};

/** A record that follows the server, with this page's own edits on top. It is read once for all components that look at it, and let go
 *  when the last one goes. `id` null: nothing is read. `initial`: what a server that rendered the page has read; it is shown until the
 *  record was read here, also while that does not work. */
export function useRecord<T = JsonObject>(
  type: string,
  id: string | null,
  options?: { readonly initial?: RecordOf<T> },
): RecordState<T> {
  const { client } = useStet();
  const initial = options?.initial;
  const live = useMemo(() => (client === null || id === null ? null : client.records.watch<T>(type, id)), [client, type, id]);
  const before = useMemo(() => stateBefore(type, id ?? '', initial), [type, id, initial]);
  const state = useLive(live, before);
  return useMemo(() => (initial === undefined ? state : untilRead(state, before)), [state, before, initial]);
}
