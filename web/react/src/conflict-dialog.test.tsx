import type { Conflict } from '@stet/client';
import assert from 'node:assert/strict';
import test from 'node:test';
import type { ReactNode } from 'react';
import { ConflictDialog } from './conflict-dialog';
import type { ConflictEnd } from './conflict-form';
import { StetProvider } from './provider';
import { createFakeClient, type FakeClient } from './testing/fake-client';
import { createViewClock, openScreen } from './testing/screen';

const conflict: Conflict = {
  conflictType: 'concurrent_edit',
  address: 'tasks/1',
  detail: '',
  expectedVersion: 1,
  currentVersion: 2,
  lastModifiedBy: 'ann',
  lastModifiedAt: '2025-12-31T23:58:00Z',
  base: { title: 'Fence', hours: 2, done: false },
  current: { title: 'Red fence', hours: 3, done: true },
  yours: { title: 'Blue fence', hours: 4, done: false },
  merged: { title: 'Red fence', hours: 3, done: true },
  fields: {
    '/title': { state: 'conflict', base: 'Fence', current: 'Red fence', yours: 'Blue fence', by: 'ann', at: '2025-12-31T23:58:00Z' },
    '/hours': { state: 'conflict', base: 2, current: 3, yours: 4, by: 'ann' },
    '/done': { state: 'clean_current', base: false, current: true, yours: false, by: 'ann' },
  },
  clean: false,
  resolutionOptions: ['yours', 'current', 'fields', 'custom'],
  resolutionToken: 'one',
  edit: 'e1',
};

test('the conflict dialog', async (t) => {
  const screen = await openScreen();
  t.after(() => screen.close());

  const open = async (shown: Conflict, language: 'en' | 'es' = 'en'): Promise<{ fake: FakeClient; ends: ConflictEnd[]; page: (next: Conflict | null) => ReactNode }> => {
    const fake = createFakeClient();
    const ends: ConflictEnd[] = [];
    const clock = createViewClock();
    const onEnd = (end: ConflictEnd): void => void ends.push(end);
    const page = (next: Conflict | null): ReactNode => (
      <StetProvider client={fake.client} language={language} clock={clock}>
        <ConflictDialog conflict={next} noun="task" onEnd={onEnd} />
      </StetProvider>
    );
    await screen.show(null);
    await screen.show(page(shown));
    return { fake, ends, page };
  };

  await t.test('says in both languages what happened and what can be done', async () => {
    const { fake } = await open(conflict);
    assert.equal(screen.text('h2'), 'This task changed while you were editing it');
    assert.match(screen.text('header'), /ann changed it 2 minutes ago\./);
    assert.deepEqual(screen.all('button').map((button) => button.textContent), ['Refresh and apply my changes', 'Discard my changes', 'Decide later']);
    assert.deepEqual(fake.calls, ['opened']);
    await open(conflict, 'es');
    assert.equal(screen.text('h2'), 'Esta tarea cambió mientras la editabas');
    assert.match(screen.text('header'), /ann hizo un cambio hace 2 minutos\./);
    assert.deepEqual(screen.all('button').map((button) => button.textContent), ['Refrescar y aplicar mis cambios', 'Descartar mis cambios', 'Decidir más tarde']);
  });

  await t.test('shows before, now and mine, and what will be saved as it is chosen', async () => {
    await open(conflict);
    const side = (which: string): string => screen.text(`[data-pointer="/title"] .stet-side-${which} .stet-side-value`);
    assert.deepEqual([side('before'), side('theirs')], ['Fence', 'Red fence']);
    const preview = (): readonly string[] => screen.all('.stet-preview > div').map((row) => row.textContent ?? '');
    assert.deepEqual(preview(), ['TitleBlue fence', 'Hours4', 'DoneYes']);
    await screen.click('[data-pointer="/title"] input[value="theirs"]');
    await screen.type('[data-pointer="/hours"] input[type="text"]', '4.5');
    assert.deepEqual(preview(), ['TitleRed fence', 'Hours4.5', 'DoneYes']);
    assert.deepEqual(screen.all('.stet-merged dl > div').map((row) => row.textContent), ['DoneYesfrom ann']);
  });

  await t.test('applies what was chosen', async () => {
    const { fake, ends } = await open(conflict);
    fake.onResolve(async () => ({ kind: 'resolved', record: null }));
    await screen.click('[data-pointer="/title"] input[value="before"]');
    await screen.press('Refresh and apply my changes');
    assert.equal(fake.calls.at(-1), 'resolve {"choice":"fields","fields":{"/title":"base","/hours":"yours"}}');
    assert.deepEqual(ends, [{ kind: 'applied', record: null }]);
    assert.equal(screen.text('[role="status"]'), 'Your changes were applied.');
  });

  await t.test('does not send what makes no sense', async () => {
    const { fake } = await open(conflict);
    await screen.type('[data-pointer="/hours"] input[type="text"]', 'four');
    assert.match(screen.text('[data-pointer="/hours"]'), /This is not a number\./);
    await screen.press('Refresh and apply my changes');
    assert.deepEqual(fake.calls, ['opened']);
  });

  await t.test('discards', async () => {
    const { fake, ends } = await open(conflict);
    fake.onResolve(async () => ({ kind: 'resolved', record: null }));
    await screen.press('Discard my changes');
    assert.equal(fake.calls.at(-1), 'resolve {"choice":"discard"}');
    assert.deepEqual(ends, [{ kind: 'discarded', record: null }]);
  });

  await t.test('when closed without deciding it says that nothing was saved', async () => {
    const { fake, ends, page } = await open(conflict);
    await screen.press('Decide later');
    await screen.show(page(null));
    assert.deepEqual([ends, fake.calls], [[{ kind: 'postponed' }], ['opened']]);
    assert.equal(screen.text(), 'Nothing was saved. Your changes wait until you decide.');
  });

  await t.test('a second conflict while applying is shown with what was chosen', async () => {
    const { fake, ends } = await open(conflict);
    const second: Conflict = {
      ...conflict,
      currentVersion: 3,
      resolutionToken: 'two',
      fields: { ...conflict.fields, '/title': { state: 'conflict', base: 'Fence', current: 'Black fence', yours: 'Blue fence', by: 'eve' } },
    };
    fake.onResolve(async () => ({ kind: 'conflict', conflict: second }));
    await screen.type('[data-pointer="/title"] input[type="text"]', 'Green fence');
    await screen.press('Refresh and apply my changes');
    assert.deepEqual(ends, []);
    assert.match(screen.text('[role="alert"]'), /^It changed again while you were deciding/);
    assert.match(screen.text('[data-pointer="/title"]'), /^TitleChanged again.*Black fence/);
    fake.onResolve(async () => ({ kind: 'resolved', record: null }));
    await screen.press('Refresh and apply my changes');
    assert.equal(fake.calls.at(-1), 'resolve {"choice":"fields","fields":{"/title":{"value":"Green fence"},"/hours":"yours"}}');
    assert.equal(ends.length, 1);
  });

  await t.test('when applying fails it stays open with the reason', async () => {
    const { fake, ends } = await open(conflict);
    fake.onResolve(async () => {
      throw new Error('there was no answer');
    });
    await screen.press('Refresh and apply my changes');
    assert.match(screen.text('footer [role="alert"]'), /there was no answer\. Nothing was saved/);
    assert.deepEqual(ends, []);
  });

  await t.test('of a deleted record it offers to restore it', async () => {
    const { fake } = await open({ ...conflict, current: null, merged: null, fields: {} });
    assert.equal(screen.text('h2'), 'This task was deleted while you were editing it');
    fake.onResolve(async () => ({ kind: 'already_resolved', by: 'eve' }));
    await screen.press('Restore it with my changes');
    assert.equal(fake.calls.at(-1), 'resolve {"choice":"apply"}');
    assert.equal(screen.text('[role="status"]'), 'eve has settled this already. You see the state of the server.');
  });
});
