/**
 * What this page knows: records as the server has them, edits that wait, and everything else of {@link ClientState}.
 *
 * Entries are changed in place and marked; snapshots are made of them when somebody looks, and are then the same object until the
 * next change (invariants 1 and 4). Listeners are called once for all that happened in a tick, and not more often than every
 * `NOTIFY_MS` while the feed is fast; who reads in between gets the newest all the same.
 */
import { createStore, type StoreApi } from 'zustand/vanilla';
import { parseAddress } from './address';
import { ChunkedMap } from './chunked-map';
import type { ClientState, Phase, RecordState } from './client';
import type { Conflict } from './conflict';
import type { Edit, WriteOutcome } from './edit';
import type { StetError } from './error';
import type { JsonObject } from './json';
import { sameJson } from './merge-patch';
import { NOTIFY_MS, VERSIONS_KEPT } from './limits';
import type { Address, MutationId, Presence, RecordOf, Version } from './record';
import type { Clock } from './seams';
import { EditStack, fold, isShown, phaseOf } from './view';

interface Entry {
  readonly address: Address;
  readonly type: string;
  readonly id: string;
  record: RecordOf | null;
  /** The newest version known, a deletion's too; 0: none. */
  version: Version;
  gone: 'missing' | 'deleted' | null;
  error: StetError | null;
  edits: Edit[];
  /** `edits` was handed out: it is left as it is, and the next edit goes into a copy. */
  editsShared: boolean;
  /** `edits` as one patch; null: to be made anew. */
  stack: EditStack | null;
  people: readonly Presence[];
  saved: boolean;
  /** `record` was put together from a conflict: the real one of this version takes its place. */
  provisional: boolean;
  /** Lists and watchers that need it kept. */
  retained: number;
  /** Data of earlier versions, oldest first. */
  readonly versions: Map<Version, JsonObject>;
  readonly listeners: Set<() => void>;
  snapshot: RecordState | null;
  /** The data with the first so many edits on top, and what those amount to; null: to be made from the start. An edit that is added costs no more than itself. */
  folded: { readonly count: number; readonly data: JsonObject | null; readonly phase: Phase } | null;
}

const nobody: readonly Presence[] = [];
const noEdits: readonly Edit[] = [];

/** What an edit is made from: the newest. It is valid only until the store changes. */
export interface Seen {
  readonly record: RecordOf | null;
  readonly data: JsonObject | null;
  /** Goes on changing. */
  readonly edits: readonly Edit[];
}

export interface RecordStoreOptions {
  readonly clock: Clock;
  readonly idleRecordsMax: number;
  readonly initial: Omit<ClientState, 'records' | 'edits' | 'otherEdits'>;
  /** An error that a listener threw. Default: it surfaces as an uncaught one. */
  readonly failed?: (error: unknown) => void;
}

/** See the top of the file. */
export class RecordStore {
  private readonly clock: Clock;
  private readonly idleMax: number;
  private readonly failed: (error: unknown) => void;
  private readonly entries = new Map<Address, Entry>();
  /** Those that nothing holds, the longest first. */
  private readonly idle = new Set<Address>();
  private readonly edits = new Map<MutationId, Edit>();
  /** Whose edits are shown; undefined: it is not known yet, and all are. */
  private person: string | null | undefined = undefined;
  /** Edits whose echo came before their answer: the record has them already. */
  private readonly landed = new Set<MutationId>();
  private readonly store: StoreApi<ClientState>;
  private readonly touchedListeners = new Set<(address: Address) => void>();
  private readonly notifyListeners = new Set<() => void>();
  private readonly forgetListeners = new Set<() => void>();
  /** Changed since the last snapshot of the whole, and since the last notification. */
  private dirty = new Set<Address>();
  private untold = new Set<Address>();
  private editsDirty = false;
  private records = ChunkedMap.empty<RecordState>();
  private current: ClientState;
  private told: ClientState;
  private toldAt = Number.NEGATIVE_INFINITY;
  private soon = false;
  private later: (() => void) | null = null;

  constructor(options: RecordStoreOptions) {
    this.clock = options.clock;
    this.idleMax = options.idleRecordsMax;
    this.failed =
      options.failed ??
      ((error) =>
        queueMicrotask(() => {
          throw error;
        }));
    this.current = { ...options.initial, records: this.records, edits: noEdits, otherEdits: 0 };
    this.told = this.current;
    this.store = createStore<ClientState>(() => this.current);
  }

  /** The store as applications see it: what it answers is always the newest. */
  readonly api: Pick<StoreApi<ClientState>, 'getState' | 'subscribe'> = {
    getState: () => this.materialise(),
    subscribe: (listener) => this.store.subscribe(listener),
  };

  /* ---- Reading ---- */

  /** The record's state; the same object until something changed. An unknown one is loading. */
  get(address: Address): RecordState {
    return this.snapshot(this.entryOf(address));
  }

  /** Like `get`, of what is known already. */
  find(address: Address): RecordState | null {
    const entry = this.entries.get(address);
    return entry === undefined ? null : this.snapshot(entry);
  }

  /** Like `get`, for who does not keep it: hundreds of edits made in a row need no state each that nobody looks at. */
  seen(address: Address): Seen {
    const entry = this.entryOf(address);
    return { record: entry.record, data: this.folded(entry).data, edits: entry.edits };
  }

  /** The newest version that is known, a deletion's too; 0: none. */
  versionOf(address: Address): Version {
    return this.entries.get(address)?.version ?? 0;
  }

  /** A record's data as of a version, with the edits that wait on top: what somebody saw who began there. null: not remembered. */
  shownAt(address: Address, version: Version): JsonObject | null {
    const entry = this.entries.get(address);
    if (entry === undefined) return null;
    const data = entry.record?.version === version ? entry.record.data : entry.versions.get(version);
    return data === undefined ? null : fold(data, entry.edits);
  }

  /** Whether the person at this page made it: what others have waiting in this browser is theirs to see. */
  isOwn(edit: Edit): boolean {
    return this.person === undefined || edit.actor === '' || edit.actor === this.person;
  }

  /** An edit that waits. */
  edit(id: MutationId): Edit | null {
    return this.edits.get(id) ?? null;
  }

  /** Addresses for which `wanted` holds. */
  addresses(wanted: (state: RecordState) => boolean): readonly Address[] {
    return [...this.entries.values()].filter((entry) => wanted(this.snapshot(entry))).map((entry) => entry.address);
  }

  /* ---- Listening ---- */

  /** Calls back after the record changed. */
  listen(address: Address, listener: () => void): () => void {
    const entry = this.hold(address);
    const own = () => listener();
    entry.listeners.add(own);
    return () => {
      if (entry.listeners.delete(own)) this.release(address);
    };
  }

  /** Keeps a record in memory. */
  retain(address: Address): () => void {
    this.hold(address);
    let held = true;
    return () => {
      if (held) this.release(address);
      held = false;
    };
  }

  /** Calls back at once when a record is changed; for lists, which note it and look later. */
  onTouched(listener: (address: Address) => void): () => void {
    this.touchedListeners.add(listener);
    return () => this.touchedListeners.delete(listener);
  }

  /** Calls back with each notification. */
  onNotify(listener: () => void): () => void {
    this.notifyListeners.add(listener);
    return () => this.notifyListeners.delete(listener);
  }

  /** Calls back when all that the server said was forgotten: whoever shows it reads it anew. */
  onForget(listener: () => void): () => void {
    this.forgetListeners.add(listener);
    return () => this.forgetListeners.delete(listener);
  }

  /* ---- What the server says ---- */

  /**
   * A record as the server has it. An older one than is known changes nothing (invariant 2), but for `anew`: it was read because
   * something was missed. Whose echo it is, that edit is done (invariant 3). True when it was taken.
   */
  applyRecord(record: RecordOf, anew = false): boolean {
    const entry = this.entryOf(record.address);
    const landed = this.land(entry, record.clientMutationId);
    const older = record.version < entry.version;
    const known = record.version === entry.version && (entry.record !== null || record.deleted === true) && !entry.provisional;
    if (!anew && (older || known)) {
      if (landed || entry.error !== null) {
        entry.error = null;
        this.touch(entry, 'soon');
      }
      return !older;
    }
    if (record.deleted === true) this.remove(entry, record.version, 'deleted');
    else {
      this.remember(entry);
      const same = anew && entry.record?.version === record.version && sameJson(entry.record.data, record.data);
      if (!same) entry.record = record;
      entry.provisional = false;
      entry.version = record.version;
      entry.gone = null;
      entry.error = null;
    }
    this.touch(entry, 'throttled');
    return true;
  }

  /** The record was deleted by this version. */
  applyDeleted(address: Address, version: Version): void {
    const entry = this.entryOf(address);
    if (version < entry.version) return;
    this.remove(entry, version, 'deleted');
    this.touch(entry, 'throttled');
  }

  /** There is none that one may read. What was known of it is dropped, for it may have left this person's sight. */
  applyMissing(address: Address): void {
    const entry = this.entryOf(address);
    this.remove(entry, 0, 'missing');
    entry.versions.clear();
    this.touch(entry, 'soon');
  }

  /** It could not be read. What is known stays. */
  applyError(address: Address, error: StetError): void {
    const entry = this.entryOf(address);
    entry.error = error;
    this.touch(entry, 'soon');
  }

  /** A refused write says what is there now, often before the feed does: giving the write up then shows that at once. */
  applyConflict(conflict: Conflict): void {
    const entry = this.entryOf(conflict.address);
    const version = conflict.currentVersion;
    if (version === null || version <= entry.version) return;
    if (conflict.current === null) {
      this.applyDeleted(conflict.address, version);
      return;
    }
    if (entry.record === null) return;
    this.remember(entry);
    const { merge: _, clientMutationId: __, ...before } = entry.record;
    entry.record = {
      ...before,
      version,
      updatedBy: conflict.lastModifiedBy ?? before.updatedBy,
      updatedAt: conflict.lastModifiedAt ?? before.updatedAt,
      data: conflict.current,
    };
    entry.version = version;
    entry.provisional = true;
    this.touch(entry, 'soon');
  }

  setPeople(address: Address, people: readonly Presence[]): void {
    const entry = this.entryOf(address);
    entry.people = people;
    this.touch(entry, 'throttled');
  }

  /* ---- Edits ---- */

  /** An edit that waits, new or changed. Shown at once. */
  putEdit(edit: Edit): void {
    if (this.landed.has(edit.id)) {
      this.edits.set(edit.id, edit);
      this.editsDirty = true;
      return;
    }
    const known = this.edits.get(edit.id);
    if (known === edit) return;
    this.edits.set(edit.id, edit);
    this.editsDirty = true;
    if (!this.isOwn(edit)) {
      if (known !== undefined && this.isOwn(known)) this.arrangeEdits(this.entryOf(edit.address), [...this.edits.values()]);
      else this.schedule('soon');
      return;
    }
    const entry = this.entryOf(edit.address);
    if (entry.editsShared) entry.edits = [...entry.edits];
    entry.editsShared = false;
    // In its place: an edit that is taken changes all behind it, one by one.
    const index = known === undefined ? -1 : entry.edits.indexOf(known);
    if (known === undefined) entry.edits.push(edit);
    else {
      if (index >= 0) entry.edits[index] = edit;
      entry.stack = null;
    }
    this.activate(entry.address);
    const { folded } = entry;
    this.touch(entry, 'soon');
    if (known === undefined) entry.folded = folded;
  }

  /** An edit is out of the queue: what it became and its end are one change (invariant 3). */
  settle(edit: Edit, outcome: WriteOutcome): void {
    const entry = this.entryOf(edit.address);
    this.edits.delete(edit.id);
    this.editsDirty = true;
    this.landed.delete(edit.id);
    if (entry.edits.length > 0) this.replaceEdits(entry, entry.edits.filter((one) => one.id !== edit.id));
    if ((outcome.kind === 'confirmed' || outcome.kind === 'deleted') && this.isOwn(edit)) entry.saved = true;
    if (outcome.kind === 'confirmed' || outcome.kind === 'dropped') this.applyRecord(outcome.record);
    if (outcome.kind === 'deleted') this.applyDeleted(edit.address, outcome.version);
    this.touch(entry, 'soon');
    this.rest(entry);
  }

  /** Somebody else sits at this page. What waits of others is kept, and not shown. @param person  undefined: not known yet */
  setPerson(person: string | null | undefined): void {
    if (person === this.person) return;
    this.person = person;
    this.arrangeAll();
  }

  /** Everything but the records and edits. */
  set(part: Partial<Omit<ClientState, 'records' | 'edits' | 'otherEdits'>>): void {
    const staleBefore = this.current.feed !== 'open';
    this.materialise();
    this.current = { ...this.current, ...part };
    if (staleBefore !== (this.current.feed !== 'open')) for (const entry of this.entries.values()) this.touch(entry, 'throttled');
    this.schedule('soon');
  }

  /** Forgets all that the server said: somebody else is logged in now, who may see other things, or the server has other data.
   *  Edits stay; those whose echo had come are no part of what is known any more. */
  forget(): void {
    this.landed.clear();
    this.arrangeAll();
    for (const entry of this.entries.values()) {
      entry.record = null;
      entry.version = 0;
      entry.gone = null;
      entry.error = null;
      entry.people = nobody;
      entry.saved = false;
      entry.versions.clear();
      this.touch(entry, 'soon');
    }
    for (const listener of this.forgetListeners) listener();
  }

  /** No timer is left; nobody is told anything more. */
  close(): void {
    this.later?.();
    this.later = null;
    this.touchedListeners.clear();
    this.notifyListeners.clear();
    this.forgetListeners.clear();
    for (const entry of this.entries.values()) entry.listeners.clear();
  }

  /* ---- Inside ---- */

  private entryOf(address: Address): Entry {
    const known = this.entries.get(address);
    if (known !== undefined) return known;
    const named = parseAddress(address) ?? { type: address, id: '' };
    const entry: Entry = {
      address,
      type: named.type,
      id: named.id,
      record: null,
      version: 0,
      gone: null,
      error: null,
      edits: [],
      editsShared: false,
      stack: null,
      people: nobody,
      saved: false,
      provisional: false,
      retained: 0,
      versions: new Map(),
      listeners: new Set(),
      snapshot: null,
      folded: null,
    };
    this.entries.set(address, entry);
    this.rest(entry);
    return entry;
  }

  /** Whose edits are shown, or which have landed, may be others now. */
  private arrangeAll(): void {
    this.editsDirty = true;
    const byAddress = new Map<Address, Edit[]>();
    for (const edit of this.edits.values()) {
      const there = byAddress.get(edit.address);
      if (there === undefined) byAddress.set(edit.address, [edit]);
      else there.push(edit);
    }
    for (const [address, edits] of byAddress) this.arrangeEdits(this.entryOf(address), edits);
  }

  /** @param edits  among them all of this record */
  private arrangeEdits(entry: Entry, edits: readonly Edit[]): void {
    const own = edits.filter((edit) => edit.address === entry.address && this.isOwn(edit) && !this.landed.has(edit.id));
    if (own.length === entry.edits.length && own.every((edit, index) => edit === entry.edits[index])) return;
    this.replaceEdits(entry, own);
    this.activate(entry.address);
    this.touch(entry, 'soon');
    this.rest(entry);
  }

  private replaceEdits(entry: Entry, edits: Edit[]): void {
    entry.edits = edits;
    entry.editsShared = false;
    entry.stack = null;
  }

  private folded(entry: Entry): { readonly count: number; readonly data: JsonObject | null; readonly phase: Phase } {
    const { folded, edits } = entry;
    const count = edits.length;
    if (folded !== null) {
      if (folded.count === count) return folded;
      const fresh = edits.slice(folded.count);
      return (entry.folded = { count, data: fold(folded.data, fresh), phase: phaseOf(fresh, folded.phase) });
    }
    const before = entry.saved ? 'saved' : 'idle';
    if (count === 0) return (entry.folded = { count, data: entry.record?.data ?? null, phase: before });
    entry.stack ??= new EditStack();
    return (entry.folded = { count, ...entry.stack.put(edits, entry.record?.data ?? null, before) });
  }

  private snapshot(entry: Entry): RecordState {
    if (entry.snapshot !== null) return entry.snapshot;
    const { data, phase } = this.folded(entry);
    const edits = entry.edits.length === 0 ? noEdits : entry.edits;
    entry.editsShared = true;
    const unshown = data === null && entry.edits.some((edit) => isShown(edit) && edit.change.op === 'delete');
    entry.snapshot = {
      address: entry.address,
      type: entry.type,
      id: entry.id,
      status: data !== null ? 'ready' : unshown ? 'deleted' : (entry.gone ?? (entry.error === null ? 'loading' : 'error')),
      record: entry.record,
      data,
      edits,
      phase,
      conflict: phase === 'conflict' ? (entry.edits.find((edit) => edit.state === 'conflict')?.conflict ?? null) : null,
      error: entry.error ?? (phase === 'saving' || entry.edits.length === 0 ? null : (entry.edits.find((edit) => edit.state === 'rejected')?.error ?? null)),
      people: entry.people,
      stale: this.current.feed !== 'open',
    };
    return entry.snapshot;
  }

  private land(entry: Entry, key: MutationId | undefined): boolean {
    if (key === undefined || entry.edits.length === 0) return false;
    const own = (edit: Edit) => edit.id === key || edit.transaction === key;
    if (!entry.edits.some(own)) return false;
    for (const edit of entry.edits) if (own(edit)) this.landed.add(edit.id);
    this.replaceEdits(entry, entry.edits.filter((edit) => !own(edit)));
    entry.saved = true;
    return true;
  }

  private remember(entry: Entry): void {
    const { record, versions } = entry;
    if (record === null || (entry.retained === 0 && entry.edits.length === 0)) return;
    versions.set(record.version, record.data);
    for (const version of versions.keys()) {
      if (versions.size <= VERSIONS_KEPT) break;
      versions.delete(version);
    }
  }

  private remove(entry: Entry, version: Version, gone: 'missing' | 'deleted'): void {
    this.remember(entry);
    entry.record = null;
    entry.provisional = false;
    entry.version = version;
    entry.gone = gone;
    entry.error = null;
    entry.people = nobody;
  }

  private hold(address: Address): Entry {
    const entry = this.entryOf(address);
    entry.retained += 1;
    this.activate(address);
    return entry;
  }

  private release(address: Address): void {
    const entry = this.entries.get(address);
    if (entry === undefined) return;
    entry.retained -= 1;
    if (entry.retained === 0) entry.people = nobody;
    this.rest(entry);
  }

  private activate(address: Address): void {
    this.idle.delete(address);
  }

  /** Nothing holds it any more: it is remembered until others crowd it out (invariant 5). */
  private rest(entry: Entry): void {
    if (entry.retained > 0 || entry.edits.length > 0) return;
    entry.versions.clear();
    this.idle.delete(entry.address);
    this.idle.add(entry.address);
    for (const oldest of this.idle) {
      if (this.idle.size <= this.idleMax) break;
      this.idle.delete(oldest);
      this.entries.delete(oldest);
      this.dirty.add(oldest);
    }
  }

  private touch(entry: Entry, when: 'soon' | 'throttled'): void {
    entry.snapshot = null;
    entry.folded = null;
    this.dirty.add(entry.address);
    this.untold.add(entry.address);
    for (const listener of this.touchedListeners) listener(entry.address);
    this.schedule(when);
  }

  /** The whole as one immutable state, the newest. */
  private materialise(): ClientState {
    if (this.dirty.size > 0) {
      const changes = [...this.dirty].map((address): readonly [Address, RecordState | undefined] => {
        const entry = this.entries.get(address);
        return [address, entry === undefined ? undefined : this.snapshot(entry)];
      });
      this.dirty = new Set();
      this.records = this.records.with(changes);
      this.current = { ...this.current, records: this.records };
    }
    if (this.editsDirty) {
      this.editsDirty = false;
      const edits: Edit[] = [];
      let otherEdits = 0;
      for (const edit of this.edits.values()) {
        if (this.isOwn(edit)) edits.push(edit);
        else if (edit.state === 'pending') otherEdits += 1;
      }
      this.current = { ...this.current, edits, otherEdits };
    }
    return this.current;
  }

  /** 'soon': after this tick. 'throttled': then, or when `NOTIFY_MS` have passed since the last time. */
  private schedule(when: 'soon' | 'throttled'): void {
    if (this.soon) return;
    const wait = when === 'soon' ? 0 : NOTIFY_MS - (this.clock.monotonic() - this.toldAt);
    if (wait > 0) {
      this.later ??= this.clock.after(wait, () => this.notify());
      return;
    }
    this.soon = true;
    queueMicrotask(() => this.notify());
  }

  private notify(): void {
    this.soon = false;
    this.later?.();
    this.later = null;
    this.toldAt = this.clock.monotonic();
    const untold = this.untold;
    this.untold = new Set();
    const state = this.materialise();
    if (state !== this.told) {
      this.told = state;
      this.call(() => this.store.setState(state, true));
    }
    for (const address of untold) for (const listener of this.entries.get(address)?.listeners ?? []) this.call(listener);
    for (const listener of this.notifyListeners) this.call(listener);
  }

  /** One listener's fault is not the others'. */
  private call(listener: () => void): void {
    try {
      listener();
    } catch (error) {
      this.failed(error);
    }
  }
}

