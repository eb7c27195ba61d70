import { StetError } from '@stet/client';
import assert from 'node:assert/strict';
import test from 'node:test';
import { errorWords } from './error-words';

const say = (code: ConstructorParameters<typeof StetError>[0]['code'], detail: string) => errorWords(new StetError({ code, detail, status: 422 }), 'es');

test('what the server refuses is said in Spanish, with its values', () => {
  assert.deepEqual(say('INVALID_DATA', 'must have at most 20 bytes and has 31'), { title: 'Los datos no cumplen su tipo', detail: 'Debe tener como mucho 20 bytes y tiene 31' });
  assert.equal(say('INVALID_DATA', 'must be a string, an integer or null').detail, 'Debe ser un texto, un número entero o nada');
  assert.equal(say('INVALID_DATA', 'must be one of open, done').detail, 'Debe ser uno de open, done');
  assert.equal(say('FORBIDDEN', 'you may not delete this record of type "deals"').detail, 'No puedes borrar este registro del tipo «deals»');
  assert.equal(say('QUOTA_EXCEEDED', 'the space has no room left: it may hold 100 records').detail, 'El espacio no tiene más sitio: caben 100 registros');
  assert.equal(say('SLOT_TAKEN', 'the time is taken already').detail, null);
});

test('what has no words yet is left as the server says it, and English stays English', () => {
  assert.equal(say('BAD_REQUEST', 'the moon is in the way').detail, 'The moon is in the way');
  assert.equal(errorWords(new StetError({ code: 'FORBIDDEN', detail: 'you may not delete this record' }), 'en').detail, 'You may not delete this record');
});
