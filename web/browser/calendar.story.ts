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

/** Drags by so many minutes of the grid, in which an hour is 48 pixels. */
const dragDown = async (page: Page, what: Locator, minutes: number): Promise<void> => {
  const box = await what.boundingBox();
  if (box === null) throw new Error('it is not in sight');
  const [x, y] = [box.x + box.width / 2, box.y + 8];
  await page.mouse.move(x, y);
  await page.mouse.down();
  await page.mouse.move(x, y + minutes * 0.4, { steps: 4 });
  await page.mouse.move(x, y + minutes * 0.8, { steps: 4 });
  await page.mouse.up();
};

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

story('one occurrence of a series is moved, and the others stay', async ({ server, open }) => {
  await book(server, 'daily', 'Morning round', '09:00', '09:30', { room: 'room-luna', rrule: 'FREQ=DAILY;COUNT=3' });
  const page = await open({ as: 'marta', route: `/calendar/events?day=${day}&field=%2Froom&only=room-luna` });
  const second = event(page, 'Morning round').nth(1);
  await second.focus();
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('ArrowDown');
  await page.keyboard.press('Enter');
  const question = page.getByRole('dialog', { name: 'It repeats. What is this about?' });
  await question.waitFor();
  await axe(page);
  await question.getByRole('button', { name: 'Go on' }).click();
  const starts = async (): Promise<string> => {
    const { json } = await server.ask('GET', `/v1/main/calendar/events?field=/room&resource=room-luna&from=${day}&to=${dayAfter(4)}&zone=Europe/Madrid`);
    const found: readonly unknown[] = isObject(json) && Array.isArray(json['occurrences']) ? json['occurrences'] : [];
    return found.map((one) => (isObject(one) ? String(one['start_local']).slice(8, 16) : '')).join(' ');
  };
  const on = (count: number, time: string): string => `${dayAfter(count).slice(8)}T${time}`;
  await becomes(starts, [on(0, '09:00'), on(1, '09:30'), on(2, '09:00')].join(' '));
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
