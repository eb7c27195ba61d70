import { useMemo, useSyncExternalStore } from 'react';
import { createSource, pageClock, type Source, type SourceOptions, type SourceState } from './live-source';

/** A {@link Source} of the page. `key` says what is read: another one begins anew. */
export function useSource<T>(key: string, make: () => Omit<SourceOptions<T>, 'clock'>): { readonly state: SourceState<T>; readonly source: Source<T> } {
  // `make` is new with every drawing; what it makes depends on the key alone.
  const source = useMemo(() => createSource({ ...make(), clock: pageClock }), [key]);
  return { state: useSyncExternalStore(source.subscribe, source.getSnapshot), source };
}
