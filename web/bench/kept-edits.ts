/** 1,000 edits of a whole client, with the queue and the storage that it has outside of tests; only the server is played. See README.md. */
import type { ClientOptions } from '../client/src/client';
import { createClientFrom } from '../client/src/create-client';
import { openParts } from '../client/src/open-parts';
import { createFakeFeed, testRecord, wireRecord } from '../client/src/testing/fake-parts';
import { createFakeTransport } from '../client/src/testing/fake-transport';
import type { RecordOf } from '../client/src/record';

const EDITS = 1000;

const task = (id: number, version: number, more: { readonly [name: string]: string | number } = {}): RecordOf =>
  testRecord(`tasks/${id}`, version, { title: `Task ${id}`, rank: id, note: 'as long as notes are', ...more });

const check = (holds: boolean, what: string) => {
  if (!holds) throw new Error(`no figure: ${what}`);
};

export interface KeptEdits {
  /** Until all of them are on the screen, rebased: the page can do nothing else meanwhile. */
  readonly shownMs: number;
  /** Until all of them are in storage; the page goes on meanwhile. */
  readonly keptMs: number;
}

/** @param spent  the time so far, in milliseconds. `url` names the database: another one each time. */
export const keepEdits = async (records: number, options: ClientOptions, spent: () => number): Promise<KeptEdits> => {
  const feed = createFakeFeed();
  const network = createFakeTransport();
  const who = { actor: 'ana', kind: 'session', admin: false, server_admin: false, roles: [], scopes: [] };
  network.handle(({ method, path }) => {
    if (method !== 'GET') return 'offline';
    if (path.includes('/records/')) return { body: wireRecord(task(Number(path.split('/').at(-1)), 1)) };
    return { body: /\/session(\?|$)/.test(path) ? who : { status: 'ok', version: '0.1.0' } };
  });
  const client = createClientFrom({ ...options, transport: network.transport, socket: null }, (world) => ({ ...openParts(world), feed }));
  await client.session.refresh();
  const watched = Array.from({ length: records }, (_, id) => client.records.watch('tasks', `${id}`));
  const undo = watched.map((one) => one.subscribe(() => {}));
  for (let turn = 0; watched.some((one) => one.getSnapshot().record === null); turn++) {
    check(turn < 1000, 'the records cannot be read');
    await new Promise((resolve) => setTimeout(resolve, 1));
  }
  const start = spent();
  const kept: Promise<void>[] = [];
  for (let edit = 0; edit < EDITS; edit++) {
    const id = edit % records;
    kept.push(client.records.update('tasks', `${id}`, { note: `edit ${edit}` }).local);
    // Somebody else's change of another field comes in between, and all that waits is put on top of it.
    if (edit % 10 === 9) {
      const record = task(id, 2 + edit, { rank: edit });
      feed.emit({ kind: 'change', seq: record.seq, op: 'update', record, left: false });
      client.store.getState();
    }
  }
  const state = client.store.getState();
  const shownMs = spent() - start;
  check(state.edits.length === EDITS, 'edits are missing');
  const last = state.records.get(`tasks/${(EDITS - 1) % records}`);
  check(last?.data?.['note'] === `edit ${EDITS - 1}` && last.data['rank'] === EDITS - 1, 'what is shown is not what was written');
  await Promise.all(kept);
  const keptMs = spent() - start;
  for (const one of undo) one();
  await client.close();
  return { shownMs, keptMs };
};
