import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { ClientState } from './client';
import type { Edit, WriteOutcome } from './edit';
import { StetError } from './error';
import type { JsonObject } from './json';
import type { RecordOf } from './record';
import { RecordStore } from './record-store';
import { createFakeClock } from './testing/fake-clock';
import { testRecord } from './testing/fake-parts';
import { createSeededRandom } from './testing/seeded-random';

const initial: Omit<ClientState, 'records' | 'edits' | 'otherEdits'> = {
  online: true,
  feed: 'open',
  leader: true,
  session: { status: 'unknown' },
  versions: { client: '0.1.0', server: null, fit: true },
  storage: 'memory',
};

const make = (idleRecordsMax = 100) => {
  const clock = createFakeClock();
  return { clock, store: new RecordStore({ clock, idleRecordsMax, initial }) };
};

const edit = (id: string, patch: JsonObject, more: Partial<Edit> = {}): Edit => ({
  id,
  type: 'tasks',
  recordId: '1',
  address: 'tasks/1',
  change: { op: 'patch', patch },
  base: 1,
  baseData: null,
  actor: 'ana',
  madeAt: '2026-11-22T10:00:00Z',
  state: 'pending',
  attempts: 0,
  ...more,
});

const confirmed = (record: RecordOf): WriteOutcome => ({ kind: 'confirmed', record, merged: false, unchanged: false });

test('an edit shows in the same tick, and listeners hear of all of a tick once', async () => {
  const { store, clock } = make();
  store.applyRecord(testRecord('tasks/1', 1, { title: 'a' }));
  await clock.settle();
  const heard: unknown[] = [];
  store.listen('tasks/1', () => heard.push(store.get('tasks/1').data));
  store.putEdit(edit('e1', { title: 'b' }));
  assert.deepEqual(store.api.getState().records.get('tasks/1')?.data, { title: 'b' });
  store.putEdit(edit('e2', { done: true }));
  assert.deepEqual(heard, []);
  await clock.settle();
  assert.deepEqual(heard, [{ title: 'b', done: true }]);
});

test('a snapshot is the same object until its record changes', () => {
  const { store } = make();
  store.applyRecord(testRecord('tasks/1', 1, { title: 'a' }));
  store.applyRecord(testRecord('tasks/2', 1, { title: 'b' }));
  const [one, two, state] = [store.get('tasks/1'), store.get('tasks/2'), store.api.getState()];
  assert.equal(store.get('tasks/1'), one);
  assert.equal(store.api.getState(), state);
  store.applyRecord(testRecord('tasks/1', 2, { title: 'c' }));
  assert.notEqual(store.get('tasks/1'), one);
  assert.equal(store.get('tasks/2'), two);
  assert.equal(state.records.get('tasks/1'), one, 'what was handed out stays as it was');
});

test('an older version changes nothing, and neither does the same again', () => {
  const { store } = make();
  store.applyRecord(testRecord('tasks/1', 3, { title: 'new' }));
  const before = store.get('tasks/1');
  assert.equal(store.applyRecord(testRecord('tasks/1', 2, { title: 'old' })), false);
  store.applyRecord(testRecord('tasks/1', 3, { title: 'new' }));
  assert.equal(store.get('tasks/1'), before);
});

test('a deletion is a version: what is older does not bring the record back', () => {
  const { store } = make();
  store.applyRecord(testRecord('tasks/1', 3, { title: 'a' }));
  store.applyDeleted('tasks/1', 4);
  store.applyRecord(testRecord('tasks/1', 3, { title: 'a' }));
  assert.equal(store.get('tasks/1').status, 'deleted');
  assert.equal(store.get('tasks/1').data, null);
  store.applyRecord(testRecord('tasks/1', 5, { title: 'again' }));
  assert.equal(store.get('tasks/1').status, 'ready');
});

test('a conflict goes on showing what was written; giving it up shows the server at once', () => {
  const { store } = make();
  store.applyRecord(testRecord('tasks/1', 1, { title: 'a' }));
  const own = edit('e1', { title: 'mine' });
  store.putEdit(own);
  const conflict = {
    conflictType: 'concurrent_edit' as const,
    address: 'tasks/1',
    detail: '',
    expectedVersion: 1,
    currentVersion: 2,
    lastModifiedBy: 'bob',
    base: { title: 'a' },
    current: { title: 'theirs' },
    yours: { title: 'mine' },
    merged: { title: 'theirs' },
    fields: {},
    clean: false,
    resolutionOptions: [],
    resolutionToken: 't',
    edit: 'e1',
  };
  store.putEdit({ ...own, state: 'conflict', conflict });
  store.applyConflict(conflict);
  assert.equal(store.get('tasks/1').phase, 'conflict');
  assert.deepEqual(store.get('tasks/1').data, { title: 'mine' });
  store.settle(own, { kind: 'discarded' });
  assert.deepEqual(store.get('tasks/1').data, { title: 'theirs' });
  assert.equal(store.get('tasks/1').record?.updatedBy, 'bob');
  // The feed's own record of that version takes the place of the one put together.
  store.applyRecord(testRecord('tasks/1', 2, { title: 'theirs' }, { seq: 17 }));
  assert.equal(store.get('tasks/1').record?.seq, 17);
});

test('records that nobody holds are forgotten, the longest unseen first; those with edits or listeners stay', async () => {
  const { store } = make(2);
  const undo = store.listen('tasks/1', () => {});
  store.putEdit(edit('e1', { a: 1 }, { address: 'tasks/2', recordId: '2' }));
  for (let id = 1; id <= 6; id++) store.applyRecord(testRecord(`tasks/${id}`, 1, {}));
  assert.deepEqual([...store.api.getState().records.keys()].sort(), ['tasks/1', 'tasks/2', 'tasks/5', 'tasks/6']);
  undo();
  assert.deepEqual([...store.api.getState().records.keys()].sort(), ['tasks/1', 'tasks/2', 'tasks/6']);
});

test('a fast feed is told of at most every 16 ms, and who looks sees the newest', async () => {
  const { store, clock } = make();
  const told: number[] = [];
  store.api.subscribe(() => told.push(clock.monotonic()));
  for (let version = 1; version <= 40; version++) {
    store.applyRecord(testRecord('tasks/1', version, { version }));
    assert.deepEqual(store.api.getState().records.get('tasks/1')?.data, { version });
    await clock.advance(1);
  }
  await clock.advance(20);
  assert.deepEqual(told, [0, 16, 32, 48]);
});

test("one listener's fault does not keep the others from hearing", async () => {
  const clock = createFakeClock();
  const failed: unknown[] = [];
  const store = new RecordStore({ clock, idleRecordsMax: 10, initial, failed: (error) => failed.push(error) });
  const heard: string[] = [];
  store.listen('tasks/1', () => {
    throw new StetError({ code: 'INTERNAL', detail: 'listener' });
  });
  store.listen('tasks/1', () => heard.push('second'));
  store.applyRecord(testRecord('tasks/1', 1, {}));
  await clock.settle();
  assert.deepEqual(heard, ['second']);
  assert.equal(failed.length, 1);
});

/* ---- Interleavings ---- */

/** All ways to run these lists of steps beside each other, each in its own order. */
function* interleavings<S>(lists: readonly (readonly S[])[]): Generator<readonly S[]> {
  if (lists.every((list) => list.length === 0)) {
    yield [];
    return;
  }
  for (const [index, list] of lists.entries()) {
    const [first, ...rest] = list;
    if (first === undefined) continue;
    for (const tail of interleavings(lists.map((other, at) => (at === index ? rest : other)))) yield [first, ...tail];
  }
}

type Step = (store: RecordStore) => void;
interface Story {
  readonly name: string;
  /** The feed in its order, answers in theirs, and reads, which come at any time. */
  readonly lists: readonly (readonly Step[])[];
  readonly edits: readonly Edit[];
  readonly end: JsonObject;
}

const own1 = edit('e1', { title: 'mine' });
const own2 = edit('e2', { note: 'mine too' });
const v = (version: number, data: JsonObject, key?: string) =>
  testRecord('tasks/1', version, data, key === undefined ? {} : { clientMutationId: key });

const told = (record: RecordOf): Step => (store) => void store.applyRecord(record);
const answered = (own: Edit, record: RecordOf): Step => (store) => store.settle(own, confirmed(record));

const two = v(2, { title: 'mine', by: 'a' }, 'e1');
const three = v(3, { title: 'mine', by: 'bob' });
const four = v(4, { title: 'mine', by: 'bob', note: 'mine too' }, 'e2');
const stories: readonly Story[] = [
  {
    name: 'own, foreign, own; echoes, answers and reads in any order',
    edits: [own1, own2],
    lists: [[told(two), told(three), told(four)], [answered(own1, two), answered(own2, four)], [told(three)]],
    end: four.data,
  },
  {
    name: 'a foreign change first, own ones merged into it',
    edits: [own1],
    lists: [
      [told(v(2, { title: 'a', by: 'bob' })), told(v(3, { title: 'mine', by: 'bob' }, 'e1')), told(v(4, { title: 'mine', by: 'carl' }))],
      [answered(own1, v(3, { title: 'mine', by: 'bob' }, 'e1'))],
      [told(v(2, { title: 'a', by: 'bob' })), told(v(4, { title: 'mine', by: 'carl' }))],
    ],
    end: { title: 'mine', by: 'carl' },
  },
  {
    name: 'a deletion of somebody else behind an own change',
    edits: [own1],
    lists: [[told(two), (store) => void store.applyRecord({ ...v(3, {}), deleted: true })], [answered(own1, two)], [told(two)]],
    end: {},
  },
];

for (const story of stories) {
  test(`nothing goes back on the screen: ${story.name}`, () => {
    let schedules = 0;
    for (const steps of interleavings(story.lists)) {
      schedules += 1;
      const { store } = make();
      store.applyRecord(v(1, { title: 'a', by: 'a' }));
      for (const one of story.edits) store.putEdit(one);
      let version = 1;
      for (const step of steps) {
        step(store);
        const state = store.get('tasks/1');
        // What was written here is never off the screen, except by a deletion of the whole.
        if (state.data !== null) assert.equal(state.data['title'], 'mine');
        if (state.data !== null && story.edits.includes(own2)) assert.equal(state.data['note'], 'mine too');
        assert.ok(store.versionOf('tasks/1') >= version, 'a version went back');
        version = store.versionOf('tasks/1');
      }
      const state = store.get('tasks/1');
      assert.deepEqual(state.data ?? {}, story.end);
      assert.deepEqual(state.data, state.record?.data ?? null, 'what is shown is what the server has');
      assert.deepEqual(state.edits, []);
      assert.deepEqual(store.api.getState().edits, []);
    }
    assert.ok(schedules > 10);
  });
}

test('random schedules end as the server has it, whatever came twice, late or not at all before it was read anew', () => {
  const seed = Number(process.env['STET_TEST_SEED'] ?? Date.now() % 1_000_000_000);
  const random = createSeededRandom(seed);
  for (let round = 0; round < 300; round++) {
    const { store } = make();
    store.applyRecord(v(1, { n: 0 }));
    const waiting: Edit[] = [];
    const history: RecordOf[] = [v(1, { n: 0 })];
    const answers: [Edit, RecordOf][] = [];
    let shownVersion = 1;
    for (let step = 0; step < 30; step++) {
      const [head] = history.slice(-1);
      assert.ok(head);
      switch (random.below(5)) {
        case 0: {
          const own = edit(`e${step}`, { [`f${step % 4}`]: `own ${step}` });
          waiting.push(own);
          store.putEdit(own);
          break;
        }
        case 1: {
          const own = waiting.shift();
          if (own === undefined || own.change.op !== 'patch') break;
          const made = v(head.version + 1, { ...head.data, ...own.change.patch }, own.id);
          history.push(made);
          answers.push([own, made]);
          break;
        }
        case 2:
          history.push(v(head.version + 1, { ...head.data, n: step }));
          break;
        case 3: {
          const answer = answers.shift();
          if (answer !== undefined) store.settle(answer[0], confirmed(answer[1]));
          break;
        }
        default:
          store.applyRecord(history[random.below(history.length)] ?? head);
      }
      assert.ok(store.versionOf('tasks/1') >= shownVersion, `seed ${seed}, round ${round}: a version went back`);
      shownVersion = store.versionOf('tasks/1');
    }
    for (const [own, made] of answers) store.settle(own, confirmed(made));
    const [head] = history.slice(-1);
    assert.ok(head);
    store.applyRecord(head);
    const shown = waiting.reduce<JsonObject>((data, own) => ({ ...data, ...(own.change.op === 'patch' ? own.change.patch : {}) }), head.data);
    assert.deepEqual(store.get('tasks/1').data, shown, `seed ${seed}, round ${round}`);
  }
});

test('what others have waiting here is counted, and not shown', () => {
  const { clock, store } = make();
  store.setPerson('ana');
  store.putEdit(edit('1', { a: 1 }));
  store.putEdit(edit('2', { a: 2 }, { actor: 'ben' }));
  store.putEdit(edit('3', { a: 3 }, { actor: 'ben', state: 'rejected' }));
  const told = () => [store.api.getState().edits.map(({ id }) => id), store.api.getState().otherEdits];
  clock.advance(50);
  assert.deepEqual(told(), [['1'], 1]);
  store.setPerson('ben');
  assert.deepEqual(told(), [['2', '3'], 1]);
});

test('other data: an edit whose echo came from those before is waiting again', async () => {
  const { store, clock } = make();
  store.applyRecord(testRecord('tasks/1', 1, { title: 'a' }));
  store.putEdit(edit('e1', { title: 'b' }));
  store.applyRecord({ ...testRecord('tasks/1', 2, { title: 'b' }), clientMutationId: 'e1' });
  assert.equal(store.get('tasks/1').phase, 'saved');
  store.forget();
  assert.equal(store.get('tasks/1').phase, 'saving');
  store.applyRecord(testRecord('tasks/1', 1, { title: 'a' }));
  store.putEdit(edit('e1', { title: 'b' }, { state: 'rejected', error: new StetError({ code: 'NOT_FOUND', detail: 'other data' }) }));
  await clock.settle();
  assert.equal(store.get('tasks/1').phase, 'rejected');
  assert.deepEqual(store.get('tasks/1').data, { title: 'b' });
});
