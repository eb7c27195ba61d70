import type { Conflicts, ConflictsState } from '@stet/client';
import { useMemo } from 'react';
import { useStet } from './provider';
import { useLive } from './use-live';

/** Conflicts that wait for this person, and how to settle them. */
export interface ConflictsView extends ConflictsState {
  readonly get: Conflicts['get'];
  readonly resolve: Conflicts['resolve'];
}

const none: ConflictsState = { mine: [], waiting: [], unread: 0 };

/** Conflicts of this page's own edits (`mine`), those that wait on the server (`waiting`), and how many were not read. */
export function useConflicts(): ConflictsView {
  const { client } = useStet();
  const state = useLive(client?.conflicts.live ?? null, none);
  return useMemo(() => {
    const conflicts = (): Conflicts => {
      if (client === null) throw new Error('there is no client here: it is made in the browser only');
      return client.conflicts;
    };
    return { ...state, get: (id) => conflicts().get(id), resolve: (conflict, resolution) => conflicts().resolve(conflict, resolution) };
  }, [client, state]);
}
