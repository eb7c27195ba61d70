import type { TabLink } from './seams';
import { createTabHub } from './tab-hub';

/** The browser's locks and channels between the tabs of one origin; `name` tells servers and spaces apart.
 *  Where the browser gives no locks (a page that was not loaded over TLS, Node) the tab is on its own. */
export function createTabLink(name: string, id: string): TabLink {
  const locks: unknown = Reflect.get(globalThis.navigator ?? {}, 'locks');
  if (typeof BroadcastChannel === 'undefined' || !isLockManager(locks)) return createTabHub().open(id);
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
