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

/** What to show until the list was read here. That it could not be read is told beside it; who may not see it does not. */
const untilRead = <T>(state: ListState<T>, before: ListState<T>): ListState<T> => {
  if (state.status === 'ready' || state.items.length > 0) return state;
  if (state.status === 'loading') return before;
  const refused = state.error?.status === 401 || state.error?.status === 403;
  return refused ? state : { ...before, error: state.error };
};

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
  const state = useMemo(() => (initial === undefined ? read : untilRead(read, before)), [read, before, initial]);
  const more = useCallback(() => live?.more() ?? Promise.resolve(), [live]);
  const refresh = useCallback(() => live?.refresh() ?? Promise.resolve(), [live]);
  return useMemo(() => ({ ...state, more, refresh }), [state, more, refresh]);
}
