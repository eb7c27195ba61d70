import type { Edit } from './edit';
import { StetError } from './error';
import type { MutationId } from './record';
import type { EditStorage, KeptEdit, StorageState } from './seams';

/** Edits kept in memory: gone with the page. Several tabs of a test may share one, which then counts as `durable`.
 *  Places are times, in microseconds, so that those of several pages go together well enough. */
export function createMemoryStorage(state: StorageState = 'memory', now: () => number = Date.now): EditStorage {
  const kept = new Map<MutationId, KeptEdit>();
  const notes = new Map<string, string>();
  let last = 0;
  return {
    state,
    subscribe: () => () => {},
    async load() {
      return [...kept.values()].sort((one, other) => one.order - other.order);
    },
    async add(edits: readonly Edit[]) {
      const twice = edits.find((edit) => kept.has(edit.id));
      if (twice) throw new StetError({ code: 'STORAGE_FAILED', detail: `the edit ${twice.id} is kept already` });
      const added = edits.map((edit) => {
        last = Math.max(last + 1, Math.floor(now()) * 1000);
        return { order: last, edit };
      });
      for (const one of added) kept.set(one.edit.id, one);
      return added;
    },
    async save(changed, removed) {
      const missing = changed.filter(({ edit }) => !kept.has(edit.id)).map(({ edit }) => edit.id);
      for (const one of changed) if (kept.has(one.edit.id)) kept.set(one.edit.id, one);
      for (const id of removed) kept.delete(id);
      return missing;
    },
    async note(name) {
      return notes.get(name) ?? null;
    },
    async keepNote(name, text) {
      if (text === null) notes.delete(name);
      else notes.set(name, text);
    },
    close() {},
  };
}
