/** What edits and a fast feed cost the page; see README.md. */
import { appendFileSync } from 'node:fs';
import type { RecordOf } from '../client/src/record';
import { createTestClient, testRecord, wireRecord, type TestClient } from '../client/src/testing/fake-parts';

const quick = process.argv.includes('--quick');
/** Where a line of JSON for each row goes. */
const json = process.argv.find((_, index, all) => all[index - 1] === '--json');
const rounds = quick ? 5 : 15;
const EDITS = 1000;
const RECORDS = 10_000;
const CHANGES_PER_S = 5000;
/** A screen's frame: what came meanwhile is taken in one task. */
const FRAME_MS = 16;

interface Row {
  readonly name: string;
  readonly goalMs: number;
  readonly times: readonly number[];
  /** The longest that the page could do nothing else, in milliseconds. */
  readonly longest: number;
}

const check = (holds: boolean, what: string) => {
  if (!holds) throw new Error(`no figure: ${what}`);
};

/** How long this thread was busy, at most: no longer than the time that passed, for others may be at work on this machine, and no longer than
 *  all threads of this process together were. */
const timed = (work: () => void): number => {
  const [start, before] = [performance.now(), process.cpuUsage()];
  work();
  const { user, system } = process.cpuUsage(before);
  return Math.min(performance.now() - start, (user + system) / 1000);
};

const median = (times: readonly number[]): number => [...times].sort((a, b) => a - b)[Math.floor(times.length / 2)] ?? 0;

const task = (id: number, version: number, more: { readonly [name: string]: string | number } = {}): RecordOf =>
  testRecord(`tasks/${id}`, version, { title: `Task ${id}`, rank: id, note: 'as long as notes are', ...more });

const tell = (world: TestClient, record: RecordOf) =>
  world.feed.emit({ kind: 'change', seq: record.seq, op: 'update', record, left: false });

/** 1,000 edits over so many records, made while others change them; everything is on the screen in the end. */
const edits = async (records: number): Promise<Row> => {
  const times: number[] = [];
  for (let round = 0; round < rounds + 3; round++) {
    const world = createTestClient();
    const { client } = world;
    world.network.handle(({ path }) => ({ body: wireRecord(task(Number(path.split('/').at(-1)), 1)) }));
    const undo = Array.from({ length: records }, (_, id) => client.records.watch('tasks', `${id}`).subscribe(() => {}));
    await world.clock.settle();
    const spent = timed(() => {
      for (let edit = 0; edit < EDITS; edit++) {
        const id = edit % records;
        client.records.update('tasks', `${id}`, { note: `edit ${edit}` });
        // Somebody else's change of another field comes in between, and all that waits is put on top of it.
        if (edit % 10 === 9) {
          tell(world, task(id, 2 + edit, { rank: edit }));
          client.store.getState();
        }
      }
      client.store.getState();
    });
    const state = client.store.getState();
    check(state.edits.length === EDITS, 'edits are missing');
    const last = state.records.get(`tasks/${(EDITS - 1) % records}`);
    check(last?.data?.['note'] === `edit ${EDITS - 1}` && last.data['rank'] === EDITS - 1, 'what is shown is not what was written');
    for (const one of undo) one();
    await client.close();
    // The first ones are compiled while they run.
    if (round >= 3) times.push(spent);
  }
  return { name: `${EDITS} edits of ${records} record${records === 1 ? '' : 's'}`, goalMs: 50, times, longest: Math.max(...times) };
};

/** So many seconds of a feed at 5,000 changes a second; each frame's changes and the list made of them are one task. */
const feed = async (): Promise<Row> => {
  const world = createTestClient();
  const { client, network, clock } = world;
  const list = client.records.live('tasks', { sort: 'rank', limit: 1000 });
  list.subscribe(() => {});
  let read = 0;
  const answer = () => {
    const page = Array.from({ length: 1000 }, (_, index) => wireRecord(task(read + index, 1)));
    read += 1000;
    network.next().answer({ body: { records: page, seq: 1, ...(read < RECORDS ? { next: `after ${read}` } : {}) } });
  };
  answer();
  await clock.settle();
  while (read < RECORDS) {
    const more = list.more();
    answer();
    await more;
  }
  check(list.getSnapshot().items.length === RECORDS, 'the list is not whole');
  const perFrame = Math.round((CHANGES_PER_S * FRAME_MS) / 1000);
  const versions = new Map<number, number>();
  const frames = (quick ? 1 : 4) * Math.round(1000 / FRAME_MS);
  const times: number[] = [];
  let count = 0;
  for (let frame = 0; frame < frames; frame++) {
    const changes = Array.from({ length: perFrame }, () => {
      const id = (count * 7919) % RECORDS;
      const version = (versions.get(id) ?? 1) + 1;
      versions.set(id, version);
      count += 1;
      // Every fifth one moves to another place.
      return task(id, version, count % 5 === 0 ? { rank: (id + count) % RECORDS } : { note: `change ${count}` });
    });
    times.push(
      timed(() => {
        for (const change of changes) tell(world, change);
        list.getSnapshot();
        client.store.getState();
      }),
    );
    await clock.advance(FRAME_MS);
  }
  const { items } = list.getSnapshot();
  check(items.length === RECORDS, 'records were lost');
  check(items.every((item, index) => index === 0 || Number(items[index - 1]?.data?.['rank']) <= Number(item.data?.['rank'])), 'the list is out of order');
  check(items.every((item) => item.record?.version === (versions.get(Number(item.id)) ?? 1)), 'a change was lost');
  await client.close();
  return { name: `${perFrame} changes a frame, list of ${RECORDS}`, goalMs: 50, times, longest: Math.max(...times) };
};

const rows = [await edits(1), await edits(1000), await feed()];
console.log('The client, in Node: how long a task takes              median     longest        goal');
for (const row of rows) {
  // Edits are made once, and their median counts; among hundreds of frames none may be too long.
  const missed = (row.name.includes('frame') ? row.longest : median(row.times)) > row.goalMs ? '  MISSED' : '';
  if (json !== undefined) appendFileSync(json, `${JSON.stringify({ bench: 'client', mode: row.name, ms: median(row.times), longest_ms: row.longest })}\n`);
  console.log(`${row.name.padEnd(48)} ${median(row.times).toFixed(2).padStart(9)} ms ${row.longest.toFixed(2).padStart(8)} ms ${String(row.goalMs).padStart(8)} ms${missed}`);
}
