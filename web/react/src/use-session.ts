import type { SessionState, Sessions } from '@stet/client';
import { useMemo } from 'react';
import { useStet } from './provider';
import { useLive } from './use-live';

/** Who is logged in, and the ways in and out. */
export interface SessionView {
  readonly state: SessionState;
  readonly logIn: Sessions['logIn'];
  readonly logOut: Sessions['logOut'];
  readonly redeem: Sessions['redeem'];
}

const unknown: SessionState = { status: 'unknown' };

/** The session; all tabs have the same. */
export function useSession(): SessionView {
  const { client } = useStet();
  const state = useLive(client?.session.live ?? null, unknown);
  return useMemo(() => {
    const session = (): Sessions => {
      if (client === null) throw new Error('there is no client here: it is made in the browser only');
      return client.session;
    };
    return {
      state,
      logIn: (credentials) => session().logIn(credentials),
      logOut: () => session().logOut(),
      redeem: (link) => session().redeem(link),
    };
  }, [client, state]);
}
