/** The queue, the feed and the session as they are outside of tests. */
import { createEditQueue } from './edit-queue';
import { createEditSender } from './edit-request';
import { StetError } from './error';
import { createLeader } from './leader';
import { createMemoryStorage } from './memory-storage';
import { createPageSession } from './page-session';
import type { Parts, World } from './parts';
import { createQuietFeed } from './quiet-feed';
import type { Connectivity } from './seams';
import { createTabLink } from './tab-link';
import { createIds } from './uuid';

const createConnectivity = (): Connectivity => {
  let online = true;
  const listeners = new Set<(online: boolean) => void>();
  const set = (next: boolean) => {
    if (next === online) return;
    online = next;
    for (const listener of [...listeners]) listener(next);
  };
  return {
    get online() {
      return online;
    },
    hopeless: false,
    reached: () => set(true),
    lost: () => set(false),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close: () => listeners.clear(),
  };
};

/** Puts them together for one client. */
export const openParts = (world: World): Parts => {
  const name = `stet:${world.url}:${world.space}`;
  const tabs = world.tabs ?? createTabLink(name, createIds(world.clock)());
  const storage = world.storage ?? createMemoryStorage();
  const leader = createLeader(tabs, name);
  const connectivity = createConnectivity();
  world.credentials.reached = (answered) => (answered ? connectivity.reached() : connectivity.lost());
  const sessions = createPageSession(world.http, world.credentials);
  const actor = () => {
    const session = sessions.live.getSnapshot();
    return session.status === 'authenticated' ? session.who.actor : null;
  };
  const queue = createEditQueue({
    storage,
    tabs,
    leader,
    clock: world.clock,
    connectivity,
    actor,
    sender: createEditSender(world.http),
  });
  sessions.live.subscribe(() => queue.wake());
  return {
    queue,
    feed: createQuietFeed(),
    sessions,
    leadership: leader,
    connectivity,
    actor: () => actor() ?? '',
    async updateWithLock<R>(key: string, work: (signal: AbortSignal) => Promise<R>): Promise<R> {
      const abort = new AbortController();
      let result: { readonly value: R } | null = null;
      const held = await tabs.tryHold(`${name}:lock:${key}`, async () => {
        result = { value: await work(abort.signal) };
      });
      if (!held || result === null) throw new StetError({ code: 'OPERATION_IN_PROGRESS', detail: `"${key}" is at work already` });
      return (result as { readonly value: R }).value;
    },
    async close() {
      queue.close();
      leader.close();
      connectivity.close();
      tabs.close();
      storage.close();
    },
  };
};
