import assert from 'node:assert/strict';
import { test } from 'node:test';
import { calendarTypesOf, type Intervals } from './declaration';
import { patched, valueAt } from './pointer';
import { placementPatch, timesOf, timeText } from './times';

const kindOf = (exclusive: unknown): Intervals => {
  const kind = calendarTypesOf({ types: [{ id: 'events', exclusive }] })[0]?.kinds[0];
  assert.ok(kind !== undefined);
  return kind;
};
const rooms = kindOf({ resource: '/room', start: '/start', end: '/end', tz: '/tz' });
const at = (text: string): number => Date.parse(text);
const meeting = { room: 'red', start: '2026-03-02T09:00', end: '2026-03-02T10:00', tz: 'Europe/Madrid' };

test('local times are those of the record\'s zone', () => {
  assert.deepEqual(timesOf(rooms, meeting), {
    start: at('2026-03-02T08:00:00Z'),
    end: at('2026-03-02T09:00:00Z'),
    allDay: false,
    zone: 'Europe/Madrid',
    resources: ['red'],
  });
  assert.equal(timesOf(rooms, { room: 'red', end: '2026-03-02' }), null);
  assert.equal(timesOf(rooms, { ...meeting, start: 'soon' }), null);
});

test('a move writes only what is new, in the form that was there', () => {
  const to = { start: at('2026-03-03T13:30:00Z'), end: at('2026-03-03T14:30:00Z'), allDay: false };
  assert.deepEqual(placementPatch(rooms, meeting, to, 'UTC'), { start: '2026-03-03T14:30', end: '2026-03-03T15:30' });
  const offset = { ...meeting, start: '2026-03-02T09:00:00+01:00', end: '2026-03-02T09:00:00Z' };
  assert.deepEqual(placementPatch(rooms, offset, to, 'UTC'), { start: '2026-03-03T14:30:00+01:00', end: '2026-03-03T14:30:00Z' });
  assert.deepEqual(placementPatch(rooms, meeting, { ...to, start: at('2026-03-02T08:00:00Z'), resource: { from: 'red', to: 'blue' } }, 'UTC'), {
    end: '2026-03-03T15:30',
    room: 'blue',
  });
});

test('whole days stay whole days', () => {
  const fair = { ...meeting, start: '2026-03-28', end: '2026-03-30' };
  const times = timesOf(rooms, fair);
  assert.equal(times?.allDay, true);
  assert.equal(((times?.end ?? 0) - (times?.start ?? 0)) / 3_600_000, 47);
  const to = { start: at('2026-03-28T23:00:00Z'), end: at('2026-03-30T22:00:00Z'), allDay: true };
  assert.deepEqual(placementPatch(rooms, fair, to, 'UTC'), { start: '2026-03-29', end: '2026-03-31' });
});

test('a time that the clock shows a second time is written with its offset', () => {
  assert.equal(timeText(at('2026-10-25T00:30:00Z'), 'Europe/Madrid', false, '2026-01-01T09:00'), '2026-10-25T02:30');
  assert.equal(timeText(at('2026-10-25T01:30:00Z'), 'Europe/Madrid', false, '2026-01-01T09:00'), '2026-10-25T02:30:00+01:00');
});

test('date and time in fields of their own, durations, and lists of resources', () => {
  const kind = kindOf({ resource: '/people', start: ['/when/date', '/when/time'], duration: '/seconds', tz: 'Europe/Madrid' });
  const data = { people: ['ana', 'ben'], when: { date: '2026-07-01', time: '09:00', note: 'x' }, seconds: 1800 };
  assert.equal(timesOf(kind, data)?.end, at('2026-07-01T07:30:00Z'));
  const to = { start: at('2026-07-02T08:00:00Z'), end: at('2026-07-02T09:00:00Z'), allDay: false, resource: { from: 'ben', to: 'noor' } };
  const patch = placementPatch(kind, data, to, 'UTC');
  assert.deepEqual(patch, { when: { date: '2026-07-02', time: '10:00' }, seconds: 3600, people: ['ana', 'noor'] });
  assert.deepEqual(timesOf(kind, patched(data, patch)), { start: to.start, end: to.end, allDay: false, zone: 'Europe/Madrid', resources: ['ana', 'noor'] });
  assert.equal(valueAt(patched(data, patch), '/when/note'), 'x');
});

test('what is written is read as the same time, whatever the form and the day', () => {
  for (const like of ['2026-01-01T09:00', '2026-01-01T09:00:00', '2026-01-01T09:00:00+01:00', '2026-01-01T09:00:00Z']) {
    for (let start = at('2026-10-24T00:00:00Z'); start < at('2026-10-27T00:00:00Z'); start += 900_000) {
      const data = { ...meeting, start: like, end: like };
      const patch = placementPatch(rooms, data, { start, end: start + 900_000, allDay: false }, 'UTC');
      const times = timesOf(rooms, patched(data, patch));
      assert.equal(times?.start, start);
      assert.equal(times?.end, start + 900_000);
    }
  }
});
