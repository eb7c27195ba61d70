import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createSource, type SourceClock } from './live-source';

/** A clock that is moved by hand. */
function handClock(): SourceClock & { pass(ms: number): Promise<void> } {
  let now = 0;
  let timers: { at: number; callback: () => void }[] = [];
  return {
    now: () => now,
    after: (ms, callback) => {
      const timer = { at: now + ms, callback };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
    async pass(ms) {
      const end = now + ms;
      for (;;) {
        timers.sort((one, other) => one.at - other.at);
        const next = timers[0];
        if (next === undefined || next.at > end) break;
        timers.shift();
        now = next.at;
        next.callback();
        await settle();
      }
      now = end;
    },
  };
}
const settle = async (): Promise<void> => {
  for (let turn = 0; turn < 8; turn += 1) await Promise.resolve();
};

test('it is read when somebody looks, when it is told, and every so often', async () => {
  const clock = handClock();
  const events: string[] = [];
  let tell = (): void => undefined;
  const source = createSource({
    clock,
    atMostEveryMs: 100,
    everyMs: 1000,
    read: async () => {
      events.push(`read at ${clock.now()}`);
      return events.length;
    },
    follow: (changed) => {
      tell = changed;
      return () => events.push('unfollowed');
    },
  });
  const stop = source.subscribe(() => events.push(`told ${source.getSnapshot().status} ${source.getSnapshot().value}`));
  await settle();
  await clock.pass(20);
  tell();
  tell();
  await clock.pass(200);
  await clock.pass(1000);
  stop();
  await clock.pass(5000);
  assert.deepEqual(events, ['read at 0', 'told ready 1', 'read at 100', 'told ready 3', 'read at 1100', 'told ready 5', 'unfollowed']);
});

test('what changes while it is read is read again', async () => {
  const clock = handClock();
  let count = 0;
  let release = (): void => undefined;
  let tell = (): void => undefined;
  const source = createSource({
    clock,
    atMostEveryMs: 50,
    everyMs: null,
    read: () =>
      new Promise<number>((resolve) => {
        count += 1;
        const mine = count;
        release = () => resolve(mine);
      }),
    follow: (changed) => {
      tell = changed;
      return () => undefined;
    },
  });
  source.subscribe(() => undefined);
  tell();
  release();
  await settle();
  assert.equal(source.getSnapshot().value, 1);
  await clock.pass(50);
  release();
  await settle();
  assert.deepEqual([source.getSnapshot().value, count], [2, 2]);
});

test('what was read stays when a later reading fails, and who left hears nothing', async () => {
  const clock = handClock();
  let fail = false;
  const signals: AbortSignal[] = [];
  const source = createSource({
    clock,
    atMostEveryMs: 1,
    everyMs: null,
    read: async (signal) => {
      signals.push(signal);
      if (fail) throw new Error('gone');
      return 'there';
    },
  });
  const stop = source.subscribe(() => undefined);
  await settle();
  fail = true;
  source.refresh();
  await settle();
  assert.deepEqual([source.getSnapshot().status, source.getSnapshot().value], ['error', 'there']);
  source.refresh();
  stop();
  assert.equal(signals[2]?.aborted, true);
});
