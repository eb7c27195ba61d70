import type { JsonObject, Pointer } from './json';

/** Counts the committed changes of one record, from 1 on. */
export type Version = number;
/** A position in a space's order of changes. */
export type Seq = number;
/** `type/id`, each part percent-encoded; {@link addressOf} makes one. */
export type Address = string;
/** A point in time, RFC 3339 in UTC. */
export type Time = string;
/** The client's own name of a write, a UUIDv7: however often it is sent, it takes effect once. */
export type MutationId = string;

/** A record as the server has it. `data` is the application's own and is never touched on the way. */
export interface RecordOf<T = JsonObject> {
  readonly type: string;
  readonly id: string;
  readonly address: Address;
  readonly version: Version;
  readonly seq: Seq;
  readonly createdAt: Time;
  readonly createdBy: string;
  readonly updatedAt: Time;
  readonly updatedBy: string;
  readonly parent?: Address;
  readonly deleted?: boolean;
  /** Of the write that made this version. */
  readonly clientMutationId?: MutationId;
  /** How a stale write became this version; absent when it was made from the one before. */
  readonly merge?: Merge;
  readonly data: T;
}

/** How two changes were put together. */
export interface Merge {
  readonly strategy: string;
  readonly parents: readonly Version[];
  readonly conflictId?: string;
  readonly fields?: Readonly<Record<Pointer, MergedField>>;
}
export interface MergedField {
  readonly from: 'yours' | 'current' | 'both' | 'base' | 'custom' | 'rule';
  readonly rule?: string;
  readonly dropped?: 'yours' | 'current';
}

/** Somebody who has a record open, here or elsewhere. */
export interface Presence {
  readonly actor: string;
  /** The version they read; what they change is made from it. */
  readonly version: Version | null;
  readonly since: Time;
  /** It is this client. */
  readonly self: boolean;
}
