/** Where the client meets the world: each seam is given by `createClient`'s options in tests and found by itself otherwise. */
import type { Edit, WriteOutcome } from './edit';
import type { StetError } from './error';
import type { JsonObject } from './json';
import type { Address, MutationId, Presence, RecordOf, Seq, Version } from './record';

/** Time and chance. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Milliseconds that only go forward. */
  monotonic(): number;
  /** Calls back after so many milliseconds; returns its undo. */
  after(ms: number, callback: () => void): () => void;
  /** From 0 up to, not including, 1. */
  random(): number;
}

export interface TransportRequest {
  readonly method: 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';
  /** From the server's root on, with its query: `/v1/main/records/tasks/1`. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
  readonly signal?: AbortSignal;
}
export interface TransportAnswer {
  readonly status: number;
  header(name: string): string | null;
  text(): Promise<string>;
  /** For event streams. */
  readonly stream: ReadableStream<Uint8Array> | null;
}
/** One request over HTTP. Rejects only when there is no answer. */
export type Transport = (request: TransportRequest) => Promise<TransportAnswer>;

/** A WebSocket as the client uses it. */
export interface Socket {
  send(text: string): void;
  close(): void;
}
export interface SocketEvents {
  open(): void;
  message(text: string): void;
  /** Also when it never opened. Once, and last. */
  close(): void;
}
export type SocketFactory = (url: string, protocols: readonly string[], events: SocketEvents) => Socket;

/** An edit and its place in the queue: places only grow, in whichever tab an edit was made. */
export interface KeptEdit {
  readonly order: number;
  readonly edit: Edit;
}

/** Where edits are kept. Each call is one step: all of it or nothing. What was awaited is kept. Rejects with `STORAGE_FAILED`. */
export interface EditStorage {
  /** `durable`: it outlives the page, and every tab sees the same. `memory`: this page's own. `failed`: it takes nothing any more. */
  readonly state: StorageState;
  /** Calls back when `state` is another. */
  subscribe(listener: (state: StorageState) => void): () => void;
  /** In order. */
  load(): Promise<readonly KeptEdit[]>;
  /** Puts them at the end. */
  add(edits: readonly Edit[]): Promise<readonly KeptEdit[]>;
  /** Replaces those that are there, and removes. Answers which of `changed` are not there any more: another tab has settled them. */
  save(changed: readonly KeptEdit[], removed: readonly MutationId[]): Promise<readonly MutationId[]>;
  /** A few words that outlive the page beside the edits, such as who was logged in; null when there are none. */
  note(name: string): Promise<string | null>;
  keepNote(name: string, text: string | null): Promise<void>;
  close(): void;
}
export type StorageState = 'durable' | 'memory' | 'failed';

/** Locks and messages that reach every tab of this browser; within one process where there are no tabs. */
export interface TabLink {
  readonly id: string;
  /** Runs `work` while holding the lock; waits for it. The lock goes when the promise settles, or the tab dies. */
  hold(name: string, signal: AbortSignal, work: () => Promise<void>): Promise<void>;
  /** Runs `work` if nobody holds the lock, else answers false at once. */
  tryHold(name: string, work: () => Promise<void>): Promise<boolean>;
  /** To every other tab; what `structuredClone` takes. */
  post(message: unknown): void;
  subscribe(listener: (message: unknown) => void): () => void;
  close(): void;
}

/* ---- Between the parts of the client ---- */

/** Whether the server can be reached, as far as the browser and the last requests tell. */
export interface Connectivity {
  readonly online: boolean;
  /** The browser has no network at all, and the server is not this machine: nothing is worth trying. */
  readonly hopeless: boolean;
  /** A request was answered, whatever it said. */
  reached(): void;
  /** A request was not answered (`NETWORK`, `TIMEOUT`). */
  lost(): void;
  /** Called when `online` is another; and with true when it is worth trying again at once: the page came back into view. */
  subscribe(listener: (online: boolean) => void): () => void;
  close(): void;
}

/** Which tab sends and listens for all. */
export interface Leadership {
  readonly leading: boolean;
  subscribe(listener: (leading: boolean) => void): () => void;
}

/** The queue of edits: one for all tabs. The leading tab sends. */
export interface EditQueue {
  /** Keeps them, all or none, then tells every tab, this one first. Resolves when they are durable. */
  add(edits: readonly Edit[]): Promise<void>;
  readonly storage: StorageState;
  /** Those that wait, in the order in which they were made. */
  list(): readonly Edit[];
  /** Tries a rejected edit again, as it is or with another change. With another one it rejects like `discard` when the edit as it was
   *  may have reached the server already, or is done. */
  retry(id: MutationId, change?: Edit['change']): Promise<void>;
  /** Takes an edit back. Rejects with `COMMIT_UNKNOWN` when it may have reached the server already: its outcome will come;
   *  with `NOT_FOUND` when it has come already.
   *  What was made on top of it stays and is judged by the server. */
  discard(id: MutationId): Promise<void>;
  /** A conflict was settled: its edit is done, and what waits behind it goes on from `record`. */
  settle(id: MutationId, outcome: WriteOutcome): Promise<void>;
  /** A conflict was met again, with a newer state. */
  update(edit: Edit): Promise<void>;
  subscribe(listener: (event: EditEvent) => void): () => void;
}
export type EditEvent =
  /** What was kept here since before this page. Once, first. */
  | { readonly kind: 'loaded'; readonly edits: readonly Edit[] }
  | { readonly kind: 'added'; readonly edits: readonly Edit[] }
  /** State, attempts, base or change are others now; `outcome`: because the server said so. */
  | { readonly kind: 'changed'; readonly edit: Edit; readonly outcome?: WriteOutcome }
  /** It is out of the queue. */
  | { readonly kind: 'settled'; readonly edit: Edit; readonly outcome: WriteOutcome }
  /** Where edits are kept has changed: see {@link StorageState}. */
  | { readonly kind: 'storage'; readonly state: StorageState };

/** What some part of the page wants to hear of. */
export interface Interest {
  readonly types?: readonly string[];
  readonly addresses?: readonly Address[];
  readonly where?: string;
  readonly events?: readonly ('conflict' | 'operation')[];
  /** From here on; absent: from now on. */
  readonly since?: Seq;
}

/** The feed: one connection for all tabs, held by the leading one. */
export interface Feed {
  /** Listens until it is undone. Each interest hears its own events, in order, from all of its positions on;
   *  after a break it goes on where it was, or is told `reset`. */
  follow(interest: Interest, listener: (event: FeedEvent) => void): () => void;
  /** Says that this tab has a record open, from this version; returns its undo. */
  present(address: Address, version: Version | null): () => void;
  readonly state: FeedState;
  subscribe(listener: (state: FeedState) => void): () => void;
}
/** `waiting`: it broke, and is tried again. `unauthenticated`: nobody is logged in. */
export type FeedState = 'idle' | 'connecting' | 'open' | 'waiting' | 'unauthenticated' | 'closed';

export type FeedEvent =
  | { readonly kind: 'ready'; readonly seq: Seq }
  | {
      readonly kind: 'change';
      readonly seq: Seq;
      readonly op: string;
      readonly record: RecordOf;
      /** By this change it no longer matches `where`. */
      readonly left: boolean;
    }
  /** It left this person's sight. */
  | { readonly kind: 'revoked'; readonly seq: Seq; readonly address: Address }
  /** Something was missed: whatever was followed must be read anew. */
  | { readonly kind: 'reset'; readonly seq: Seq }
  | { readonly kind: 'conflict'; readonly seq: Seq; readonly event: string; readonly body: JsonObject }
  | { readonly kind: 'operation'; readonly seq: Seq; readonly event: string; readonly body: JsonObject }
  /** Places in the queue of followed operations, `{operations: […]}`. */
  | { readonly kind: 'queue'; readonly body: JsonObject }
  | { readonly kind: 'presence'; readonly address: Address; readonly people: readonly Presence[] }
  | { readonly kind: 'failed'; readonly error: StetError };
