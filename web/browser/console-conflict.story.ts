/** The same task open in the console twice: the first save is there at once, the second person is asked, and each way out does what it
 *  says. Told in both languages. */
import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { axe, screenshot, story, type Stage } from './harness';

const words = {
  en: {
    save: 'Save',
    title: 'This task changed while you were editing it',
    apply: 'Refresh and apply my changes',
    discard: 'Discard my changes',
    later: 'Decide later',
    decide: 'Decide',
    waits: 'Nothing was saved. Your changes wait until you decide.',
    again: 'It changed again while you were deciding.',
    before: 'Before',
    now: 'Now',
    mine: 'Yours',
  },
  es: {
    save: 'Guardar',
    title: 'Esta tarea cambió mientras la editabas',
    apply: 'Refrescar y aplicar mis cambios',
    discard: 'Descartar mis cambios',
    later: 'Decidir más tarde',
    decide: 'Decidir',
    waits: 'No se guardó nada. Tus cambios esperan hasta que decidas.',
    again: 'Volvió a cambiar mientras decidías.',
    before: 'Antes',
    now: 'Ahora',
    mine: 'Lo tuyo',
  },
} as const;
type Language = keyof typeof words;

const status = (page: Page) => page.getByRole('combobox', { name: 'Status' });
const assignee = (page: Page) => page.getByRole('textbox', { name: 'Assignee' });
const version = (page: Page, number: number) => page.getByText(`v${number}`, { exact: true });
const press = (page: Page, name: string) => page.getByRole('button', { name, exact: true }).click();
const chosen = (page: Page) => status(page).locator('option:checked').textContent();
const dialog = (page: Page) => page.getByRole('dialog');
const side = (page: Page, name: string) => dialog(page).getByRole('radio', { name: new RegExp(`^${name}`) });

/** Both have the task open. Ana saves `blocked`; Ben, whose page knows by now, saves `done`, and himself as who does it. The dialog is in Ben's
 *  page. */
const meet = async (ana: Page, ben: Page, id: string, said: (typeof words)[Language]): Promise<void> => {
  for (const page of [ana, ben]) await page.goto(`/#/records/tasks/${id}`);
  await version(ana, 1).waitFor();
  await version(ben, 1).waitFor();
  await status(ben).selectOption('done');
  await assignee(ben).fill('ben');
  await status(ana).selectOption('blocked');
  await press(ana, said.save);
  await version(ana, 2).waitFor();
  await version(ben, 2).waitFor();
  assert.equal(await chosen(ben), 'done', 'what Ben wrote stays');
  await press(ben, said.save);
  await dialog(ben).getByRole('heading', { name: said.title }).waitFor();
};
const saved = async ({ server }: Stage, id = '1'): Promise<readonly unknown[]> => {
  const record = await server.record('tasks', id);
  return [record.version, record.data['status'], record.data['assignee']];
};

for (const language of ['en', 'es'] as const) {
  const said = words[language];

  story(`in the console the second is asked, and each way out does what it says (${language})`, async (stage) => {
    const [ana, ben] = await Promise.all([
      stage.open({ as: 'ana', locale: language, route: '/records/tasks/1' }),
      stage.open({ as: 'ben', locale: language, theme: language === 'es' ? 'dark' : 'light', route: '/records/tasks/1' }),
    ]);
    const gone = () => dialog(ben).waitFor({ state: 'hidden' });

    await meet(ana, ben, '1', said);
    for (const name of [said.before, said.now, said.mine]) await side(ben, name).waitFor();
    assert.equal(await side(ben, said.mine).isChecked(), true);
    await axe(ben);
    await screenshot(ben, `console-conflict-${language}`);
    await press(ben, said.apply);
    await gone();
    await version(ana, 3).waitFor();
    assert.equal(await chosen(ana), 'done');
    assert.deepEqual(await saved(stage, '1'), [3, 'done', 'ben']);

    await meet(ana, ben, '3', said);
    await press(ben, said.discard);
    await gone();
    await status(ben).locator('option:checked', { hasText: 'blocked' }).waitFor({ state: 'attached' });
    assert.equal(await assignee(ben).inputValue(), 'bob');
    assert.deepEqual(await saved(stage, '3'), [2, 'blocked', 'bob']);

    // Later, and then field by field.
    await meet(ana, ben, '6', said);
    await press(ben, said.later);
    await gone();
    await ben.getByText(said.waits).waitFor();
    assert.deepEqual(await saved(stage, '6'), [2, 'blocked', 'dora']);
    await press(ben, said.decide);
    await side(ben, said.now).check();
    await press(ben, said.apply);
    await gone();
    await version(ben, 3).waitFor();
    assert.deepEqual(await saved(stage, '6'), [3, 'blocked', 'ben']);

    await meet(ana, ben, '8', said);
    // Before Ben's page can know: his answer is on its way when it changes again.
    let faster = true;
    await ben.context().route(/\/resolve$/, async (route) => {
      if (faster) await stage.server.patch('tasks', '8', { status: 'open' });
      faster = false;
      await route.continue();
    });
    await press(ben, said.apply);
    await dialog(ben).getByText(said.again).waitFor();
    await dialog(ben).getByText('open', { exact: true }).first().waitFor();
    await screenshot(ben, `console-conflict-again-${language}`);
    await press(ben, said.apply);
    await gone();
    await version(ben, 4).waitFor();
    assert.deepEqual(await saved(stage, '8'), [4, 'done', 'ben']);
  });
}

story('in the console two people who change different fields are not asked', async (stage) => {
  const { server } = stage;
  const ben = await stage.open({ as: 'ben', route: '/records/tasks/1' });
  await assignee(ben).fill('ben');
  await server.patch('tasks', '1', { status: 'blocked' }, await server.tokenFor('ana'));
  await version(ben, 2).waitFor();
  await press(ben, 'Save');
  await version(ben, 3).waitFor();
  assert.equal(await dialog(ben).count(), 0);
  assert.equal(await chosen(ben), 'blocked');
  assert.deepEqual(await saved(stage), [3, 'blocked', 'ben']);
});

story('in the console a conflict is met and settled by keyboard alone', async (stage) => {
  const page = await stage.open({ as: 'ben', theme: 'dark', route: '/records/tasks/1' });
  const key = async (...keys: readonly string[]): Promise<void> => {
    for (const one of keys) await page.keyboard.press(one);
  };
  /** What has the focus: a field by its label, all else by its words. */
  const focused = (): Promise<string> =>
    page.evaluate(() => {
      const element = document.activeElement;
      const label = element !== null && 'labels' in element && element.labels instanceof NodeList ? element.labels[0] : null;
      return label ? `field ${label.textContent?.trim() ?? ''}` : (element?.textContent?.trim() ?? '');
    });
  const tabTo = async (wanted: RegExp, stepsMax: number): Promise<void> => {
    for (let steps = 0; !wanted.test(await focused()); steps += 1) {
      assert.ok(steps < stepsMax, `${String(wanted)} is not reached with Tab; the focus is at "${await focused()}"`);
      await key('Tab');
    }
  };
  await status(page).waitFor();
  await tabTo(/^field Status/, 60);
  await page.keyboard.type('do');
  assert.equal(await chosen(page), 'done');
  await stage.server.patch('tasks', '1', { status: 'blocked' }, await stage.server.tokenFor('ana'));
  await version(page, 2).waitFor();
  await key('Control+s');
  await dialog(page).getByRole('heading', { name: words.en.title }).waitFor();
  assert.equal(await focused(), words.en.title);
  // Escape decides nothing: the change waits, and what it is about still has a button.
  await key('Escape');
  await dialog(page).waitFor({ state: 'hidden' });
  assert.deepEqual(await saved(stage), [2, 'blocked', 'dora']);
  await tabTo(/^Decide$/, 60);
  await key('Enter');
  await dialog(page).getByRole('heading', { name: words.en.title }).waitFor();
  // From the chosen side to the one before it, back again, and on to the button.
  await key('Tab', 'ArrowLeft');
  assert.equal(await side(page, words.en.now).isChecked(), true);
  await key('ArrowRight');
  assert.equal(await side(page, words.en.mine).isChecked(), true);
  await screenshot(page, 'console-conflict-keyboard-dark');
  await tabTo(new RegExp(`^${words.en.apply}$`), 12);
  await key('Enter');
  await dialog(page).waitFor({ state: 'hidden' });
  await version(page, 3).waitFor();
  assert.deepEqual(await saved(stage), [3, 'done', 'dora']);
});

/** A person's wheel, until it can be seen: locators would also scroll what no person can. */
const wheelTo = async (page: Page, what: ReturnType<Page['locator']>): Promise<void> => {
  const size = page.viewportSize();
  assert.ok(size !== null);
  await page.mouse.move(size.width / 2, size.height / 2);
  for (let turn = 0; turn < 40; turn += 1) {
    const there = await what.evaluate((element) => {
      const { left, top, width, height } = element.getBoundingClientRect();
      return [1, height - 1].every((y) => element.contains(document.elementFromPoint(left + width / 2, top + y)));
    });
    if (there) return;
    await page.mouse.wheel(0, 30);
    await page.evaluate(() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done))));
  }
  assert.fail(`${String(what)} cannot be scrolled to`);
};

story('at 400 % everything in the form and in the dialog can be reached', async (stage) => {
  const said = words.en;
  const ben = await stage.open({ as: 'ben', route: '/records/tasks/1' });
  await version(ben, 1).waitFor();
  await status(ben).selectOption('done');
  // What a window of 1280 by 1024 shows at 400 %.
  await ben.setViewportSize({ width: 320, height: 256 });
  await wheelTo(ben, assignee(ben));
  await wheelTo(ben, ben.getByRole('button', { name: said.save, exact: true }));
  await stage.server.patch('tasks', '1', { status: 'blocked' });
  await press(ben, said.save);
  await dialog(ben).waitFor();
  for (const name of [said.now, said.mine]) await wheelTo(ben, side(ben, name));
  for (const name of [said.apply, said.discard, said.later]) await wheelTo(ben, dialog(ben).getByRole('button', { name, exact: true }));
});
