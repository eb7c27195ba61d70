import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Operation } from '@stet/client';
import { durationText, leftOf, rangeText } from './durations';
import { lanesOf, settingsChange } from './lane';
import { agentCommand, emptyForm, requestOf } from './request';
import { agentsOf, inOrder, mayRetry, newer, workOf, workPageOf, type Work } from './work';

const must = (value: unknown): Work => {
  const work = workOf(value);
  assert.ok(work !== null);
  return work;
};
const operation = (id: string, more: Record<string, unknown>): Work => must({ id, status: 'queued', lane: 'agents', version: 1, ...more });

test('operations stand in the order in which they are done', () => {
  const all = [
    operation('over-1', { status: 'completed', finishedAt: '2026-03-02T08:00:00Z' }),
    operation('third', { position: 2 }),
    operation('delayed', { position: 3, delayed: true }),
    operation('second', { position: 1 }),
    operation('again', { status: 'retrying' }),
    operation('first', { status: 'running' }),
    operation('over-2', { status: 'failed', finishedAt: '2026-03-02T09:00:00Z' }),
  ];
  assert.deepEqual(inOrder(all).map((one) => one.id), ['first', 'again', 'second', 'third', 'delayed', 'over-2', 'over-1']);
});

test('of two that tell of one operation the newer counts', () => {
  const listed = operation('a', { version: 3, position: 4 });
  const heard = (version: number, position: number): Operation => ({ id: 'a', version, lane: 'agents', class: 'normal', status: 'queued', position });
  assert.equal(newer(listed, heard(2, 1)).position, 4);
  assert.equal(newer(listed, heard(3, 2)).position, 2);
  assert.equal(newer(listed, null), listed);
});

test('what is of another shape is no operation', () => {
  assert.deepEqual([null, 4, {}, { id: 'x' }, { id: 'x', status: 'dreaming' }].map(workOf), [null, null, null, null, null]);
  assert.deepEqual(workPageOf({ operations: [null, { id: 'x', status: 'queued' }], next: 'x' }).work.length, 1);
  assert.deepEqual(workPageOf('?'), { work: [], next: null });
});

test('only what is over is tried again, and what was completed only as a delivery', () => {
  const may = (status: string, handler?: string): boolean => mayRetry(operation('a', { status, handler }));
  assert.deepEqual([may('queued'), may('failed'), may('completed'), may('completed', 'hook')], [false, true, false, true]);
});

test('agents are those that were seen', () => {
  const all = [
    operation('a', { status: 'running', currentAgent: 'planner', agentsInvolved: ['planner', 'writer'] }),
    operation('b', { agent: 'planner' }),
    operation('c', { agent: 'nobody' }),
  ];
  assert.deepEqual(agentsOf(all), [
    { name: 'nobody', running: 0, waiting: 1 },
    { name: 'planner', running: 1, waiting: 1 },
    { name: 'writer', running: 0, waiting: 0 },
  ]);
});

test('a lane tells how many wait, by class, and for how long', () => {
  const [lane] = lanesOf({
    lanes: [{ id: 'agents', width: 2, queued: { low: 1, normal: 2, high: 0 }, running: 1, paused: true, estimatedWaitS: 2.2, estimatedWaitRangeS: [0.7, 6.6], fair: 'actor' }],
  });
  assert.ok(lane !== undefined);
  assert.deepEqual([lane.waiting, lane.byClass, lane.waitRangeS, lane.paused], [3, [['normal', 2], ['low', 1]], [0.7, 6.6], true]);
  assert.equal(settingsChange(lane.settings, lane.settings), null);
  assert.deepEqual(settingsChange(lane.settings, { ...lane.settings, width: 4, ageS: 0, fair: false }), { width: 4, age_s: 0, fair: null });
  assert.deepEqual(lanesOf({ lanes: [null, { id: 4 }] }), []);
});

test('a form becomes a request, or says what is wrong with it', () => {
  const now = Date.parse('2026-03-02T08:00:00Z');
  assert.deepEqual(requestOf({ ...emptyForm, agent: ' planner ', input: '{"goal": 1}', target: 'tasks/1' }, now), {
    kind: 'ready',
    request: { lane: 'default', class: 'normal', agent: 'planner', target: 'tasks/1', input: { goal: 1 } },
  });
  const wrong = requestOf({ ...emptyForm, lane: '', doer: 'function', input: '[1]', target: 'tasks', deadline: '2026-03-01T08:00' }, now);
  assert.deepEqual(wrong.kind === 'faults' ? wrong.faults : null, {
    lane: 'required',
    function: 'required',
    target: 'not_address',
    input: 'not_object',
    deadline: 'past',
  });
  const broken = requestOf({ ...emptyForm, doer: 'any', input: '{"a": }' }, now);
  assert.equal(broken.kind === 'faults' && broken.jsonError !== null && broken.faults.input === 'not_json', true);
});

test('the command that starts an agent can be pasted', () => {
  assert.equal(agentCommand('http://127.0.0.1:7838', 'main', 'default', ''), 'stet agent planner --url http://127.0.0.1:7838 -- ./work');
  assert.equal(agentCommand('http://x', 'a b', "it's", 'p'), "stet agent p --url http://x --space 'a b' --lane 'it'\\''s' -- ./work");
});

test('durations have two units at most', () => {
  assert.deepEqual([0, 12.4, 60, 200, 3600, 4800, 90_000].map((seconds) => durationText(seconds, 'en')), [
    '0 sec', '12 sec', '1 min', '3 min 20 sec', '1 hr', '1 hr 20 min', '1 day 1 hr',
  ]);
  assert.equal(durationText(200, 'es'), '3 min 20 s');
  assert.equal(rangeText([0.7, 6.6], 'en'), '1 sec – 7 sec');
  assert.equal(rangeText([2, 2.2], 'en'), '2 sec');
  assert.deepEqual([leftOf(10, 4), leftOf(10, 40)], [6, 0]);
});
