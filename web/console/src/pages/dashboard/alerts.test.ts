import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alertsOf } from './alerts';

test('alerts are read, nonsense is left out', () => {
  const [alert, ...rest] = alertsOf({ alerts: [{ id: 'a1', name: 'late', state: 'firing', severity: 'critical', measure: 'oldest_wait_s', lane: 'agents', value: 90, threshold: 60, since: 't' }, { id: 3 }] });
  assert.equal(rest.length, 0);
  assert.deepEqual([alert?.name, alert?.state, alert?.value, alert?.lane, alert?.resolvedAt], ['late', 'firing', 90, 'agents', null]);
});
