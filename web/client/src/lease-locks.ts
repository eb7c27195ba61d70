/**
 * Locks between tabs where the browser has none: a page that was loaded over plain HTTP, from another machine.
 *
 *   waiting ──free, or its owner is gone──▶ held ──work settles──▶ given
 *                                             └──another has it (this tab slept too long)──▶ lost
 *
 * A lock is a lease that its owner renews. Browsers slow down the timers of tabs that nobody looks at, to once a minute and less, but not
 * their messages: so a lease that is over is not taken before its owner was asked and stayed silent. A tab that slept through that finds
 * out when it wakes: what it held is lost, as if it had been stolen. Two may then have led for a moment; that does no harm, for the server
 * knows each edit by its id, and edits are settled in storage before anything else.
 */
import { isOver, type LeaseStep, type LeaseStore } from './lease-store';
import type { Clock, TabLink } from './seams';

/** A lease is good for so long. */
export const leaseMs = 10_000;
/** Held leases are renewed, and others looked at, this often. */
export const leaseTurnMs = 3_000;
/** An owner that is asked has so long to answer. */
export const leaseAnswerMs = 1_500;

/** As {@link TabLink} has them. */
export interface LeaseLocks extends Pick<TabLink, 'hold' | 'tryHold'> {
  /** Resolves when the others can have what was held. */
  close(): Promise<void>;
}

export interface LeaseLocksOptions {
  /** This tab's id: another after each start. */
  readonly id: string;
  readonly store: LeaseStore;
  readonly clock: Clock;
  readonly post: (message: unknown) => void;
  readonly subscribe: (listener: (message: unknown) => void) => () => void;
  /** Calls back when the page goes away; returns its undo. */
  readonly leaving: (listener: () => void) => () => void;
  /** There is no storage: this tab has every lock from here on, and must hear and say nothing any more. */
  readonly alone: () => void;
}

interface Waiting {
  readonly name: string;
  readonly start: () => void;
}

const part = 'stet.lease';
type Word = 'ask' | 'given' | 'gone';
const message = (word: Word, id: string): string => `${part} ${word} ${id}`;
/** The tab that a message names, when it is this word. */
const named = (posted: unknown, word: Word): string | null =>
  typeof posted === 'string' && posted.startsWith(message(word, '')) ? posted.slice(message(word, '').length) : null;

/** Puts them together; they look for nothing before somebody wants something. */
export function createLeaseLocks(options: LeaseLocksOptions): LeaseLocks {
  const { id, store, clock, post } = options;
  /** By name; the callback tells that it was lost. */
  const held = new Map<string, () => void>();
  let waiting: Waiting[] = [];
  const given = new Set<string>();
  /** Owners whose lease was over and who were asked: from when on their silence counts. */
  const asked = new Map<string, number>();
  let turn: Promise<void> | null = null;
  let again = false;
  /** The store has answered once. */
  let works = false;
  let alone = false;
  let undoTimer = () => {};
  let undoAnswer = () => {};
  let closed = false;

  /** Answers who among the owners of these is to be waited for no longer. */
  const silent = (owner: string): boolean => {
    const since = asked.get(owner);
    return since !== undefined && clock.monotonic() - since >= leaseAnswerMs;
  };
  const ask = (owner: string) => {
    if (asked.has(owner)) return;
    asked.set(owner, clock.monotonic());
    post(message('ask', owner));
    undoAnswer();
    undoAnswer = clock.after(leaseAnswerMs, () => void look());
  };
  const owners = new Map<string, string>();

  const step = async (): Promise<void> => {
    const nowMs = clock.now();
    const renew = [...held.keys()];
    const wanted = [...new Set(waiting.map(({ name }) => name))].filter((name) => !held.has(name));
    const take = new Map(wanted.map((name) => {
      const owner = owners.get(name);
      return [name, owner !== undefined && silent(owner) ? owner : null] as const;
    }));
    const give = [...given].filter((name) => !held.has(name) && !take.has(name));
    if (renew.length === 0 && take.size === 0 && give.length === 0) return;
    if (alone) {
      for (const name of wanted) begin(name);
      return;
    }
    const made: LeaseStep = { owner: id, nowMs, untilMs: nowMs + leaseMs, renew, take, give };
    const found = await store.step(made);
    works = true;
    for (const name of give) given.delete(name);
    if (give.length > 0) post(message('given', id));
    for (const name of renew) {
      if (found.get(name)?.owner === id) continue;
      held.get(name)?.();
    }
    const late = new Set<string>();
    for (const name of wanted) {
      const lease = found.get(name);
      if (lease?.owner === id) {
        owners.delete(name);
        begin(name);
      } else if (lease) {
        owners.set(name, lease.owner);
        if (isOver(lease, made)) late.add(lease.owner);
      }
    }
    for (const owner of [...asked.keys()]) if (!late.has(owner)) asked.delete(owner);
    for (const owner of late) ask(owner);
  };
  /** One step at a time; what comes meanwhile is in the next. */
  const look = (): Promise<void> => {
    if (closed) return Promise.resolve();
    if (turn !== null) {
      again = true;
      return turn;
    }
    const mine = (async () => {
      do {
        again = false;
        // A storage that fails has no news: who holds goes on, and it is tried again at the next turn. One that never worked never will.
        await step().catch(() => {
          if (works || alone) return;
          alone = true;
          again = true;
          options.alone();
        });
      } while (again && !closed);
      // In one go with the question above: whoever comes now begins another turn, and would wait in vain for this one.
      turn = null;
      undoTimer();
      const idle = held.size === 0 && waiting.length === 0 && given.size === 0;
      undoTimer = closed || idle ? () => {} : clock.after(leaseTurnMs, () => void look());
    })();
    turn = mine;
    return mine;
  };

  /** It is this tab's: the first that waits for it here has it. Nobody does any more: it is given back. */
  const begin = (name: string) => {
    const first = waiting.find((one) => one.name === name);
    if (!first) {
      given.add(name);
      again = true;
      return;
    }
    waiting = waiting.filter((one) => one !== first);
    given.delete(name);
    first.start();
  };
  const release = (name: string) => {
    held.delete(name);
    if (waiting.some((one) => one.name === name)) begin(name);
    else {
      given.add(name);
      void look();
    }
  };
  /** Runs the work as the holder. Resolves when it settles, or the lock was lost: then the work goes on unheard. */
  const run = (name: string, work: () => Promise<void>): Promise<void> =>
    new Promise((resolve, reject) => {
      const lost = () => {
        if (held.get(name) !== lost) return;
        held.delete(name);
        resolve();
      };
      held.set(name, lost);
      work()
        .then(resolve, reject)
        .finally(() => {
          if (held.get(name) === lost) release(name);
        });
    });

  const undoMessages = options.subscribe((posted) => {
    const sought = named(posted, 'ask');
    if (sought === id) void look();
    const gone = named(posted, 'gone');
    // It says so itself: nothing has to be waited for.
    if (gone !== null && [...owners.values()].includes(gone)) asked.set(gone, Number.NEGATIVE_INFINITY);
    if (waiting.length > 0 && (gone !== null || named(posted, 'given') !== null)) void look();
  });
  /** The page may come back as it is: what nobody has taken by then is its own again. */
  const undoLeaving = options.leaving(() => {
    if (held.size === 0 || alone) return;
    const nowMs = clock.now();
    void store.step({ owner: id, nowMs, untilMs: nowMs, renew: [...held.keys()], take: new Map(), give: [] }).catch(() => {});
    post(message('gone', id));
  });

  return {
    hold(name, signal, work) {
      if (signal.aborted || closed) return Promise.resolve();
      return new Promise((resolve, reject) => {
        const entry: Waiting = {
          name,
          start: () => {
            signal.removeEventListener('abort', giveUp);
            run(name, work).then(resolve, reject);
          },
        };
        const giveUp = () => {
          waiting = waiting.filter((one) => one !== entry);
          resolve();
        };
        signal.addEventListener('abort', giveUp, { once: true });
        waiting.push(entry);
        void look();
      });
    },
    async tryHold(name, work) {
      if (closed || held.has(name) || waiting.some((one) => one.name === name)) return false;
      const taken = await new Promise<{ readonly over: Promise<void> } | null>((resolve) => {
        const entry: Waiting = { name, start: () => resolve({ over: run(name, work) }) };
        waiting.push(entry);
        const leave = () => {
          if (!waiting.includes(entry)) return;
          waiting = waiting.filter((one) => one !== entry);
          resolve(null);
        };
        void look().then(() => {
          const owner = owners.get(name);
          // A holder that may be gone has the time to say that it is not.
          if (owner !== undefined && asked.has(owner)) clock.after(leaseAnswerMs, () => void look().then(leave));
          else leave();
        });
      });
      await taken?.over;
      return taken !== null;
    },
    async close() {
      if (closed) return;
      closed = true;
      const give = [...held.keys(), ...given];
      undoTimer();
      undoAnswer();
      undoMessages();
      undoLeaving();
      waiting = [];
      held.clear();
      if (give.length === 0 || alone) return;
      const nowMs = clock.now();
      await store.step({ owner: id, nowMs, untilMs: nowMs, renew: [], take: new Map(), give }).catch(() => {});
      post(message('given', id));
    },
  };
}
