import type { OperationState } from '@stet/client';
import { useMemo } from 'react';
import { useStet } from './provider';
import { useLive } from './use-live';

const loading: OperationState = { status: 'loading', operation: null, error: null };

/** An operation that follows the server: its place, its progress, its result. `id` null: nothing is followed. */
export function useOperation(id: string | null): OperationState {
  const { client } = useStet();
  const live = useMemo(() => (client === null || id === null ? null : client.operations.watch(id)), [client, id]);
  return useLive(live, loading);
}
