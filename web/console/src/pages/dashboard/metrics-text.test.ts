import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bucketsOf, parseMetrics, sumOf } from './metrics-text';

const text = `# HELP stet_changes_total Changes committed.
# TYPE stet_changes_total counter
stet_changes_total{space="main"} 3741
stet_changes_total{space="other"} 4 1700000000000
stet_http_connections 12

stet_odd{a="x\\"y\\\\z\\n}",b="1,2"} 1.5e3
stet_nan NaN
broken line here
stet_http_request_seconds_bucket{route="/a",le="0.001"} 3
stet_http_request_seconds_bucket{route="/a",le="+Inf"} 5
stet_http_request_seconds_bucket{route="/b",le="0.001"} 1
stet_http_request_seconds_bucket{route="/b",le="+Inf"} 1
`;

test('samples have names, labels with their escapes undone, and values', () => {
  const samples = parseMetrics(text);
  assert.deepEqual(samples.slice(0, 4), [
    { name: 'stet_changes_total', labels: { space: 'main' }, value: 3741 },
    { name: 'stet_changes_total', labels: { space: 'other' }, value: 4 },
    { name: 'stet_http_connections', labels: {}, value: 12 },
    { name: 'stet_odd', labels: { a: 'x"y\\z\n}', b: '1,2' }, value: 1500 },
  ]);
  assert.equal(samples.length, 9);
});

test('sums go over what is not named', () => {
  const samples = parseMetrics(text);
  assert.equal(sumOf(samples, 'stet_changes_total'), 3745);
  assert.equal(sumOf(samples, 'stet_changes_total', { space: 'main' }), 3741);
  assert.equal(sumOf(samples, 'stet_nothing'), null);
});

test('buckets of several routes are put together', () => {
  assert.deepEqual(bucketsOf(parseMetrics(text), 'stet_http_request_seconds'), [
    { upTo: 0.001, count: 4 },
    { upTo: Infinity, count: 6 },
  ]);
});
