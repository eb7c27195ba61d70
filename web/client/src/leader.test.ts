import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createLeader } from './leader';
import type { TabLink } from './seams';
import { createTabHub } from './tab-hub';
import { createFakeClock } from './testing/fake-clock';

const clock = createFakeClock();

test('one leads; the next has it when that one dies, or closes', async () => {
  const hub = createTabHub();
  const leaders = ['one', 'two', 'three'].map((id) => createLeader(hub.open(id), 'stet'));
  const leading = () => leaders.map((leader) => leader.leading);
  await clock.settle();
  assert.deepEqual(leading(), [true, false, false]);
  hub.kill('one');
  await clock.settle();
  assert.deepEqual(leading().slice(1), [true, false]);
  leaders[1]?.close();
  await clock.settle();
  assert.deepEqual(leading().slice(1), [false, true]);
  leaders[2]?.close();
});

test('a tab that is watched is missed once, however it went, unless nobody watches any more', async () => {
  const hub = createTabHub();
  const [one, two] = [createLeader(hub.open('one'), 'stet'), createLeader(hub.open('two'), 'stet')];
  const three = createLeader(hub.open('three'), 'stet');
  await clock.settle();
  const gone: string[] = [];
  one.watchTab('two', () => gone.push('two'));
  one.watchTab('three', () => gone.push('three'))();
  await clock.settle();
  assert.deepEqual(gone, []);
  two.close();
  hub.kill('three');
  await clock.settle();
  assert.deepEqual(gone, ['two']);
  for (const leader of [one, three]) leader.close();
});

test('a lock that is taken away ends the lead, and this tab stands again', async () => {
  const ends: (() => void)[] = [];
  const tabs: TabLink = {
    id: 'one',
    // As the browser does it: whoever is robbed is told by an error, and its work goes on unheard.
    hold: (name, signal, work) =>
      name.endsWith(':lead') && !signal.aborted
        ? new Promise((resolve) => {
            ends.push(resolve);
            if (ends.length === 1) void work();
            signal.addEventListener('abort', () => resolve(), { once: true });
          })
        : new Promise(() => {}),
    tryHold: () => Promise.resolve(false),
    post() {},
    subscribe: () => () => {},
    close() {},
  };
  const leader = createLeader(tabs, 'stet');
  const heard: boolean[] = [];
  leader.subscribe((leading) => heard.push(leading));
  await clock.settle();
  ends[0]?.();
  await clock.settle();
  assert.equal(leader.leading, false);
  assert.deepEqual([heard.at(-1), ends.length], [false, 2]);
  leader.close();
});

test('where locks are refused, a tab leads itself', async () => {
  const refuse = () => Promise.reject(new Error('no origin'));
  const leader = createLeader({ id: 'one', hold: refuse, tryHold: refuse, post() {}, subscribe: () => () => {}, close() {} }, 'stet');
  await clock.settle();
  assert.equal(leader.leading, true);
  leader.close();
  assert.equal(leader.leading, false);
});
