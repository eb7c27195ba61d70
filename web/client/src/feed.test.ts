import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createCredentials } from './credentials';
import { openEventStreams } from './event-streams';
import { createFeed } from './feed';
import { createLeader } from './leader';
import { openLiveSocket } from './live-socket';
import type { Connectivity, FeedEvent } from './seams';
import { createTabHub } from './tab-hub';
import { createFakeClock } from './testing/fake-clock';
import { createModelFeed } from './testing/model-feed';
import { createSeededRandom } from './testing/seeded-random';

const world = (random?: () => number) => {
  const clock = createFakeClock(undefined, random);
  const hub = createTabHub();
  const server = createModelFeed();
  const session: { actor: string | null; doubts: number } = { actor: 'ana', doubts: 0 };
  const network = new Set<(online: boolean) => void>();
  const connectivity: Connectivity = {
    online: true, hopeless: false, reached() {}, lost() {}, close() {},
    subscribe(listener) {
      network.add(listener);
      return () => network.delete(listener);
    },
  };
  const open = (id: string) => {
    const tabs = hub.open(id);
    const leader = createLeader(tabs, 'stet');
    let dead = false;
    const mortal = { ...clock, after: (ms: number, callback: () => void) => clock.after(ms, () => { if (!dead) callback(); }) };
    const mine = new Set<() => void>();
    const feed = createFeed({
      tabs, leader, clock: mortal, connectivity,
      actor: () => session.actor,
      socket: async (events) => {
        const wire = openLiveSocket({ socket: server.socket, url: 'ws://server', clock: mortal, version: '0.1.0', csrf: null }, events);
        mine.add(() => wire.close());
        return wire;
      },
      streams: (events) => {
        const wire = openEventStreams({ transport: server.transport, clock: mortal, credentials: createCredentials(null), space: 'main' }, events);
        mine.add(() => wire.close());
        return wire;
      },
      doubt: () => (session.doubts += 1),
      opened: () => {},
    });
    const states: string[] = [];
    feed.subscribe((state) => states.push(state));
    return {
      id, feed, leader, states,
      /** `ready 0`, `change 1 tasks/1`, … */
      follow(interest: Parameters<typeof feed.follow>[0]) {
        const heard: string[] = [];
        const undo = feed.follow(interest, (event: FeedEvent) => {
          if (dead) return;
          heard.push(event.kind === 'change' ? `${event.seq} ${event.record.address}` : `${event.kind} ${'seq' in event ? event.seq : ''}`.trim());
        });
        return { heard, undo };
      },
      kill() {
        dead = true;
        hub.kill(id);
        for (const close of mine) close();
      },
      close() {
        feed.close();
        leader.close();
      },
    };
  };
  return { clock, hub, server, session, open, online: () => network.forEach((listener) => listener(true)) };
};

test('each interest hears its own, from its own position on', async () => {
  const { clock, server, open } = world();
  for (const address of ['tasks/1', 'notes/1', 'tasks/2']) server.change(address);
  const tab = open('one');
  await clock.settle();
  const tasks = tab.follow({ types: ['tasks'], since: 1 });
  const note = tab.follow({ addresses: ['notes/1'], since: 0 });
  const now = tab.follow({ types: ['tasks'] });
  await clock.advance(10);
  server.change('tasks/1');
  server.change('notes/2');
  await clock.advance(10);
  assert.deepEqual(tasks.heard, ['3 tasks/2', 'ready 3', '4 tasks/1']);
  assert.deepEqual(note.heard, ['2 notes/1', 'ready 3']);
  assert.deepEqual(now.heard, ['ready 3', '4 tasks/1']);
  assert.equal(server.subscribers, 1);
  tab.close();
});

test('one that comes later replaces the subscription, and nobody hears anything twice or not at all', async () => {
  const { clock, server, open } = world();
  const tab = open('one');
  await clock.settle();
  const first = tab.follow({ types: ['tasks'] });
  await clock.advance(10);
  server.change('tasks/1');
  await clock.advance(10);
  const second = tab.follow({ types: ['notes'], since: 0 });
  server.change('tasks/2');
  await clock.advance(0);
  server.change('tasks/3');
  server.change('notes/1');
  await clock.advance(10);
  assert.deepEqual(first.heard, ['ready 0', '1 tasks/1', '2 tasks/2', '3 tasks/3']);
  assert.deepEqual(second.heard, ['ready 2', '4 notes/1']);
  assert.equal(server.subscribers, 1);
  tab.close();
});

test('ten tabs have one connection, and each hears', async () => {
  const { clock, server, open } = world();
  const tabs = Array.from({ length: 10 }, (_, index) => open(`tab${index}`));
  await clock.settle();
  const heard = tabs.map((tab) => tab.follow({ types: ['tasks'] }));
  await clock.advance(10);
  server.change('tasks/1');
  await clock.advance(10);
  assert.deepEqual(heard.map((one) => one.heard), tabs.map(() => ['ready 0', '1 tasks/1']));
  assert.deepEqual(server.connections, { sockets: 1, streams: 0 });
  assert.ok(tabs.every((tab) => tab.feed.state === 'open'));
  for (const tab of tabs) tab.close();
});

test('after a break it goes on where it was', async () => {
  const { clock, server, open } = world();
  const tab = open('one');
  await clock.settle();
  const tasks = tab.follow({ types: ['tasks'] });
  await clock.advance(10);
  server.change('tasks/1');
  await clock.advance(10);
  server.network = false;
  server.cut();
  await clock.advance(5000);
  assert.equal(tab.feed.state, 'waiting');
  server.change('tasks/2');
  server.network = true;
  await clock.advance(200_000);
  assert.deepEqual(tasks.heard.filter((one) => !one.startsWith('ready')), ['1 tasks/1', '2 tasks/2']);
  assert.equal(tab.feed.state, 'open');
  tab.close();
});

test('what is no longer kept is a reset', async () => {
  const { clock, server, open } = world();
  const tab = open('one');
  await clock.settle();
  const tasks = tab.follow({ types: ['tasks'] });
  await clock.advance(10);
  server.network = false;
  server.cut();
  for (let index = 0; index < 5; index++) server.change('tasks/1');
  server.floor = 3;
  server.network = true;
  await clock.advance(120_000);
  assert.deepEqual(tasks.heard, ['ready 0', 'reset 5', 'ready 5']);
  tab.close();
});

test('the leader dies: the next one goes on, nothing missed and nothing twice', async () => {
  const { clock, server, open } = world();
  const [one, two, three] = [open('one'), open('two'), open('three')];
  await clock.settle();
  const [second, third] = [two.follow({ types: ['tasks'] }), three.follow({ addresses: ['tasks/1'] })];
  await clock.advance(10);
  server.change('tasks/1');
  await clock.advance(10);
  one.kill();
  server.change('tasks/1');
  server.change('tasks/2');
  await clock.advance(60_000);
  const changes = (heard: string[]) => heard.filter((event) => !event.startsWith('ready'));
  assert.deepEqual(changes(second.heard), ['1 tasks/1', '2 tasks/1', '3 tasks/2']);
  assert.deepEqual(changes(third.heard), ['1 tasks/1', '2 tasks/1']);
  assert.equal(server.connections.sockets, 1);
  two.close();
  three.close();
});

test('a tab that dies is not asked for any more', async () => {
  const { clock, server, open } = world();
  const [one, two] = [open('one'), open('two')];
  await clock.settle();
  one.follow({ types: ['notes'] });
  two.follow({ types: ['tasks'] });
  two.feed.present('tasks/1', 4);
  await clock.advance(10);
  assert.ok(server.log.includes('present tasks/1 4'));
  two.kill();
  await clock.advance(5000);
  assert.ok(server.log.includes('absent tasks/1 undefined'));
  assert.equal(server.log.findLast((line) => line.startsWith('subscribe')), 'subscribe notes since 0');
  one.close();
});

test('where WebSockets do not come through event streams are used, and the WebSocket is tried again', async () => {
  const { clock, server, open } = world();
  server.sockets = false;
  const tab = open('one');
  await clock.settle();
  const tasks = tab.follow({ types: ['tasks'], where: 'done = false' });
  const note = tab.follow({ addresses: ['notes/1'] });
  await clock.advance(10_000);
  assert.deepEqual(server.connections.sockets, 0);
  assert.equal(tab.feed.state, 'open');
  server.change('notes/1');
  await clock.advance(1000);
  assert.deepEqual(note.heard.filter((one) => !one.startsWith('ready')), ['1 notes/1']);
  server.sockets = true;
  await clock.advance(301_000);
  assert.deepEqual(server.connections, { sockets: 1, streams: 0 });
  server.change('notes/1');
  server.change('tasks/1');
  await clock.advance(10);
  assert.deepEqual(note.heard.filter((one) => !one.startsWith('ready')), ['1 notes/1', '2 notes/1']);
  assert.ok(tasks.heard.includes('3 tasks/1'));
  tab.close();
});

test('a server that is gone is not taken for one without WebSockets', async () => {
  const { clock, server, open } = world();
  server.network = false;
  const tab = open('one');
  await clock.settle();
  tab.follow({ types: ['tasks'] });
  await clock.advance(600_000);
  server.network = true;
  await clock.advance(120_000);
  await clock.advance(600_000);
  assert.deepEqual(server.connections, { sockets: 1, streams: 0 });
  tab.close();
});

test('silence is noticed, and broken by a connection anew', async () => {
  const { clock, server, open } = world();
  const tab = open('one');
  await clock.settle();
  const tasks = tab.follow({ types: ['tasks'] });
  await clock.advance(100_000);
  assert.equal(server.opened, 1);
  server.deaf = true;
  await clock.advance(40_000);
  server.deaf = false;
  server.change('tasks/1');
  await clock.advance(60_000);
  assert.deepEqual(tasks.heard.filter((one) => !one.startsWith('ready')), ['1 tasks/1']);
  tab.close();
});

test('a refused interest is told so, the others go on', async () => {
  const { clock, server, open } = world();
  const tab = open('one');
  await clock.settle();
  const bad = tab.follow({ types: ['tasks'], where: 'bad' });
  const good = tab.follow({ types: ['tasks'] });
  await clock.advance(10);
  server.change('tasks/1');
  await clock.advance(10);
  assert.deepEqual(bad.heard, ['failed']);
  assert.deepEqual(good.heard, ['ready 0', '1 tasks/1']);
  tab.close();
});

test('who shares a subscription with one that is refused goes on, over sockets and streams, and hears all', async () => {
  for (const sockets of [true, false]) {
    const { clock, server, open } = world();
    server.sockets = sockets;
    server.change('tasks/0');
    server.unwanted.add('tasks/bad').add('notes/worse');
    const tab = open('one');
    await clock.settle();
    const first = tab.follow({ addresses: ['tasks/0'], since: 0 });
    await clock.advance(60_000);
    const streams: number[] = [];
    const good = Array.from({ length: 20 }, (_, index) => tab.follow({ addresses: [`tasks/${index}`], since: 0 }));
    const bad = ['tasks/bad', 'notes/worse', 'tasks/bad'].map((address) => tab.follow({ addresses: [address] }));
    const late = Array.from({ length: 20 }, (_, index) => tab.follow({ types: ['tasks'], addresses: [`notes/${index}`] }));
    for (let turn = 0; turn < 200; turn++) {
      await clock.advance(10);
      if (turn === 3) server.change('tasks/7');
      streams.push(server.connections.streams);
    }
    server.change('tasks/8');
    server.change('notes/3');
    await clock.advance(100);
    const changes = (heard: readonly string[]) => heard.filter((line) => /^\d/.test(line));
    assert.deepEqual(bad.map(({ heard }) => heard), [['failed'], ['failed'], ['failed']]);
    assert.deepEqual(good.map(({ heard }) => changes(heard).join()).filter((line) => line !== ''), ['1 tasks/0', '2 tasks/7', '3 tasks/8']);
    assert.deepEqual(changes(first.heard), ['1 tasks/0']);
    assert.deepEqual(changes(late[3]?.heard ?? []).slice(-2), ['3 tasks/8', '4 notes/3']);
    assert.ok(late.every(({ heard }) => heard.includes('3 tasks/8') && !heard.includes('failed')));
    assert.ok(Math.max(...streams) <= 5, `${Math.max(...streams)} streams at a time`);
    assert.equal(server.subscribers, 1, 'those that are left share one again');
    const asked = server.log.length;
    await clock.advance(12_000);
    assert.equal(server.log.length, asked, 'nothing is asked for again and again');
    tab.close();
  }
});

test('when each is taken and all in one are not, smaller ones are asked for', async () => {
  const { clock, server, open } = world();
  server.most = 10;
  const tab = open('one');
  await clock.settle();
  const records = Array.from({ length: 40 }, (_, index) => tab.follow({ addresses: [`tasks/${index}`] }));
  await clock.advance(2_000);
  for (let index = 0; index < 40; index++) server.change(`tasks/${index}`);
  await clock.advance(100);
  assert.deepEqual(records.map(({ heard }) => heard.at(-1)), records.map((_, index) => `${index + 1} tasks/${index}`));
  const asked = server.log.length;
  await clock.advance(12_000);
  assert.equal(server.log.length, asked);
  tab.close();
});

test('nobody logged in: it waits for somebody; a session that ends is doubted', async () => {
  const { clock, server, session, open } = world();
  session.actor = null;
  const tab = open('one');
  await clock.settle();
  tab.follow({ types: ['tasks'] });
  await clock.advance(10);
  assert.equal(tab.feed.state, 'unauthenticated');
  session.actor = 'ana';
  tab.feed.review();
  await clock.advance(10);
  assert.equal(tab.feed.state, 'open');
  server.say('{"event":"auth","data":{"code":"SESSION_ENDED","detail":"over"}}');
  session.actor = null;
  await clock.advance(2000);
  assert.equal(session.doubts, 1);
  assert.equal(tab.feed.state, 'unauthenticated');
  tab.close();
});

test('another person gets a connection of their own', async () => {
  const { clock, server, session, open } = world();
  const tab = open('one');
  await clock.settle();
  tab.follow({ types: ['tasks'] });
  await clock.advance(10);
  session.actor = 'ben';
  tab.feed.review();
  await clock.advance(10);
  assert.equal(server.opened, 2);
  assert.deepEqual(server.connections, { sockets: 1, streams: 0 });
  tab.close();
});

test('a connection that nobody needs is given up after a while', async () => {
  const { clock, server, open } = world();
  const tab = open('one');
  await clock.settle();
  const { undo } = tab.follow({ types: ['tasks'] });
  await clock.advance(10);
  undo();
  await clock.advance(4000);
  assert.equal(server.connections.sockets, 1);
  await clock.advance(2000);
  assert.deepEqual([server.connections.sockets, tab.feed.state], [0, 'idle']);
  tab.close();
});

test('a server that talks nonsense is left; other tabs that do are not believed', async () => {
  const { clock, server, hub, open } = world();
  const tab = open('one');
  const stranger = hub.open('stranger');
  await clock.settle();
  const tasks = tab.follow({ types: ['tasks'] });
  await clock.advance(10);
  for (const nonsense of ['{', '[]', '{"sub":"s1","event":"change","data":{"seq":"x"}}', 'null', '{"status":200}']) {
    server.say(nonsense);
    await clock.advance(120_000);
    assert.equal(tab.feed.state, 'open', nonsense);
  }
  for (const nonsense of [{}, '{"part":"stet.feed"', '{"part":"stet.feed","kind":"events","term":"x","numbers":{},"items":7}']) stranger.post(nonsense);
  await clock.advance(10);
  assert.deepEqual(tasks.heard.filter((one) => !one.startsWith('ready')), []);
  tab.close();
});

test('closing leaves nothing behind', async () => {
  const { clock, server, open } = world();
  const [one, two] = [open('one'), open('two')];
  await clock.settle();
  for (const tab of [one, two]) tab.follow({ types: ['tasks'], since: 0 });
  await clock.advance(10);
  one.close();
  await clock.advance(100);
  two.close();
  await clock.settle();
  assert.equal(clock.timers, 0);
  assert.deepEqual(server.connections, { sockets: 0, streams: 0 });
});

test('whatever happens, each interest hears its changes once and in order (random schedules)', async () => {
  for (let seed = 1; seed <= 40; seed++) {
    const random = createSeededRandom(seed);
    const { clock, hub, server, open } = world(() => random.next());
    const interests = [{ types: ['tasks'] }, { addresses: ['tasks/1', 'notes/1'] }, { types: ['notes'], addresses: ['tasks/2'] }];
    const wanted = [/^\d+ tasks\//, /^\d+ (tasks|notes)\/1$/, /^\d+ (notes\/|tasks\/2$)/];
    let tabs = [open('t0'), open('t1')];
    let count = 2;
    await clock.settle();
    const followed: { readonly tab: string; readonly heard: string[]; readonly which: number; readonly since: number }[] = [];
    const all: string[] = [];
    for (let step = 0; step < 60; step++) {
      switch (random.below(8)) {
        case 0:
        case 1:
        case 2: {
          const address = random.pick(['tasks/1', 'tasks/2', 'notes/1', 'notes/2']);
          server.change(address);
          all.push(`${all.length + 1} ${address}`);
          break;
        }
        case 3: {
          const tab = tabs[random.below(tabs.length)];
          const which = random.below(3);
          const interest = interests[which];
          if (tab && interest && followed.length < 12)
            followed.push({ tab: tab.id, which, since: all.length, heard: tab.follow({ ...interest, since: all.length }).heard });
          break;
        }
        case 4:
          server.cut();
          break;
        case 5:
          server.network = random.below(3) > 0;
          if (!server.network) server.cut();
          break;
        case 6:
          if (random.below(3) === 0 && tabs.length > 1) {
            const gone = tabs[random.below(tabs.length)];
            gone?.kill();
            tabs = tabs.filter((tab) => tab !== gone);
          } else if (tabs.length < 4) tabs.push(open(`t${count++}`));
          break;
        case 7:
          hub.deliver = random.below(4) === 0 ? () => random.below(5) > 0 : () => true;
      }
      await clock.advance(random.below(3000));
    }
    hub.deliver = () => true;
    server.network = true;
    await clock.advance(600_000);
    for (const one of followed) {
      if (!tabs.some((tab) => tab.id === one.tab)) continue;
      const pattern = wanted[one.which];
      const expected = all.slice(one.since).filter((line) => pattern?.test(line));
      assert.deepEqual(one.heard.filter((line) => /^\d/.test(line)), expected, `seed ${seed}, ${one.tab}, interest ${one.which} since ${one.since}`);
    }
    for (const tab of tabs) tab.close();
  }
});
