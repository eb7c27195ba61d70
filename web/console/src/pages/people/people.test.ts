import assert from 'node:assert/strict';
import { test } from 'node:test';
import { formOf, linksOf, passwordFits, rolesOf, sessionsOf, tokensOf, userChange, userOf, usersOf } from './people';

const ana = { id: 'ana', version: 3, roles: ['sales'], scopes: ['read', 'write', 'work'], admin: false, disabled: false, hasPassword: true, createdAt: 't' };

test('users, links and tokens are read; what is none is left out', () => {
  assert.deepEqual(usersOf({ users: [ana, { version: 1 }, null] }).map(({ id }) => id), ['ana']);
  assert.deepEqual(linksOf({ links: [{ id: 'l', kind: 'reset', user: 'ana', expiresAt: 'e' }] }).map(({ kind, url }) => [kind, url]), [['reset', null]]);
  assert.deepEqual(tokensOf({ tokens: [{ id: 't', actor: 'bot', name: 'ci', admin: true }, { id: 'x' }] }).map(({ actor, admin, secret }) => [actor, admin, secret]), [['bot', true, null]]);
});

test('this session stands first, then those used last', () => {
  const sessions = sessionsOf({ sessions: [{ id: 'a', usedAt: '2026-01-01' }, { id: 'b', usedAt: '2026-01-03' }, { id: 'c', usedAt: '2026-01-02', current: true }] });
  assert.deepEqual(sessions.map(({ id }) => id), ['c', 'b', 'a']);
});

test('roles are words, each once', () => {
  assert.deepEqual(rolesOf(' sales, support  sales;lead'), ['sales', 'support', 'lead']);
});

test('only what differs is sent, and an empty name is taken away', () => {
  const user = userOf({ ...ana, name: 'Ana' });
  assert.ok(user);
  assert.equal(userChange(user, formOf(user)), null);
  assert.deepEqual(userChange(user, { ...formOf(user), name: ' ', roles: 'sales lead', scopes: ['write', 'read', 'work'] }), { name: null, roles: ['sales', 'lead'] });
  assert.deepEqual(userChange(user, { ...formOf(user), scopes: ['read'] }), { scopes: ['read'] });
  assert.deepEqual(userChange(user, { ...formOf(user), roles: 'admin', scopes: ['read'] }), { roles: ['admin'] });
});

test('a password is measured in bytes', () => {
  assert.deepEqual(['short12', 'long enough', 'ñandúes', 'x'.repeat(1025)].map(passwordFits), [false, true, true, false]);
});
