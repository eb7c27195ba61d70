import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { JsonObject } from '@stet/client';
import { byDay, createActivityLog, ofPerson, peopleIn, type ActivityLogOptions } from './activity-log';
import type { Heard } from './entry';

const change = (seq: number, id: string, version: number, data: JsonObject, actor = 'ana'): Heard => ({
  entry: {
    kind: 'change', key: `${seq}:tasks/${id}`, seq, at: '2026-11-22T10:00:00Z', actor, address: `tasks/${id}`, op: 'update', type: 'tasks', id, version, title: null, differences: null,
  },
  data,
});

function world(options: Partial<ActivityLogOptions> = {}) {
  const timers: (() => void)[] = [];
  const log = createActivityLog({
    clock: {
      after: (_, callback) => {
        timers.push(callback);
        return () => timers.splice(timers.indexOf(callback), 1);
      },
    },
    ...options,
  });
  const told: number[] = [];
  log.subscribe(() => told.push(log.getSnapshot().entries.length));
  return { log, told, tick: () => timers.splice(0).forEach((run) => run()), seqs: () => log.getSnapshot().entries.map(({ seq }) => seq) };
}

test('entries stand newest first, once each, and a burst is told of once', () => {
  const { log, told, tick, seqs } = world();
  log.add([change(2, 'a', 1, {}), change(1, 'b', 1, {})]);
  log.add([change(3, 'c', 1, {}), change(2, 'a', 1, {})]);
  assert.deepEqual(told, []);
  tick();
  assert.deepEqual(told, [3]);
  assert.deepEqual(seqs(), [3, 2, 1]);
});

test('a change says what it changed when the version before was heard of', () => {
  const { log, tick } = world();
  log.add([change(1, 'a', 4, { status: 'open', n: 1 }), change(2, 'a', 5, { status: 'done', n: 1 }), change(3, 'b', 9, { n: 2 })]);
  tick();
  const said = log.getSnapshot().entries.map((entry) => (entry.kind === 'change' ? entry.differences : 'other'));
  assert.deepEqual(said, [null, [{ pointer: '/status', from: 'open', to: 'done' }], null]);
  log.explain('3:tasks/b', [{ pointer: '/n', from: 1, to: 2 }]);
  tick();
  const [newest] = log.getSnapshot().entries;
  assert.deepEqual(newest?.kind === 'change' ? newest.differences : null, [{ pointer: '/n', from: 1, to: 2 }]);
});

test('during a pause what comes is counted, and shown afterwards', () => {
  const { log, tick, seqs } = world();
  log.add([change(1, 'a', 1, {})]);
  log.pause();
  log.add([change(2, 'a', 2, {}), change(3, 'a', 3, {})]);
  tick();
  assert.deepEqual(seqs(), [1]);
  assert.equal(log.getSnapshot().waiting, 2);
  log.resume();
  assert.deepEqual(seqs(), [3, 2, 1]);
  assert.equal(log.getSnapshot().waiting, 0);
});

test('memory is bounded, during a pause as well, and what was let go is said', () => {
  const { log, tick, seqs } = world({ entriesMax: 3 });
  log.add([1, 2, 3, 4, 5].map((seq) => change(seq, `r${seq}`, 1, {})));
  tick();
  assert.deepEqual(seqs(), [5, 4, 3]);
  assert.equal(log.getSnapshot().cut, true);
  log.clear();
  log.pause();
  log.add([1, 2, 3, 4, 5].map((seq) => change(seq, `r${seq}`, 1, {})));
  tick();
  assert.equal(log.getSnapshot().waiting, 5);
  log.resume();
  assert.deepEqual(seqs(), [5, 4, 3]);
  assert.equal(log.getSnapshot().cut, true);
});

test('entries are picked by person and put together by day', () => {
  const { log, tick } = world();
  log.add([change(1, 'a', 1, {}, 'ben'), change(2, 'b', 1, {}, 'ana')]);
  tick();
  const { entries } = log.getSnapshot();
  assert.deepEqual(peopleIn(entries), ['ana', 'ben']);
  assert.deepEqual(ofPerson(entries, 'ben').map(({ seq }) => seq), [1]);
  assert.deepEqual(byDay(entries, (at) => at.slice(0, 10)).map(({ day, entries: of }) => [day, of.length]), [['2026-11-22', 2]]);
});
