import type { TabLink } from './seams';

/** Messages to the clients of the server's other spaces in this browser, those of this page among them. */
export type SiblingLink = Pick<TabLink, 'post' | 'subscribe' | 'close'>;

/** @param url  the server's address; null where a process has no messages of that kind, or no cookies that would be shared */
export const createSiblingLink = (url: string): SiblingLink | null => {
  if (typeof document === 'undefined' || typeof BroadcastChannel === 'undefined') return null;
  const channel = new BroadcastChannel(`stet:${url}`);
  const listeners = new Set<(message: unknown) => void>();
  let closed = false;
  channel.onmessage = (event: MessageEvent<unknown>) => {
    for (const listener of [...listeners]) listener(event.data);
  };
  return {
    post(message) {
      if (!closed) channel.postMessage(message);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      closed = true;
      listeners.clear();
      channel.close();
    },
  };
};
