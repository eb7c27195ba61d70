import type { Connectivity } from './seams';

/** The parts of a page that say something about the network; absent outside of browsers. */
export interface PageSignals {
  readonly onLine: () => boolean;
  readonly visible: () => boolean;
  /** `online`, `offline` and `visibilitychange`; returns its undo. */
  readonly listen: (changed: () => void) => () => void;
}

/** The browser's own; elsewhere the network counts as there and the page as seen. */
export const pageSignals = (): PageSignals => ({
  onLine: () => globalThis.navigator?.onLine !== false,
  visible: () => typeof document === 'undefined' || document.visibilityState === 'visible',
  listen(changed) {
    if (typeof document === 'undefined') return () => {};
    addEventListener('online', changed);
    addEventListener('offline', changed);
    document.addEventListener('visibilitychange', changed);
    return () => {
      removeEventListener('online', changed);
      removeEventListener('offline', changed);
      document.removeEventListener('visibilitychange', changed);
    };
  },
});

const loopback = /^(localhost|.*\.localhost|127(\.\d+){3}|\[::1\])$/;

/**
 * Puts together what the browser says and what becomes of requests. The browser alone proves little: it may be on a network from which the
 * server cannot be reached; only its "no" counts, and not even that when the server is this machine.
 *
 * @param host  the server's, as in a URL; null: unknown
 */
export function createConnectivity(host: string | null, page: PageSignals = pageSignals()): Connectivity {
  const listeners = new Set<(online: boolean) => void>();
  const local = host !== null && loopback.test(host);
  let answered = true;
  let network = page.onLine();
  let seen = page.visible();
  const hopeless = () => !network && !local;
  let online = !hopeless();

  const tell = (again: boolean) => {
    const now = answered && !hopeless();
    if (now === online && !(again && now)) return;
    online = now;
    for (const listener of [...listeners]) listener(now);
  };
  const undo = page.listen(() => {
    const back = (page.onLine() && !network) || (page.visible() && !seen);
    network = page.onLine();
    seen = page.visible();
    // Not known yet, but worth a try at once: who listens for that is told, and hears soon if it was in vain.
    if (back) answered = true;
    tell(back);
  });
  return {
    get online() {
      return online;
    },
    get hopeless() {
      return hopeless();
    },
    reached() {
      answered = true;
      tell(false);
    },
    lost() {
      answered = false;
      tell(false);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    close() {
      undo();
      listeners.clear();
    },
  };
}
