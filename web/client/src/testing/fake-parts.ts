/** A queue and a feed whose events the test sends, and a client over them. */
import type { Client, ClientOptions, SessionState, Who } from '../client';
import { createClientFrom } from '../create-client';
import type { Edit } from '../edit';
import type { StetError } from '../error';
import type { HttpCore } from '../http';
import type { Parts } from '../parts';
import type { MutationId, RecordOf } from '../record';
import type { EditEvent, EditQueue, Feed, FeedEvent, FeedState, Interest } from '../seams';
import { createFakeClock, type FakeClock } from './fake-clock';
import { createFakeTransport, type FakeTransport } from './fake-transport';

export interface FakeQueue extends EditQueue {
  emit(event: EditEvent): void;
  /** What was asked: `discard ID`, … */
  readonly asked: readonly string[];
  /** From now on nothing can be kept. */
  fail(error: StetError): void;
}

/** Keeps edits in memory; what becomes of them the test says. */
export const createFakeQueue = (): FakeQueue => {
  const listeners = new Set<(event: EditEvent) => void>();
  const asked: string[] = [];
  let edits: readonly Edit[] = [];
  let failure: StetError | null = null;
  const emit = (event: EditEvent) => {
    if (event.kind === 'settled') edits = edits.filter((edit) => edit.id !== event.edit.id);
    if (event.kind === 'changed') edits = edits.map((edit) => (edit.id === event.edit.id ? event.edit : edit));
    for (const listener of [...listeners]) listener(event);
  };
  const find = (id: MutationId): Edit => {
    const found = edits.find((edit) => edit.id === id);
    if (found === undefined) throw new Error(`no edit ${id} waits`);
    return found;
  };
  return {
    storage: 'memory',
    emit,
    asked,
    fail(error) {
      failure = error;
    },
    async add(added) {
      if (failure !== null) throw failure;
      edits = [...edits, ...added];
      emit({ kind: 'added', edits: added });
    },
    list: () => edits,
    async retry(id) {
      asked.push(`retry ${id}`);
    },
    async discard(id) {
      asked.push(`discard ${id}`);
      emit({ kind: 'settled', edit: find(id), outcome: { kind: 'discarded' } });
    },
    async settle(id, outcome) {
      asked.push(`settle ${id} ${outcome.kind}`);
      emit({ kind: 'settled', edit: find(id), outcome });
    },
    async update(edit) {
      asked.push(`update ${edit.id}`);
      emit({ kind: 'changed', edit });
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
};

export interface FakeFeed extends Feed {
  /** To everybody whose interest `to` accepts; all, when it is left out. */
  emit(event: FeedEvent, to?: (interest: Interest) => boolean): void;
  setState(state: FeedState): void;
  readonly interests: readonly Interest[];
  /** `tasks/1@3`: records that are said to be open, with their versions. */
  readonly present_: readonly string[];
}

export const createFakeFeed = (): FakeFeed => {
  const follows = new Set<{ readonly interest: Interest; readonly listener: (event: FeedEvent) => void }>();
  const listeners = new Set<(state: FeedState) => void>();
  const open = new Set<{ readonly word: string }>();
  let state: FeedState = 'open';
  return {
    get state() {
      return state;
    },
    setState(next) {
      state = next;
      for (const listener of [...listeners]) listener(next);
    },
    get interests() {
      return [...follows].map((one) => one.interest);
    },
    get present_() {
      return [...open].map((one) => one.word);
    },
    emit(event, to = () => true) {
      for (const follow of [...follows]) if (to(follow.interest)) follow.listener(event);
    },
    follow(interest, listener) {
      const one = { interest, listener };
      follows.add(one);
      return () => follows.delete(one);
    },
    present(address, version) {
      const one = { word: `${address}@${version ?? '-'}` };
      open.add(one);
      return () => open.delete(one);
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
  };
};

export interface TestClient {
  readonly client: Client;
  readonly clock: FakeClock;
  readonly network: FakeTransport;
  readonly queue: FakeQueue;
  readonly feed: FakeFeed;
  logIn(actor: string | null): void;
}

const who = (actor: string): Who => ({ actor, kind: 'session', admin: false, serverAdmin: false, roles: [], scopes: [] });

/** A client of the space main, logged in as ana, in a world that the test plays. Requests for the server's version are answered. */
export const createTestClient = (options: Partial<ClientOptions> = {}): TestClient => {
  const clock = createFakeClock();
  const network = createFakeTransport();
  const queue = createFakeQueue();
  const feed = createFakeFeed();
  let session: SessionState = { status: 'authenticated', who: who('ana') };
  const sessionListeners = new Set<() => void>();
  const refuse = () => Promise.reject(new Error('not played'));
  const open = (_: { readonly http: HttpCore }): Parts => ({
    queue,
    feed,
    sessions: {
      live: {
        subscribe(listener) {
          sessionListeners.add(listener);
          return () => sessionListeners.delete(listener);
        },
        getSnapshot: () => session,
      },
      lastActor: null,
      logIn: refuse,
      redeem: refuse,
      logOut: refuse,
      refresh: () => Promise.resolve(session),
    },
    leadership: { leading: true, subscribe: () => () => {} },
    connectivity: { online: true, hopeless: false, reached() {}, lost() {}, subscribe: () => () => {}, close() {} },
    updateWithLock: refuse,
    close: () => Promise.resolve(),
  });
  const client = createClientFrom({ url: 'http://stet.test', clock, transport: network.transport, ...options }, open);
  network.next().answer({ body: { status: 'ok', version: '0.1.0' } });
  return {
    client,
    clock,
    network,
    queue,
    feed,
    logIn(actor) {
      session = actor === null ? { status: 'anonymous' } : { status: 'authenticated', who: who(actor) };
      for (const listener of [...sessionListeners]) listener();
    },
  };
};

/** A record as tests have them. */
export const testRecord = (address: string, version: number, data: RecordOf['data'], more: Partial<RecordOf> = {}): RecordOf => {
  const [type = '', id = ''] = address.split('/');
  return {
    type,
    id,
    address,
    version,
    seq: version,
    createdAt: '2026-11-22T10:00:00.000000000Z',
    createdBy: 'ana',
    updatedAt: '2026-11-22T10:00:00.000000000Z',
    updatedBy: 'ana',
    data,
    ...more,
  };
};

/** The same as the server writes it. */
export const wireRecord = (record: RecordOf) => ({
  type: record.type,
  id: record.id,
  address: record.address,
  version: record.version,
  seq: record.seq,
  created_at: record.createdAt,
  created_by: record.createdBy,
  updated_at: record.updatedAt,
  updated_by: record.updatedBy,
  ...(record.clientMutationId === undefined ? {} : { client_mutation_id: record.clientMutationId }),
  ...(record.deleted === undefined ? {} : { deleted: record.deleted }),
  data: record.data,
});
