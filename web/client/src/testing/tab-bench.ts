/** Several tabs of one browser in one process, with one storage and one server; a tab can be killed at any moment. */
import { createEditQueue, type RunningQueue } from '../edit-queue';
import type { Change, Edit } from '../edit';
import { createLeader, type Leader } from '../leader';
import { createMemoryStorage } from '../memory-storage';
import type { Connectivity, EditEvent, EditStorage } from '../seams';
import { createTabHub, type TabHub } from '../tab-hub';
import { createFakeClock, type FakeClock } from './fake-clock';
import { createModelServer, type ModelServer } from './model-server';

export interface BenchTab {
  readonly id: string;
  readonly queue: RunningQueue;
  readonly leader: Leader;
  /** What its listeners heard: `added e1`, `changed e1 conflict`, `settled e1 confirmed`. Changes of attempts alone are left out. */
  readonly heard: string[];
  /** Makes an edit as records do: from the newest version that the server is known to have. */
  edit(id: string, address: string, change: Change, base?: number | null): Promise<void>;
}

export interface TabBench {
  readonly clock: FakeClock;
  readonly server: ModelServer;
  readonly hub: TabHub;
  readonly storage: EditStorage;
  actor: string | null;
  network: { online: boolean };
  open(id: string): BenchTab;
  /** It dies: nothing of it runs on but what had left it. */
  kill(tab: BenchTab): void;
  /** Every tab that lives closes in good order. */
  close(): void;
}

/** @param options `storage`: made by the test, for one that fails. `apart`: tabs without locks and channels, as over plain HTTP */
export function createTabBench(options: { readonly storage?: EditStorage; readonly random?: () => number; readonly apart?: boolean } = {}): TabBench {
  const clock = createFakeClock(undefined, options.random);
  const server = createModelServer();
  const hub = createTabHub();
  const storage = options.storage ?? createMemoryStorage('durable', clock.now);
  const living = new Map<string, { readonly queue: RunningQueue; readonly leader: Leader; readonly death: AbortController }>();
  const network = { online: true };

  const bench: TabBench = {
    clock,
    server,
    hub,
    storage,
    actor: 'ana',
    network,
    open(id) {
      const tabs = (options.apart === true ? createTabHub() : hub).open(id);
      const death = new AbortController();
      const never = new Promise<never>(() => {});
      /** What a dead tab waits for never comes, and what it asks for is not done. */
      const mortal = async <R>(work: () => Promise<R>): Promise<R> => {
        if (death.signal.aborted) return never;
        const result = await work();
        return death.signal.aborted ? never : result;
      };
      const connectivity: Connectivity = {
        get online() { return network.online; },
        get hopeless() { return !network.online; },
        reached() {}, lost() {}, subscribe: () => () => {}, close() {},
      };
      const leader = createLeader(tabs, 'stet:test');
      const queue = createEditQueue({
        storage: {
          get state() { return storage.state; },
          subscribe: (listener) => storage.subscribe(listener),
          load: () => mortal(() => storage.load()),
          add: (edits) => mortal(() => storage.add(edits)),
          save: (changed, removed) => mortal(() => storage.save(changed, removed)),
          note: (name) => mortal(() => storage.note(name)),
          keepNote: (name, text) => mortal(() => storage.keepNote(name, text)),
          close() {},
        },
        tabs,
        leader,
        sender: {
          send: (unit, signal) => mortal(() => server.send(unit, signal)),
          lookUp: (edit, signal) => mortal(() => server.lookUp(edit, signal)),
        },
        clock: { ...clock, after: (ms, callback) => clock.after(ms, () => { if (!death.signal.aborted) callback(); }) },
        connectivity,
        actor: () => bench.actor,
      });
      const heard: string[] = [];
      const states = new Map<string, string>();
      const say = (event: EditEvent) => {
        switch (event.kind) {
          case 'loaded':
          case 'added':
            if (event.edits.length > 0) heard.push(`${event.kind} ${event.edits.map((edit) => edit.id).join(' ')}`);
            for (const edit of event.edits) states.set(edit.id, edit.state);
            return;
          case 'changed':
            if (states.get(event.edit.id) !== event.edit.state) heard.push(`changed ${event.edit.id} ${event.edit.state}`);
            states.set(event.edit.id, event.edit.state);
            return;
          case 'settled':
            heard.push(`settled ${event.edit.id} ${event.outcome.kind}`);
            return;
          case 'storage':
            heard.push(`storage ${event.state}`);
        }
      };
      queue.subscribe((event) => { if (!death.signal.aborted) say(event); });
      living.set(id, { queue, leader, death });
      return {
        id, queue, leader, heard,
        edit(name, address, change, base) {
          const [type = '', recordId = ''] = address.split('/');
          const record = server.read(address);
          const made: Edit = {
            id: name, type, recordId, address, change,
            base: base === undefined ? (record && !record.deleted ? record.version : null) : base,
            baseData: record && !record.deleted ? record.data : null,
            actor: bench.actor ?? 'nobody', madeAt: '2026-01-01T00:00:00Z', state: 'pending', attempts: 0,
          };
          return queue.add([made]);
        },
      };
    },
    kill(tab) {
      living.get(tab.id)?.death.abort();
      living.delete(tab.id);
      hub.kill(tab.id);
    },
    close() {
      for (const { queue, leader } of living.values()) {
        queue.close();
        leader.close();
      }
    },
  };
  return bench;
}
