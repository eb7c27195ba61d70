import assert from 'node:assert/strict';
import { test } from 'node:test';
import { axisOf, type Column } from './axis';
import { daysFrom } from './dates';
import { dragged, isLong, moved, reachOf, segmentOf, spanned, stretched, stretchedStart, type Draft } from './draft';

const zone = 'Europe/Madrid';
const at = (text: string): number => Date.parse(text);
const draft = (start: string, end: string, allDay = false): Draft => ({ start: at(start), end: at(end), allDay, resource: null });
const shown = (one: Draft): string => `${new Date(one.start).toISOString().slice(5, 16)} ${new Date(one.end).toISOString().slice(5, 16)}`;
const columnOf = (day: string): Column => {
  const column = axisOf([day], zone).columns.get(day);
  assert.ok(column !== undefined);
  return column;
};

test('a day later is at the same time by the clock, also over a change of it', () => {
  const saturday = draft('2026-03-28T08:00:00Z', '2026-03-28T09:00:00Z');
  assert.equal(shown(moved(saturday, { days: 1 }, zone)), '03-29T07:00 03-29T08:00');
  assert.equal(shown(moved(saturday, { minutes: -30 }, zone)), '03-28T07:30 03-28T08:30');
});

test('whole days stay whole when the clock is changed in them', () => {
  const day = draft('2026-03-27T23:00:00Z', '2026-03-28T23:00:00Z', true);
  assert.equal(shown(moved(day, { days: 1 }, zone)), '03-28T23:00 03-29T22:00');
  assert.equal(shown(stretched(day, { days: 1 }, zone)), '03-27T23:00 03-29T22:00');
  assert.equal(shown(stretched(day, { days: -4 }, zone)), '03-27T23:00 03-28T23:00');
});

test('stretching stops at one step', () => {
  const hour = draft('2026-06-01T08:00:00Z', '2026-06-01T09:00:00Z');
  assert.equal(shown(stretched(hour, { minutes: 15 }, zone)), '06-01T08:00 06-01T09:15');
  assert.equal(shown(stretched(hour, { minutes: -90 }, zone)), '06-01T08:00 06-01T08:15');
  assert.equal(shown(stretchedStart(hour, at('2026-06-01T10:00:00Z'))), '06-01T08:45 06-01T09:00');
});

test('a drag keeps the hold that was taken, and snaps to quarters of an hour', () => {
  const hour = draft('2026-06-01T08:00:00Z', '2026-06-01T09:00:00Z');
  const column = columnOf('2026-06-02');
  assert.equal(shown(dragged(hour, column, 14 * 60 + 37, 30 * 60_000, null, zone)), '06-02T12:00 06-02T13:00');
  assert.equal(shown(dragged(hour, column, 10, 30 * 60_000, null, zone)), '06-01T21:45 06-01T22:45');
});

test('a drag over empty hours makes what lies between, in either direction', () => {
  const column = columnOf('2026-06-02');
  assert.equal(shown(spanned(column, 605, 700, null)), '06-02T08:00 06-02T09:45');
  assert.equal(shown(spanned(column, 700, 605, null)), '06-02T08:00 06-02T09:45');
  assert.equal(shown(spanned(column, 605, 605, null)), '06-02T08:00 06-02T08:15');
  assert.equal(shown(spanned(column, 1430, 1500, null)), '06-02T21:45 06-02T22:00');
});

test('what goes over midnight is drawn in both days', () => {
  const axis = axisOf(daysFrom('2026-06-01', 3), zone);
  const night = draft('2026-06-01T21:00:00Z', '2026-06-02T00:00:00Z');
  assert.deepEqual(segmentOf(axis, '2026-06-01', night), { from: 1380, to: 1440, begins: true, ends: false });
  assert.deepEqual(segmentOf(axis, '2026-06-02', night), { from: 0, to: 120, begins: false, ends: true });
  assert.equal(segmentOf(axis, '2026-06-03', night), null);
  assert.deepEqual(segmentOf(axis, '2026-06-01', draft('2026-06-01T21:00:00Z', '2026-06-01T22:00:00Z')), { from: 1380, to: 1440, begins: true, ends: true });
});

test('long ones lie over the days that they touch', () => {
  const days = daysFrom('2026-06-01', 7);
  const fair = draft('2026-06-02T22:00:00Z', '2026-06-04T22:00:00Z', true);
  assert.deepEqual([isLong(fair), reachOf(days, fair, zone)], [true, { first: 2, last: 3, begins: true, ends: true }]);
  assert.deepEqual(reachOf(days, draft('2026-05-20T08:00:00Z', '2026-06-20T08:00:00Z'), zone), { first: 0, last: 6, begins: false, ends: false });
  assert.equal(reachOf(days, draft('2026-05-20T08:00:00Z', '2026-05-21T08:00:00Z'), zone), null);
  assert.equal(reachOf(days, draft('2026-07-20T08:00:00Z', '2026-07-21T08:00:00Z'), zone), null);
});
