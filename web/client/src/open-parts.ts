/** The queue, the feed and the session as they are outside of tests. */
import { createConnectivity } from './connectivity';
import { Members, text } from './decode';
import { createEditQueue } from './edit-queue';
import { createEditSender } from './edit-request';
import { openEventStreams } from './event-streams';
import { createFeed } from './feed';
import { serverPath } from './http';
import { createIdbStorage } from './idb-storage';
import { createLeader } from './leader';
import { openLiveSocket } from './live-socket';
import { createKeyLocks } from './lock';
import { createMemoryStorage } from './memory-storage';
import type { Parts, World } from './parts';
import { platformSocket } from './platform-socket';
import type { SocketFactory } from './seams';
import { createSession } from './session';
import { createSiblingLink } from './sibling-link';
import { createTabLink } from './tab-link';
import { createIds } from './uuid';
import { CLIENT_VERSION } from './version';
import type { Wire, WireEvents } from './wire';

const hostOf = (url: string): string | null => (url === '' ? null : new URL(url).hostname);

/** Opens the live connection. A browser sends its cookie by itself; a token cannot go into a header there, so it gets a ticket. */
const liveConnection = (world: World, socket: SocketFactory) => async (events: WireEvents): Promise<Wire> => {
  const { http, credentials, clock, space } = world;
  const address = `${world.url.replace(/^http/, 'ws')}${serverPath(space, '/live')}`;
  let query = '';
  if (credentials.token !== null) {
    const { body } = await http.request('POST', '/changes/ticket');
    query = `?ticket=${encodeURIComponent(new Members(body).get('ticket', text))}`;
  }
  return openLiveSocket({ socket, url: address + query, clock, version: CLIENT_VERSION, csrf: credentials.csrf }, events);
};

/** Puts them together for one client. */
export const openParts = (world: World): Parts => {
  const name = `stet:${world.url}:${world.space}`;
  const { http, credentials, clock } = world;
  const tabs = world.tabs ?? createTabLink(name, createIds(clock)(), clock);
  const storage = world.storage ?? (typeof indexedDB === 'undefined' ? createMemoryStorage() : createIdbStorage(name));
  const leader = createLeader(tabs, name);
  const connectivity = createConnectivity(hostOf(world.url));
  credentials.reached = (answered) => (answered ? connectivity.reached() : connectivity.lost());
  const siblings = createSiblingLink(world.url);
  const sessions = createSession({ http, credentials, tabs, space: world.space, siblings, clock, storage, connectivity, cookies: typeof document !== 'undefined' });
  const loggedIn = () => {
    const session = sessions.live.getSnapshot();
    return session.status === 'authenticated' ? session.who.actor : null;
  };
  const queue = createEditQueue({ storage, tabs, leader, clock, connectivity, actor: loggedIn, sender: createEditSender(http) });
  const locks = createKeyLocks(tabs, name);
  /** Who comes back after a break may be another server, or this one with what a backup had. */
  const askAnew = () => void sessions.refresh().catch(() => {});
  let wasOpen = false;
  const socket = world.socket === undefined ? platformSocket() : world.socket;
  const feed = createFeed({
    tabs,
    leader,
    clock,
    connectivity,
    actor: loggedIn,
    socket: socket === null || world.url === '' ? null : liveConnection(world, socket),
    streams: (events) => openEventStreams({ transport: world.transport, clock, credentials, space: world.space }, events),
    doubt: askAnew,
    opened() {
      queue.wake();
      if (wasOpen) askAnew();
      wasOpen = true;
    },
  });
  const undoSession = sessions.live.subscribe(() => {
    queue.wake();
    feed.review();
  });
  sessions.start();
  return {
    queue,
    feed,
    sessions,
    leadership: leader,
    connectivity,
    updateWithLock: (key, work) => locks.run(key, work),
    async close() {
      undoSession();
      locks.close();
      feed.close();
      queue.close();
      sessions.close();
      leader.close();
      connectivity.close();
      tabs.close();
      siblings?.close();
      storage.close();
    },
  };
};
