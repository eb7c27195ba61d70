import assert from 'node:assert/strict';
import test from 'node:test';
import { decodeLocalViews, decodeView, encodeView, showsView, viewsOf } from './saved-view';

const view = { id: '1', name: 'Won', type: 'deals', where: 'stage = "won"', sort: '-amount', columns: ['$id', '/title'] };

test('a view is a record and back', () => {
  assert.deepEqual(decodeView('1', encodeView(view)), view);
});

test('what is no view is none, and odd members are left out', () => {
  assert.equal(decodeView('1', { name: ' ', type: 'deals' }), null);
  assert.equal(decodeView('1', null), null);
  assert.deepEqual(decodeView('1', { name: 'x', type: 't', where: 3, columns: ['a', 1] }), { id: '1', name: 'x', type: 't', where: '', sort: '', columns: ['a'] });
});

test('a type has its own views, by name', () => {
  assert.deepEqual(viewsOf([view, { ...view, id: '2', name: 'All' }, { ...view, type: 'leads' }], 'deals').map(({ name }) => name), ['All', 'Won']);
});

test('a view that was changed on the screen is no longer what is shown', () => {
  assert.ok(showsView(view, view));
  assert.ok(!showsView(view, { ...view, columns: ['/title', '$id'] }));
});

test('what this browser kept is decoded like anything else', () => {
  assert.deepEqual(decodeLocalViews([view, 3, { name: 'no id' }]), [view]);
  assert.equal(decodeLocalViews('x'), null);
});
