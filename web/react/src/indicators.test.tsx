import type { Edit, Operation } from '@stet/client';
import assert from 'node:assert/strict';
import test from 'node:test';
import type { ReactNode } from 'react';
import { renderToString } from 'react-dom/server';
import { AgentProgressTracker } from './agent-progress-tracker';
import { OfflineBanner } from './offline-banner';
import { OptimisticIndicator } from './optimistic-indicator';
import { StetProvider } from './provider';
import { QueuePositionIndicator } from './queue-position-indicator';
import { createFakeClient } from './testing/fake-client';
import { createViewClock, openScreen } from './testing/screen';

const operation = (changes: Partial<Operation>): Operation => ({
  id: 'o1',
  version: 1,
  lane: 'agents',
  class: 'normal',
  status: 'queued',
  ...changes,
});
const edit = (id: string, actor: string): Edit => ({
  id,
  type: 'tasks',
  recordId: '1',
  address: 'tasks/1',
  change: { op: 'delete' },
  base: 1,
  baseData: null,
  actor,
  madeAt: '2026-01-01T00:00:00Z',
  state: 'pending',
  attempts: 0,
});

test('a record says whether it is being saved, is saved, or met somebody else', () => {
  const said = (node: ReactNode): string =>
    renderToString(<StetProvider client={null}>{node}</StetProvider>).replaceAll(/<[^>]*>/g, '');
  assert.deepEqual(
    (['idle', 'saving', 'saved', 'conflict', 'rejected', 'parked'] as const).map((phase) => said(<OptimisticIndicator phase={phase} />)),
    ['', '🔄 Updating...', '✅ Saved', '⚠️ Conflict detected', '⛔ Not saved', '⏳ Waits for a decision'],
  );
  assert.equal(said(<OptimisticIndicator phase="saving" online={false} />), '📥 Kept on this device');
  assert.equal(said(<OptimisticIndicator phase="rejected" why="title is required" />), '⛔ Not saved: title is required');
});

test('on a screen', async (t) => {
  const screen = await openScreen();
  t.after(() => screen.close());
  const clock = createViewClock();
  const fake = createFakeClient();
  const show = (node: ReactNode): Promise<void> =>
    screen.show(<StetProvider client={fake.client} clock={clock}>{node}</StetProvider>);
  const bar = (): string | null => screen.find('[role="progressbar"]').getAttribute('aria-valuenow');

  await t.test('a wait counts down between what the server tells', async () => {
    await show(<QueuePositionIndicator operation={operation({ position: 3, estimatedWaitS: 40 })} />);
    assert.equal(screen.text(), 'Position 3 in queueEstimated wait: 40s');
    assert.equal(bar(), '0');
    await screen.run(() => clock.advance(10_000));
    assert.equal(screen.text(), 'Position 3 in queueEstimated wait: 30s');
    assert.equal(bar(), '25');
    await show(<QueuePositionIndicator operation={operation({ position: 1, estimatedWaitS: 10, version: 2 })} />);
    assert.equal(screen.text(), 'Position 1 in queueNext in queueEstimated wait: 10s');
    assert.equal(bar(), '75');
    await screen.run(() => clock.advance(60_000));
    assert.match(screen.text(), /Estimated wait: 0s$/);
    await show(<QueuePositionIndicator operation={operation({ status: 'running', progress: { percent: 60 } })} />);
    assert.deepEqual([screen.text(), bar(), clock.timers], ['At work', '60', 0]);
  });

  await t.test('each agent has its bar, its name and what it last said', async () => {
    await show(
      <AgentProgressTracker
        operation={operation({ status: 'running', currentAgent: 'planner', progress: { percent: 50, message: 'Splitting' } })}
        parts={[
          operation({ id: 'p1', status: 'completed', currentAgent: 'writer' }),
          operation({ id: 'p2', status: 'running', currentAgent: 'critic', progress: { percent: 20, message: 'Reading' } }),
        ]}
      />,
    );
    assert.deepEqual(
      screen.all('li').map((line) => [line.querySelector('[role="progressbar"]')?.getAttribute('aria-label'), line.textContent]),
      [
        ['Progress of planner', 'planner50 %Splitting'],
        ['Progress of writer', 'writer100 %'],
        ['Progress of critic', 'critic20 %Reading'],
      ],
    );
  });

  await t.test('the banner tells of the network, of this machine and of other people', async () => {
    await show(<OfflineBanner />);
    assert.equal(screen.text(), '');
    fake.setState({
      session: { status: 'authenticated', who: { actor: 'ann', kind: 'user', admin: false, serverAdmin: false, roles: [], scopes: [] } },
      edits: [edit('1', 'ann'), edit('2', 'ann')],
      otherEdits: 1,
    });
    await screen.run(() => fake.setState({ online: false, storage: 'failed' }));
    assert.deepEqual(screen.all('p').map((line) => line.textContent), [
      'You are offline. Go on working: changes are kept and sent later. 2 changes wait to be sent.',
      'Changes cannot be kept on this device. Do not close this page until everything is saved.',
      '1 change of another person waits on this device until they log in here.',
    ]);
    await screen.run(() => fake.setState({ online: true, edits: [], otherEdits: 0, storage: 'durable', versions: { client: '0.1.0', server: '0.3.0', fit: false } }));
    assert.match(screen.text(), /^This page \(0\.1\.0\) and the server \(0\.3\.0\) do not fit together/);
  });
});
