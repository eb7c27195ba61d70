/** The public face of the client. `create-client.ts` puts it together. */
import type { StoreApi } from 'zustand/vanilla';
import type { Conflict, Resolution, ResolutionOutcome } from './conflict';
import type { Change, Edit, Write } from './edit';
import type { StetError } from './error';
import type { Json, JsonObject } from './json';
import type { Operation, OperationRequest } from './operation';
import type { Address, MutationId, Presence, RecordOf, Seq, Version } from './record';
import type { Clock, EditStorage, Feed, FeedState, SocketFactory, TabLink, Transport } from './seams';
import type { Code } from './status';

export interface ClientOptions {
  /** The server's address, `https://stet.example.org`, with its base path; default: where the page came from. */
  readonly url?: string;
  /** Default `main`. */
  readonly space?: string;
  /** An API token or a session's. Without: the browser's cookie. */
  readonly token?: string;
  /** Where edits wait. Default: IndexedDB where there is one, else memory. */
  readonly storage?: EditStorage;
  readonly tabs?: TabLink;
  readonly transport?: Transport;
  /** `null`: server-sent events only. */
  readonly socket?: SocketFactory | null;
  readonly clock?: Clock;
  /** How many records nobody looks at any more are remembered. Default 2,000. */
  readonly idleRecordsMax?: number;
  /** Sends counts and times to the server, without names or data. Default false. */
  readonly reportMetrics?: boolean;
  /** Default 30,000. */
  readonly timeoutMs?: number;
}

export interface Client {
  readonly space: string;
  readonly url: string;
  /** All that is known, as one immutable state; see {@link ClientState}. */
  readonly store: Pick<StoreApi<ClientState>, 'getState' | 'subscribe'>;
  readonly records: Records;
  readonly conflicts: Conflicts;
  readonly operations: Operations;
  readonly session: Sessions;
  /** All that happens in the space, for those who show it as it happens; records and lists follow it by themselves. */
  readonly feed: Pick<Feed, 'follow'>;
  readonly http: Http;
  /** Runs `work` unless the same key is at work here or in another tab: then it rejects at once with `OPERATION_IN_PROGRESS`. */
  updateWithLock<R>(key: string, work: (signal: AbortSignal) => Promise<R>): Promise<R>;
  /** Counts and times since the start of this page. */
  metrics(): Metrics;
  /** Takes back an edit that waits or was refused. */
  discard(id: MutationId): Promise<void>;
  /** Sends a refused edit again, as it is or changed. Rejects with `COMMIT_UNKNOWN` or `NOT_FOUND` when it was sent again as it was
   *  meanwhile, and cannot be changed any more. */
  retry(id: MutationId, change?: Change): Promise<void>;
  /** Stops; what waits stays kept. What is under way ends with `ABORTED`. */
  close(): Promise<void>;
}

/** `saving`: on its way. `saved`: nothing waits, and something was saved since the page was opened. */
export type Phase = 'idle' | 'saving' | 'saved' | 'conflict' | 'rejected' | 'parked';

export interface RecordState<T = JsonObject> {
  readonly address: Address;
  readonly type: string;
  readonly id: string;
  /** `forbidden` and `missing` look the same from outside: there is none that one may read. */
  readonly status: 'loading' | 'ready' | 'missing' | 'deleted' | 'error';
  /** The newest that the server is known to have. */
  readonly record: RecordOf<T> | null;
  /** What to show: `record` with the edits that wait put on top; null when there is none. */
  readonly data: T | null;
  readonly edits: readonly Edit[];
  readonly phase: Phase;
  /** Of the first edit that has one. */
  readonly conflict: Conflict<T> | null;
  readonly error: StetError | null;
  readonly people: readonly Presence[];
  /** It is as of a moment ago: the feed is not there. */
  readonly stale: boolean;
}

export interface ClientState {
  readonly online: boolean;
  readonly feed: FeedState;
  /** This tab sends and listens for the others. */
  readonly leader: boolean;
  readonly session: SessionState;
  readonly records: ReadonlyMap<Address, RecordState>;
  /** This person's that wait, in order. Those of others who use this browser stay kept, and are not shown. */
  readonly edits: readonly Edit[];
  /** How many of others wait in this browser until they log in here. */
  readonly otherEdits: number;
  readonly versions: { readonly client: string; readonly server: string | null; readonly fit: boolean };
  /** Edits cannot be kept on this machine: they are gone with the page. */
  readonly storage: 'durable' | 'memory' | 'failed';
}

export interface WriteOptions {
  readonly onConflict?: 'reject' | 'merge' | 'last_writer_wins' | 'newest' | 'server_wins' | 'ask';
  /** The version that was looked at; default: the newest this page shows. */
  readonly base?: Version;
}

export interface Records {
  /** The record as the server has it now; rejects with a {@link StetError}, `NOT_FOUND` too. */
  get<T = JsonObject>(type: string, id: string, options?: { readonly signal?: AbortSignal; readonly version?: Version; readonly at?: string }): Promise<RecordOf<T>>;
  /** A live record: it is read when first subscribed to, and follows the feed as long as somebody does. */
  watch<T = JsonObject>(type: string, id: string): Live<RecordState<T>>;
  /** One page. */
  list<T = JsonObject>(type: string, options?: ListOptions & { readonly signal?: AbortSignal; readonly after?: string }): Promise<Page<T>>;
  /** A list that follows the feed, edits that wait put on top. */
  live<T = JsonObject>(type: string, options?: ListOptions): LiveList<T>;
  create<T = JsonObject>(type: string, data: T, options?: WriteOptions & { readonly id?: string; readonly parent?: Address }): Write<T>;
  /** Changes parts: a merge patch, or what a function makes of the data that is shown now. */
  update<T = JsonObject>(type: string, id: string, change: Partial<T> | ((data: T) => T), options?: WriteOptions): Write<T>;
  remove(type: string, id: string, options?: WriteOptions): Write;
  /** All or nothing. */
  transact(changes: readonly TransactionChange[], options?: WriteOptions): { readonly id: MutationId; readonly writes: readonly Write[] };
}
export type TransactionChange = { readonly type: string; readonly id: string; readonly base?: Version } & Change;

/** What `useSyncExternalStore` takes: the snapshot is the same object until something changed. */
export interface Live<S> {
  subscribe(listener: () => void): () => void;
  getSnapshot(): S;
}

export interface ListOptions {
  readonly where?: string;
  /** Fields, commas between, `-` before one for descending. */
  readonly sort?: string;
  readonly limit?: number;
  readonly total?: boolean;
}
export interface Page<T> {
  readonly records: readonly RecordOf<T>[];
  readonly seq: Seq;
  readonly next: string | null;
  readonly total: number | null;
}
export interface LiveList<T = JsonObject> extends Live<ListState<T>> {
  /** The next page. */
  more(): Promise<void>;
  refresh(): Promise<void>;
}
export interface ListState<T = JsonObject> {
  readonly status: 'loading' | 'ready' | 'error';
  readonly items: readonly RecordState<T>[];
  readonly hasMore: boolean;
  readonly loadingMore: boolean;
  readonly total: number | null;
  readonly error: StetError | null;
}

export interface Conflicts {
  /** Of this client's own edits, and those that wait on the server for this person. */
  readonly live: Live<ConflictsState>;
  /** One that waits on the server, as it stands now. */
  get(conflictId: string): Promise<Conflict>;
  /** Settles one; `conflict` is what was shown. */
  resolve<T = JsonObject>(conflict: Conflict<T>, resolution: Resolution<T>): Promise<ResolutionOutcome<T>>;
  /** The dialog was shown: the time until it is settled counts. */
  opened(conflict: Conflict): void;
}
export interface ConflictsState {
  readonly mine: readonly Conflict[];
  readonly waiting: readonly JsonObject[];
  readonly unread: number;
}

export interface Operations {
  /** Asks for work. Offline it rejects; asking twice with the same `key` is asking once. */
  submit(request: OperationRequest, options?: { readonly key?: MutationId; readonly signal?: AbortSignal }): Promise<Operation>;
  get(id: string, options?: { readonly signal?: AbortSignal }): Promise<Operation>;
  watch(id: string): Live<OperationState>;
  /** Settles with the operation when it is over. */
  result(id: string, options?: { readonly signal?: AbortSignal }): Promise<Operation>;
  cancel(id: string): Promise<Operation>;
}
export interface OperationState {
  readonly status: 'loading' | 'ready' | 'error';
  readonly operation: Operation | null;
  readonly error: StetError | null;
}

export type SessionState =
  | { readonly status: 'unknown' }
  | { readonly status: 'anonymous'; readonly reason?: 'ended' | 'logged_out' }
  | { readonly status: 'authenticated'; readonly who: Who };
export interface Who {
  readonly actor: string;
  readonly kind: string;
  readonly name?: string;
  readonly admin: boolean;
  readonly serverAdmin: boolean;
  readonly roles: readonly string[];
  readonly scopes: readonly string[];
  readonly session?: string;
  readonly expiresAt?: string;
}
export interface Sessions {
  readonly live: Live<SessionState>;
  /** Who is logged in, or was when this browser last reached the server: edits that are made before that is known are theirs. */
  readonly lastActor: string | null;
  /** Rejects with `LOGIN_FAILED`, or 429 with `retryAfterMs`. All tabs are logged in. */
  logIn(credentials: { readonly user: string; readonly password: string; readonly device?: string }): Promise<Who>;
  /** Uses an invitation or a reset. `device`: what the session is called. */
  redeem(link: { readonly link: string; readonly user?: string; readonly password: string; readonly device?: string }): Promise<Who>;
  /** In all tabs. What waits stays kept for whoever made it. */
  logOut(): Promise<void>;
  refresh(): Promise<SessionState>;
}

/** Requests for which the client has no method of its own, with its credentials, time limits and errors. */
export interface Http {
  /** `path` below the space: `/types`; from the root when it begins with `//`: `//v1`. Answers are in camelCase but for what is the
   *  application's own. Rejects with {@link StetError}. Reads are tried again; writes only with a `key`. */
  request(method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE', path: string, options?: HttpOptions): Promise<HttpAnswer>;
}
export interface HttpOptions {
  readonly query?: Readonly<Record<string, string | number | boolean | readonly string[] | undefined>>;
  readonly body?: unknown;
  readonly contentType?: string;
  readonly accept?: string;
  readonly ifMatch?: Version;
  readonly key?: MutationId;
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}
export interface HttpAnswer {
  readonly status: number;
  readonly etag: Version | null;
  /** In camelCase around what is the application's own. */
  readonly body: unknown;
  readonly text: string;
}

export interface Metrics {
  readonly writes: number;
  readonly confirmed: number;
  readonly conflicts: number;
  readonly merged: number;
  readonly rejected: number;
  readonly retries: number;
  readonly rollbacks: number;
  /** Conflicts and retries for each write, 0 to 1 and up. */
  readonly conflictRate: number;
  readonly retryRate: number;
  /** From save to confirmed; from dialog to resolution; in the queue as it was seen. */
  readonly confirmMs: Distribution;
  readonly resolveMs: Distribution;
  readonly queueWaitMs: Distribution;
}
export interface Distribution {
  readonly count: number;
  readonly p50: number;
  readonly p95: number;
  readonly max: number;
}

export type { Code, Json };
