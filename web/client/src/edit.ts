import type { StetError } from './error';
import type { Conflict } from './conflict';
import type { JsonObject } from './json';
import type { Address, MutationId, RecordOf, Time, Version } from './record';

/** What a write does to one record. `patch` is a merge patch (RFC 7396). */
export type Change =
  | { readonly op: 'create'; readonly data: JsonObject; readonly parent?: Address }
  | { readonly op: 'put'; readonly data: JsonObject }
  | { readonly op: 'patch'; readonly patch: JsonObject }
  | { readonly op: 'delete' };

/**
 *   pending ──sent, taken──▶ confirmed          (and is forgotten)
 *      │  ▲
 *      │  └──retry, or what stood before it was settled── rejected
 *      ├──refused for what it says──▶ rejected
 *      ├──somebody else was first───▶ conflict ──applied──▶ pending … ──discarded──▶ (forgotten)
 *      └──waits on the server for a person──▶ parked
 */
export type EditState = 'pending' | 'confirmed' | 'conflict' | 'rejected' | 'parked';

/** A write that is on its way. It is kept on this machine before the network is tried, and until it is settled. */
export interface Edit {
  readonly id: MutationId;
  readonly type: string;
  readonly recordId: string;
  readonly address: Address;
  readonly change: Change;
  /** The version it was made from; null when the record did not exist. */
  readonly base: Version | null;
  /** The record's data then: what a rebase and a dialog start from. */
  readonly baseData: JsonObject | null;
  readonly onConflict?: string;
  /** Edits with the same transaction are sent together, all or nothing. */
  readonly transaction?: MutationId;
  /** The waiting edit of the record that was shown when this one was made; null: none. The queue fills it in when it is absent. */
  readonly after?: MutationId | null;
  /** Who made it. Nobody else's session sends it. */
  readonly actor: string;
  /** Which data it was made for, as the server names them; a server with other data at the same address refuses it. Absent: not known then. */
  readonly space?: string;
  readonly madeAt: Time;
  readonly state: EditState;
  readonly attempts: number;
  readonly error?: StetError;
  readonly conflict?: Conflict;
  /** It was sent, and no answer says that it was not taken: it is sent again as it is, and can be neither changed nor taken back. */
  readonly unsure?: boolean;
  /** Of one that waits on the server for a person. */
  readonly parked?: { readonly conflictId: string; readonly deadline: Time; readonly fallback: string };
}

/** What became of a write. A conflict is an answer, not an error. */
export type WriteOutcome<T = JsonObject> =
  | { readonly kind: 'confirmed'; readonly record: RecordOf<T>; readonly merged: boolean; readonly unchanged: boolean }
  | { readonly kind: 'deleted'; readonly version: Version }
  | { readonly kind: 'conflict'; readonly conflict: Conflict<T> }
  | { readonly kind: 'parked'; readonly conflictId: string; readonly deadline: Time; readonly fallback: string }
  /** A strategy or rule let it give way; the record as it stays. */
  | { readonly kind: 'dropped'; readonly record: RecordOf<T> }
  /** Refused. `ABORTED`: the client was closed before it was known what became of it; what waits stays kept. */
  | { readonly kind: 'rejected'; readonly error: StetError }
  /** Somebody took it back before it was sent or after it was refused. */
  | { readonly kind: 'discarded' };

/** Two promises for one write: it is on the screen and kept here; and what the server said. */
export interface Write<T = JsonObject> {
  readonly id: MutationId;
  readonly address: Address;
  /** Kept on this machine: from now on it survives a reload. Rejects when that is impossible. */
  readonly local: Promise<void>;
  /** Settles when the server has, which offline may be days later. Never rejects. */
  readonly confirmed: Promise<WriteOutcome<T>>;
}
