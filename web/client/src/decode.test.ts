import assert from 'node:assert/strict';
import { test } from 'node:test';
import { toCamel } from './camel';
import { conflict } from './conflict-decoder';
import { DecodeError, Members, array, count, dictionary, jsonObject, number, oneOf, parseJson, text } from './decode';
import { operation } from './operation-decoder';
import { outcomeOf } from './outcome';
import { record } from './record-decoder';
import { testRecord, wireRecord } from './testing/fake-parts';

const pointerOf = (work: () => unknown): string => {
  try {
    work();
  } catch (error) {
    if (error instanceof DecodeError) return error.pointer;
    throw error;
  }
  return 'nothing was wrong';
};

test('a fault is named by where it stands', () => {
  assert.equal(pointerOf(() => array(text)(['a', 1], '/names')), '/names/1');
  assert.equal(pointerOf(() => dictionary(count)({ 'a/b~': -1 }, '')), '/a~1b~0');
  assert.equal(pointerOf(() => new Members({ a: { b: 'x' } }).get('a', (value, at) => new Members(value, at).get('b', number))), '/a/b');
  assert.equal(pointerOf(() => oneOf('yes', 'no')('maybe', '/x')), '/x');
  assert.equal(pointerOf(() => new Members([])), '');
  assert.equal(pointerOf(() => count(Number.MAX_SAFE_INTEGER + 1, '/big')), '/big');
});

test('members are the object’s own', () => {
  const members = new Members(JSON.parse('{"a":1}'));
  assert.equal(members.has('toString'), false);
  assert.equal(members.find('constructor', text), undefined);
});

test('names become camelCase around what is the application’s own', () => {
  const camel = toCamel({
    created_at: 'x',
    data: { due_date: { inner_name: 1 } },
    fields: { '/due_date': { state: 'conflict', base: { a_b: 1 }, last_by: 'ann' } },
    current: { snake_case: 1 },
    operation: { estimated_wait_s: 3, input: { my_input: 1 }, result: { my_result: 1 } },
    list: [{ seq_no: 1 }],
  });
  assert.deepEqual(camel, {
    createdAt: 'x',
    data: { due_date: { inner_name: 1 } },
    fields: { '/due_date': { state: 'conflict', base: { a_b: 1 }, lastBy: 'ann' } },
    current: { snake_case: 1 },
    operation: { estimatedWaitS: 3, input: { my_input: 1 }, result: { my_result: 1 } },
    list: [{ seqNo: 1 }],
  });
});

test('what is too deep is refused and does not end the page', () => {
  const deep = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;
  assert.equal(parseJson(deep(128)) !== null, true);
  assert.throws(() => parseJson(deep(200)), DecodeError);
  assert.throws(() => parseJson(deep(100_000)), DecodeError);
  assert.throws(() => parseJson('{"a":'), DecodeError);
  assert.throws(() => jsonObject({ a: Number.NaN }, ''), DecodeError);
  assert.throws(() => jsonObject({ a: () => 1 }, ''), DecodeError);
});

const wire = wireRecord(testRecord('tasks/1', 3, { due_date: 1 }));

test('a record is named member by member; any that is wrong or absent is refused', () => {
  assert.deepEqual(record(toCamel(wire), ''), testRecord('tasks/1', 3, { due_date: 1 }));
  for (const name of Object.keys(wire)) {
    const without = Object.fromEntries(Object.entries(wire).filter(([other]) => other !== name));
    assert.throws(() => record(toCamel(parseJson(JSON.stringify(without))), ''), DecodeError, `without ${name}`);
    for (const wrong of [null, [], {}, 'x', -1, 1.5, true]) {
      if (name === 'data' && JSON.stringify(wrong) === '{}') continue;
      if (typeof wrong === 'string' && typeof Object.entries(wire).find(([other]) => other === name)?.[1] === 'string') continue;
      assert.throws(() => record(toCamel({ ...wire, [name]: wrong }), ''), DecodeError, `${name}: ${JSON.stringify(wrong)}`);
    }
  }
  assert.deepEqual(record(toCamel({ ...wire, deleted: true, data: null }), '').data, {});
});

test('a conflict keeps what is null apart from what is absent', () => {
  const decoded = conflict('e1')(
    toCamel({
      address: 'tasks/1',
      conflict_type: 'of a newer server',
      base: null,
      current: { a: null },
      fields: { '/a': { state: 'conflict', base: 1, current: null } },
      resolution_options: ['yours', 'of a newer server'],
      resolution_token: 't',
    }),
    '',
  );
  assert.deepEqual(decoded.fields, { '/a': { state: 'conflict', base: 1, current: null } });
  assert.deepEqual(decoded.resolutionOptions, ['yours']);
  assert.equal(decoded.conflictType, 'version_mismatch');
  assert.equal(decoded.base, null);
  assert.equal(decoded.edit, 'e1');
});

test('an operation takes null for what is not known', () => {
  const decoded = operation(toCamel({ id: 'o', version: 1, lane: 'a', status: 'queued', estimated_wait_s: null, position: 2, more_of_it: 'x' }), '');
  assert.deepEqual(decoded, { id: 'o', version: 1, lane: 'a', class: 'normal', status: 'queued', position: 2, moreOfIt: 'x' });
});

test('the answer to a write is one of its outcomes, and never thrown', () => {
  const kind = (status: number, body: unknown) => outcomeOf(status, toCamel(parseJson(JSON.stringify(body))), 'e1').kind;
  assert.equal(kind(200, wire), 'confirmed');
  assert.equal(kind(200, { ...wire, applied: false }), 'dropped');
  assert.equal(kind(200, { ...wire, deleted: true, data: undefined }), 'deleted');
  assert.equal(kind(202, { status: 'parked', conflict_id: 'c', deadline: 'd', fallback: 'merge' }), 'parked');
  assert.equal(kind(409, { code: 'CONCURRENT_MODIFICATION', address: 'tasks/1', resolution_token: 't' }), 'conflict');
  for (const hostile of [null, [], 'x', 1, {}, { code: 1 }, { code: 'CONCURRENT_MODIFICATION', resolution_token: 't' }]) {
    for (const status of [200, 201, 202, 204, 400, 409, 500]) assert.equal(kind(status, hostile), 'rejected', JSON.stringify([status, hostile]));
  }
});
