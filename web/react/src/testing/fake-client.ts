/** A client that the test plays: live values are set by hand, and what is called is written down. */
import type {
  Client,
  ClientState,
  ConflictsState,
  HttpAnswer,
  ListState,
  Live,
  OperationState,
  RecordState,
  Resolution,
  ResolutionOutcome,
  SessionState,
  Write,
  WriteOutcome,
} from '@stet/client';

/** A live value whose followers are counted. */
export interface FakeLive<S> extends Live<S> {
  set(value: S): void;
  readonly followers: number;
}

const fakeLive = <S>(first: S): FakeLive<S> => {
  let value = first;
  const listeners = new Set<() => void>();
  return {
    subscribe(listener) {
      const own = (): void => listener();
      listeners.add(own);
      return () => listeners.delete(own);
    },
    getSnapshot: () => value,
    set(next) {
      value = next;
      for (const listener of [...listeners]) listener();
    },
    get followers() {
      return listeners.size;
    },
  };
};

export interface FakeClient {
  readonly client: Client;
  /** What was called, in order. */
  readonly calls: string[];
  readonly record: FakeLive<RecordState>;
  readonly list: FakeLive<ListState>;
  readonly operation: FakeLive<OperationState>;
  readonly conflicts: FakeLive<ConflictsState>;
  readonly session: FakeLive<SessionState>;
  setState(change: Partial<ClientState>): void;
  /** How many follow `setState`. */
  readonly stateFollowers: number;
  /** How the next conflict that is resolved comes out. */
  onResolve(answer: (resolution: Resolution) => Promise<ResolutionOutcome>): void;
  onRequest(answer: (method: string, path: string, query: Readonly<Record<string, unknown>>) => Promise<unknown>): void;
  /** Ends the last write. */
  confirm(outcome: WriteOutcome): void;
}

/** A record's state with nothing known yet. */
export const loadingRecord = (type: string, id: string): RecordState => ({
  address: `${type}/${id}`,
  type,
  id,
  status: 'loading',
  record: null,
  data: null,
  edits: [],
  phase: 'idle',
  conflict: null,
  error: null,
  people: [],
  stale: false,
});

const unexpected = (what: string) => (): never => {
  throw new Error(`the test did not expect ${what}`);
};

export function createFakeClient(): FakeClient {
  const calls: string[] = [];
  let state: ClientState = {
    online: true,
    feed: 'open',
    leader: true,
    session: { status: 'anonymous' },
    records: new Map(),
    edits: [],
    otherEdits: 0,
    versions: { client: '0.1.0', server: '0.1.0', fit: true },
    storage: 'durable',
  };
  const stateListeners = new Set<(state: ClientState, before: ClientState) => void>();
  const record = fakeLive<RecordState>(loadingRecord('tasks', '1'));
  const list = fakeLive<ListState>({ status: 'loading', items: [], hasMore: false, loadingMore: false, total: null, error: null });
  const operation = fakeLive<OperationState>({ status: 'loading', operation: null, error: null });
  const conflicts = fakeLive<ConflictsState>({ mine: [], waiting: [], unread: 0 });
  const session = fakeLive<SessionState>({ status: 'unknown' });
  let resolve: (resolution: Resolution) => Promise<ResolutionOutcome> = unexpected('a resolution');
  let request: (method: string, path: string, query: Readonly<Record<string, unknown>>) => Promise<unknown> = unexpected('a request');
  let confirm: (outcome: WriteOutcome) => void = unexpected('an outcome');
  let writes = 0;

  const write = (line: string): Write<never> => {
    calls.push(line);
    const confirmed = new Promise<WriteOutcome>((settle) => (confirm = settle));
    return { id: `w${++writes}`, address: 'tasks/1', local: Promise.resolve(), confirmed: confirmed as Promise<WriteOutcome<never>> };
  };
  const client = {
    space: 'main',
    url: 'http://localhost',
    store: {
      getState: () => state,
      subscribe(listener: (state: ClientState, before: ClientState) => void) {
        stateListeners.add(listener);
        return () => stateListeners.delete(listener);
      },
    },
    records: {
      get: unexpected('get'),
      watch: (type: string, id: string) => {
        calls.push(`watch ${type}/${id}`);
        return record;
      },
      list: unexpected('list'),
      live: (type: string, options: unknown) => {
        calls.push(`live ${type} ${JSON.stringify(options)}`);
        return { ...list, subscribe: list.subscribe, getSnapshot: list.getSnapshot, more: async () => {}, refresh: async () => {} };
      },
      create: (type: string, data: unknown) => write(`create ${type} ${JSON.stringify(data)}`),
      update: (type: string, id: string, change: unknown) => write(`update ${type}/${id} ${JSON.stringify(change)}`),
      remove: (type: string, id: string) => write(`remove ${type}/${id}`),
      transact: unexpected('transact'),
    },
    conflicts: {
      live: conflicts,
      get: unexpected('get of a conflict'),
      resolve: (_conflict: unknown, resolution: Resolution) => {
        calls.push(`resolve ${JSON.stringify(resolution)}`);
        return resolve(resolution);
      },
      opened: () => void calls.push('opened'),
    },
    operations: {
      submit: unexpected('submit'),
      get: unexpected('get of an operation'),
      watch: (id: string) => {
        calls.push(`watch operation ${id}`);
        return operation;
      },
      result: unexpected('result'),
      cancel: unexpected('cancel'),
    },
    session: {
      live: session,
      logIn: unexpected('logIn'),
      redeem: unexpected('redeem'),
      logOut: unexpected('logOut'),
      refresh: unexpected('refresh'),
    },
    http: {
      request: async (method: string, path: string, options?: { readonly query?: Readonly<Record<string, unknown>> }): Promise<HttpAnswer> => ({
        status: 200,
        etag: null,
        body: await request(method, path, options?.query ?? {}),
        text: '',
      }),
    },
    updateWithLock: unexpected('updateWithLock'),
    metrics: unexpected('metrics'),
    discard: unexpected('discard'),
    retry: unexpected('retry'),
    close: async () => {},
  } as unknown as Client;

  return {
    client,
    calls,
    record,
    list,
    operation,
    conflicts,
    session,
    setState(change) {
      const before = state;
      state = { ...state, ...change };
      for (const listener of [...stateListeners]) listener(state, before);
    },
    get stateFollowers() {
      return stateListeners.size;
    },
    onResolve: (answer) => (resolve = answer),
    onRequest: (answer) => (request = answer),
    confirm: (outcome) => confirm(outcome),
  };
}
