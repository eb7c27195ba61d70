import { useClientState } from './use-live';

/** Whether the server can be reached, as far as is known; true while a server renders. */
export function useOnline(): boolean {
  return useClientState((state) => state.online, true);
}
