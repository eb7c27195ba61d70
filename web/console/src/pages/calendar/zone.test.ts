import assert from 'node:assert/strict';
import { test } from 'node:test';
import { clockAt, dayBegins, instantAt, isZone, offsetText, stretchesOf } from './zone';

const at = (text: string): number => Date.parse(text);
const iso = (instant: number): string => new Date(instant).toISOString();

test('a clock shows what the zone says in winter and in summer', () => {
  assert.equal(iso(clockAt(at('2026-01-10T12:00:00Z'), 'Europe/Madrid')), '2026-01-10T13:00:00.000Z');
  assert.equal(iso(clockAt(at('2026-07-10T12:00:00Z'), 'Europe/Madrid')), '2026-07-10T14:00:00.000Z');
  assert.equal(iso(clockAt(at('2026-07-10T12:00:00Z'), 'Asia/Kolkata')), '2026-07-10T17:30:00.000Z');
  assert.equal(iso(clockAt(at('2026-07-10T12:00:00Z'), 'America/St_Johns')), '2026-07-10T09:30:00.000Z');
});

test('a time that the clock skips is read with the offset before the gap', () => {
  assert.equal(iso(instantAt(at('2026-03-29T02:30:00Z'), 'Europe/Berlin')), '2026-03-29T01:30:00.000Z');
  assert.equal(iso(instantAt(at('2026-03-29T01:59:00Z'), 'Europe/Berlin')), '2026-03-29T00:59:00.000Z');
  assert.equal(iso(instantAt(at('2026-03-29T03:00:00Z'), 'Europe/Berlin')), '2026-03-29T01:00:00.000Z');
});

test('of a time that the clock shows twice the first is meant', () => {
  assert.equal(iso(instantAt(at('2026-10-25T02:30:00Z'), 'Europe/Berlin')), '2026-10-25T00:30:00.000Z');
  assert.equal(iso(instantAt(at('2026-10-25T03:00:00Z'), 'Europe/Berlin')), '2026-10-25T02:00:00.000Z');
  assert.equal(iso(instantAt(at('2026-11-01T01:30:00Z'), 'America/New_York')), '2026-11-01T05:30:00.000Z');
});

test('a clock reading leads back to its instant, hour by hour through a year of four zones', () => {
  for (const zone of ['Europe/Madrid', 'America/New_York', 'Australia/Lord_Howe', 'UTC']) {
    for (let instant = at('2026-01-01T00:00:00Z'); instant < at('2027-01-01T00:00:00Z'); instant += 5 * 3_600_000) {
      const clock = clockAt(instant, zone);
      const back = instantAt(clock, zone);
      assert.ok(back === instant || (back < instant && clockAt(back, zone) === clock), `${zone} ${iso(instant)}`);
    }
  }
});

test('days are 23 and 25 hours long when the clock is changed', () => {
  const hours = (day: string, next: string, zone: string): number => (dayBegins(next, zone) - dayBegins(day, zone)) / 3_600_000;
  assert.equal(hours('2026-03-29', '2026-03-30', 'Europe/Madrid'), 23);
  assert.equal(hours('2026-10-25', '2026-10-26', 'Europe/Madrid'), 25);
  assert.equal(hours('2026-10-04', '2026-10-05', 'Australia/Lord_Howe'), 23.5);
});

test('a day is cut where the clock is put forward or back', () => {
  const cut = (day: string, next: string): string[] =>
    stretchesOf(dayBegins(day, 'Europe/Madrid'), dayBegins(next, 'Europe/Madrid'), 'Europe/Madrid').map(
      (one) => `${iso(one.start).slice(11, 16)}-${iso(one.end).slice(11, 16)} ${offsetText(one.offset)}`,
    );
  assert.deepEqual(cut('2026-03-29', '2026-03-30'), ['23:00-01:00 +01:00', '01:00-22:00 +02:00']);
  assert.deepEqual(cut('2026-10-25', '2026-10-26'), ['22:00-01:00 +02:00', '01:00-23:00 +01:00']);
  assert.deepEqual(cut('2026-06-01', '2026-06-02'), ['22:00-22:00 +02:00']);
});

test('a zone that there is not is told, and its times are those of UTC', () => {
  assert.equal(isZone('Europe/Atlantis'), false);
  assert.equal(isZone('Europe/Madrid'), true);
  assert.equal(clockAt(5_000, 'Europe/Atlantis'), 5_000);
  assert.deepEqual([0, 5_400_000 * -1, 19_800_000].map(offsetText), ['Z', '-01:30', '+05:30']);
});
