import assert from 'node:assert/strict';
import { test } from 'node:test';
import { axisOf, instantOfPlace, placeOf, type Axis, type Column } from './axis';
import { daysFrom } from './dates';
import { dayBegins } from './zone';

const must = (axis: Axis, day: string): Column => {
  const column = axis.columns.get(day);
  assert.ok(column !== undefined);
  return column;
};
const at = (text: string): number => Date.parse(text);

test('on an ordinary day a place is the minute that the clock shows', () => {
  const axis = axisOf(['2026-06-01'], 'Europe/Madrid');
  assert.equal(axis.length, 1440);
  const column = must(axis, '2026-06-01');
  assert.equal(placeOf(column, at('2026-06-01T07:30:00Z')), 9 * 60 + 30);
  assert.equal(placeOf(column, at('2026-05-01T00:00:00Z')), 0);
  assert.equal(placeOf(column, at('2026-07-01T00:00:00Z')), 1440);
  assert.deepEqual(column.gaps, []);
});

test('the hour that the clock skips is a gap in its day, and nine is at the height of nine', () => {
  const axis = axisOf(daysFrom('2026-03-23', 7), 'Europe/Madrid');
  assert.equal(axis.length, 1440);
  const sunday = must(axis, '2026-03-29');
  assert.deepEqual(sunday.gaps, [{ from: 120, to: 180 }]);
  assert.equal(placeOf(sunday, at('2026-03-29T07:00:00Z')), 540);
  assert.equal(placeOf(must(axis, '2026-03-28'), at('2026-03-28T08:00:00Z')), 540);
  assert.equal(instantOfPlace(sunday, 150), at('2026-03-29T01:00:00Z'));
});

test('the hour that the clock shows twice has room of its own, and the other days have a gap there', () => {
  const axis = axisOf(daysFrom('2026-10-19', 7), 'Europe/Madrid');
  assert.equal(axis.length, 1500);
  const sunday = must(axis, '2026-10-25');
  const saturday = must(axis, '2026-10-24');
  assert.deepEqual(sunday.gaps, []);
  assert.deepEqual(saturday.gaps, [{ from: 180, to: 240 }]);
  assert.equal(placeOf(sunday, at('2026-10-25T00:30:00Z')), 150);
  assert.equal(placeOf(sunday, at('2026-10-25T01:30:00Z')), 210);
  assert.equal(placeOf(sunday, at('2026-10-25T08:00:00Z')), placeOf(saturday, at('2026-10-24T07:00:00Z')));
  assert.deepEqual(
    axis.hours.filter((hour) => hour.place <= 240).map((hour) => [hour.place, hour.minute, hour.again]),
    [[0, 0, false], [60, 60, false], [120, 120, false], [180, 120, true], [240, 180, false]],
  );
});

test('every half hour of a year leads to its place and back, in three zones', () => {
  for (const zone of ['Europe/Madrid', 'Australia/Lord_Howe', 'Africa/Casablanca']) {
    for (let day = '2026-01-01'; day < '2027-01-01'; day = daysFrom(day, 8)[7] ?? '9') {
      const axis = axisOf(daysFrom(day, 7), zone);
      for (const column of axis.columns.values()) {
        let last = -1;
        for (let instant = column.start; instant < column.end; instant += 1_800_000) {
          const place = placeOf(column, instant);
          if (place <= last || instantOfPlace(column, place) !== instant) assert.fail(`${zone} ${new Date(instant).toISOString()}`);
          last = place;
        }
        assert.ok(last < axis.length);
      }
    }
  }
});

test('a day that begins an hour late begins behind a gap', () => {
  // Lebanon's clock goes from 00:00 to 01:00.
  const axis = axisOf(['2026-03-29'], 'Asia/Beirut');
  const column = must(axis, '2026-03-29');
  assert.equal(column.start, dayBegins('2026-03-29', 'Asia/Beirut'));
  assert.deepEqual(column.gaps, [{ from: 0, to: 60 }]);
});
