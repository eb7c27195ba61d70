/** The calendar: what is dragged onto something is refused in its place, and keys do all that a pointer does. */
import assert from 'node:assert/strict';
import type { Locator, Page } from 'playwright-core';
import { axe, isObject, screenshot, story, type Stet } from './harness';

/** A Wednesday in ten weeks: nothing takes place there but what the story makes. */
const day = ((): string => {
  const today = new Date();
  const wednesday = new Date(Date.UTC(today.getUTCFullYear(), today.getUTCMonth(), today.getUTCDate() + 70 + ((10 - today.getUTCDay()) % 7)));
  return wednesday.toISOString().slice(0, 10);
})();
const dayAfter = (count: number): string => new Date(Date.parse(`${day}T00:00:00Z`) + count * 86_400_000).toISOString().slice(0, 10);

const book = async (server: Stet, id: string, title: string, from: string, to: string, more: Readonly<Record<string, unknown>> = {}): Promise<void> => {
  const data = { title, organizer: 'marta', room: 'room-sol', people: [], start: `${day}T${from}`, end: `${day}T${to}`, tz: 'Europe/Madrid', ...more };
  const { status } = await server.ask('PUT', `/v1/main/records/events/${id}`, data, { headers: { 'If-None-Match': '*' } });
  assert.equal(status, 201);
};
const event = (page: Page, title: string): Locator => page.locator('.event-main').filter({ hasText: title });
const startOf = async (server: Stet, id: string): Promise<unknown> => (await server.record('events', id)).data['start'];

/** Waits for what the server has. */
const becomes = async (read: () => Promise<unknown>, wanted: unknown): Promise<void> => {
  const until = Date.now() + 10_000;
  let found = await read();
  while (found !== wanted && Date.now() < until) found = await read();
  assert.equal(found, wanted);
};

/** Where it is. What was moved is drawn anew when its answer comes, and has no place just then. */
const boxOf = async (what: Locator): Promise<{ readonly x: number; readonly y: number; readonly width: number; readonly height: number }> => {
  const until = Date.now() + 10_000;
  let box = await what.boundingBox();
  while (box === null && Date.now() < until) box = await what.boundingBox();
  if (box === null) throw new Error('it is not in sight');
  return box;
};
type Point = readonly [x: number, y: number];
const drag = async (page: Page, [x, y]: Point, [toX, toY]: Point): Promise<void> => {
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move((x + toX) / 2, (y + toY) / 2, { steps: 4 });
  await page.mouse.move(toX, toY, { steps: 4 });
  await page.mouse.up();
};
/** Drags by so many minutes of the grid, in which an hour is 48 pixels. */
const dragDown = async (page: Page, what: Locator, minutes: number): Promise<void> => {
  const { x, y, width, height } = await boxOf(what);
  const from: Point = [x + width / 2, y + Math.min(8, height / 2)];
  await drag(page, from, [from[0], from[1] + minutes * 0.8]);
};
/** When a room is taken in the days from {@link day} on: day of the month, from, to. */
const taken = async (server: Stet, room: string, days: number): Promise<string> => {
  const { json } = await server.ask('GET', `/v1/main/calendar/events?field=/room&resource=${room}&from=${day}&to=${dayAfter(days)}&zone=Europe/Madrid`);
  const found: readonly unknown[] = isObject(json) && Array.isArray(json['occurrences']) ? json['occurrences'] : [];
  return found.map((one) => (isObject(one) ? `${String(one['start_local']).slice(8, 16)}-${String(one['end_local']).slice(11, 16)}` : '')).join(' ');
};
const on = (count: number, times: string): string => `${dayAfter(count).slice(8)}T${times}`;

story('a double booking by drag is refused in its place, and a free time is taken with one click', async ({ server, open }) => {
  await book(server, 'tour', 'Tour of the lamps', '09:00', '10:00');
  await book(server, 'talk', 'Price talk', '11:00', '12:00');
  const page = await open({ as: 'marta', route: `/calendar/events?day=${day}&field=%2Froom` });
  await event(page, 'Price talk').waitFor();
  await event(page, 'Tour of the lamps').waitFor();
  await axe(page);
  await dragDown(page, event(page, 'Tour of the lamps'), 105);
  const refused = page.getByRole('alertdialog', { name: 'That time is taken' });
  await refused.getByRole('link', { name: 'Price talk' }).waitFor();
  assert.equal(await startOf(server, 'tour'), `${day}T09:00`);
  await axe(page);
  assert.equal(await page.getByText('was not saved').count(), 0);
  await screenshot(page, 'calendar-refused');
  const slot = refused.getByRole('button', { name: /^Take / }).first();
  await slot.click();
  await refused.waitFor({ state: 'detached' });
  await becomes(() => startOf(server, 'tour'), `${day}T12:00`);
  await page.getByText('Saved:').waitFor({ state: 'attached' });
  await screenshot(page, 'calendar-taken');
}, { example: 'crm' });

story('an event is moved and stretched with the keys, and given up with Escape', async ({ server, open }) => {
  await book(server, 'tour', 'Tour of the lamps', '09:00', '10:00');
  const page = await open({ as: 'marta', locale: 'es', theme: 'dark', route: `/calendar/events?day=${day}&field=%2Froom` });
  await event(page, 'Tour of the lamps').focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowRight');
  await page.locator('[data-said]').getByText('Intro lo deja ahí').waitFor({ state: 'attached' });
  await page.keyboard.press('Escape');
  await page.locator('[data-said]').getByText('Está donde estaba').waitFor({ state: 'attached' });
  assert.equal(await startOf(server, 'tour'), `${day}T09:00`);
  for (const key of ['ArrowDown', 'ArrowDown', 'ArrowRight', 'Shift+ArrowDown']) await page.keyboard.press(key);
  await screenshot(page, 'calendar-keys-es-dark');
  await page.keyboard.press('Enter');
  await becomes(() => startOf(server, 'tour'), `${dayAfter(1)}T09:30`);
  assert.equal((await server.record('events', 'tour')).data['end'], `${dayAfter(1)}T10:45`);
  await axe(page);
}, { example: 'crm' });

story('one occurrence of a series is moved, those that follow, or all of them; and the rest is taken away', async ({ server, open }) => {
  await book(server, 'daily', 'Morning round', '09:00', '09:30', { room: 'room-luna', rrule: 'FREQ=DAILY;COUNT=5' });
  const page = await open({ as: 'marta', route: `/calendar/events?day=${day}&field=%2Froom&only=room-luna` });
  const rounds = event(page, 'Morning round');
  const question = page.getByRole('dialog', { name: 'It repeats. What is this about?' });
  const becomesTaken = (...wanted: readonly string[]) => becomes(() => taken(server, 'room-luna', 5), wanted.join(' '));
  await rounds.nth(1).focus();
  for (const key of ['ArrowDown', 'ArrowDown', 'Enter']) await page.keyboard.press(key);
  await question.waitFor();
  await axe(page);
  await question.getByRole('button', { name: 'Go on' }).click();
  await becomesTaken(on(0, '09:00-09:30'), on(1, '09:30-10:00'), on(2, '09:00-09:30'), on(3, '09:00-09:30'), on(4, '09:00-09:30'));
  // By drag, from the fourth on: what is low is moved wherever it is taken, but for its lower edge.
  await rounds.nth(4).waitFor();
  await dragDown(page, rounds.nth(3), 60);
  await question.getByText('This one and those that follow').click();
  await question.getByRole('button', { name: 'Go on' }).click();
  await becomesTaken(on(0, '09:00-09:30'), on(1, '09:30-10:00'), on(2, '09:00-09:30'), on(3, '10:00-10:30'), on(4, '10:00-10:30'));
  // All that are left of the first series, by the keys of the question.
  await rounds.nth(4).waitFor();
  await rounds.nth(0).focus();
  for (const key of ['ArrowUp', 'Enter']) await page.keyboard.press(key);
  await question.waitFor();
  for (const key of ['ArrowDown', 'ArrowDown', 'Enter']) await page.keyboard.press(key);
  await becomesTaken(on(0, '08:45-09:15'), on(1, '09:30-10:00'), on(2, '08:45-09:15'), on(3, '10:00-10:30'), on(4, '10:00-10:30'));
  // A click at the very edge opens it, too.
  const last = await boxOf(rounds.nth(4));
  await page.mouse.click(last.x + 20, last.y + last.height - 2);
  await page.locator('.panel').getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await question.getByText('This one and those that follow').click();
  await question.getByRole('button', { name: 'Go on' }).click();
  await becomesTaken(on(0, '08:45-09:15'), on(1, '09:30-10:00'), on(2, '08:45-09:15'), on(3, '10:00-10:30'));
}, { example: 'crm' });

story('an event is stretched, taken to another day and room, seen from another zone, moved by touch, and deleted for a moment', async ({ server, open }) => {
  await book(server, 'tour', 'Tour of the lamps', '14:00', '15:00');
  await book(server, 'talk', 'Price talk', '16:00', '17:00');
  const page = await open({ as: 'marta', route: `/calendar/events?day=${day}&field=%2Froom` });
  const tour = event(page, 'Tour of the lamps');
  const column = (name: string): Locator => page.locator(`[data-column="${name}"]`);
  const dataOf = async (): Promise<string> => {
    const { data } = await server.record('events', 'tour');
    return `${String(data['room'])} ${String(data['start'])} ${String(data['end']).slice(11)}`;
  };
  await tour.waitFor();
  // Its lower edge, onto the other one: refused, and given up.
  let box = await boxOf(tour);
  await drag(page, [box.x + 30, box.y + box.height - 2], [box.x + 30, box.y + box.height + 70]);
  const refused = page.getByRole('alertdialog', { name: 'That time is taken' });
  await refused.getByRole('button', { name: /^Take / }).first().waitFor();
  await page.keyboard.press('Escape');
  await refused.waitFor({ state: 'detached' });
  // Both edges, half an hour each.
  box = await boxOf(tour);
  await drag(page, [box.x + 30, box.y + box.height - 2], [box.x + 30, box.y + box.height + 22]);
  await becomes(dataOf, `room-sol ${day}T14:00 15:30`);
  box = await boxOf(tour);
  await drag(page, [box.x + 30, box.y + 2], [box.x + 30, box.y - 22]);
  await becomes(dataOf, `room-sol ${day}T13:30 15:30`);
  box = await boxOf(tour);
  const next = await boxOf(column(dayAfter(1)));
  await drag(page, [box.x + 30, box.y + 20], [next.x + 30, box.y + 20]);
  await becomes(dataOf, `room-sol ${dayAfter(1)}T13:30 15:30`);
  // By room, of which two are looked at.
  await page.goto(`/#/calendar/events?day=${dayAfter(1)}&field=%2Froom&view=day`);
  await page.getByRole('button', { name: 'Resources', exact: true }).click();
  await page.getByRole('menuitemcheckbox', { name: 'Venus' }).click();
  await page.getByRole('menuitemcheckbox', { name: 'Sol', exact: true }).click();
  await page.keyboard.press('Escape');
  await page.getByRole('button', { name: '2 chosen' }).waitFor();
  assert.equal(await page.locator('[data-column]').count(), 2);
  await tour.waitFor();
  box = await boxOf(tour);
  const venus = await boxOf(column(`${dayAfter(1)} room-venus`));
  await drag(page, [box.x + 30, box.y + 20], [venus.x + 30, box.y + 20 + 48]);
  await becomes(dataOf, `room-venus ${dayAfter(1)}T14:30 16:30`);
  // Seen from another zone it is another hour, and what is moved there keeps its own.
  await page.getByRole('combobox', { name: 'Time zone' }).selectOption('UTC');
  const inMadrid = Number(await page.evaluate((date) => new Intl.DateTimeFormat('en', { timeZone: 'Europe/Madrid', hour: 'numeric', hour12: false }).format(new Date(date)), `${dayAfter(1)}T12:00Z`));
  const hour = 14 - (inMadrid - 12);
  await tour.getByText(`${hour}:30–${hour + 2}:30`).first().waitFor();
  await screenshot(page, 'calendar-zone');
  // A finger that goes over it scrolls; once it is open, a finger moves it.
  const debug = await page.context().newCDPSession(page);
  await debug.send('Emulation.setTouchEmulationEnabled', { enabled: true, maxTouchPoints: 1 });
  const touch = async ([x, y]: Point, byY: number): Promise<void> => {
    await debug.send('Input.dispatchTouchEvent', { type: 'touchStart', touchPoints: [{ x, y }] });
    for (const part of byY === 0 ? [] : [0.25, 0.5, 0.75, 1]) await debug.send('Input.dispatchTouchEvent', { type: 'touchMove', touchPoints: [{ x, y: y + byY * part }] });
    await debug.send('Input.dispatchTouchEvent', { type: 'touchEnd', touchPoints: [] });
  };
  box = await boxOf(tour);
  await touch([box.x + 20, box.y + 40], 0);
  await page.locator('.panel').waitFor();
  assert.equal(await dataOf(), `room-venus ${dayAfter(1)}T14:30 16:30`);
  box = await boxOf(tour);
  await touch([box.x + 20, box.y + 40], -48);
  await becomes(dataOf, `room-venus ${dayAfter(1)}T13:30 15:30`);
  await page.locator('.panel').getByRole('button', { name: 'Delete' }).click();
  await page.getByRole('dialog').getByRole('button', { name: 'Delete' }).click();
  await tour.waitFor({ state: 'detached' });
  await page.getByRole('button', { name: 'Undo' }).click();
  await tour.waitFor();
}, { example: 'crm' });

story('what somebody else books appears, and what is made by a drag is there at once', async ({ server, open }) => {
  const page = await open({ as: 'marta', route: `/calendar/events?day=${day}&view=day&field=%2Froom&only=room-luna` });
  await page.locator('[data-column]').first().waitFor();
  await book(server, 'tour', 'Tour of the lamps', '09:00', '10:00', { room: 'room-luna' });
  await event(page, 'Tour of the lamps').waitFor();
  const box = await page.locator('[data-column]').first().boundingBox();
  const tour = await event(page, 'Tour of the lamps').boundingBox();
  if (box === null || tour === null) throw new Error('it is not in sight');
  await page.mouse.move(box.x + 60, tour.y + tour.height + 50);
  await page.mouse.down();
  await page.mouse.move(box.x + 60, tour.y + tour.height + 98, { steps: 5 });
  await page.mouse.up();
  const form = page.getByRole('dialog', { name: 'New: Event' });
  await form.getByLabel('Title').fill('Lunch with lamps');
  await axe(page);
  await form.getByRole('button', { name: 'Save' }).click();
  await event(page, 'Lunch with lamps').waitFor();
  await screenshot(page, 'calendar-day');
  const { json } = await server.ask('GET', `/v1/main/records/events?where=${encodeURIComponent("title = 'Lunch with lamps'")}`);
  const [made]: readonly unknown[] = isObject(json) && Array.isArray(json['records']) ? json['records'] : [];
  const data = isObject(made) && isObject(made['data']) ? made['data'] : {};
  assert.deepEqual([data['room'], data['organizer'], String(data['start']).slice(0, 10)], ['room-luna', 'marta', day]);
}, { example: 'crm' });
