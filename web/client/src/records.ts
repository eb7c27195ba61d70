/** Reading and writing records; see {@link Records}. What was written shows in the same tick and is kept before the network is tried. */
import { addressOf, pathPart, recordPath } from './address';
import { claim } from './claim';
import type { Live, ListOptions, LiveList, Page, RecordState, Records, Sessions, TransactionChange, WriteOptions } from './client';
import { Members, array, count, text } from './decode';
import type { Credentials } from './credentials';
import type { Change, Edit, Write, WriteOutcome } from './edit';
import { StetError } from './error';
import type { FollowedRecords } from './followed-records';
import type { HttpCore } from './http';
import type { JsonObject } from './json';
import { LiveListSource, type ListWorld } from './live-list';
import { changeEdit, createEdit, removeEdit, updateEdit, type Author } from './make-edit';
import type { MetricsRecorder } from './metrics';
import { unreadable } from './problem';
import type { Address, MutationId, RecordOf } from './record';
import { record } from './record-decoder';
import { readRecord } from './record-reader';
import type { RecordStore } from './record-store';
import type { Clock, EditQueue, Feed } from './seams';
import { createShared, type Shared } from './shared';
import type { WritePromises } from './write-promises';

export interface RecordsWorld {
  readonly http: HttpCore;
  readonly store: RecordStore;
  readonly queue: EditQueue;
  readonly feed: Feed;
  readonly clock: Clock;
  readonly followed: FollowedRecords;
  readonly promises: WritePromises;
  readonly metrics: MetricsRecorder;
  readonly ids: () => MutationId;
  readonly credentials: Pick<Credentials, 'spaceId'>;
  readonly sessions: Pick<Sessions, 'live' | 'lastActor' | 'refresh'>;
}

/** How many lists that nobody looks at are remembered, so that a list turned to again is shown at once. */
const LISTS_IDLE_MAX = 16;

const page = (body: unknown): Page<JsonObject> => {
  try {
    const members = new Members(body);
    return {
      records: members.get('records', array(record)),
      seq: members.get('seq', count),
      next: members.find('next', text) ?? null,
      total: members.find('total', count) ?? null,
    };
  } catch (cause) {
    throw unreadable(cause);
  }
};

const asStet = (thrown: unknown): StetError =>
  thrown instanceof StetError ? thrown : new StetError({ code: 'STORAGE_FAILED', detail: 'the change could not be kept on this machine', cause: thrown });

/** What was said already of an edit that is still there; null: nothing yet. */
const outcomeSoFar = (edit: Edit): Promise<WriteOutcome> | null => {
  if (edit.state === 'conflict' && edit.conflict !== undefined) return Promise.resolve({ kind: 'conflict', conflict: edit.conflict });
  if (edit.state === 'rejected' && edit.error !== undefined) return Promise.resolve({ kind: 'rejected', error: edit.error });
  if (edit.state === 'parked' && edit.parked !== undefined) return Promise.resolve({ kind: 'parked', ...edit.parked });
  return null;
};

/** Puts it together; `close` ends what its lists and watched records hold. */
export const createRecords = (world: RecordsWorld): Records & { close(): void } => {
  const { http, store, queue, feed, clock, followed, promises, metrics, sessions } = world;
  const watched = new Map<Address, Shared>();
  const lists = new Map<string, LiveListSource>();

  const readPage: ListWorld['read'] = async (type, options) => {
    const { where, sort, limit, total, after, signal } = options;
    const answer = await http.request('GET', `/records/${pathPart(type)}`, {
      query: { where, sort, limit, total: total === true ? 1 : undefined, after },
      signal,
    });
    return page(answer.body);
  };

  /* ---- Writing ---- */

  /** Who makes edits now: whoever is logged in, or was last while nobody can be asked; null: nobody ever was. */
  const actor = (): string | null => {
    const session = sessions.live.getSnapshot();
    return session.status === 'authenticated' ? session.who.actor : sessions.lastActor;
  };

  /** Says for which data it is, as far as is known. */
  const named = (edit: Edit): Edit => {
    const space = world.credentials.spaceId;
    return space === null || edit.space !== undefined ? edit : { ...edit, space };
  };

  /** The edits of a page that does not know yet who it acts for: they are shown meanwhile, and kept in that person's name. */
  const identified = async (edits: readonly Edit[]): Promise<readonly Edit[]> => {
    let failed: unknown = null;
    if (sessions.live.getSnapshot().status === 'unknown') {
      await sessions.refresh().catch((thrown: unknown) => {
        failed = thrown;
      });
    }
    const known = actor();
    if (known === null) throw failed ?? new StetError({ code: 'UNAUTHENTICATED', detail: 'nobody is logged in to make this change' });
    return edits.map((edit) => named({ ...edit, actor: known }));
  };

  const author = (transaction?: MutationId): Author => ({
    id: world.ids(),
    actor: actor() ?? '',
    madeAt: new Date(clock.now()).toISOString(),
    ...(transaction === undefined ? {} : { transaction }),
  });

  const settled = (id: MutationId, address: Address, outcome: WriteOutcome, local: Promise<void> = Promise.resolve()): Write => ({
    id,
    address,
    local,
    confirmed: Promise.resolve(outcome),
  });

  const refused = (id: MutationId, address: Address, thrown: unknown): Write => {
    const error = asStet(thrown);
    const local = Promise.reject(error);
    // Who asks only for the outcome must not be stopped by a promise that nobody looked at.
    local.catch(() => {});
    return settled(id, address, { kind: 'rejected', error }, local);
  };

  /** Shows edits, then keeps them. What cannot be kept is not shown any longer. */
  const keep = (made: readonly Edit[]): readonly Write[] => {
    const edits = made.map(named);
    const outcomes = edits.map((edit) => promises.expect(edit.id));
    for (const edit of edits) {
      store.putEdit(edit);
      metrics.made(edit.id);
    }
    const kept = edits.every((edit) => edit.actor !== '') ? queue.add(edits) : identified(edits).then((named) => queue.add(named));
    const local = kept.catch((thrown: unknown) => {
      const outcome: WriteOutcome = { kind: 'rejected', error: asStet(thrown) };
      for (const edit of edits) {
        store.settle(edit, outcome);
        promises.settle(edit.id, outcome);
        metrics.settled(edit.id, outcome);
      }
      throw outcome.error;
    });
    local.catch(() => {});
    return edits.map((edit, index) => ({
      id: edit.id,
      address: edit.address,
      local,
      confirmed: outcomes[index] ?? Promise.resolve<WriteOutcome>({ kind: 'discarded' }),
    }));
  };

  const keepOne = (edit: Edit): Write => keep([edit])[0] ?? refused(edit.id, edit.address, null);

  const unchanged = (id: MutationId, address: Address): Write => {
    const state = store.find(address);
    const last = state?.edits.at(-1);
    // It is shown already, and not saved yet: what becomes of that becomes of this.
    if (last !== undefined) return { id: last.id, address, local: Promise.resolve(), confirmed: outcomeSoFar(last) ?? promises.expect(last.id) };
    const known = state?.record;
    if (known === null || known === undefined) return settled(id, address, { kind: 'discarded' });
    return settled(id, address, { kind: 'confirmed', record: known, merged: false, unchanged: true });
  };

  /** A record that this page has never seen is read first: only then is there a version to change. */
  const later = (id: MutationId, address: Address, make: () => Write): Write => {
    const { type, id: recordId } = store.get(address);
    const write = http.request('GET', recordPath(type, recordId)).then((answer) => {
      store.applyRecord(readRecord(answer.body));
      return make();
    });
    const local = write.then((made) => made.local);
    local.catch(() => {});
    return {
      id,
      address,
      local,
      confirmed: write.then(
        (made) => made.confirmed,
        (thrown: unknown) => ({ kind: 'rejected', error: asStet(thrown) }),
      ),
    };
  };

  const isUnknown = (address: Address, options: WriteOptions): boolean => {
    const { record: known, edits } = store.seen(address);
    if (options.base !== undefined || known !== null || edits.length > 0) return false;
    const { status } = store.get(address);
    return status === 'loading' || status === 'error';
  };

  const change = (type: string, id: string, options: WriteOptions, make: (own: Author) => Edit | null): Write => {
    const address = addressOf(type, id);
    const own = author();
    const now = (): Write => {
      try {
        const edit = make(own);
        return edit === null ? unchanged(own.id, address) : keepOne(edit);
      } catch (thrown) {
        return refused(own.id, address, thrown);
      }
    };
    return isUnknown(address, options) ? later(own.id, address, now) : now();
  };

  const transactionEdit = (own: Author, given: TransactionChange, options: WriteOptions): Edit => {
    const { type, id, base, ...rest } = given;
    const known: Change = rest;
    return changeEdit(store, own, type, id, known, { ...options, ...(base === undefined ? {} : { base }) });
  };

  /* ---- Live ---- */

  const watch = (type: string, id: string): Live<RecordState> => {
    const address = addressOf(type, id);
    const source = (): Shared => {
      const known = watched.get(address);
      if (known !== undefined) return known;
      const made = createShared(clock, () => {
        const undo = [followed.follow(address), store.listen(address, () => made.tell())];
        return () => {
          watched.delete(address);
          for (const one of undo) one();
        };
      });
      watched.set(address, made);
      return made;
    };
    return { subscribe: (listener) => source().subscribe(listener), getSnapshot: () => store.get(address) };
  };

  const list = (type: string, options: ListOptions): LiveListSource => {
    const key = JSON.stringify([type, options.where ?? '', options.sort ?? '', options.limit ?? 0, options.total ?? false]);
    const known = lists.get(key);
    lists.delete(key);
    const source = known ?? new LiveListSource({ store, feed, clock, read: readPage }, type, options);
    lists.set(key, source);
    const idle = [...lists].filter(([, one]) => one !== source && !one.active);
    for (const [name] of idle.slice(0, Math.max(0, idle.length - LISTS_IDLE_MAX))) lists.delete(name);
    return source;
  };

  return {
    async get<T>(type: string, id: string, options: { signal?: AbortSignal; version?: number; at?: string } = {}) {
      const { signal, version, at } = options;
      const past = version !== undefined || at !== undefined;
      const answer = await http.request('GET', recordPath(type, id), { query: { version, at }, ...(signal === undefined ? {} : { signal }) });
      const read: RecordOf = readRecord(answer.body);
      if (!past) store.applyRecord(read);
      return claim<T, 'record'>(read);
    },
    watch: <T>(type: string, id: string) => claim<T, 'live'>(watch(type, id)),
    async list<T>(type: string, options: ListOptions & { signal?: AbortSignal; after?: string } = {}) {
      const read = await readPage(type, { ...options, signal: options.signal ?? new AbortController().signal });
      for (const one of read.records) store.applyRecord(one);
      return claim<T, 'page'>(read);
    },
    live: <T>(type: string, options: ListOptions = {}): LiveList<T> => claim<T, 'list'>(list(type, options)),
    create: <T>(type: string, data: T, options: WriteOptions & { id?: string; parent?: Address } = {}) => {
      const own = author();
      const id = options.id ?? world.ids();
      try {
        return claim<T, 'write'>(keepOne(createEdit(store, own, type, id, data, options)));
      } catch (thrown) {
        return claim<T, 'write'>(refused(own.id, addressOf(type, id), thrown));
      }
    },
    update: <T>(type: string, id: string, wanted: Partial<T> | ((data: T) => T), options: WriteOptions = {}) =>
      claim<T, 'write'>(change(type, id, options, (own) => updateEdit(store, own, type, id, wanted, options))),
    remove: (type, id, options = {}) => change(type, id, options, (own) => removeEdit(store, own, type, id, options)),
    transact(changes, options = {}) {
      const id = world.ids();
      const edits: Edit[] = [];
      try {
        for (const given of changes) {
          const edit = transactionEdit(author(id), given, options);
          // The next one may be on top of it.
          store.putEdit(edit);
          edits.push(edit);
        }
        return { id, writes: keep(edits) };
      } catch (thrown) {
        for (const edit of edits) store.settle(edit, { kind: 'discarded' });
        return { id, writes: changes.map((given) => refused(id, addressOf(given.type, given.id), thrown)) };
      }
    },
    close() {
      for (const source of [...watched.values(), ...lists.values()]) source.close();
    },
  };
};
