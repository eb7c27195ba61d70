import { StetError } from '@stet/client';
import assert from 'node:assert/strict';
import test from 'node:test';
import { createFormat } from '../i18n/format';
import { loginMessages } from './messages';
import { loginWords } from './login-words';

const say = (error: unknown) => loginWords(error, loginMessages.en, createFormat('en'));

test('a failed login does not say which of both was wrong', () => {
  assert.equal(say(new StetError({ code: 'LOGIN_FAILED', detail: '', status: 401 })), 'The name or the password is not right.');
});

test('too many tries say how long to wait', () => {
  assert.equal(say(new StetError({ code: 'TOO_MANY_REQUESTS', detail: '', status: 429, retryAfterMs: 180_000 })), 'Too many tries. Try again in 3 min.');
});

test('no answer, and a link that was used', () => {
  assert.equal(say(new StetError({ code: 'NETWORK', detail: '' })), loginMessages.en.noAnswer);
  assert.equal(say(new StetError({ code: 'LINK_INVALID', detail: '', status: 410 })), loginMessages.en.linkInvalid);
});

test('what has no words here is left to the general ones', () => {
  assert.equal(say(new StetError({ code: 'INTERNAL', detail: '', status: 500 })), null);
  assert.equal(say(new Error('x')), null);
});
