/** What to show of a record: the server's, with the edits that wait put on top in their order. Nothing here has state. */
import type { Phase } from './client';
import type { Change, Edit } from './edit';
import type { JsonObject } from './json';
import { applyMergePatches, rebase } from './merge-patch';

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
