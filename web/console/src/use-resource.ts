import type { Client } from '@stet/client';
import { useClient } from '@stet/react';
import { useMemo, useSyncExternalStore } from 'react';
import { createResource, type Resource, type ResourceOptions, type ResourceState } from './resource';

/**
 * What `read` answers, for as long as the component is there and `key` is the same.
 *
 * @param key   What is read; another one is read anew.
 * @param read  Must depend on the client and the key alone.
 */
export function useResource<T>(key: string, read: (client: Client, signal: AbortSignal) => Promise<T>, options: Pick<ResourceOptions, 'everyMs'> = {}): ResourceState<T> & Pick<Resource<T>, 'refresh'> {
  const client = useClient();
  const { everyMs } = options;
  const resource = useMemo(() => createResource((signal) => read(client, signal), everyMs === undefined ? {} : { everyMs }), [client, key, everyMs]);
  const state = useSyncExternalStore(resource.subscribe, resource.getSnapshot);
  return { ...state, refresh: resource.refresh };
}
