import 'fake-indexeddb/auto';
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLeader } from './leader';
import { createLeaseLocks, leaseAnswerMs, leaseMs, leaseTurnMs, type LeaseLocks } from './lease-locks';
import { createIdbLeaseStore, decideLease, type Lease, type LeaseStep } from './lease-store';
import type { TabLink } from './seams';
import { createFakeClock } from './testing/fake-clock';
import { createSeededRandom } from './testing/seeded-random';

const never = new AbortController().signal;
const seeds = Number(process.env['STET_SEEDS'] ?? 12);
const from = Number(process.env['STET_SEED'] ?? 1);

interface LeaseTab {
  readonly id: string;
  readonly locks: LeaseLocks;
  readonly link: TabLink;
  /** Timers wait this much longer: a tab that nobody looks at. */
  lateMs: number;
  /** Nothing of it runs; what comes waits. */
  asleep: boolean;
  dead: boolean;
  wake(): void;
}

/** Tabs over one storage, in which a step takes its time, and so does its answer. */
const bench = (pace: () => number = () => 0) => {
  const clock = createFakeClock();
  const leases = new Map<string, Lease>();
  const tabs: LeaseTab[] = [];
  const receivers = new Map<LeaseTab, (message: unknown) => void>();
  let failing = false;
  let alone = 0;
  const later = (ms: number) => new Promise<void>((resolve) => (ms === 0 ? resolve() : clock.after(ms, resolve)));
  const apply = (step: LeaseStep) => {
    const found = new Map<string, Lease>();
    for (const name of [...step.renew, ...step.take.keys(), ...step.give]) {
      const next = decideLease(step, name, leases.get(name) ?? null);
      if (next === null) leases.delete(name);
      else {
        leases.set(name, next);
        found.set(name, next);
      }
    }
    return found;
  };
  const open = (id: string): LeaseTab => {
    let missed: (() => void)[] = [];
    const listeners = new Set<(message: unknown) => void>();
    const run = (work: () => void) => {
      if (tab.dead) return;
      if (tab.asleep) missed.push(work);
      else work();
    };
    const post = (message: unknown) => {
      for (const other of tabs) if (other !== tab && !tab.dead) void later(pace()).then(() => receivers.get(other)?.(message));
    };
    const locks = createLeaseLocks({
      id,
      clock: { ...clock, after: (ms, callback) => clock.after(ms + tab.lateMs, () => run(callback)) },
      store: {
        async step(step) {
          await later(pace());
          if (failing) throw new Error('no storage');
          if (tab.dead) return new Promise(() => {});
          const found = apply(step);
          await later(pace());
          return new Promise((resolve) => run(() => resolve(found)));
        },
        close() {},
      },
      post,
      subscribe(listener) {
        listeners.add(listener);
        return () => listeners.delete(listener);
      },
      leaving: () => () => {},
      alone: () => (alone += 1),
    });
    const tab: LeaseTab = {
      id, locks, lateMs: 0, asleep: false, dead: false,
      link: { id, hold: locks.hold, tryHold: locks.tryHold, post, subscribe: () => () => {}, close() {} },
      wake() {
        tab.asleep = false;
        const all = missed;
        missed = [];
        for (const work of all) work();
      },
    };
    receivers.set(tab, (message) => run(() => [...listeners].forEach((listener) => listener(message))));
    tabs.push(tab);
    return tab;
  };
  return { clock, open, leases, fail: (now: boolean) => (failing = now), get alone() { return alone; } };
};

/** Holds `lead` for as long as it may, again and again, as the leader does. */
const stand = (tab: LeaseTab): { readonly leading: boolean } => {
  const leader = createLeader(tab.link, 'stet');
  return { get leading() { return leader.leading && !tab.dead; } };
};

test(`never two, though timers are late by minutes and storage is slow (${seeds} schedules from seed ${from})`, async () => {
  for (let seed = from; seed < from + seeds; seed++) {
    const random = createSeededRandom(seed);
    const { clock, open } = bench(() => random.below(40));
    const tabs = [open('a'), open('b'), open('c')] as const;
    const leaders = tabs.map(stand);
    for (let turn = 0; turn < 24; turn++) {
      const tab = random.pick(tabs);
      if (!tab.dead) tab.lateMs = random.pick([0, 0, 1_000, 60_000]);
      if (turn === 12) {
        const first = tabs[leaders.findIndex(({ leading }) => leading)];
        if (first) first.dead = true;
        for (const one of tabs) one.lateMs = 0;
      }
      await clock.advance(random.below(4_000));
      const leading = leaders.filter((one) => one.leading).length;
      assert.ok(leading <= 1, `seed ${seed}, turn ${turn}: ${leading} lead`);
    }
    for (const one of tabs) one.lateMs = 0;
    await clock.advance(61_000 + leaseMs + 3 * leaseTurnMs + leaseAnswerMs);
    assert.equal(leaders.filter((one) => one.leading).length, 1, `seed ${seed}: one leads in the end`);
  }
});

test('a tab that died is followed within a quarter of a minute; one that closes, at once', async () => {
  const { clock, open } = bench();
  const tabs = [open('a'), open('b'), open('c')] as const;
  const leaders = tabs.map(stand);
  await clock.settle();
  assert.deepEqual(leaders.map(({ leading }) => leading), [true, false, false]);
  tabs[0].dead = true;
  await clock.advance(leaseMs + leaseTurnMs + leaseAnswerMs);
  const second = leaders.findIndex(({ leading }) => leading);
  assert.ok(second > 0);
  await tabs[second]?.locks.close();
  await clock.advance(1);
  assert.equal(leaders[3 - second]?.leading, true);
});

test('a tab that slept learns that another leads, stands again, and says that it is back', async () => {
  const { clock, open } = bench();
  const [one, two] = [open('a'), open('b')];
  const leader = createLeader(one.link, 'stet');
  const other = createLeader(two.link, 'stet');
  let returned = 0;
  leader.onReturn(() => (returned += 1));
  await clock.settle();
  const gone: string[] = [];
  other.watchTab('a', () => gone.push('a'));
  one.asleep = true;
  await clock.advance(60_000);
  assert.deepEqual([other.leading, gone], [true, ['a']]);
  one.wake();
  await clock.advance(2 * leaseTurnMs);
  assert.deepEqual([leader.leading, other.leading, returned], [false, true, 1]);
});

test('a clock that is set back by an hour does not keep a dead tab alive', async () => {
  const { clock, open } = bench();
  const [one, two] = [open('a'), open('b')];
  const [, second] = [stand(one), stand(two)];
  await clock.settle();
  one.dead = true;
  clock.jump(-3_600_000);
  await clock.advance(leaseMs + 2 * leaseTurnMs + leaseAnswerMs);
  assert.equal(second.leading, true);
});

test('one at a time for a key, in this tab and in others, and refused at once', async () => {
  const { clock, open } = bench();
  const [one, two] = [open('a'), open('b')];
  let end = (): void => {};
  const first = one.locks.tryHold('k', () => new Promise((resolve) => (end = resolve)));
  await clock.settle();
  assert.deepEqual([await one.locks.tryHold('k', async () => {}), await two.locks.tryHold('k', async () => {})], [false, false]);
  end();
  assert.equal(await first, true);
  await clock.settle();
  assert.equal(await two.locks.tryHold('k', async () => {}), true);
  await assert.rejects(two.locks.hold('k', never, () => Promise.reject(new Error('mine'))), /mine/);
  await Promise.all([one.locks.close(), two.locks.close()]);
  assert.equal(clock.timers, 0);
});

test('where the storage never worked a tab has all locks, and knows it', async () => {
  const world = bench();
  world.fail(true);
  const leader = stand(world.open('a'));
  await world.clock.settle();
  assert.deepEqual([leader.leading, world.alone], [true, 1]);
});

test('a storage that fails for a while takes nothing from who holds', async () => {
  const world = bench();
  const [one, two] = [stand(world.open('a')), stand(world.open('b'))];
  await world.clock.settle();
  world.fail(true);
  await world.clock.advance(60_000);
  assert.deepEqual([one.leading, two.leading, world.alone], [true, false, 0]);
});

test('in IndexedDB a step is done at once or not at all', async () => {
  const stores = [createIdbLeaseStore('stet test leases'), createIdbLeaseStore('stet test leases')] as const;
  const want = (owner: string, taken: string | null = null): LeaseStep => ({
    owner, nowMs: 1_000, untilMs: 2_000, renew: [], take: new Map([['k', taken]]), give: [],
  });
  const found = await Promise.all([stores[0].step(want('a')), stores[1].step(want('b'))]);
  assert.deepEqual(found.map((one) => one.get('k')?.owner), ['a', 'a']);
  const late = { nowMs: 2_000, untilMs: 3_000 };
  assert.equal((await stores[1].step({ ...want('b'), ...late })).get('k')?.owner, 'a', 'it was not asked yet');
  assert.equal((await stores[1].step({ ...want('b', 'a'), ...late })).get('k')?.owner, 'b');
  assert.equal((await stores[0].step({ ...want('a'), ...late, take: new Map(), renew: ['k'] })).get('k')?.owner, 'b', 'lost');
  assert.equal((await stores[1].step({ ...want('b'), ...late, take: new Map(), give: ['k'] })).get('k'), undefined);
  for (const store of stores) store.close();
});

test('a lock is given on at once, however long its work takes to settle', async () => {
  for (let steps = 0; steps < 24; steps++) {
    const { clock, open } = bench();
    const [one, two] = [open('one'), open('two')];
    await one.locks.tryHold('key', async () => {
      for (let step = 0; step < steps; step++) await null;
    });
    await clock.settle();
    assert.equal(await two.locks.tryHold('key', async () => {}), true, `work of ${steps} steps`);
  }
});
