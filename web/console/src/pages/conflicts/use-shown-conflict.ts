import { StetError, type Conflict } from '@stet/client';
import { useClient, useConflicts } from '@stet/react';
import { useMemo } from 'react';
import { useSource } from '../../use-source';

/** What the dialog shows: a conflict, nothing yet, or that it is over. */
export type Shown =
  | { readonly kind: 'none' }
  | { readonly kind: 'loading' }
  | { readonly kind: 'conflict'; readonly conflict: Conflict }
  | { readonly kind: 'gone' }
  | { readonly kind: 'failed'; readonly error: unknown };

const none: Shown = { kind: 'none' };

/** The conflict that the address names: one that waits on the server, read anew as the record moves on, or one of an edit of this device. */
export function useShownConflict(id: string | null, edit: string | null): Shown {
  const client = useClient();
  const { mine } = useConflicts();
  const { state } = useSource<Conflict | 'gone' | null>(`conflict ${id ?? ''}`, () => ({
    read: async () => {
      if (id === null) return null;
      try {
        const conflict = await client.conflicts.get(id);
        /* Of one that is over there is nothing to settle it with. */
        return conflict.resolutionToken === '' ? 'gone' : conflict;
      } catch (reason) {
        if (reason instanceof StetError && reason.code === 'NOT_FOUND') return 'gone';
        throw reason;
      }
    },
    atMostEveryMs: 1_000,
    everyMs: null,
    follow: (changed) =>
      client.feed.follow({ events: ['conflict'] }, (event) => {
        if (event.kind === 'conflict') changed();
      }),
  }));
  return useMemo(() => {
    if (edit !== null) {
      const conflict = mine.find((one) => one.edit === edit);
      return conflict === undefined ? none : { kind: 'conflict', conflict };
    }
    if (id === null) return none;
    if (state.value === 'gone') return { kind: 'gone' };
    if (state.value !== null) return { kind: 'conflict', conflict: state.value };
    return state.status === 'error' ? { kind: 'failed', error: state.error } : { kind: 'loading' };
  }, [id, edit, mine, state]);
}
