import type { TabLink } from './seams';

/** Several tabs within one process: what stands in for the browser where it has no locks between tabs, and in tests. */
export interface TabHub {
  /** Another tab. */
  open(id?: string): TabLink;
  /** The tab dies: its locks go to whoever waits, and nothing of it is heard or called any more. */
  kill(id: string): void;
  /** Loses messages, where it answers false. For tests. */
  deliver: (from: string, to: string, message: unknown) => boolean;
}

interface Waiting {
  readonly tab: string;
  readonly start: () => void;
}

interface Tab {
  readonly listeners: Set<(message: unknown) => void>;
  readonly dropped: AbortController;
}

/** Makes an empty hub. Messages arrive in order, after the sender's current task. */
export function createTabHub(): TabHub {
  const tabs = new Map<string, Tab>();
  const queues = new Map<string, { holder: string; readonly waiting: Waiting[] }>();
  let count = 0;

  const release = (name: string) => {
    const queue = queues.get(name);
    const next = queue?.waiting.shift();
    if (!queue || !next) queues.delete(name);
    else {
      queue.holder = next.tab;
      next.start();
    }
  };

  /** Runs `work` as the holder and gives the lock on, once, when it settles or the tab dies. */
  const run = (name: string, tab: Tab, work: () => Promise<void>): Promise<void> => {
    let over = false;
    const give = () => {
      if (over) return;
      over = true;
      tab.dropped.signal.removeEventListener('abort', give);
      release(name);
    };
    tab.dropped.signal.addEventListener('abort', give);
    return work().finally(give);
  };

  const hub: TabHub = {
    deliver: () => true,
    open(id = `tab-${++count}`) {
      const tab: Tab = { listeners: new Set(), dropped: new AbortController() };
      tabs.set(id, tab);
      return {
        id,
        hold(name, signal, work) {
          return new Promise((resolve, reject) => {
            if (signal.aborted || tab.dropped.signal.aborted) return resolve();
            const start = () => {
              signal.removeEventListener('abort', leave);
              run(name, tab, work).then(resolve, reject);
            };
            const entry: Waiting = { tab: id, start };
            const leave = () => {
              const waiting = queues.get(name)?.waiting ?? [];
              const index = waiting.indexOf(entry);
              if (index >= 0) waiting.splice(index, 1);
              resolve();
            };
            signal.addEventListener('abort', leave, { once: true });
            const queue = queues.get(name);
            if (queue) queue.waiting.push(entry);
            else {
              queues.set(name, { holder: id, waiting: [] });
              queueMicrotask(start);
            }
          });
        },
        async tryHold(name, work) {
          if (queues.has(name) || tab.dropped.signal.aborted) return false;
          queues.set(name, { holder: id, waiting: [] });
          await run(name, tab, work);
          return true;
        },
        post(message) {
          if (!tabs.has(id)) return;
          const copy: unknown = structuredClone(message);
          for (const [other, { listeners }] of tabs) {
            if (other === id || !hub.deliver(id, other, copy)) continue;
            queueMicrotask(() => {
              if (tabs.has(other)) for (const listener of [...listeners]) listener(copy);
            });
          }
        },
        subscribe(listener) {
          tab.listeners.add(listener);
          return () => tab.listeners.delete(listener);
        },
        close() {
          hub.kill(id);
        },
      };
    },
    kill(id) {
      const tab = tabs.get(id);
      if (!tab) return;
      tabs.delete(id);
      tab.listeners.clear();
      for (const queue of queues.values()) {
        for (let index = queue.waiting.length - 1; index >= 0; index--)
          if (queue.waiting[index]?.tab === id) queue.waiting.splice(index, 1);
      }
      tab.dropped.abort();
    },
  };
  return hub;
}
