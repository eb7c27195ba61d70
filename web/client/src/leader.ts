import type { Leadership, TabLink } from './seams';

/** One tab leads: it sends the edits and holds the feed's connection. Its lock goes when it dies, and the next tab has it at once. */
export interface Leader extends Leadership {
  /** Calls back when a tab is gone, however it went. Each tab is watched until then, or until its undo. */
  watchTab(id: string, gone: () => void): () => void;
  /** Calls back when the others took this tab for gone while it slept: what they knew of it they do not know any more. */
  onReturn(listener: () => void): () => void;
  close(): void;
}

/** Stands for election. `name` is the same for all tabs of one server and space. */
export function createLeader(tabs: TabLink, name: string): Leader {
  const listeners = new Set<(leading: boolean) => void>();
  const closed = new AbortController();
  let leading = false;

  const until = (signal: AbortSignal) =>
    new Promise<void>((resolve) => {
      if (signal.aborted) resolve();
      else signal.addEventListener('abort', () => resolve(), { once: true });
    });
  const lead = (now: boolean) => {
    if (leading === now) return;
    leading = now;
    for (const listener of [...listeners]) listener(now);
  };
  const tabLock = (id: string) => `${name}:tab:${id}`;

  const returnListeners = new Set<() => void>();
  // Held for as long as this tab lives: whoever gets it next knows that it is gone.
  const live = async (): Promise<void> => {
    for (let again = false; !closed.signal.aborted; again = true) {
      let held = false;
      await tabs.hold(tabLock(tabs.id), closed.signal, async () => {
        held = true;
        if (again) for (const listener of [...returnListeners]) listener();
        await until(closed.signal);
      });
      if (!held) return;
    }
  };
  const alive = live();
  const stand = async (): Promise<void> => {
    while (!closed.signal.aborted) {
      let won = false;
      await tabs.hold(`${name}:lead`, closed.signal, async () => {
        if (closed.signal.aborted) return;
        won = true;
        lead(true);
        await until(closed.signal);
        lead(false);
      });
      // Somebody took the lock away: that tab leads, and this one waits for its turn.
      lead(false);
      if (!won) return;
    }
  };
  const elected = stand();
  // A lock manager that refuses (a page without an origin) leaves this tab on its own.
  for (const held of [alive, elected]) held.catch(() => lead(!closed.signal.aborted));

  return {
    get leading() {
      return leading;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    watchTab(id, gone) {
      const ended = new AbortController();
      const stop = () => ended.abort();
      closed.signal.addEventListener('abort', stop, { once: true });
      const watch = tabs.hold(tabLock(id), ended.signal, async () => {
        if (!ended.signal.aborted) gone();
      });
      watch.catch(() => {});
      return () => {
        closed.signal.removeEventListener('abort', stop);
        stop();
      };
    },
    onReturn(listener) {
      returnListeners.add(listener);
      return () => returnListeners.delete(listener);
    },
    close() {
      listeners.clear();
      returnListeners.clear();
      closed.abort();
      lead(false);
    },
  };
}
