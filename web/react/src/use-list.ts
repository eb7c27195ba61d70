import type { JsonObject, ListOptions, ListState, RecordOf, RecordState } from '@stet/client';
import { useCallback, useMemo } from 'react';
import { useStet } from './provider';
import { useLive } from './use-live';

/** A list as a component sees it. */
export interface ListView<T> extends ListState<T> {
  /** Reads the next page. */
  readonly more: () => Promise<void>;
  readonly refresh: () => Promise<void>;
}

const stateOf = <T>(record: RecordOf<T>): RecordState<T> => ({
  address: record.address,
  type: record.type,
  id: record.id,
  status: 'ready',
  record,
  data: record.data,
  edits: [],
  phase: 'idle',
  conflict: null,
  error: null,
  people: [],
  stale: true,
});

/** A list that follows the server, with this page's own edits on top. Options are compared by what they say, so they may be written
 *  in place. `type` null: nothing is read. `initial`: what a server that rendered the page has read. */
export function useList<T = JsonObject>(
  type: string | null,
  options?: ListOptions & { readonly initial?: readonly RecordOf<T>[] },
): ListView<T> {
  const { client } = useStet();
  const { where, sort, limit, total, initial } = options ?? {};
  const live = useMemo(() => {
    if (client === null || type === null) return null;
    return client.records.live<T>(type, {
      ...(where === undefined ? {} : { where }),
      ...(sort === undefined ? {} : { sort }),
      ...(limit === undefined ? {} : { limit }),
      ...(total === undefined ? {} : { total }),
    });
  }, [client, type, where, sort, limit, total]);
  const before = useMemo<ListState<T>>(
    () => ({
      status: initial === undefined ? 'loading' : 'ready',
      items: initial === undefined ? [] : initial.map(stateOf),
      hasMore: false,
      loadingMore: false,
      total: null,
      error: null,
    }),
    [initial],
  );
  const read = useLive(live, before);
  const state = read.status === 'loading' && read.items.length === 0 && initial !== undefined ? before : read;
  const more = useCallback(() => live?.more() ?? Promise.resolve(), [live]);
  const refresh = useCallback(() => live?.refresh() ?? Promise.resolve(), [live]);
  return useMemo(() => ({ ...state, more, refresh }), [state, more, refresh]);
}
