import assert from 'node:assert/strict';
import { test } from 'node:test';
import { calendarTypesOf, type Intervals } from './declaration';
import type { Occurrence } from './occurrence';
import { deleteInSeries, moveInSeries, ruleWords, shiftedRule, simpleRule } from './series';

const at = (text: string): number => Date.parse(text);
const kind = ((): Intervals => {
  const exclusive = { resource: '/room', start: '/start', end: '/end', tz: '/tz', recurrence: { rrule: '/rrule' } };
  const found = calendarTypesOf({ types: [{ id: 'events', exclusive }] })[0]?.kinds[0];
  assert.ok(found !== undefined);
  return found;
})();
const meeting: Occurrence = {
  key: 'x', id: 'team', address: 'events/team', version: 3, allDay: false, zone: 'Europe/Madrid', resources: ['red'], series: 'team', heldUntil: null,
  start: at('2026-11-16T08:00:00Z'), end: at('2026-11-16T09:00:00Z'), originalStart: '2026-11-16T08:00:00.000000000Z',
  data: { room: 'red', start: '2026-10-19T09:00', end: '2026-10-19T10:00', tz: 'Europe/Madrid', rrule: 'FREQ=WEEKLY;BYDAY=MO' },
};
const tuesday = { start: at('2026-11-17T11:00:00Z'), end: at('2026-11-17T12:30:00Z'), allDay: false };

test('one occurrence is moved by itself', () => {
  assert.deepEqual(moveInSeries(kind, meeting, 'one', tuesday, 'UTC'), {
    scope: 'one', base_version: 3, original_start: meeting.originalStart, patch: { start: '2026-11-17T12:00', end: '2026-11-17T13:30' },
  });
});

test('the following ones take the weekday along', () => {
  assert.deepEqual(moveInSeries(kind, meeting, 'following', tuesday, 'UTC').patch, {
    start: '2026-11-17T12:00', end: '2026-11-17T13:30', rrule: 'FREQ=WEEKLY;BYDAY=TU',
  });
});

test('all of them are moved by as much as this one, by the clock of summer and winter', () => {
  const change = moveInSeries(kind, meeting, 'all', tuesday, 'UTC');
  assert.deepEqual(change, {
    scope: 'all', base_version: 3, patch: { start: '2026-10-20T12:00', end: '2026-10-20T13:30', rrule: 'FREQ=WEEKLY;BYDAY=TU' },
  });
});

test('deleting names the occurrence, unless it is about all', () => {
  assert.deepEqual(deleteInSeries(meeting, 'one'), { scope: 'one', base_version: 3, original_start: meeting.originalStart, delete: true });
  assert.deepEqual(deleteInSeries(meeting, 'all'), { scope: 'all', base_version: 3, delete: true });
});

test('only weekdays of weekly rules are moved', () => {
  assert.equal(shiftedRule('FREQ=WEEKLY;BYDAY=MO,SU;COUNT=3', 1), 'FREQ=WEEKLY;BYDAY=TU,MO;COUNT=3');
  assert.equal(shiftedRule('FREQ=WEEKLY;BYDAY=MO', -1), 'FREQ=WEEKLY;BYDAY=SU');
  assert.equal(shiftedRule('FREQ=MONTHLY;BYDAY=1MO', 1), undefined);
  assert.equal(shiftedRule('FREQ=DAILY', 1), undefined);
});

test('rules have words when they are simple', () => {
  assert.deepEqual(ruleWords('FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR;UNTIL=20270101T000000Z'), {
    every: 'WEEKLY', interval: 2, weekdays: [1, 5], count: null, until: '2027-01-01',
  });
  assert.equal(ruleWords('FREQ=MONTHLY;BYDAY=-1FR'), null);
  assert.equal(ruleWords('FREQ=MONTHLY;BYMONTHDAY=3'), null);
  assert.equal(simpleRule('WEEKLY', '2026-11-17', 5), 'FREQ=WEEKLY;BYDAY=TU;COUNT=5');
  assert.equal(simpleRule('DAILY', '2026-11-17', null), 'FREQ=DAILY');
});
