/**
 * A list that follows the feed.
 *
 * Pages are a snapshot as of a position, and the feed goes on from there, so nothing between is missed. What the server says to
 * belong here is remembered (`belongs`); what is shown is that, in order, with the edits that wait put on top. The list ends where its
 * last page ended (`boundary`): what the feed tells of records behind it is remembered for when that page is asked for.
 */
import { pathPart } from './address';
import type { ListOptions, ListState, LiveList, Page, RecordState } from './client';
import { StetError } from './error';
import { mayFit } from './fit';
import { BEHIND_MAX, LIST_RECORDS_MAX, REFRESH_MS } from './limits';
import { OrderedItems } from './ordered-items';
import { unreadable } from './problem';
import type { JsonObject } from './json';
import type { Address, RecordOf, Seq } from './record';
import { applyFeedEvent } from './reconcile';
import type { RecordStore } from './record-store';
import type { Clock, Feed, FeedEvent } from './seams';
import { createShared, type Shared } from './shared';
import { arrivalOrder, isInOrder, sortOrderOf, type Place, type SortOrder } from './sort-order';

export interface ListWorld {
  readonly store: RecordStore;
  readonly feed: Feed;
  readonly clock: Clock;
  readonly read: (type: string, options: ListOptions & { readonly after?: string; readonly signal: AbortSignal }) => Promise<Page<JsonObject>>;
}

const loading: ListState = { status: 'loading', items: [], hasMore: false, loadingMore: false, total: null, error: null };

const asError = (thrown: unknown): StetError => (thrown instanceof StetError ? thrown : unreadable(thrown));

const isBeingMade = (state: RecordState): boolean => state.edits.some((edit) => edit.change.op === 'create');

/** See the top of the file; public through `records.live`. */
export class LiveListSource implements LiveList {
  private readonly world: ListWorld;
  private readonly type: string;
  private readonly options: ListOptions;
  private readonly prefix: string;
  private readonly shared: Shared;
  private order: SortOrder;
  private items: OrderedItems;
  private readonly belongs = new Map<Address, () => void>();
  /** Made here and shown, though the server has not said that they belong. */
  private readonly made = new Set<Address>();
  private readonly behind = new Map<Address, boolean>();
  private boundary: Place | null = null;
  private cursor: string | null = null;
  private readonly dirty = new Set<Address>();
  private snapshot: ListState = loading;
  private changed = false;
  private status: ListState['status'] = 'loading';
  private error: StetError | null = null;
  private total: number | null = null;
  private loadingMore: Promise<void> | null = null;
  private abort = new AbortController();
  private undo: (() => void)[] = [];
  private unfollow: (() => void) | null = null;
  private refreshing: Promise<void> | null = null;
  private planned: { readonly anew: boolean; readonly undo: () => void } | null = null;
  private counting: (() => void) | null = null;
  private judging: (() => void) | null = null;

  constructor(world: ListWorld, type: string, options: ListOptions) {
    this.world = world;
    this.type = type;
    this.options = options;
    this.prefix = `${pathPart(type)}/`;
    this.order = sortOrderOf(options.sort) ?? arrivalOrder();
    this.items = new OrderedItems(this.order);
    this.shared = createShared(world.clock, () => this.begin());
  }

  /** Whether somebody looks at it, or did a moment ago. */
  get active(): boolean {
    return this.shared.active;
  }

  readonly subscribe = (listener: () => void): (() => void) => this.shared.subscribe(listener);

  readonly getSnapshot = (): ListState => {
    this.rearrange();
    if (this.changed) {
      this.changed = false;
      this.snapshot = {
        status: this.status,
        items: this.items.list(),
        hasMore: this.cursor !== null,
        loadingMore: this.loadingMore !== null,
        total: this.total,
        error: this.error,
      };
    }
    return this.snapshot;
  };

  readonly refresh = (): Promise<void> => this.reload(false);

  readonly more = (): Promise<void> => {
    if (this.loadingMore !== null) return this.loadingMore;
    if (this.cursor === null || this.refreshing !== null) return Promise.resolve();
    if (this.belongs.size >= LIST_RECORDS_MAX) {
      this.fail(new StetError({ code: 'TOO_LARGE', detail: `a live list holds at most ${LIST_RECORDS_MAX} records; narrow it down` }));
      return Promise.resolve();
    }
    this.loadingMore = this.nextPage(this.cursor).finally(() => {
      this.loadingMore = null;
      this.tell();
    });
    this.tell();
    return this.loadingMore;
  };

  close(): void {
    this.shared.close();
  }

  /* ---- Coming and going ---- */

  private begin(): () => void {
    const { store, feed } = this.world;
    this.abort = new AbortController();
    this.undo = [
      store.onTouched((address) => {
        if (address.startsWith(this.prefix)) this.dirty.add(address);
      }),
      store.onNotify(() => {
        if (this.rearrange()) this.shared.tell();
      }),
      store.onForget(() => {
        // What is under way was asked for by the person before.
        this.status = 'loading';
        this.changed = true;
        void (this.refreshing ?? Promise.resolve()).then(() => this.reload(true));
      }),
      feed.subscribe((state) => {
        if (state === 'open' && this.error !== null) void this.reload(false);
      }),
    ];
    // What was made here before and still waits.
    for (const address of store.addresses((state) => state.type === this.type && state.edits.length > 0)) this.dirty.add(address);
    void this.reload(false);
    return () => this.end();
  }

  private end(): void {
    this.abort.abort();
    for (const undo of this.undo) undo();
    this.undo = [];
    this.unfollow?.();
    this.unfollow = null;
    this.planned?.undo();
    this.planned = null;
    this.counting?.();
    this.counting = null;
    this.judging?.();
    this.judging = null;
    for (const release of this.belongs.values()) release();
    this.belongs.clear();
    this.behind.clear();
    this.made.clear();
    this.refreshing = null;
  }

  /* ---- Reading ---- */

  /** Reads as much as is shown now, anew. One that is under way is what the caller gets. */
  private reload(anew: boolean): Promise<void> {
    if (!this.shared.active) return Promise.resolve();
    this.planned?.undo();
    this.planned = null;
    if (this.refreshing !== null) {
      // It may have been read before what made this necessary.
      if (anew) this.plan(true);
      return this.refreshing;
    }
    const own = this.readAll(anew).finally(() => {
      if (this.refreshing === own) this.refreshing = null;
    });
    this.refreshing = own;
    return own;
  }

  private async readAll(anew: boolean): Promise<void> {
    const { signal } = this.abort;
    const wanted = Math.max(this.belongs.size, 1);
    try {
      const records: RecordOf[] = [];
      let page = await this.world.read(this.type, { ...this.options, signal });
      const [seq, total] = [page.seq, page.total];
      records.push(...page.records);
      while (page.next !== null && records.length < wanted && !signal.aborted) {
        page = await this.world.read(this.type, { ...this.options, total: false, after: page.next, signal });
        records.push(...page.records);
      }
      if (signal.aborted) return;
      this.take(records, anew, seq);
      this.cursor = page.next;
      this.total = total;
      this.status = 'ready';
      this.error = null;
      this.follow(seq);
    } catch (thrown) {
      if (signal.aborted) return;
      if (this.status === 'loading') this.status = 'error';
      this.fail(asError(thrown));
    }
    this.tell();
  }

  /** These are the records from the beginning on, as of `seq`. */
  private take(records: readonly RecordOf[], anew: boolean, seq: Seq): void {
    const { store } = this.world;
    const before = new Map(this.belongs);
    this.belongs.clear();
    this.behind.clear();
    for (const record of records) {
      store.applyRecord(record, anew);
      this.belongs.set(record.address, before.get(record.address) ?? store.retain(record.address));
      before.delete(record.address);
    }
    for (const [address, release] of before) {
      this.dirty.add(address);
      release();
    }
    this.chooseOrder(records);
    this.boundary = this.placeOfLast(records);
    for (const address of this.made) {
      const state = store.find(address);
      // It was made before this was read, and does not belong.
      if (state?.record != null && state.record.seq <= seq && !isBeingMade(state)) this.made.delete(address);
    }
    const own = [...new Set([...this.dirty, ...this.made])].filter((address) => !this.belongs.has(address));
    const states = [...this.belongs.keys(), ...own].map((address) => store.find(address)).filter((state) => state !== null);
    this.items.replace(states.filter((state) => this.isShown(state)));
    this.dirty.clear();
    this.changed = true;
  }

  /** Without `sort` the order is the server's choice (an index's); what it sends tells which. */
  private chooseOrder(records: readonly RecordOf[]): void {
    if (this.options.sort !== undefined && sortOrderOf(this.options.sort) !== null) return;
    const candidates = [this.order, sortOrderOf('$id'), sortOrderOf('$created_at')].filter((order) => order !== null);
    const found = candidates.find((order) => isInOrder(order, records));
    const order = found ?? arrivalOrder(records.map((record) => record.address));
    if (order === this.order) return;
    this.order = order;
    this.items = new OrderedItems(order);
  }

  private placeOfLast(records: readonly RecordOf[]): Place | null {
    const last = records.at(-1);
    return last === undefined ? this.boundary : this.order.placeOf({ ...last, record: last });
  }

  private async nextPage(cursor: string): Promise<void> {
    const { signal } = this.abort;
    const { store } = this.world;
    try {
      const page = await this.world.read(this.type, { ...this.options, total: false, after: cursor, signal });
      if (signal.aborted || this.cursor !== cursor) return;
      for (const record of page.records) {
        store.applyRecord(record);
        // It changed after the snapshot, and the feed has said what became of it.
        if (this.behind.get(record.address) !== false) this.include(record.address);
      }
      this.boundary = this.placeOfLast(page.records);
      this.cursor = page.next;
      for (const [address, belongs] of this.behind) {
        const state = store.find(address);
        if (this.cursor !== null && (state === null || this.isBehind(state))) continue;
        this.behind.delete(address);
        if (belongs) this.include(address);
      }
    } catch (thrown) {
      if (signal.aborted) return;
      const error = asError(thrown);
      if (error.code === 'CURSOR_EXPIRED') await this.reload(false);
      else this.fail(error);
    }
  }

  private follow(seq: Seq): void {
    this.unfollow?.();
    const { where } = this.options;
    this.unfollow = this.world.feed.follow({ types: [this.type], ...(where === undefined ? {} : { where }), since: seq }, (event) =>
      this.hear(event),
    );
  }

  /* ---- The feed ---- */

  private hear(event: FeedEvent): void {
    const { store } = this.world;
    const missed = applyFeedEvent(store, event);
    if (missed) this.plan(true);
    if (event.kind === 'change') {
      const gone = event.left || event.op === 'delete' || event.record.deleted === true;
      this.count(event.op, gone, event.record.address);
      if (gone) this.exclude(event.record.address);
      else this.admit(event.record.address);
      if (this.order.arrival && this.options.sort !== undefined) this.plan(false);
    }
    if (event.kind === 'revoked' && !missed) this.exclude(event.address);
    if (event.kind === 'failed') {
      this.fail(event.error);
      this.tell();
    }
  }

  /** The record belongs to the list now, be it on a page that was not read yet. */
  private admit(address: Address): void {
    const state = this.world.store.find(address);
    if (state === null || !this.isBehind(state)) {
      this.behind.delete(address);
      this.include(address);
      return;
    }
    this.exclude(address);
    this.behind.set(address, true);
  }

  private include(address: Address): void {
    if (!this.belongs.has(address)) this.belongs.set(address, this.world.store.retain(address));
    this.made.delete(address);
    this.dirty.add(address);
  }

  private exclude(address: Address): void {
    this.belongs.get(address)?.();
    this.belongs.delete(address);
    this.made.delete(address);
    this.dirty.add(address);
    if (this.cursor === null) return;
    this.behind.set(address, false);
    if (this.behind.size > BEHIND_MAX) this.plan(false);
  }

  private isBehind(state: RecordState): boolean {
    return this.cursor !== null && this.boundary !== null && this.order.compare(this.order.placeOf(state), this.boundary) > 0;
  }

  /** Keeps the total where that can be told from the feed alone, and asks where it cannot: whether a record matched before. */
  private count(op: string, gone: boolean, address: Address): void {
    if (this.total === null) return;
    const known = this.belongs.has(address) || this.behind.get(address) === true;
    this.changed = true;
    if (gone) this.total = Math.max(0, this.total - 1);
    else if (known) return;
    else if (op === 'create' || this.cursor === null) this.total += 1;
    else {
      this.counting ??= this.world.clock.after(REFRESH_MS, () => {
        this.counting = null;
        void this.recount();
      });
    }
  }

  private async recount(): Promise<void> {
    const { signal } = this.abort;
    try {
      const { total } = await this.world.read(this.type, { ...this.options, limit: 1, total: true, signal });
      if (signal.aborted) return;
      this.total = total;
      this.tell();
    } catch (thrown) {
      if (!signal.aborted) this.fail(asError(thrown));
    }
  }

  /** Reads it anew soon, once for all that asks for it meanwhile. */
  private plan(anew: boolean): void {
    const all = anew || (this.planned?.anew ?? false);
    this.planned?.undo();
    const undo = this.world.clock.after(REFRESH_MS, () => {
      this.planned = null;
      void (this.refreshing ?? Promise.resolve()).then(() => this.reload(all));
    });
    this.planned = { anew: all, undo };
  }

  /* ---- What is shown ---- */

  private isShown(state: RecordState): boolean {
    if (state.data === null) return false;
    if (this.belongs.has(state.address)) return true;
    // What was made here shows at once, but for what cannot match. Whether it does match only the server can say.
    const { where } = this.options;
    const pending = isBeingMade(state);
    if (!pending && !this.made.has(state.address)) return false;
    if (where !== undefined && !mayFit(where, state.data)) {
      this.made.delete(state.address);
      return false;
    }
    if (pending) {
      this.made.add(state.address);
      return true;
    }
    // It was just confirmed, and the feed has not come so far.
    if (state.record !== null && where !== undefined) {
      this.judge();
      return true;
    }
    this.made.delete(state.address);
    if (state.record === null) return false;
    this.include(state.address);
    return true;
  }

  /** The feed tells of what belongs, and says nothing of what does not: after a while it is asked for. */
  private judge(): void {
    this.judging ??= this.world.clock.after(REFRESH_MS, () => {
      this.judging = null;
      const open = [...this.made].map((address) => this.world.store.find(address));
      if (open.some((state) => state !== null && state.record !== null && !isBeingMade(state))) this.plan(false);
    });
  }

  /** Brings the items up to date with the records that changed; true when something is another now. */
  private rearrange(): boolean {
    if (this.dirty.size === 0) return this.changed;
    const { store } = this.world;
    const addresses = [...this.dirty];
    this.dirty.clear();
    for (const address of addresses) {
      const state = store.find(address);
      if (state === null) this.made.delete(address);
      const shown = state !== null && this.isShown(state);
      if (shown) this.items.set(state);
      else if (this.items.has(address)) this.items.delete(address);
      else continue;
      this.changed = true;
    }
    this.dirty.clear();
    return this.changed;
  }

  private fail(error: StetError): void {
    this.error = error;
    this.changed = true;
  }

  private tell(): void {
    this.changed = true;
    this.shared.tell();
  }
}
