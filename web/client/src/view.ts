/** What to show of a record: the server's, with the edits that wait put on top in their order. Nothing here has state. */
import type { Phase } from './client';
import type { Edit } from './edit';
import type { JsonObject } from './json';
import { applyMergePatch, rebase } from './merge-patch';

/** One edit put onto what was there before it; null: there is none. */
export const applyEdit = (data: JsonObject | null, edit: Edit): JsonObject | null => {
  const { change } = edit;
  switch (change.op) {
    case 'create':
      // Somebody else made one with this id, or ours came back as an echo that could not be recognised: theirs is what is there.
      return data ?? change.data;
    case 'put':
      return data === null || edit.baseData === null ? change.data : rebase(edit.baseData, change.data, data);
    case 'patch':
      // A patch to what is gone shows what was written, as long as somebody has to decide.
      return applyMergePatch(data ?? edit.baseData ?? {}, change.patch);
    case 'delete':
      return null;
  }
};

/** All edits put onto the server's data, in order. A conflict and a refusal go on showing what was written until they are settled. */
export const fold = (data: JsonObject | null, edits: readonly Edit[]): JsonObject | null => {
  let shown = data;
  for (const edit of edits) if (isShown(edit)) shown = applyEdit(shown, edit);
  return shown;
};

/** What waits on the server for a person is not the record's state until they decide; all else shows at once. */
export const isShown = (edit: Edit): boolean => edit.state !== 'parked' && edit.state !== 'confirmed';

/** What a record's edits amount to. The worst that needs a person comes first. @param saved something was saved since the page was opened */
export const phaseOf = (edits: readonly Edit[], saved: boolean): Phase => {
  let [rejected, pending, parked] = [false, false, false];
  for (const { state } of edits) {
    if (state === 'conflict') return 'conflict';
    rejected ||= state === 'rejected';
    pending ||= state === 'pending';
    parked ||= state === 'parked';
  }
  if (rejected) return 'rejected';
  if (pending) return 'saving';
  if (parked) return 'parked';
  return saved ? 'saved' : 'idle';
};
