import type { JsonObject, RecordState } from '@stet/client';
import assert from 'node:assert/strict';
import test from 'node:test';
import { decodeType } from '../../types/type-definition';
import { columnsAtFirst, columnsOf, columnValue, nextSort, parseSort } from './columns';

const labels = { id: 'Id', version: 'Version', createdAt: 'Created', createdBy: 'Created by', updatedAt: 'Updated', updatedBy: 'Updated by' };
const record = (id: string, data: JsonObject): RecordState => ({ address: `t/${id}`, type: 't', id, status: 'ready', record: null, data, edits: [], phase: 'idle', conflict: null, error: null, people: [], stale: false });
const type = decodeType({ id: 't', version: 1, fields: { '/title': { type: 'string' }, '/amount': { type: 'number' }, '/address': { type: 'object' }, '/address/city': { type: 'string' }, '/tags/*': { type: 'string' } } }) ?? undefined;

test('declared fields come first, then what the data has, and metadata around them', () => {
  assert.deepEqual(columnsOf(type, [record('1', { title: 'x', extra: true, address: { city: 'Graz' } })], labels).map(({ id }) => id), ['$id', '/title', '/amount', '/address/city', '/extra', '$updated_at', '$updated_by', '$created_at', '$created_by', '$version']);
});

test('without a definition the data says what there is', () => {
  const columns = columnsOf(undefined, [record('1', { n: 1 }), record('2', { s: 'x', t: '2026-11-22T10:00:00Z' })], labels);
  assert.deepEqual(columns.slice(1, 4).map(({ id, kind }) => [id, kind]), [['/n', 'number'], ['/s', 'text'], ['/t', 'time']]);
});

test('long texts and objects are not shown until somebody asks', () => {
  const columns = columnsOf(undefined, [record('1', { title: 'x', notes: 'long', meta: {} })], labels);
  assert.deepEqual(columnsAtFirst(columns), ['$id', '/title', '$updated_at']);
});

test('a column has the value at its pointer', () => {
  assert.equal(columnValue(record('1', { address: { city: 'Graz' } }), '/address/city'), 'Graz');
  assert.equal(columnValue(record('1', {}), '/address/city'), undefined);
  assert.equal(columnValue(record('1', {}), '$id'), '1');
});

test('a heading sorts up, down and not at all', () => {
  const columns = columnsOf(type, [], labels);
  const amount = columns.find(({ id }) => id === '/amount');
  assert.ok(amount);
  assert.deepEqual([nextSort('', amount), nextSort('amount', amount), nextSort('-amount', amount)], ['amount', '-amount', '']);
  assert.deepEqual(parseSort('-address.city', columns), { id: '/address/city', descending: true });
  assert.equal(parseSort('nothing', columns), null);
});
