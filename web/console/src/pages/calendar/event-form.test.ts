import assert from 'node:assert/strict';
import { test } from 'node:test';
import { calendarTypesOf, type CalendarType, type Intervals } from './declaration';
import { draftOf, formOf, isDraft, newData, otherFields, withAllDay } from './event-form';

const zone = 'Europe/Madrid';
const at = (text: string): number => Date.parse(text);
const calendar = ((): { type: CalendarType; rooms: Intervals; people: Intervals } => {
  const times = { start: '/start', end: '/end', tz: '/tz', recurrence: { rrule: '/rrule' } };
  const [type] = calendarTypesOf({
    types: [
      {
        id: 'events',
        exclusive: [{ resource: '/room', ...times }, { resource: '/people', ...times }],
        fields: { '/title': { type: 'string', required: true }, '/people': { type: 'array' }, '/start': { required: true }, '/seats': { type: 'integer', required: true }, '/organizer': { type: 'string', required: true } },
      },
    ],
  });
  const [rooms, people] = type?.kinds ?? [];
  assert.ok(type !== undefined && rooms !== undefined && people !== undefined);
  return { type, rooms, people };
})();
const hour = { start: at('2026-11-17T09:00:00Z'), end: at('2026-11-17T10:00:00Z'), allDay: false, resource: 'red' };

test('a form says the draft by the clock that is shown, and back', () => {
  const form = formOf(hour, 'x', zone);
  assert.deepEqual([form.start, form.end], ['2026-11-17T10:00', '2026-11-17T11:00']);
  assert.deepEqual(draftOf(form, zone), hour);
  const days = { start: at('2026-10-24T22:00:00Z'), end: at('2026-10-26T23:00:00Z'), allDay: true, resource: null };
  assert.deepEqual([formOf(days, '', zone).start, formOf(days, '', zone).end], ['2026-10-25', '2026-10-26']);
  assert.deepEqual(draftOf(formOf(days, '', zone), zone), days);
  assert.equal(withAllDay(withAllDay(form, true), false).start, '2026-11-17T09:00');
});

test('times that are none are told at their field', () => {
  const form = formOf(hour, 'x', zone);
  const faults = (more: object): unknown => {
    const draft = draftOf({ ...form, ...more }, zone);
    return isDraft(draft) ? null : draft;
  };
  assert.deepEqual(faults({ start: '' }), { start: 'needed' });
  assert.deepEqual(faults({ end: 'soon' }), { end: 'not_time' });
  assert.deepEqual(faults({ end: '2026-11-17T10:00' }), { end: 'end_before_start' });
});

test('a new record has what its type asks for', () => {
  const { type, rooms, people } = calendar;
  assert.deepEqual(otherFields(type, rooms).map((one) => one.field), ['/seats', '/organizer']);
  const form = { ...formOf(hour, ' Walk ', zone), others: { '/seats': '4', '/organizer': 'ana' }, every: 'WEEKLY' as const, count: '3' };
  const made = newData(type, rooms, form, zone);
  assert.deepEqual('data' in made ? made.data : made, {
    title: 'Walk', seats: 4, organizer: 'ana', rrule: 'FREQ=WEEKLY;BYDAY=TU;COUNT=3', room: 'red', start: '2026-11-17T10:00', end: '2026-11-17T11:00', tz: zone,
  });
  const one = newData(type, people, { ...form, every: '', resource: 'ana' }, zone);
  assert.deepEqual('data' in one ? one.data['people'] : one, ['ana']);
  assert.deepEqual(newData(type, rooms, { ...form, title: '', others: {} }, zone), { faults: { title: 'needed', '/seats': 'needed', '/organizer': 'needed' } });
});
