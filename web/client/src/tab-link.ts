import { createIdbLeaseStore } from './lease-store';
import { createLeaseLocks } from './lease-locks';
import type { Clock, TabLink } from './seams';
import { createTabHub } from './tab-hub';

/** The browser's locks and channels between the tabs of one origin; `name` tells servers and spaces apart. Where the browser gives no
 *  locks (a page that was not loaded over TLS) they are leases in IndexedDB; where there is none of it either (Node) the tab is on its own. */
export function createTabLink(name: string, id: string, clock: Clock): TabLink {
  const locks: unknown = Reflect.get(globalThis.navigator ?? {}, 'locks');
  if (typeof BroadcastChannel === 'undefined') return createTabHub().open(id);
  if (isLockManager(locks)) return linkWithLocks(name, id, locks);
  return typeof indexedDB === 'undefined' ? createTabHub().open(id) : linkWithLeases(name, id, clock);
}

/** Calls back when the page goes away, be it for good or into the browser's memory. */
const leaving = (listener: () => void): (() => void) => {
  if (typeof document === 'undefined') return () => {};
  addEventListener('pagehide', listener);
  return () => removeEventListener('pagehide', listener);
};

function linkWithLeases(name: string, id: string, clock: Clock): TabLink {
  const channel = new BroadcastChannel(name);
  const listeners = new Set<(message: unknown) => void>();
  const store = createIdbLeaseStore(`${name}:leases`);
  let closed = false;
  let alone = false;
  channel.onmessage = (event: MessageEvent<unknown>) => {
    if (alone) return;
    for (const listener of [...listeners]) listener(event.data);
  };
  const subscribe = (listener: (message: unknown) => void) => {
    listeners.add(listener);
    return () => listeners.delete(listener);
  };
  const locks = createLeaseLocks({
    id,
    store,
    clock,
    post: (message) => {
      if (!alone) channel.postMessage(message);
    },
    subscribe,
    leaving,
    alone: () => (alone = true),
  });
  return {
    id,
    hold: (lock, signal, work) => locks.hold(lock, signal, work),
    tryHold: (lock, work) => locks.tryHold(lock, work),
    post(message) {
      if (!closed && !alone) channel.postMessage(message);
    },
    subscribe,
    close() {
      closed = true;
      listeners.clear();
      void locks.close().finally(() => {
        channel.close();
        store.close();
      });
    },
  };
}

function linkWithLocks(name: string, id: string, locks: LockManager): TabLink {
  const channel = new BroadcastChannel(name);
  const listeners = new Set<(message: unknown) => void>();
  const closed = new AbortController();
  channel.onmessage = (event: MessageEvent<unknown>) => {
    for (const listener of [...listeners]) listener(event.data);
  };
  return {
    id,
    async hold(lock, signal, work) {
      const waiting = new AbortController();
      const leave = () => waiting.abort();
      if (signal.aborted || closed.signal.aborted) return;
      signal.addEventListener('abort', leave);
      closed.signal.addEventListener('abort', leave);
      try {
        await locks.request(lock, { signal: waiting.signal }, work);
      } catch (error) {
        // Whoever gives up waiting is told by an AbortError; the work's own errors are the caller's.
        if (!(error instanceof DOMException && error.name === 'AbortError')) throw error;
      } finally {
        signal.removeEventListener('abort', leave);
        closed.signal.removeEventListener('abort', leave);
      }
    },
    async tryHold(lock, work) {
      return await locks.request(lock, { ifAvailable: true }, async (held) => {
        if (held === null) return false;
        await work();
        return true;
      });
    },
    post(message) {
      if (!closed.signal.aborted) channel.postMessage(message);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      closed.abort();
      listeners.clear();
      channel.close();
    },
  };
}

const isLockManager = (value: unknown): value is LockManager =>
  typeof value === 'object' && value !== null && typeof Reflect.get(value, 'request') === 'function';
