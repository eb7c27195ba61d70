import assert from 'node:assert/strict';
import { test } from 'node:test';
import { systemClock } from './system-clock';
import { createTabLink } from './tab-link';

/** Locks as browsers have them, as far as the link uses them. */
const fakeLocks = () => {
  const held = new Map<string, Promise<unknown>>();
  return {
    async request(name: string, ...rest: readonly unknown[]): Promise<unknown> {
      const work = rest.at(-1);
      const options = rest.length > 1 ? Object(rest[0]) : {};
      if (typeof work !== 'function') throw new TypeError('no work');
      if (options.ifAvailable === true && held.has(name)) return work(null);
      for (let before = held.get(name); before; before = held.get(name)) {
        await Promise.race([before.catch(() => {}), new Promise((resolve) => options.signal?.addEventListener('abort', resolve))]);
        if (options.signal?.aborted) throw new DOMException('given up', 'AbortError');
      }
      const running = Promise.resolve(work({ name }));
      held.set(name, running);
      try {
        return await running;
      } finally {
        held.delete(name);
      }
    },
  };
};
const withLocks = async (work: () => Promise<void>) => {
  const before = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  Object.defineProperty(globalThis, 'navigator', { configurable: true, value: { locks: fakeLocks() } });
  try {
    await work();
  } finally {
    if (before) Object.defineProperty(globalThis, 'navigator', before);
    else Reflect.deleteProperty(globalThis, 'navigator');
  }
};

test('messages reach the other tabs of the same name, and not the sender', () =>
  withLocks(async () => {
    const [one, two, other] = [createTabLink('test a', '1', systemClock), createTabLink('test a', '2', systemClock), createTabLink('test b', '3', systemClock)];
    const heard: string[] = [];
    one.subscribe((message) => heard.push(`one ${String(message)}`));
    other.subscribe((message) => heard.push(`other ${String(message)}`));
    const arrived = new Promise((resolve) => two.subscribe(resolve));
    one.post('hello');
    assert.equal(await arrived, 'hello');
    assert.deepEqual(heard, []);
    for (const link of [one, two, other]) link.close();
    one.post('after closing');
  }));

test('a lock is held by one at a time; waiting for it ends with the signal or the link', () =>
  withLocks(async () => {
    const [one, two] = [createTabLink('test c', '1', systemClock), createTabLink('test c', '2', systemClock)];
    let release = () => {};
    const events: string[] = [];
    const first = one.hold('k', new AbortController().signal, () => new Promise((resolve) => (release = resolve)));
    await new Promise(setImmediate);
    assert.equal(await two.tryHold('k', async () => void events.push('never')), false);
    const given = new AbortController();
    const second = two.hold('k', given.signal, async () => void events.push('never'));
    given.abort();
    await second;
    const third = two.hold('k', new AbortController().signal, async () => void events.push('third'));
    release();
    await first;
    await third;
    assert.deepEqual(events, ['third']);
    assert.equal(await two.tryHold('k', async () => void events.push('fourth')), true);
    one.close();
    two.close();
  }));

test('what the work throws is thrown', () =>
  withLocks(async () => {
    const link = createTabLink('test d', '1', systemClock);
    await assert.rejects(link.hold('k', new AbortController().signal, () => Promise.reject(new Error('mine'))), /mine/);
    link.close();
  }));

test('where there are no locks the tab is on its own', async () => {
  const before = Object.getOwnPropertyDescriptor(globalThis, 'navigator');
  Object.defineProperty(globalThis, 'navigator', { configurable: true, value: {} });
  const link = createTabLink('test e', '1', systemClock);
  if (before) Object.defineProperty(globalThis, 'navigator', before);
  else Reflect.deleteProperty(globalThis, 'navigator');
  assert.equal(await link.tryHold('k', async () => {}), true);
  link.post('nobody');
  link.close();
});
