import assert from 'node:assert/strict';
import test from 'node:test';
import { formatRoute, parseRoute } from './route';

test('a route says the page, what it shows and how', () => {
  assert.deepEqual(parseRoute('#/records/tasks/1?where=a%20%3D%201'), { space: 'main', parts: ['records', 'tasks', '1'], query: { where: 'a = 1' } });
  assert.deepEqual(parseRoute(''), { space: 'main', parts: [], query: {} });
});

test('ids may hold slashes, question marks and percent signs', () => {
  for (const id of ['a/b', 'a?b', '100%', '~x', 'ä b', '#']) {
    const route = { space: 'main', parts: ['records', 'notes', id], query: {} };
    assert.deepEqual(parseRoute(formatRoute(route)), route);
  }
});

test('another space stands in front', () => {
  const route = { space: 'crm', parts: ['records'], query: { sort: '-$updated_at' } };
  assert.equal(formatRoute(route), '#/~crm/records?sort=-%24updated_at');
  assert.deepEqual(parseRoute(formatRoute(route)), route);
});

test('what is no percent-encoding is taken as it stands', () => {
  assert.deepEqual(parseRoute('#/records/100%').parts, ['records', '100%']);
});

test('an empty value is left out', () => {
  assert.equal(formatRoute({ space: 'main', parts: ['records', 'tasks'], query: { where: '', sort: 'a' } }), '#/records/tasks?sort=a');
});
