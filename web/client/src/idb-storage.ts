/**
 * Edits in IndexedDB. Every write is one transaction; an edit is written as text, so that what is read back goes through one decoder.
 *
 *   Schema 1: `edits`, by id, with their place (`order`).
 *   Schema 2: `notes`, a few words by name; among them the last place that was given.
 *
 * A database of a newer program is left alone: nothing is read from it or written to it, and `state` says so.
 */
import { openDB, type DBSchema, type IDBPDatabase } from 'idb';
import { DecodeError, parseJson } from './decode';
import type { Edit } from './edit';
import { editFromJson, editToJson } from './edit-codec';
import { StetError } from './error';
import { createMemoryStorage } from './memory-storage';
import type { MutationId } from './record';
import type { EditStorage, KeptEdit, StorageState } from './seams';

/** The newest schema that this program knows. */
export const schemaVersion = 2;

interface Row {
  readonly id: MutationId;
  readonly order: number;
  readonly text: string;
}
interface Schema extends DBSchema {
  edits: { key: MutationId; value: Row };
  notes: { key: string; value: string };
}
type Database = IDBPDatabase<Schema>;

const lastPlace = 'last place';
/** Names this very database: one that was deleted and made again has another. */
const markNote = 'mark';

const toRow = ({ order, edit }: KeptEdit): Row => ({ id: edit.id, order, text: JSON.stringify(editToJson(edit)) });
/** Null for what nobody can read: it is left where it is. */
const fromRow = (row: Row): KeptEdit | null => {
  try {
    const edit = editFromJson(parseJson(row.text));
    return edit && { order: row.order, edit };
  } catch (error) {
    if (error instanceof DecodeError) return null;
    throw error;
  }
};

const failure = (cause: unknown): StetError =>
  new StetError({ code: 'STORAGE_FAILED', detail: 'the edit could not be kept on this machine', cause });

/** Opens (and makes, or brings up to date) the database `name`. Where the browser gives none, edits are kept in memory. */
export function createIdbStorage(name: string): EditStorage {
  const listeners = new Set<(state: StorageState) => void>();
  let memory: EditStorage | null = null;
  let state: StorageState = 'durable';
  let closed = false;
  /** A newer program has the database now. */
  let lost = false;
  let opened: Promise<Database> | null = null;
  let mark: string | null = null;
  /** Somebody deleted what was kept, with the page still open: what this page has is kept anew. */
  let emptied = false;

  const become = (next: StorageState) => {
    if (next === state) return;
    state = next;
    for (const listener of [...listeners]) listener(next);
  };

  const open = async (): Promise<Database> => {
    const database = await openDB<Schema>(name, schemaVersion, {
      upgrade(database, from) {
        if (from < 1) database.createObjectStore('edits', { keyPath: 'id' });
        if (from < 2) database.createObjectStore('notes');
      },
      blocking(_current, wanted, event) {
        opened = null;
        if (event.target instanceof IDBDatabase) event.target.close();
        // It is being deleted: the next step makes another.
        if (wanted === null) return;
        // A tab with a newer program waits for this one to let go.
        lost = true;
        become('failed');
      },
      terminated() {
        opened = null;
      },
    });
    const transaction = database.transaction('notes', 'readwrite');
    const found = (await transaction.store.get(markNote)) ?? `${Date.now()} ${Math.random()}`;
    await Promise.all([transaction.store.put(found, markNote), transaction.done]);
    if (mark !== null && mark !== found) emptied = true;
    mark = found;
    return database;
  };

  /** The database, or the memory that stands in for it; throws when neither may be used. */
  const place = async (): Promise<Database | EditStorage> => {
    if (memory) return memory;
    if (closed || lost) throw failure(new Error(closed ? 'closed' : 'a newer program has the database'));
    try {
      if (typeof indexedDB === 'undefined') throw new Error('no IndexedDB');
      opened ??= open();
      return await opened;
    } catch (cause) {
      opened = null;
      if (cause instanceof DOMException && cause.name === 'VersionError') {
        lost = true;
        become('failed');
        throw failure(cause);
      }
      memory = createMemoryStorage();
      become('memory');
      return memory;
    }
  };
  const isMemory = (found: Database | EditStorage): found is EditStorage => found === memory;

  /** Runs one step; a failure is told, and so is the next success. */
  const step = async <R>(work: (database: Database) => Promise<R>, inMemory: (storage: EditStorage) => Promise<R>): Promise<R> => {
    const found = await place();
    if (isMemory(found)) return inMemory(found);
    try {
      const result = await work(found).catch(async (cause: unknown) => {
        // The browser closed the connection, which it may do at any time and in silence: nothing was done, so once more with another.
        if (!(cause instanceof DOMException && cause.name === 'InvalidStateError') || lost) throw cause;
        opened = null;
        const anew = await place();
        if (isMemory(anew)) throw cause;
        return work(anew);
      });
      if (!lost) become('durable');
      return result;
    } catch (cause) {
      become('failed');
      throw failure(cause);
    }
  };

  return {
    get state() {
      return state;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    load: () =>
      step(
        async (database) => {
          const rows = await database.getAll('edits');
          return rows.flatMap((row) => fromRow(row) ?? []).sort((one, other) => one.order - other.order);
        },
        (storage) => storage.load(),
      ),
    add: (edits: readonly Edit[]) =>
      step(
        async (database) => {
          // Strict: what the person was told is kept must be on the disk, not in a cache of the system.
          const transaction = database.transaction(['edits', 'notes'], 'readwrite', { durability: 'strict' });
          const notes = transaction.objectStore('notes');
          const written = transaction.objectStore('edits');
          const last = Number((await notes.get(lastPlace)) ?? 0);
          const kept = edits.map((edit, index) => ({ order: last + 1 + index, edit }));
          const steps = kept.map((one) => written.add(toRow(one)));
          await Promise.all([...steps, notes.put(String(last + edits.length), lastPlace), transaction.done]);
          return kept;
        },
        (storage) => storage.add(edits),
      ),
    save: (changed, removed) =>
      step(
        async (database) => {
          const transaction = database.transaction('edits', 'readwrite');
          const [only] = changed;
          // One question for all of them; of a single one there is no need to read every key.
          const found = changed.length === 1 && only !== undefined ? [await transaction.store.getKey(only.edit.id)] : changed.length > 0 ? await transaction.store.getAllKeys() : [];
          const there = new Set(found);
          const missing = emptied ? [] : changed.filter(({ edit }) => !there.has(edit.id)).map(({ edit }) => edit.id);
          const gone = new Set(missing);
          const steps: Promise<unknown>[] = changed.filter(({ edit }) => !gone.has(edit.id)).map((one) => transaction.store.put(toRow(one)));
          await Promise.all([...steps, ...removed.map((id) => transaction.store.delete(id)), transaction.done]);
          return missing;
        },
        (storage) => storage.save(changed, removed),
      ),
    note: (word) =>
      step(
        async (database) => (await database.get('notes', `note ${word}`)) ?? null,
        (storage) => storage.note(word),
      ),
    keepNote: (word, text) =>
      step(
        async (database) => {
          if (text === null) await database.delete('notes', `note ${word}`);
          else await database.put('notes', text, `note ${word}`);
        },
        (storage) => storage.keepNote(word, text),
      ),
    close() {
      closed = true;
      listeners.clear();
      void opened?.then(
        (database) => database.close(),
        () => {},
      );
    },
  };
}
