import type { Operation } from '@stet/client';
import { useMemo } from 'react';
import { operationParts } from './operation-parts';
import { useStet } from './provider';
import { useLive } from './use-live';

const none: readonly Operation[] = [];

/** The operations that an operation was split into, each as it stands now. `id` null: nothing is followed. */
export function useOperationParts(id: string | null): readonly Operation[] {
  const { client, clock } = useStet();
  const live = useMemo(() => (client === null || id === null ? null : operationParts(client, clock, id)), [client, clock, id]);
  return useLive(live, none);
}
