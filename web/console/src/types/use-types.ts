import { useSyncExternalStore } from 'react';
import { useClient } from '@stet/react';
import { typesOf, type TypesState } from './types-store';

/** The space's types with their fields and counts. */
export function useTypes(): TypesState {
  const store = typesOf(useClient());
  return useSyncExternalStore(store.subscribe, store.getSnapshot);
}
