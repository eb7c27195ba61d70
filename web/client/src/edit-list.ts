import type { Edit } from './edit';
import type { Address, MutationId } from './record';
import type { KeptEdit } from './seams';

/** The edits that wait, in the order of their places. Each change gives a new {@link EditList.all}; nothing else is copied. */
export interface EditList {
  /** In order; the same array until something changed. */
  all(): readonly KeptEdit[];
  readonly size: number;
  find(id: MutationId): KeptEdit | undefined;
  /** Those of one record, in order, as they are now: good until the next change. */
  of(address: Address): readonly KeptEdit[];
  /** Those that are sent together with it, itself among them, in order. */
  unit(edit: Edit): readonly KeptEdit[];
  /** Adds, or replaces the one with its id. */
  put(kept: KeptEdit): void;
  remove(id: MutationId): void;
}

const byOrder = (one: KeptEdit, other: KeptEdit) => one.order - other.order || (one.edit.id < other.edit.id ? -1 : 1);

/** Makes an empty list. */
export function createEditList(): EditList {
  const kept = new Map<MutationId, KeptEdit>();
  const records = new Map<Address, KeptEdit[]>();
  let sorted: readonly KeptEdit[] | null = [];

  const take = (id: MutationId) => {
    const old = kept.get(id);
    if (!old) return;
    kept.delete(id);
    const rest = (records.get(old.edit.address) ?? []).filter((one) => one.edit.id !== id);
    if (rest.length > 0) records.set(old.edit.address, rest);
    else records.delete(old.edit.address);
  };

  return {
    all() {
      sorted ??= [...kept.values()].sort(byOrder);
      return sorted;
    },
    get size() {
      return kept.size;
    },
    find: (id) => kept.get(id),
    of: (address) => records.get(address) ?? [],
    unit(edit) {
      const transaction = edit.transaction;
      if (transaction === undefined) {
        const one = kept.get(edit.id);
        return one ? [one] : [];
      }
      return this.all().filter((one) => one.edit.transaction === transaction);
    },
    put(one) {
      sorted = null;
      const old = kept.get(one.edit.id);
      if (old !== undefined && old.order === one.order && old.edit.address === one.edit.address) {
        // In its place: each edit that is taken changes all behind it, and a copy for each of those would be a thousand thousands.
        kept.set(one.edit.id, one);
        const there = records.get(one.edit.address);
        const index = there?.indexOf(old) ?? -1;
        if (there !== undefined && index >= 0) there[index] = one;
        return;
      }
      if (old !== undefined) take(one.edit.id);
      kept.set(one.edit.id, one);
      const before = records.get(one.edit.address) ?? [];
      const last = before.at(-1);
      const all = [...before, one];
      // A new one comes last, as a rule.
      records.set(one.edit.address, last === undefined || byOrder(last, one) < 0 ? all : all.sort(byOrder));
    },
    remove(id) {
      sorted = null;
      take(id);
    },
  };
}
