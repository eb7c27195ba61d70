/** What somebody has chosen so far in a conflict dialog, and what would come of it. No screen, no network.
 *
 *    start(conflict) ──choose, write──▶ draft ──resolutionOf──▶ what is sent
 *                                         ▲         │
 *                                         └─meetAgain(newer conflict): choices stay, what changed again is marked
 */
import type { Conflict, FieldChoice, FieldState, Json, JsonObject, Pointer, Resolution } from '@stet/client';
import { isJsonObject, pointerOf, sameJson, withValueAt } from './pointer';

/** Whose value a field gets. `mine` is what was written, or what was typed here. */
export type Pick = 'mine' | 'theirs' | 'before';

/** One field that has to be decided. */
export interface DraftField {
  readonly pointer: Pointer;
  readonly field: FieldState;
  readonly pick: Pick;
  /** Typed in the dialog; undefined: as it was written. */
  readonly typed: Json | undefined;
  /** What was typed makes no sense yet. */
  readonly wrong: boolean;
  /** Its value on the server is another than when it was last shown here. */
  readonly changedAgain: boolean;
}

/** `fields`: both sides are there. `restore`: somebody deleted what I changed. `delete`: I deleted what somebody changed. */
export type DraftKind = 'fields' | 'restore' | 'delete';

/** The choices for one conflict. */
export interface Draft {
  readonly conflict: Conflict;
  readonly kind: DraftKind;
  readonly fields: readonly DraftField[];
  /** Which are settled already, and how. */
  readonly merged: readonly { readonly pointer: Pointer; readonly field: FieldState }[];
  /** How often it moved on while it was being decided. */
  readonly round: number;
}

const kindOf = (conflict: Conflict): DraftKind =>
  conflict.current === null && conflict.yours !== null ? 'restore' : conflict.yours === null ? 'delete' : 'fields';

/** Fields that differ, for a conflict that has no base to say who changed what: each has to be decided. */
const differences = (conflict: Conflict): Readonly<Record<Pointer, FieldState>> => {
  const { current, yours } = conflict;
  if (current === null || yours === null) return {};
  const names = [...new Set([...Object.keys(current), ...Object.keys(yours)])];
  return Object.fromEntries(
    names
      .filter((name) => !sameJson(current[name], yours[name]))
      .map((name): [Pointer, FieldState] => [
        pointerOf([name]),
        {
          state: 'conflict',
          ...(current[name] === undefined ? {} : { current: current[name] }),
          ...(yours[name] === undefined ? {} : { yours: yours[name] }),
        },
      ]),
  );
};

const statesOf = (conflict: Conflict): Readonly<Record<Pointer, FieldState>> =>
  Object.keys(conflict.fields).length === 0 && conflict.base === null ? differences(conflict) : conflict.fields;

/** A draft in which every field in conflict is mine: what "apply my changes" means. */
export function startDraft(conflict: Conflict): Draft {
  const states = Object.entries(statesOf(conflict));
  return {
    conflict,
    kind: kindOf(conflict),
    fields: states
      .filter(([, field]) => field.state === 'conflict')
      .map(([pointer, field]) => ({ pointer, field, pick: 'mine', typed: undefined, wrong: false, changedAgain: false })),
    merged: states.filter(([, field]) => field.state !== 'conflict').map(([pointer, field]) => ({ pointer, field })),
    round: 0,
  };
}

/** The record moved on: the new state, with what was chosen and typed before. A field whose server value is another now is marked. */
export function meetAgain(draft: Draft, conflict: Conflict): Draft {
  const next = startDraft(conflict);
  const before = new Map(draft.fields.map((field) => [field.pointer, field]));
  const seen = draft.conflict;
  return {
    ...next,
    /* Read anew without having moved on, it only has another token. */
    round: conflict.currentVersion === seen.currentVersion ? draft.round : draft.round + 1,
    fields: next.fields.map((field) => {
      const old = before.get(field.pointer);
      const shown = old === undefined ? statesOf(seen)[field.pointer]?.current : old.field.current;
      const changedAgain = !sameJson(shown, field.field.current);
      return old === undefined ? { ...field, changedAgain } : { ...field, pick: old.pick, typed: old.typed, wrong: old.wrong, changedAgain };
    }),
  };
}

const change = (draft: Draft, pointer: Pointer, next: (field: DraftField) => DraftField): Draft => ({
  ...draft,
  fields: draft.fields.map((field) => (field.pointer === pointer ? next(field) : field)),
});

/** Takes one side's value for a field. */
export function choose(draft: Draft, pointer: Pointer, pick: Pick): Draft {
  return change(draft, pointer, (field) => ({ ...field, pick }));
}

/** Writes another value for a field, which then is mine. `undefined`: what was typed makes no sense. */
export function write(draft: Draft, pointer: Pointer, typed: Json | undefined): Draft {
  return change(draft, pointer, (field) =>
    typed === undefined
      ? { ...field, pick: 'mine', wrong: true }
      : { ...field, pick: 'mine', typed: sameJson(typed, field.field.yours) ? undefined : typed, wrong: false },
  );
}

/** What a field becomes; undefined where it will not be there. */
export function valueOf(field: DraftField): Json | undefined {
  if (field.pick === 'theirs') return field.field.current;
  if (field.pick === 'before') return field.field.base;
  return field.typed === undefined ? field.field.yours : field.typed;
}

/** What the record will be when this is applied; null when it will be deleted. */
export function previewOf(draft: Draft): JsonObject | null {
  const { conflict } = draft;
  if (draft.kind === 'delete') return null;
  if (draft.kind === 'restore') return conflict.yours;
  let data: Json = conflict.merged ?? conflict.current ?? conflict.yours ?? {};
  for (const field of draft.fields) data = withValueAt(data, field.pointer, valueOf(field));
  return isJsonObject(data) ? data : null;
}

/** Whether it can be sent: nothing that was typed and is to be used is wrong. */
export function isReady(draft: Draft): boolean {
  return draft.fields.every((field) => field.pick !== 'mine' || !field.wrong);
}

const choiceOf = (field: DraftField): FieldChoice => {
  if (field.pick === 'theirs') return 'current';
  if (field.pick === 'before') return 'base';
  return field.typed === undefined ? 'yours' : { value: field.typed };
};

/** What is sent when it is applied. Where there is no base the server cannot go field by field, and gets the whole. */
export function resolutionOf(draft: Draft): Resolution {
  const { conflict, fields } = draft;
  if (draft.kind !== 'fields') return { choice: 'apply' };
  if (fields.length === 0) return conflict.clean ? { choice: 'merged' } : { choice: 'apply' };
  if (conflict.base === null) {
    const data = previewOf(draft);
    return data === null ? { choice: 'apply' } : { choice: 'custom', data };
  }
  if (fields.every((field) => field.pick === 'mine' && field.typed === undefined)) return { choice: 'apply' };
  return { choice: 'fields', fields: Object.fromEntries(fields.map((field) => [field.pointer, choiceOf(field)])) };
}
