/** Every hook comes and goes as React likes: twice in strict mode, in the middle of loading, and again. */
import type { Operation } from '@stet/client';
import assert from 'node:assert/strict';
import test from 'node:test';
import { StrictMode, type ReactNode } from 'react';
import { StetProvider } from './provider';
import { createFakeClient, loadingRecord, type FakeClient } from './testing/fake-client';
import { createViewClock, openScreen } from './testing/screen';
import { useConflicts } from './use-conflicts';
import { useList } from './use-list';
import { useMutation, type Mutation } from './use-mutation';
import { useOnline } from './use-online';
import { useOperation } from './use-operation';
import { useOperationParts } from './use-operation-parts';
import { useQueueStatus } from './use-queue-status';
import { useRecord } from './use-record';
import { useSession } from './use-session';

const operation: Operation = {
  id: 'o1',
  version: 1,
  status: 'queued',
  lane: 'agents',
  class: 'normal',
  attempt: 0,
  createdAt: '2026-01-01T00:00:00Z',
  createdBy: 'ann',
};

interface Case {
  readonly name: string;
  readonly use: () => string;
  /** What the server says, in the end. */
  readonly answer?: (fake: FakeClient) => void;
  readonly shown: string;
  readonly followers: (fake: FakeClient) => number;
}

const cases: readonly Case[] = [
  {
    name: 'useRecord',
    use: () => useRecord('tasks', '1').status,
    answer: (fake) => fake.record.set({ ...loadingRecord('tasks', '1'), status: 'missing' }),
    shown: 'missing',
    followers: (fake) => fake.record.followers,
  },
  {
    name: 'useList',
    use: () => useList('tasks', { where: 'done = false' }).status,
    answer: (fake) => fake.list.set({ ...fake.list.getSnapshot(), status: 'ready' }),
    shown: 'ready',
    followers: (fake) => fake.list.followers,
  },
  {
    name: 'useConflicts',
    use: () => String(useConflicts().unread),
    answer: (fake) => fake.conflicts.set({ mine: [], waiting: [], unread: 2 }),
    shown: '2',
    followers: (fake) => fake.conflicts.followers,
  },
  {
    name: 'useOperation',
    use: () => useOperation('o1').operation?.status ?? 'none',
    answer: (fake) => fake.operation.set({ status: 'ready', operation, error: null }),
    shown: 'queued',
    followers: (fake) => fake.operation.followers,
  },
  {
    name: 'useOperationParts',
    use: () => useOperationParts('o0').map(({ id }) => id).join(),
    answer: (fake) => fake.operation.set({ status: 'ready', operation, error: null }),
    shown: 'o1',
    followers: (fake) => fake.operation.followers,
  },
  {
    name: 'useQueueStatus of an operation',
    use: () => useQueueStatus({ operation: 'o1' }).status,
    answer: (fake) => fake.operation.set({ status: 'ready', operation, error: null }),
    shown: 'ready',
    followers: (fake) => fake.operation.followers,
  },
  { name: 'useQueueStatus of a lane', use: () => String(useQueueStatus({ lane: 'agents' }).running), shown: '1', followers: () => 1 },
  {
    name: 'useSession',
    use: () => useSession().state.status,
    answer: (fake) => fake.session.set({ status: 'anonymous' }),
    shown: 'anonymous',
    followers: (fake) => fake.session.followers,
  },
  {
    name: 'useOnline',
    use: () => String(useOnline()),
    answer: (fake) => fake.setState({ online: false }),
    shown: 'false',
    followers: (fake) => fake.stateFollowers,
  },
];

const answerOf = (path: string): unknown =>
  path === '/operations' ? { operations: [{ id: 'o1' }], next: null } : { id: 'agents', queued: { normal: 2 }, running: 1, paused: false };

test('hooks come and go', async (t) => {
  const screen = await openScreen();
  const complaints: unknown[] = [];
  const error = console.error;
  console.error = (...said: unknown[]) => void complaints.push(said[0]);
  t.after(async () => {
    console.error = error;
    await screen.close();
  });

  for (const { name, use, answer, shown, followers } of cases) {
    await t.test(`${name}: followed once in strict mode, let go while it loads, found again`, async () => {
      const fake = createFakeClient();
      const clock = createViewClock();
      let release = (): void => {};
      const gate = new Promise<void>((open) => (release = open));
      fake.onRequest(async (_method, path) => {
        await gate;
        return answerOf(path);
      });
      function Part(): ReactNode {
        return <p>{use()}</p>;
      }
      const page = <StrictMode><StetProvider client={fake.client} clock={clock}><Part /></StetProvider></StrictMode>;
      await screen.show(page);
      await screen.show(null);
      if (name !== 'useQueueStatus of a lane') assert.equal(followers(fake), 0, 'let go while it loads');
      assert.equal(clock.timers, 0);
      await screen.run(() => {
        release();
        answer?.(fake);
      });
      await screen.show(page);
      assert.equal(screen.text(), shown);
      assert.equal(followers(fake), 1, 'followed once');
      await screen.show(null);
      if (name !== 'useQueueStatus of a lane') assert.equal(followers(fake), 0, 'let go at the end');
      assert.equal(clock.timers, 0);
      assert.deepEqual(complaints, []);
    });
  }

  await t.test('useMutation: a write goes on without its component, and its functions stay the same', async () => {
    const fake = createFakeClient();
    const updates = new Set<unknown>();
    let mutation: Mutation | null = null;
    function Editor(): ReactNode {
      mutation = useMutation();
      updates.add(mutation.update);
      return null;
    }
    await screen.show(<StetProvider client={fake.client}><Editor /></StetProvider>);
    await screen.run(() => void mutation?.update('tasks', '1', { title: 'a' }));
    assert.equal(updates.size, 1);
    await screen.show(null);
    await screen.run(() => fake.confirm({ kind: 'deleted', version: 2 }));
    assert.deepEqual([fake.calls, complaints], [['update tasks/1 {"title":"a"}'], []]);
  });
});
