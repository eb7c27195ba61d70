/** The queue, the feed and the session as they are outside of tests. */
import { createConnectivity } from './connectivity';
import { createEditQueue } from './edit-queue';
import { createEditSender } from './edit-request';
import { createIdbStorage } from './idb-storage';
import { createLeader } from './leader';
import { createKeyLocks } from './lock';
import { createMemoryStorage } from './memory-storage';
import type { Parts, World } from './parts';
import { createQuietFeed } from './quiet-feed';
import { createSession } from './session';
import { createTabLink } from './tab-link';
import { createIds } from './uuid';

const hostOf = (url: string): string | null => (url === '' ? null : new URL(url).hostname);

/** Puts them together for one client. */
export const openParts = (world: World): Parts => {
  const name = `stet:${world.url}:${world.space}`;
  const { http, credentials, clock } = world;
  const tabs = world.tabs ?? createTabLink(name, createIds(clock)());
  const storage = world.storage ?? (typeof indexedDB === 'undefined' ? createMemoryStorage() : createIdbStorage(name));
  const leader = createLeader(tabs, name);
  const connectivity = createConnectivity(hostOf(world.url));
  credentials.reached = (answered) => (answered ? connectivity.reached() : connectivity.lost());
  const sessions = createSession({ http, credentials, tabs, clock, storage, connectivity, cookies: typeof document !== 'undefined' });
  const loggedIn = () => {
    const session = sessions.live.getSnapshot();
    return session.status === 'authenticated' ? session.who.actor : null;
  };
  const queue = createEditQueue({ storage, tabs, leader, clock, connectivity, actor: loggedIn, sender: createEditSender(http) });
  const locks = createKeyLocks(tabs, name);
  const undoSession = sessions.live.subscribe(() => queue.wake());
  sessions.start();
  return {
    queue,
    feed: createQuietFeed(),
    sessions,
    leadership: leader,
    connectivity,
    updateWithLock: (key, work) => locks.run(key, work),
    async close() {
      undoSession();
      locks.close();
      queue.close();
      sessions.close();
      leader.close();
      connectivity.close();
      tabs.close();
      storage.close();
    },
  };
};
