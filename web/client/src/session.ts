/**
 * Who is logged in. The browser's cookie is the truth, and all tabs share it; the proof that writes need (`csrf`) is kept in memory and
 * passed from tab to tab. One tab logs in or out, and the others hear of it. Clients of other spaces hear that something changed, and ask:
 * a session of the server's own people is good for every space, one of a space for that space alone.
 */
import type { Sessions, SessionState, Who } from './client';
import type { Credentials } from './credentials';
import { array, flag, Members, oneOf, text, type Decoder } from './decode';
import { StetError } from './error';
import type { HttpCore } from './http';
import { backoffMs } from './schedule';
import type { Clock, Connectivity, EditStorage, TabLink } from './seams';
import type { SiblingLink } from './sibling-link';
import { tabMessage } from './tab-message';

export interface SessionOptions {
  readonly http: HttpCore;
  readonly credentials: Credentials;
  readonly tabs: TabLink;
  readonly space: string;
  /** Clients of other spaces; null: there is no way to them. */
  readonly siblings: Pick<SiblingLink, 'post' | 'subscribe'> | null;
  readonly clock: Clock;
  readonly storage: Pick<EditStorage, 'note' | 'keepNote'>;
  readonly connectivity: Pick<Connectivity, 'subscribe'>;
  /** Where there is no jar for cookies a login asks for a token instead. */
  readonly cookies: boolean;
}

/** The session with what keeps it. */
export interface RunningSessions extends Sessions {
  /** Asks the server who this is, again and again until it answers. */
  start(): void;
  close(): void;
}

const part = 'stet.session';
/** What siblings are told, and in which space: no name and no proof, for they see for themselves. */
type SiblingWord = 'in' | 'out';
const siblingMessage = (word: SiblingWord, space: string): string => `${part} ${word} ${space}`;
/** The word of a client of another space; the tabs of this one have heard more already. */
const siblingWord = (message: unknown, space: string): SiblingWord | null =>
  (['in', 'out'] as const).find(
    (word) => typeof message === 'string' && message.startsWith(siblingMessage(word, '')) && message !== siblingMessage(word, space),
  ) ?? null;
const actorNote = 'actor';
const spaceNote = 'space';

type SessionMessage =
  | { readonly kind: 'in'; readonly who: Who; readonly csrf: string | null; readonly token: string | null }
  | { readonly kind: 'out'; readonly reason: 'ended' | 'logged_out' }
  /** Which data the space has, as one tab was just told. */
  | { readonly kind: 'data'; readonly spaceId: string };

const whoOf: Decoder<Who> = (value, pointer) => {
  const from = new Members(value, pointer);
  return {
    actor: from.get('actor', text),
    kind: from.get('kind', text),
    ...from.part('name', text),
    admin: from.get('admin', flag),
    serverAdmin: from.get('serverAdmin', flag),
    roles: from.get('roles', array(text)),
    scopes: from.get('scopes', array(text)),
    ...from.part('session', text),
    ...from.part('expiresAt', text),
  };
};

const messageOf = (posted: unknown): SessionMessage | null =>
  tabMessage(part, posted, (from) => {
    const kind = from.get('kind', oneOf('in', 'out', 'data'));
    switch (kind) {
      case 'in':
        return { kind, who: from.get('who', whoOf), csrf: from.find('csrf', text) ?? null, token: from.find('token', text) ?? null };
      case 'out':
        return { kind, reason: from.get('reason', oneOf('ended', 'logged_out')) };
      case 'data':
        return { kind, spaceId: from.get('spaceId', text) };
    }
  });

const sameState = (one: SessionState, other: SessionState) => JSON.stringify(one) === JSON.stringify(other);

/** Puts the session of this tab together and hooks it into the credentials; it asks nobody before `start`. */
export function createSession(options: SessionOptions): RunningSessions {
  const { http, credentials, tabs, clock, storage } = options;
  const listeners = new Set<() => void>();
  /** A token that was given is the application's: logging out does not take it away. */
  const givenToken = credentials.token;
  let state: SessionState = { status: 'unknown' };
  let lastActor: string | null = null;
  let asking: Promise<SessionState> | null = null;
  /** Counts logins and logouts: an answer that was asked for before one says nothing any more. */
  let era = 0;
  /** Why there will be nobody, when the server says so next: as somebody else's client told. */
  let reason: 'ended' | 'logged_out' = 'ended';
  let failures = 0;
  let undoRetry = () => {};
  let closed = false;

  const become = (next: SessionState) => {
    if (next.status === 'authenticated') {
      if (lastActor !== next.who.actor) void storage.keepNote(actorNote, next.who.actor).catch(() => {});
      lastActor = next.who.actor;
    }
    if (sameState(state, next)) return;
    state = next;
    for (const listener of [...listeners]) listener();
  };
  const enter = (who: Who, csrf: string | null, token: string | null) => {
    credentials.actor = who.actor;
    credentials.csrf = csrf;
    if (givenToken === null) credentials.token = token;
    become({ status: 'authenticated', who });
  };
  const leave = (reason: 'ended' | 'logged_out' | null) => {
    credentials.actor = null;
    credentials.csrf = null;
    credentials.token = givenToken;
    if (reason === 'logged_out') {
      lastActor = null;
      void storage.keepNote(actorNote, null).catch(() => {});
    }
    become(reason === null ? { status: 'anonymous' } : { status: 'anonymous', reason });
  };
  const post = (message: SessionMessage) => tabs.post(JSON.stringify({ part, ...message }));

  /** The server's word that nobody is here; whether somebody was, this page or the server may know. */
  const nobody = (ended: boolean) => {
    const was = state.status === 'authenticated' || (state.status === 'anonymous' && state.reason === 'ended');
    leave(was || ended ? reason : null);
  };
  /** Edits that are made offline name the data that this browser saw last. True when it is news. */
  const learnSpace = (id: string | null): boolean => {
    const before = credentials.spaceId;
    if (id === null || id === before) return false;
    credentials.spaceId = id;
    void storage.keepNote(spaceNote, id).catch(() => {});
    if (before !== null) credentials.replaced?.();
    return true;
  };

  const ask = async (): Promise<SessionState> => {
    for (;;) {
      const asked = era;
      try {
        // Nobody is an answer: browsers write a refusal into their console.
        const answer = http.request('GET', '/session', { query: { optional: 1 } });
        answer.catch(() => {});
        // The server answers while storage says who was here last; what is known of both is known at once.
        await remembered;
        const { body } = await answer;
        if (closed) return state;
        if (asked !== era) continue;
        const from = new Members(body);
        if (from.find('actor', text) === undefined) {
          nobody(false);
        } else {
          const spaceId = from.find('spaceId', text) ?? null;
          if (learnSpace(spaceId) && spaceId !== null) post({ kind: 'data', spaceId });
          enter(whoOf(body, ''), from.find('csrf', text) ?? null, credentials.token);
          reason = 'ended';
        }
      } catch (error) {
        if (closed) throw error;
        if (!(error instanceof StetError) || error.status !== 401) throw error;
        if (asked !== era) continue;
        nobody(error.code === 'SESSION_ENDED');
      }
      return state;
    }
  };
  const refresh = (): Promise<SessionState> => {
    asking ??= ask().finally(() => {
      asking = null;
    });
    return asking;
  };
  /** Until it is known who this is. */
  const persist = () => {
    undoRetry();
    if (closed || state.status !== 'unknown') return;
    refresh().then(
      () => (failures = 0),
      () => {
        if (closed) return;
        failures += 1;
        undoRetry = clock.after(backoffMs(failures, clock.random()), persist);
      },
    );
  };

  credentials.renew = async () => {
    const found = await refresh().catch(() => state);
    return found.status === 'authenticated' && credentials.csrf !== null;
  };
  credentials.refused = () => {
    // A request that was sent before a login says nothing about the session of now: the server is asked.
    if (asking === null && state.status === 'authenticated') void refresh().catch(() => {});
  };
  const undoTabs = tabs.subscribe((posted) => {
    const message = messageOf(posted);
    if (message?.kind === 'data') learnSpace(message.spaceId);
    if (message === null || message.kind === 'data' || givenToken !== null) return;
    era += 1;
    if (message.kind === 'in') enter(message.who, message.csrf, message.token);
    else leave(message.reason);
  });
  const undoSiblings = options.siblings?.subscribe((message) => {
    const word = siblingWord(message, options.space);
    if (givenToken !== null || word === null) return;
    // Whatever is being asked may have been asked before.
    era += 1;
    if (word === 'out') reason = 'logged_out';
    refresh().then(
      () => (reason = 'ended'),
      () => {},
    );
  });
  const undoNetwork = options.connectivity.subscribe((online) => {
    if (online) persist();
  });
  const remembered = Promise.all([storage.note(actorNote), storage.note(spaceNote)]).then(
    ([actor, space]) => {
      lastActor ??= actor;
      credentials.spaceId ??= space;
    },
    () => {},
  );

  const logInWith = async (path: string, body: object): Promise<Who> => {
    const answer = await http.request('POST', path, { body: options.cookies ? body : { ...body, token: true } });
    const from = new Members(answer.body);
    era += 1;
    // From here on requests are somebody else's, and until it is known whose, nothing that waits may go with them.
    credentials.actor = null;
    if (state.status === 'authenticated') become({ status: 'unknown' });
    credentials.csrf = from.get('csrf', text);
    if (givenToken === null) credentials.token = from.find('token', text) ?? null;
    const found = await refresh().catch((error: unknown) => {
      persist();
      throw error;
    });
    if (found.status !== 'authenticated') throw new StetError({ code: 'SESSION_ENDED', detail: 'the session was over at once', status: 401 });
    post({ kind: 'in', who: found.who, csrf: credentials.csrf, token: givenToken === null ? credentials.token : null });
    if (givenToken === null) options.siblings?.post(siblingMessage('in', options.space));
    return found.who;
  };

  return {
    live: {
      subscribe(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      getSnapshot: () => state,
    },
    get lastActor() {
      return lastActor;
    },
    start: persist,
    refresh,
    logIn: ({ user, password, device }) => logInWith('/session', { user, password, ...(device !== undefined && { name: device }) }),
    redeem: (link) => logInWith('/session/link', link),
    async logOut() {
      // The server's word first: a session that only looks ended here would go on there.
      await http.request('DELETE', '/session').catch((error: unknown) => {
        if (!(error instanceof StetError) || error.status !== 401) throw error;
      });
      era += 1;
      leave('logged_out');
      post({ kind: 'out', reason: 'logged_out' });
      if (givenToken === null) options.siblings?.post(siblingMessage('out', options.space));
    },
    close() {
      closed = true;
      undoRetry();
      undoTabs();
      undoSiblings?.();
      undoNetwork();
      credentials.renew = null;
      credentials.refused = null;
      listeners.clear();
    },
  };
}
