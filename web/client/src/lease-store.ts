/** Who holds which lock until when, kept where all tabs of a browser see it. */
import { openDB, type DBSchema, type IDBPDatabase } from 'idb';

/** A tab's hold on a name, good until a time of the wall clock, which all tabs of a machine share. */
export interface Lease {
  readonly name: string;
  readonly owner: string;
  readonly untilMs: number;
}

/** What a tab wants in one step. */
export interface LeaseStep {
  readonly owner: string;
  readonly nowMs: number;
  readonly untilMs: number;
  /** Held: good for longer, unless somebody else has it by now. */
  readonly renew: readonly string[];
  /** Wanted if nobody has it. With an owner: also from that one, when its lease is over and it did not answer. */
  readonly take: ReadonlyMap<string, string | null>;
  readonly give: readonly string[];
}

/** Does a step at once or not at all; answers who has what was named then. */
export interface LeaseStore {
  step(step: LeaseStep): Promise<ReadonlyMap<string, Lease>>;
  close(): void;
}

/** Whether its owner has not renewed it. One that is good for longer than anybody could have written was made before the clock was set back. */
export const isOver = (lease: Lease, step: Pick<LeaseStep, 'nowMs' | 'untilMs'>): boolean =>
  lease.untilMs <= step.nowMs || lease.untilMs > 2 * step.untilMs - step.nowMs;

/** Decides one name. Returns the lease that is to stand; null: none. */
export const decideLease = (step: LeaseStep, name: string, there: Lease | null): Lease | null => {
  const mine: Lease = { name, owner: step.owner, untilMs: step.untilMs };
  const isMine = there?.owner === step.owner;
  if (step.give.includes(name)) return isMine ? null : there;
  // Held once and free now: somebody had it meanwhile, which is a loss like any other.
  if (there === null) return step.take.has(name) ? mine : null;
  if (isMine) return mine;
  const from = step.take.get(name);
  return from === there.owner && isOver(there, step) ? mine : there;
};

interface Schema extends DBSchema {
  leases: { key: string; value: Lease };
}

/** Leases in IndexedDB: a transaction that writes has the store to itself, in whichever tab. */
export function createIdbLeaseStore(name: string): LeaseStore {
  let opened: Promise<IDBPDatabase<Schema>> | null = null;
  let closed = false;
  const open = () =>
    openDB<Schema>(name, 1, {
      upgrade: (database) => void database.createObjectStore('leases', { keyPath: 'name' }),
      blocking(_current, _wanted, event) {
        opened = null;
        if (event.target instanceof IDBDatabase) event.target.close();
      },
      terminated: () => (opened = null),
    });
  return {
    async step(step) {
      if (closed) throw new Error('closed');
      opened ??= open();
      try {
        const transaction = (await opened).transaction('leases', 'readwrite');
        const { store } = transaction;
        const found = new Map<string, Lease>();
        const names = [...new Set([...step.renew, ...step.take.keys(), ...step.give])];
        await Promise.all([
          ...names.map(async (one) => {
            const there = (await store.get(one)) ?? null;
            const next = decideLease(step, one, there);
            if (next === null) await store.delete(one);
            else if (next !== there) await store.put(next);
            if (next !== null) found.set(one, next);
          }),
          transaction.done,
        ]);
        return found;
      } catch (error) {
        // The browser closes connections in silence: the next step opens another.
        opened = null;
        throw error;
      }
    },
    close() {
      closed = true;
      void opened?.then(
        (database) => database.close(),
        () => {},
      );
    },
  };
}
