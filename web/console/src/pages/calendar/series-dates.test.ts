import assert from 'node:assert/strict';
import { test } from 'node:test';
import { calendarTypesOf, type Intervals } from './declaration';
import type { Occurrence } from './occurrence';
import { moveInSeries } from './series';
import { countLeft, shiftedTime, shiftedUntil, weeklyBefore } from './series-dates';

const kind = ((): Intervals => {
  const exclusive = { resource: '/room', start: '/start', end: '/end', tz: '/tz', recurrence: { rrule: '/rrule', exdate: '/exdate', rdate: '/rdate' } };
  const found = calendarTypesOf({ types: [{ id: 'events', exclusive }] })[0]?.kinds[0];
  assert.ok(found !== undefined);
  return found;
})();
const at = (text: string): number => Date.parse(text);
/** Every day at nine from 1 March, without the 3rd and the 6th; the 4th is looked at. */
const daily: Occurrence = {
  key: 'x', id: 'round', address: 'events/round', version: 3, allDay: false, zone: 'Europe/Madrid', resources: ['red'], series: 'round', heldUntil: null,
  start: at('2027-03-04T08:00:00Z'), end: at('2027-03-04T08:30:00Z'), originalStart: '2027-03-04T08:00:00.000000000Z',
  data: { room: 'red', start: '2027-03-01T09:00', end: '2027-03-01T09:30', tz: 'Europe/Madrid', rrule: 'FREQ=DAILY;UNTIL=20270310T080000Z', exdate: ['2027-03-03T09:00', '2027-03-06T08:00:00Z'] },
};
const earlier = { start: at('2027-03-04T07:45:00Z'), end: at('2027-03-04T08:15:00Z'), allDay: false };

test('what a series leaves out is left out when all of it moves, and its end moves along', () => {
  const { patch } = moveInSeries(kind, daily, 'all', earlier, 'UTC');
  assert.deepEqual(patch, {
    start: '2027-03-01T08:45', end: '2027-03-01T09:15', rrule: 'FREQ=DAILY;UNTIL=20270310T074500Z', exdate: ['2027-03-03T08:45', '2027-03-06T07:45:00Z'],
  });
});

test('the following ones take what is left out later along, and nothing before', () => {
  const { patch } = moveInSeries(kind, daily, 'following', earlier, 'UTC');
  assert.deepEqual([patch?.['exdate'], patch?.['rrule']], [['2027-03-06T07:45:00Z'], 'FREQ=DAILY;UNTIL=20270310T074500Z']);
});

test('stretching moves nothing along', () => {
  assert.deepEqual(moveInSeries(kind, daily, 'all', { ...earlier, start: daily.start, end: at('2027-03-04T09:00:00Z') }, 'UTC').patch, { end: '2027-03-01T10:00' });
});

test('the following ones of a weekly series on other weekdays are as many as were left', () => {
  const weekly: Occurrence = { ...daily, data: { ...daily.data, start: '2027-02-18T09:00', end: '2027-02-18T09:30', rrule: 'FREQ=WEEKLY;BYDAY=TH;COUNT=5', exdate: [] } };
  const friday = { start: at('2027-03-05T08:00:00Z'), end: at('2027-03-05T08:30:00Z'), allDay: false };
  assert.equal(moveInSeries(kind, weekly, 'following', friday, 'UTC').patch?.['rrule'], 'FREQ=WEEKLY;BYDAY=FR;COUNT=3');
  assert.equal(moveInSeries(kind, weekly, 'all', friday, 'UTC').patch?.['rrule'], 'FREQ=WEEKLY;BYDAY=FR;COUNT=5');
});

test('times keep their form, and days move by days', () => {
  const shift = { byMs: 90 * 60_000, days: 0 };
  assert.equal(shiftedTime('2027-03-03', shift, 'UTC'), '2027-03-03');
  assert.equal(shiftedTime('2027-03-03', { byMs: 86_400_000, days: 1 }, 'UTC'), '2027-03-04');
  assert.equal(shiftedTime('2027-03-27T23:00', shift, 'Europe/Madrid'), '2027-03-28T00:30');
  assert.equal(shiftedTime('whenever', shift, 'UTC'), 'whenever');
  assert.equal(shiftedUntil('FREQ=DAILY;UNTIL=20270310', { byMs: -86_400_000, days: -1 }, 'UTC'), 'FREQ=DAILY;UNTIL=20270309');
  assert.equal(shiftedUntil('FREQ=DAILY;UNTIL=20270310T090000', shift, 'Europe/Madrid'), 'FREQ=DAILY;UNTIL=20270310T103000');
  assert.equal(shiftedUntil('FREQ=DAILY;COUNT=3', shift, 'UTC'), 'FREQ=DAILY;COUNT=3');
});

test('days of a weekly rule are counted by its weeks', () => {
  // Wednesday, though only Mondays and Fridays are named: the first day is one of them.
  assert.equal(weeklyBefore('FREQ=WEEKLY;BYDAY=MO,FR', '2027-03-03', '2027-03-12'), 3);
  assert.equal(weeklyBefore('FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR', '2027-03-01', '2027-03-19'), 3);
  assert.equal(countLeft('FREQ=WEEKLY;COUNT=5;BYDAY=MO', 3), 'FREQ=WEEKLY;COUNT=2;BYDAY=MO');
  assert.equal(countLeft('FREQ=WEEKLY', 3), 'FREQ=WEEKLY');
});
