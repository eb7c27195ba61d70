import assert from 'node:assert/strict';
import { test } from 'node:test';
import { addDays, daysBetween, daysFrom, firstWeekdayOf, isDay, isoWeekOf, weekdayOf, weekStart } from './dates';

test('days are counted over months, years and leap days', () => {
  assert.equal(addDays('2026-12-31', 1), '2027-01-01');
  assert.equal(addDays('2028-03-01', -1), '2028-02-29');
  assert.equal(daysBetween('2026-03-01', '2026-04-01'), 31);
  assert.deepEqual(daysFrom('2026-02-27', 3), ['2026-02-27', '2026-02-28', '2026-03-01']);
});

test('a week begins on the day that the place says', () => {
  assert.equal(weekdayOf('2026-03-29'), 7);
  assert.equal(weekStart('2026-03-29', 1), '2026-03-23');
  assert.equal(weekStart('2026-03-29', 7), '2026-03-29');
  assert.equal(weekStart('2026-03-28', 6), '2026-03-28');
  assert.equal(firstWeekdayOf('es-ES'), 1);
  assert.equal(firstWeekdayOf('en-US'), 7);
  assert.equal(firstWeekdayOf('not a locale'), 1);
});

test('ISO weeks belong to the year of their Thursday', () => {
  assert.deepEqual(isoWeekOf('2027-01-01'), { year: 2026, week: 53 });
  assert.deepEqual(isoWeekOf('2026-01-01'), { year: 2026, week: 1 });
  assert.deepEqual(isoWeekOf('2024-12-30'), { year: 2025, week: 1 });
});

test('days that there are not are told from those that there are', () => {
  assert.deepEqual(['2026-02-28', '2026-02-29', '2026-2-1', 'x', '2028-02-29'].map(isDay), [true, false, false, false, true]);
});
