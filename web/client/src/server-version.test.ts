import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createTestClient } from './testing/fake-parts';

test('the server is asked for its version once, and again when the feed is back from a break', async () => {
  const { client, clock, network, feed } = createTestClient();
  await clock.settle();
  feed.setState('open');
  assert.equal(network.pending.length, 0, 'it said so a moment ago');
  feed.setState('connecting');
  feed.setState('open');
  network.next().answer({ body: { status: 'ok', version: '9.0.0' } });
  await clock.settle();
  assert.deepEqual(client.store.getState().versions, { client: '0.1.0', server: '9.0.0', fit: false });
});
