import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Edit, JsonObject } from '@stet/client';
import { calendarTypesOf, type Intervals } from './declaration';
import type { Occurrence } from './occurrence';
import { overlaid, type Overlay } from './overlay';
import { timesOf } from './times';

const kind = ((): Intervals => {
  const found = calendarTypesOf({ types: [{ id: 'events', exclusive: { resource: '/room', start: '/start', end: '/end', recurrence: { rrule: '/rrule' } } }] })[0]?.kinds[0];
  assert.ok(found !== undefined);
  return found;
})();
const data = (hour: string, more: JsonObject = {}): JsonObject => ({ room: 'red', start: `2026-03-02T${hour}:00Z`, end: `2026-03-02T${hour}:30Z`, ...more });
const occurrence = (id: string, hour: string, more: Partial<Occurrence> = {}): Occurrence => {
  const times = timesOf(kind, data(hour));
  assert.ok(times !== null);
  return { key: `events/${id}`, id, address: `events/${id}`, version: 2, series: null, originalStart: null, heldUntil: null, data: data(hour), ...times, zone: null, ...more };
};
const edit = (id: string, change: Edit['change'], more: Partial<Edit> = {}): Edit => ({
  id: `edit-${id}`, type: 'events', recordId: id, address: `events/${id}`, change, base: 2, baseData: data('09'), actor: 'ana', madeAt: '', state: 'pending', attempts: 0, ...more,
});
const nothing: Overlay = { heard: new Map(), edits: [], moves: new Map() };
const hours = (overlay: Partial<Overlay>, ...occurrences: Occurrence[]): string[] =>
  overlaid(occurrences, 'events', kind, { ...nothing, ...overlay }).map((one) => `${one.id} ${new Date(one.start).toISOString().slice(11, 13)}${one.pending ? ' …' : ''}`);

test('an edit that waits is shown where it wants to be, and one that was refused is not', () => {
  const change = { op: 'patch', patch: { start: '2026-03-02T11:00Z', end: '2026-03-02T12:00Z' } } as const;
  assert.deepEqual(hours({ edits: [edit('a', change)] }, occurrence('a', '09')), ['a 11 …']);
  assert.deepEqual(hours({ edits: [edit('a', change, { state: 'rejected' })] }, occurrence('a', '09')), ['a 09']);
});

test('several edits of one record are put on top of each other', () => {
  const first = edit('a', { op: 'patch', patch: { start: '2026-03-02T11:00Z', end: '2026-03-02T12:00Z' } });
  const second = edit('a', { op: 'patch', patch: { room: 'blue' } });
  const [shown] = overlaid([occurrence('a', '09')], 'events', kind, { ...nothing, edits: [first, second] });
  assert.deepEqual([shown?.resources, shown?.data['start']], [['blue'], '2026-03-02T11:00Z']);
});

test('what was made, moved and deleted elsewhere is shown before it is read again', () => {
  const heard = new Map([
    ['events/a', { id: 'a', version: 3, data: data('14') }],
    ['events/b', { id: 'b', version: 3, data: null }],
    ['events/c', { id: 'c', version: 1, data: data('16') }],
    ['events/d', { id: 'd', version: 1, data: data('17') }],
  ]);
  assert.deepEqual(hours({ heard }, occurrence('a', '09'), occurrence('b', '10'), occurrence('d', '12')), ['a 14', 'd 12', 'c 16']);
});

test('an occurrence gives way to the record that was made in its place', () => {
  const at = (hour: string) => occurrence('s', hour, { key: `events/s@${hour}`, series: 's', originalStart: `2026-03-02T${hour}:00:00.000000000Z`, data: data('08', { rrule: 'FREQ=HOURLY' }) });
  const heard = new Map([['events/s~20260302T100000Z', { id: 's~20260302T100000Z', version: 1, data: data('14') }]]);
  assert.deepEqual(hours({ heard }, at('09'), at('10'), at('11')), ['s 09', 's 11', 's~20260302T100000Z 14']);
});

test('what is on its way stays where it was put, also an occurrence of a series', () => {
  const series = occurrence('s', '09', { key: 'events/s@1', series: 's', originalStart: '1', data: data('08', { rrule: 'FREQ=DAILY' }) });
  const to = { start: Date.parse('2026-03-02T13:00:00Z'), end: Date.parse('2026-03-02T14:00:00Z'), allDay: false, resource: null };
  assert.deepEqual(hours({ moves: new Map([['events/s@1', to]]) }, series), ['s 13 …']);
  assert.deepEqual(hours({ edits: [edit('s', { op: 'patch', patch: { title: 'x' } }, { baseData: data('08', { rrule: 'FREQ=DAILY' }) })] }, series), ['s 09 …']);
});

test('edits of other types, and what no longer takes a room, are not on it', () => {
  assert.deepEqual(hours({ edits: [edit('x', { op: 'create', data: data('09') }, { type: 'tasks', base: null })] }), []);
  assert.deepEqual(hours({ edits: [edit('a', { op: 'patch', patch: { room: null } })] }, occurrence('a', '09')), []);
  assert.deepEqual(hours({ edits: [edit('n', { op: 'create', data: data('09') }, { base: null, baseData: null })] }), ['n 09 …']);
});
