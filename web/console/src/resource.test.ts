import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createResource } from './resource';

const settled = async () => {
  for (let turn = 0; turn < 10; turn += 1) await Promise.resolve();
};

test('it is read when somebody looks, and what failed leaves what was there', async () => {
  const answers: (() => Promise<number>)[] = [() => Promise.resolve(1), () => Promise.reject(new Error('no'))];
  const resource = createResource(() => answers.shift()?.() ?? Promise.resolve(9));
  const seen: unknown[] = [];
  const stop = resource.subscribe(() => seen.push([resource.getSnapshot().status, resource.getSnapshot().value]));
  await settled();
  await resource.refresh();
  assert.deepEqual(seen, [['ready', 1], ['ready', 1]]);
  assert.ok(resource.getSnapshot().error instanceof Error);
  stop();
});

test('an answer that was overtaken is not shown', async () => {
  const waiting: ((value: string) => void)[] = [];
  const resource = createResource<string>(() => new Promise((resolve) => waiting.push(resolve)));
  const stop = resource.subscribe(() => undefined);
  const second = resource.refresh();
  waiting[1]?.('new');
  await second;
  waiting[0]?.('old');
  await settled();
  assert.equal(resource.getSnapshot().value, 'new');
  stop();
});

test('it follows while somebody looks and the page is seen, and no longer', async () => {
  const timers: (() => void)[] = [];
  let reads = 0;
  let hidden = false;
  const resource = createResource(() => Promise.resolve((reads += 1)), {
    everyMs: 1000,
    hidden: () => hidden,
    after: (_, callback) => {
      timers.push(callback);
      return () => timers.splice(timers.indexOf(callback), 1);
    },
  });
  const stop = resource.subscribe(() => undefined);
  await settled();
  timers.shift()?.();
  await settled();
  assert.equal(reads, 2);
  hidden = true;
  timers.shift()?.();
  await settled();
  assert.deepEqual([reads, timers.length], [2, 1]);
  stop();
  assert.equal(timers.length, 0);
});
