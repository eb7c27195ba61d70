/** What to show of a record: the server's, with the edits that wait put on top in their order. Nothing here has state. */
import type { Phase } from './client';
import type { Change, Edit } from './edit';
import type { Json, JsonObject } from './json';
import { applyMergePatch, applyMergePatches, composePatch, rebase } from './merge-patch';

/** A change of the whole record, put onto what was there before it; null: there is none. */
const applyEdit = (data: JsonObject | null, change: Exclude<Change, { op: 'patch' }>, baseData: JsonObject | null): JsonObject | null => {
  switch (change.op) {
    case 'create':
      // Somebody else made one with this id, or ours came back as an echo that could not be recognised: theirs is what is there.
      return data ?? change.data;
    case 'put':
      return data === null || baseData === null ? change.data : rebase(baseData, change.data, data);
    case 'delete':
      return null;
  }
};

/** All edits put onto the server's data, in order. A conflict and a refusal go on showing what was written until they are settled.
 *  Patches that follow one another copy the data once, for hundreds may wait and are put on anew with each change of the record. */
export const fold = (data: JsonObject | null, edits: readonly Edit[]): JsonObject | null => {
  let shown = data;
  let patches: JsonObject[] = [];
  const put = (onto: JsonObject | null): JsonObject | null => {
    const made = onto === null || patches.length === 0 ? onto : applyMergePatches(onto, patches);
    patches = [];
    return made;
  };
  for (const edit of edits) {
    if (!isShown(edit)) continue;
    if (edit.change.op === 'patch') {
      // A patch to what is gone shows what was written, as long as somebody has to decide.
      shown ??= edit.baseData ?? {};
      patches.push(edit.change.patch);
    } else shown = applyEdit(put(shown), edit.change, edit.baseData);
  }
  return put(shown);
};

/** What waits on the server for a person is not the record's state until they decide; all else shows at once. */
export const isShown = (edit: Edit): boolean => edit.state !== 'parked' && edit.state !== 'confirmed';

/** What a record's edits amount to. The worst that needs a person comes first. @param before what those in front of them do, or whether something was saved */
export const phaseOf = (edits: readonly Edit[], before: Phase): Phase => {
  let worst = before;
  for (const { state } of edits) {
    const phase = phases[state];
    if (urgency[phase] > urgency[worst]) worst = phase;
  }
  return worst;
};

const phases: Readonly<Record<Edit['state'], Phase>> = { confirmed: 'idle', parked: 'parked', pending: 'saving', rejected: 'rejected', conflict: 'conflict' };
const urgency: Readonly<Record<Phase, number>> = { idle: 0, saved: 1, parked: 2, saving: 3, rejected: 4, conflict: 5 };

/**
 * The edits of a record that wait, as one patch, for as long as they are patches that can be one: then a change of the record below
 * costs one patch, and not one for each of the hundreds that wait. Edits are added at the end; when others change, another stack is made.
 */
export class EditStack {
  private readonly patch: Record<string, Json> = {};
  private first: Edit | null = null;
  private whole = true;
  private count = 0;
  private worst: Phase = 'idle';

  /** The data with all of `edits` on top, and what they amount to. Those of the calls before come first among them. */
  put(edits: readonly Edit[], data: JsonObject | null, before: Phase): { readonly data: JsonObject | null; readonly phase: Phase } {
    while (this.whole && this.count < edits.length) {
      const edit = edits[this.count];
      if (edit === undefined) break;
      this.count += 1;
      if (!isShown(edit)) this.worst = phaseOf([edit], this.worst);
      else if (edit.change.op === 'patch' && composePatch(this.patch, edit.change.patch)) {
        this.worst = phaseOf([edit], this.worst);
        this.first ??= edit;
      } else this.whole = false;
    }
    if (!this.whole) return { data: fold(data, edits), phase: phaseOf(edits, before) };
    const phase = urgency[this.worst] > urgency[before] ? this.worst : before;
    return { data: this.first === null ? data : applyMergePatch(data ?? this.first.baseData ?? {}, this.patch), phase };
  }
}
