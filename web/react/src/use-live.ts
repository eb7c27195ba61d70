import type { ClientState, Live } from '@stet/client';
import { useCallback, useSyncExternalStore } from 'react';
import { useStet } from './provider';

const nothing = (): void => {};

/** What a live value holds now; `server` where there is none yet and while a server renders. It is let go when the component goes. */
export function useLive<S>(live: Live<S> | null, server: S): S {
  const subscribe = useCallback((listener: () => void) => (live === null ? nothing : live.subscribe(listener)), [live]);
  const snapshot = (): S => (live === null ? server : live.getSnapshot());
  return useSyncExternalStore(subscribe, snapshot, () => server);
}

/** A part of the client's state. `select` must answer the same object until something changed: a member, or a plain value. */
export function useClientState<V>(select: (state: ClientState) => V, server: V): V {
  const { client } = useStet();
  const subscribe = useCallback(
    (listener: () => void) => (client === null ? nothing : client.store.subscribe(listener)),
    [client],
  );
  const snapshot = (): V => (client === null ? server : select(client.store.getState()));
  return useSyncExternalStore(subscribe, snapshot, () => server);
}
