import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mayFit } from './fit';

const data = { done: false, title: 'a && b', amount: 10, owner: null, at: { city: 'Lugo' }, tags: ['x'] };

test('plain comparisons of what is there say no', () => {
  for (const where of [
    'done', 'done = true', 'done != false', 'title = "x"', "title != 'a && b'", 'amount > 10', 'amount<10', 'amount >= 10.5', 'owner = "ann"', 'owner != null',
    'at.city = "Vigo"', 'at.city < "Lu"', 'amount = "10"', 'title < 5', 'tags contains "y" && done = true', 'owner < 5',
  ])
    assert.equal(mayFit(where, data), false, where);
});

test('what holds, what is absent and what is more than that may fit', () => {
  for (const where of [
    '', 'done = false', 'title = "a && b"', 'amount >= 10', 'amount <= 10 && owner = null', 'owner != "ann"', 'at.city = \'Lugo\'', 'amount != "10"',
    // Defaults and functions may fill it in.
    'stage = "won"', 'at.street = "x"', 'missing',
    '!done', '!(done = false)', 'done = true || amount = 10', '(done)', 'tags = "x"', 'tags contains "y"', 'title in ["x"]', 'owner is not null',
    '$created_by = "bob"', 'amount = other', 'title = "\\u0041"', 'amount = 10.000', '"x" = title', 'done = = true', 'title = "x', 'lines[0].n = 1', 'true',
  ])
    assert.equal(mayFit(where, data), true, where);
});
