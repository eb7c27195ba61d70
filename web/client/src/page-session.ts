/** Who is logged in, as this page knows it. */
import type { SessionState, Sessions, Who } from './client';
import type { Credentials } from './credentials';
import { Members, array, flag, text } from './decode';
import { StetError } from './error';
import type { HttpCore } from './http';
import { networkError, unreadable } from './problem';

const decoded = (body: unknown): Who => {
  try {
    const members = new Members(body);
    return {
      actor: members.find('actor', text) ?? members.get('user', text),
      kind: members.find('kind', text) ?? 'session',
      ...members.part('name', text),
      admin: members.find('admin', flag) ?? false,
      serverAdmin: members.find('serverAdmin', flag) ?? false,
      roles: members.find('roles', array(text)) ?? [],
      scopes: members.find('scopes', array(text)) ?? [],
      ...members.part('session', text),
      ...members.part('expiresAt', text),
    };
  } catch (cause) {
    throw unreadable(cause);
  }
};

export const createPageSession = (http: HttpCore, credentials: Credentials): Sessions => {
  let state: SessionState = { status: 'unknown' };
  const listeners = new Set<() => void>();
  const set = (next: SessionState) => {
    state = next;
    for (const listener of [...listeners]) listener();
  };
  const refresh = async (): Promise<SessionState> => {
    try {
      const answer = await http.request('GET', '/session');
      credentials.csrf = new Members(answer.body).find('csrf', text) ?? null;
      set({ status: 'authenticated', who: decoded(answer.body) });
    } catch (thrown) {
      const error = networkError(thrown);
      if (error.status !== 401) throw error;
      credentials.csrf = null;
      set({ status: 'anonymous', ...(error.code === 'SESSION_ENDED' ? { reason: 'ended' } : {}) });
    }
    return state;
  };
  const enter = async (path: string, body: { readonly [name: string]: string | undefined }): Promise<Who> => {
    await http.request('POST', path, { body });
    const entered = await refresh();
    if (entered.status !== 'authenticated') throw new StetError({ code: 'UNAUTHENTICATED', detail: 'the login did not last' });
    return entered.who;
  };
  credentials.renew = async () => (await refresh()).status === 'authenticated' && credentials.csrf !== null;
  credentials.refused = () => {
    if (state.status === 'authenticated') set({ status: 'anonymous', reason: 'ended' });
  };
  void refresh().catch(() => {});

  return {
    live: {
      subscribe(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      getSnapshot: () => state,
    },
    logIn: ({ user, password, device }) => enter('/session', { user, password, name: device }),
    redeem: ({ link, user, password }) => enter('/session/link', { link, user, password }),
    async logOut() {
      await http.request('DELETE', '/session');
      credentials.csrf = null;
      set({ status: 'anonymous', reason: 'logged_out' });
    },
    refresh,
  };
};
