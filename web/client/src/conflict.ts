import type { Json, JsonObject, Pointer } from './json';
import type { Address, MutationId, RecordOf, Time, Version } from './record';

/** A write that met a newer version and that no rule could settle, with all it takes to settle it. */
export interface Conflict<T = JsonObject> {
  readonly conflictType: 'concurrent_edit' | 'agent_override' | 'version_mismatch';
  readonly address: Address;
  /** A sentence for the person who wrote. */
  readonly detail: string;
  readonly expectedVersion: Version | null;
  readonly currentVersion: Version | null;
  readonly lastModifiedBy?: string;
  readonly lastModifiedAt?: Time;
  /** What was there when the write was made; null where it did not exist, or is no longer kept. */
  readonly base: T | null;
  /** What is there now; null when it was deleted. */
  readonly current: T | null;
  /** What was written; null for a deletion. */
  readonly yours: T | null;
  /** `current` with whatever of `yours` goes with it. */
  readonly merged: T | null;
  readonly fields: Readonly<Record<Pointer, FieldState>>;
  /** Nothing is left to decide: `merged` may be taken as it is. */
  readonly clean: boolean;
  readonly resolutionOptions: readonly ResolutionChoice[];
  readonly resolutionToken: string;
  /** Of a write that waits for a person: its id, its deadline and what happens then. */
  readonly conflictId?: string;
  readonly deadline?: Time;
  readonly autoResolveIn?: number;
  readonly fallback?: string;
  /** The edit of this client that it is about; null for one that waits on the server. */
  readonly edit: MutationId | null;
}

export interface FieldState {
  /** `conflict`: both changed it; `clean_yours`, `clean_current`: one did; `same`: alike; `merged`: a rule settled it. */
  readonly state: string;
  readonly base?: Json;
  readonly current?: Json;
  readonly yours?: Json;
  readonly merged?: Json;
  readonly rule?: string;
  readonly by?: string;
  readonly at?: Time;
  readonly version?: Version;
}

export type ResolutionChoice = 'yours' | 'current' | 'merged' | 'fields' | 'custom';
export type FieldChoice = 'yours' | 'current' | 'base' | { readonly value: Json };

/** How somebody settles a conflict.
 *  `apply`: what I changed, put onto what is there now: fields in conflict become mine, the rest is merged.
 *  `discard`: it stays as it is now. */
export type Resolution<T = JsonObject> =
  | { readonly choice: 'apply' }
  | { readonly choice: 'discard' }
  | { readonly choice: 'merged' }
  | { readonly choice: 'yours' }
  | { readonly choice: 'fields'; readonly fields: Readonly<Record<Pointer, FieldChoice>> }
  | { readonly choice: 'custom'; readonly data: T };

export type ResolutionOutcome<T = JsonObject> =
  /** As it is now. Of one that belongs to a transaction: it is saved with the others, and its write says what became of it. */
  | { readonly kind: 'resolved'; readonly record: RecordOf<T> | null }
  /** It moved on meanwhile: the new conflict. */
  | { readonly kind: 'conflict'; readonly conflict: Conflict<T> }
  /** Somebody else was first. */
  | { readonly kind: 'already_resolved'; readonly by?: string };
