/** Two change the same field: the second is asked, and each way out does what it says. Told in both languages. */
import assert from 'node:assert/strict';
import type { Page } from 'playwright-core';
import { axe, screenshot, story, type Stage } from './harness';

const words = {
  en: {
    title: 'This task changed while you were editing it',
    apply: 'Refresh and apply my changes',
    discard: 'Discard my changes',
    later: 'Decide later',
    again: 'It changed again while you were deciding.',
    before: 'Before',
    now: 'Now',
    mine: 'Yours',
  },
  es: {
    title: 'Esta tarea cambió mientras la editabas',
    apply: 'Refrescar y aplicar mis cambios',
    discard: 'Descartar mis cambios',
    later: 'Decidir más tarde',
    again: 'Volvió a cambiar mientras decidías.',
    before: 'Antes',
    now: 'Ahora',
    mine: 'Lo tuyo',
  },
} as const;
type Language = keyof typeof words;
const languages: readonly Language[] = ['en', 'es'];

const form = (page: Page) => page.getByRole('form', { name: 'Task' });
const dialog = (page: Page) => page.getByRole('dialog');
const row = (page: Page) => page.locator('li[data-id="1"]');
const side = (page: Page, name: string) => dialog(page).getByRole('radio', { name: new RegExp(`^${name}`) });

/** Ana and Ben have the same task open; Ana was faster, and Ben saves another status. Ben also changes the assignee, which nobody else
 *  did. Answers Ben's page, with the dialog. */
const meet = async ({ person, application }: Stage, language: Language, theme: 'light' | 'dark' = 'light'): Promise<{ readonly ben: Page }> => {
  const [ana, ben] = [await application(await person({ as: 'ana' })), await application(await person({ as: 'ben', locale: language, theme }))];
  for (const page of [ana, ben]) {
    await page.getByRole('button', { name: 'Print the posters for the open day' }).click();
    await form(page).waitFor();
  }
  await form(ana).locator('input[name=status]').fill('blocked');
  await form(ana).getByRole('button', { name: 'Save' }).click();
  await ana.locator('li[data-id="1"][data-phase="saved"]').waitFor();
  await form(ben).locator('input[name=status]').fill('done');
  await form(ben).locator('input[name=assignee]').fill('ben');
  await form(ben).getByRole('button', { name: 'Save' }).click();
  await dialog(ben).getByRole('heading', { name: words[language].title }).waitFor();
  return { ben };
};

for (const language of languages) {
  const said = words[language];

  story(`the second is asked, and applies their changes (${language})`, async (stage) => {
    const { ben } = await meet(stage, language);
    await side(ben, said.before).waitFor();
    await side(ben, said.now).waitFor();
    assert.equal(await side(ben, said.mine).isChecked(), true);
    await axe(ben);
    await screenshot(ben, `conflict-${language}`);
    await dialog(ben).getByRole('button', { name: said.apply }).click();
    await dialog(ben).waitFor({ state: 'hidden' });
    await row(ben).getByText('done').waitFor();
    const { version, data } = await stage.server.record('tasks', '1');
    assert.deepEqual([version, data['status'], data['assignee']], [3, 'done', 'ben']);
  });

  story(`the second discards their changes and sees the server's state (${language})`, async (stage) => {
    const { ben } = await meet(stage, language);
    await dialog(ben).getByRole('button', { name: said.discard }).click();
    await dialog(ben).waitFor({ state: 'hidden' });
    await row(ben).getByText('blocked').waitFor();
    await row(ben).getByText('dora').waitFor();
    const { version, data } = await stage.server.record('tasks', '1');
    assert.deepEqual([version, data['status'], data['assignee']], [2, 'blocked', 'dora']);
  });

  story(`the second picks field by field (${language})`, async (stage) => {
    const { ben } = await meet(stage, language);
    await side(ben, said.now).check();
    await dialog(ben).getByRole('button', { name: said.apply }).click();
    await dialog(ben).waitFor({ state: 'hidden' });
    const { data } = await stage.server.record('tasks', '1');
    assert.deepEqual([data['status'], data['assignee']], ['blocked', 'ben']);
  });

  story(`a second conflict while applying opens the dialog again with the new state (${language})`, async (stage) => {
    const { ben } = await meet(stage, language);
    // While Ben looks at it, and before his page can know: his answer is on its way when it changes again.
    let faster = true;
    await ben.context().route(/\/resolve$/, async (route) => {
      if (faster) await stage.server.patch('tasks', '1', { status: 'open' });
      faster = false;
      await route.continue();
    });
    await dialog(ben).getByRole('button', { name: said.apply }).click();
    await dialog(ben).getByText(said.again).waitFor();
    await dialog(ben).getByText('open', { exact: true }).first().waitFor();
    await screenshot(ben, `conflict-again-${language}`);
    await dialog(ben).getByRole('button', { name: said.apply }).click();
    await dialog(ben).waitFor({ state: 'hidden' });
    const { version, data } = await stage.server.record('tasks', '1');
    assert.deepEqual([version, data['status'], data['assignee']], [4, 'done', 'ben']);
  });
}

story('the dialog can be gone through with the keyboard alone', async (stage) => {
  const { ben } = await meet(stage, 'en', 'dark');
  const press = async (...keys: readonly string[]): Promise<void> => {
    for (const key of keys) await ben.keyboard.press(key);
  };
  const focused = (): Promise<string> => ben.evaluate(() => document.activeElement?.textContent?.trim() ?? '');
  assert.equal(await focused(), words.en.title);
  // Escape decides nothing, and the change waits.
  await press('Escape');
  await dialog(ben).waitFor({ state: 'hidden' });
  assert.equal((await stage.server.record('tasks', '1')).data['status'], 'blocked');
  await ben.reload();
  await dialog(ben).getByRole('heading', { name: words.en.title }).waitFor();
  // From the chosen side to the one before it, then on to the button.
  await press('Tab', 'ArrowLeft');
  assert.equal(await side(ben, words.en.now).isChecked(), true);
  await axe(ben);
  await screenshot(ben, 'conflict-keyboard-dark');
  for (let steps = 0; (await focused()) !== words.en.apply; steps += 1) {
    assert.ok(steps < 12, `the button is not reached with Tab: ${await focused()}`);
    await press('Tab');
  }
  await press('Enter');
  await dialog(ben).waitFor({ state: 'hidden' });
  const { data } = await stage.server.record('tasks', '1');
  assert.deepEqual([data['status'], data['assignee']], ['blocked', 'ben']);
});
