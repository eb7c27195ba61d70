import { StetError, type RecordOf, type RecordState } from '@stet/client';
import assert from 'node:assert/strict';
import test from 'node:test';
import { StrictMode, type ReactNode } from 'react';
import { renderToString } from 'react-dom/server';
import { StetProvider } from './provider';
import { createFakeClient, loadingRecord } from './testing/fake-client';
import { createViewClock, openScreen } from './testing/screen';
import { useList } from './use-list';
import { useMutation, type Mutation } from './use-mutation';
import { useOnline } from './use-online';
import { useQueueStatus } from './use-queue-status';
import { useRecord } from './use-record';

const record = (title: string, version = 1): RecordOf<{ title: string }> => ({
  type: 'tasks',
  id: '1',
  address: 'tasks/1',
  version,
  seq: version,
  createdAt: '2026-01-01T00:00:00Z',
  createdBy: 'ann',
  updatedAt: '2026-01-01T00:00:00Z',
  updatedBy: 'ann',
  data: { title },
});
const ready = (title: string): RecordState => ({
  ...loadingRecord('tasks', '1'),
  status: 'ready',
  record: record(title),
  data: { title },
});

function Task(props: { readonly initial?: RecordOf<{ title: string }> }): ReactNode {
  const task = useRecord<{ title: string }>('tasks', '1', props.initial === undefined ? {} : { initial: props.initial });
  return <p>{`${task.status}: ${task.data?.title ?? 'nothing'}`}</p>;
}

test('a server renders without a client: what it has read, else that it is loading', () => {
  const page = (initial?: RecordOf<{ title: string }>): string =>
    renderToString(
      <StetProvider client={null}>
        <Task {...(initial === undefined ? {} : { initial })} />
      </StetProvider>,
    );
  assert.equal(page(), '<p>loading: nothing</p>');
  assert.equal(page(record('Fence')), '<p>ready: Fence</p>');
});

test('a server that has a client follows nothing', () => {
  const fake = createFakeClient();
  function Page(): ReactNode {
    return <p>{`${useOnline()} ${useList('tasks').status} ${useMutation().last.phase}`}</p>;
  }
  assert.equal(renderToString(<StetProvider client={fake.client}><Page /></StetProvider>), '<p>true loading idle</p>');
  assert.equal(fake.list.followers, 0);
});

test('a hook outside of a provider says so', () => {
  assert.throws(() => renderToString(<Task />), /outside of a StetProvider/);
});

test('in the browser', async (t) => {
  const screen = await openScreen();
  t.after(() => screen.close());

  await t.test('a record is shown as it changes, and let go at the end, also in strict mode', async () => {
    const fake = createFakeClient();
    const page = <StrictMode><StetProvider client={fake.client}><Task initial={record('from the server')} /></StetProvider></StrictMode>;
    await screen.show(page);
    assert.equal(screen.text(), 'ready: from the server');
    await screen.run(() => fake.record.set(ready('Fence')));
    assert.equal(screen.text(), 'ready: Fence');
    assert.equal(fake.record.followers, 1);
    await screen.show(null);
    assert.equal(fake.record.followers, 0);
  });

  await t.test('what a server has read stays while it cannot be read here, and goes when it may not be', async () => {
    const fake = createFakeClient();
    const failed = (code: 'NETWORK' | 'FORBIDDEN', status: number) => new StetError({ code, detail: 'it did not work', status });
    function List(): ReactNode {
      const { status, items, error } = useList<{ title: string }>('tasks', { initial: [record('Gate')] });
      return <i>{`, list ${status}: ${items[0]?.data?.title ?? 'nothing'} ${error?.code ?? ''}`}</i>;
    }
    await screen.show(<StetProvider client={fake.client}><Task initial={record('Fence')} /><List /></StetProvider>);
    const fail = (error: StetError) =>
      screen.run(() => {
        fake.record.set({ ...loadingRecord('tasks', '1'), status: 'error', error });
        fake.list.set({ ...fake.list.getSnapshot(), status: 'error', error });
      });
    await fail(failed('NETWORK', 0));
    assert.equal(screen.text(), 'ready: Fence, list ready: Gate NETWORK');
    await fail(failed('FORBIDDEN', 403));
    assert.equal(screen.text(), 'error: nothing, list error: nothing FORBIDDEN');
    await screen.show(null);
  });

  await t.test('options of a list that say the same do not read it anew', async () => {
    const fake = createFakeClient();
    function List(props: { readonly where: string }): ReactNode {
      return <p>{useList('tasks', { where: props.where, limit: 10 }).status}</p>;
    }
    for (const where of ['done', 'done', 'not done']) {
      await screen.show(<StetProvider client={fake.client}><List where={where} /></StetProvider>);
    }
    assert.deepEqual(fake.calls, ['live tasks {"where":"done","limit":10}', 'live tasks {"where":"not done","limit":10}']);
    assert.equal(fake.list.followers, 1);
    await screen.show(null);
  });

  await t.test('the last write is told from saving to saved, and an earlier one no longer', async () => {
    const fake = createFakeClient();
    let mutation: Mutation | null = null;
    const seen: string[] = [];
    function Editor(): ReactNode {
      mutation = useMutation();
      seen.push(`${mutation.last.phase}${mutation.last.kept ? ' kept' : ''}`);
      return null;
    }
    await screen.show(<StetProvider client={fake.client}><Editor /></StetProvider>);
    await screen.run(() => void mutation?.update('tasks', '1', { title: 'a' }));
    assert.equal(seen.at(-1), 'saving kept');
    await screen.run(() => fake.confirm({ kind: 'confirmed', record: record('a', 2), merged: false, unchanged: false }));
    assert.equal(seen.at(-1), 'saved kept');
    await screen.run(() => void mutation?.remove('tasks', '1'));
    await screen.run(() => fake.confirm({ kind: 'deleted', version: 3 }));
    assert.equal(seen.at(-1), 'deleted kept');
    assert.deepEqual(fake.calls, ['update tasks/1 {"title":"a"}', 'remove tasks/1']);
    await screen.show(null);
  });

  await t.test('a lane is asked for every five seconds while somebody looks', async () => {
    const fake = createFakeClient();
    const clock = createViewClock();
    let asked = 0;
    fake.onRequest(async (method, path) => {
      asked++;
      assert.equal(`${method} ${path}`, 'GET /lanes/agents');
      return { id: 'agents', queued: { low: asked, normal: 2 }, running: 1, paused: false, estimatedWaitS: 12 };
    });
    function Lane(): ReactNode {
      const status = useQueueStatus({ lane: 'agents' });
      return <p>{`${status.status} ${status.queued} ${status.running} ${status.estimatedWaitS}`}</p>;
    }
    await screen.show(<StetProvider client={fake.client} clock={clock}><Lane /></StetProvider>);
    assert.equal(screen.text(), 'ready 3 1 12');
    await screen.run(() => clock.advance(5_000));
    assert.equal(screen.text(), 'ready 4 1 12');
    await screen.show(null);
    assert.deepEqual([clock.timers, asked], [0, 2]);
  });
});
