import assert from 'node:assert/strict';
import { test } from 'node:test';
import { emptyThreshold, isThresholdName, settingsOf, thresholdsOf, withLimits, withThreshold } from './settings';

const settings = settingsOf({
  id: 'space', version: 3, seq: 9, updated_by: 'olga', operations: 'private', limits: { records: 5 },
  alerts: { late: { measure: 'oldest_wait_s', lane: 'agents', above: 60, for_s: 30, webhook: { url: 'https://example.org', secret: null } } },
});

test('settings that were never put have no version', () => {
  assert.equal(settings.version, 3);
  assert.equal(settingsOf({ id: 'space', version: 0, alerts: {} }).version, null);
  assert.deepEqual(Object.keys(settings.definition).sort(), ['alerts', 'limits', 'operations']);
});

test('a threshold is changed and keeps its webhook; the rest stays', () => {
  const [late] = thresholdsOf(settings);
  assert.ok(late);
  assert.equal(late.webhook, true);
  assert.deepEqual(withThreshold(settings, 'late', { ...late.form, above: '0,5', forS: '' }), {
    operations: 'private',
    limits: { records: 5 },
    alerts: { late: { measure: 'oldest_wait_s', lane: 'agents', above: 0.5, severity: 'warning', webhook: { url: 'https://example.org', secret: null } } },
  });
  assert.deepEqual(withThreshold(settings, 'late', null)['alerts'], {});
  assert.deepEqual(withThreshold(settings, '', { ...emptyThreshold, name: 'fights', lane: 'x', above: '0.2' })['alerts'], {
    late: settings.definition['alerts'] === undefined ? null : { measure: 'oldest_wait_s', lane: 'agents', above: 60, for_s: 30, webhook: { url: 'https://example.org', secret: null } },
    fights: { measure: 'conflict_rate', above: 0.2, severity: 'warning' },
  });
});

test('limits are set and taken away', () => {
  assert.deepEqual(withLimits(settings, { records: '100', bytes: '', rate: '20', burst: '100' })['limits'], { records: 100, writes_per_actor: { rate: 20, burst: 100 } });
  assert.equal('limits' in withLimits(settings, { records: '', bytes: '', rate: '', burst: '' }), false);
});

test('a threshold has a name as the server takes it', () => {
  assert.deepEqual(['late', 'a.b-c_9', '', 'two words', 'a/b'].map(isThresholdName), [true, true, false, false, false]);
});
