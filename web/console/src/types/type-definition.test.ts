import assert from 'node:assert/strict';
import { test } from 'node:test';
import { fieldLabel } from './type-definition';

test('a field is called by its title, its name, or the list it is an entry of', () => {
  const label = (pointer: string, title: string | null = null) => fieldLabel({ pointer, title });
  assert.deepEqual([label('/unit_price'), label('/unit_price', 'Price'), label('/address/city'), label('/tags/*'), label('/lines/*/price')], ['Unit price', 'Price', 'City', 'Tags []', 'Price']);
});
