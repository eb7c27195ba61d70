import assert from 'node:assert/strict';
import test from 'node:test';
import { createFormat } from './format';
import { localeOf } from './language';

test('times are written as where somebody lives, when it is the language that is on', () => {
  assert.equal(localeOf('es', ['en-GB', 'es-MX', 'es']), 'es-MX');
  assert.equal(localeOf('en', ['es-MX', 'es']), 'en');
  assert.equal(localeOf('en', []), 'en');
  const noon = Date.UTC(2026, 10, 22, 12);
  assert.notEqual(createFormat('en-GB').date(noon), createFormat('en-US').date(noon));
});
