import assert from 'node:assert/strict';
import { test } from 'node:test';
import schema from '../../../../../examples/crm/schema.json';
import { calendarTypesOf } from './declaration';
import { calendarPageOf, isRepeating } from './occurrence';
import { slotTakenOf } from './slot-taken';

test('the definitions of the crm example have one calendar, of rooms and of people', () => {
  const found = calendarTypesOf({ types: Object.entries(schema.types).map(([id, definition]) => ({ id, ...definition })) });
  const events = found.find((one) => one.type === 'events');
  assert.deepEqual(events?.kinds.map((kind) => [kind.resource, kind.anyOf, kind.exclusive]), [['/room', '/any_room', true], ['/people', null, true]]);
  assert.deepEqual(events?.kinds[1]?.hours?.days.get(5), [[540, 900]]);
  assert.deepEqual(events?.required.map((one) => one.field), ['/title', '/start', '/end', '/organizer']);
  assert.equal(found.some((one) => one.type === 'customers'), false);
});

test('types with a start and an end are shown though nothing keeps them apart', () => {
  const [trips, none] = calendarTypesOf({ types: [{ id: 'trips', fields: { '/start_date': {}, '/end_date': {} } }, { id: 'x', fields: { '/start': {} } }] });
  assert.deepEqual([trips?.kinds[0]?.exclusive, trips?.kinds[0]?.start, none], [false, { at: '/start_date' }, undefined]);
});

test('definitions of another shape are passed over', () => {
  for (const answer of [null, 3, [], { types: {} }, { types: [null, 4, { id: 5 }, { id: 'x', exclusive: 'y' }, { id: 'z', exclusive: [{ start: 3 }, []] }] }]) {
    assert.deepEqual(calendarTypesOf(answer), []);
  }
});

test('a page of occurrences is read, and what is none is left out', () => {
  const page = calendarPageOf({
    tzdata: '2025c',
    occurrences: [
      null,
      { id: 'a' },
      {
        id: 'm', address: 'events/m', version: 2, start: '2026-11-16T08:00:00.000000000Z', end: '2026-11-16T09:00:00.123456789Z',
        allDay: false, zone: 'Europe/Madrid', resources: ['red', 4], series: 'm', originalStart: '2026-11-16T08:00:00.000000000Z', data: { title: 'x' },
      },
    ],
  });
  const [only, another] = page.occurrences;
  assert.ok(only !== undefined && another === undefined);
  assert.equal(only.key, 'events/m@2026-11-16T08:00:00.000000000Z');
  assert.deepEqual(only.resources, ['red']);
  assert.equal(only.end - only.start, 3_600_123);
  assert.equal(isRepeating(only), true);
});

test('a refusal says what is in the way, alone and in a transaction', () => {
  const taken = {
    inTheWay: [{ address: 'events/x', resource: 'red', start: '2026-03-02T08:00:00Z', end: '2026-03-02T08:30:00Z' }, { start: 'x' }],
    moreInTheWay: 2,
    nextFree: [{ resource: 'red', start: '2026-03-02T08:30:00Z', end: '2026-03-02T09:00:00Z' }],
  };
  const alone = slotTakenOf({ code: 'SLOT_TAKEN', problem: taken });
  assert.deepEqual([alone?.inTheWay.length, alone?.more, alone?.nextFree[0]?.resource], [1, 2, 'red']);
  assert.deepEqual(slotTakenOf({ code: 'SLOT_TAKEN', problem: { conflicts: [{ code: 'LOCKED' }, { code: 'SLOT_TAKEN', ...taken }] } }), alone);
  assert.equal(slotTakenOf({ code: 'FORBIDDEN', problem: {} }), null);
});
