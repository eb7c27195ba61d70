/** How an edit is written down, on this machine and in messages to other tabs; what is read back is outside data like any other. */
import type { Conflict } from './conflict';
import { conflict } from './conflict-decoder';
import { count, DecodeError, flag, jsonObject, Members, nullable, oneOf, text, type Decoder } from './decode';
import type { Change, Edit, WriteOutcome } from './edit';
import { StetError } from './error';
import { isCode } from './problem';
import { record } from './record-decoder';
import type { KeptEdit } from './seams';

const readError: Decoder<StetError> = (value, at) => {
  const from = new Members(value, at);
  const code = from.get('code', text);
  return new StetError({
    code: isCode(code) ? code : 'INTERNAL',
    detail: from.get('detail', text),
    status: from.get('status', count),
    retryable: from.get('retryable', flag),
    retryAfterMs: from.get('retryAfterMs', nullable(count)),
    field: from.get('field', nullable(text)),
    problem: from.get('problem', jsonObject),
  });
};

const readChange: Decoder<Change> = (value, at) => {
  const from = new Members(value, at);
  const op = from.get('op', oneOf('create', 'put', 'patch', 'delete'));
  switch (op) {
    case 'create':
      return { op, data: from.get('data', jsonObject), ...from.part('parent', text) };
    case 'put':
      return { op, data: from.get('data', jsonObject) };
    case 'patch':
      return { op, patch: from.get('patch', jsonObject) };
    case 'delete':
      return { op };
  }
};

const readEdit: Decoder<Edit> = (value, at) => {
  const from = new Members(value, at);
  return {
    id: from.get('id', text),
    type: from.get('type', text),
    recordId: from.get('recordId', text),
    address: from.get('address', text),
    change: from.get('change', readChange),
    base: from.get('base', nullable(count)),
    baseData: from.get('baseData', nullable(jsonObject)),
    ...from.part('onConflict', text),
    ...from.part('transaction', text),
    actor: from.get('actor', text),
    ...from.part('space', text),
    madeAt: from.get('madeAt', text),
    state: from.get('state', oneOf('pending', 'confirmed', 'conflict', 'rejected', 'parked')),
    attempts: from.get('attempts', count),
    ...from.part('error', readError),
    ...from.part('conflict', readConflict),
    ...from.part('unsure', flag),
    ...from.part('parked', readParked),
    ...(from.has('after') && { after: from.get('after', nullable(text)) }),
  };
};

/** A stored conflict says of which edit it is, so that one decoder serves answers and what was written down. */
const readConflict: Decoder<Conflict> = (value, at) => conflict(new Members(value, at).find('edit', text) ?? null)(value, at);

const readParked: Decoder<NonNullable<Edit['parked']>> = (value, at) => {
  const from = new Members(value, at);
  return { conflictId: from.get('conflictId', text), deadline: from.get('deadline', text), fallback: from.get('fallback', text) };
};

const readOutcome: Decoder<WriteOutcome> = (value, at) => {
  const from = new Members(value, at);
  const kind = from.get('kind', oneOf('confirmed', 'deleted', 'conflict', 'parked', 'dropped', 'rejected', 'discarded'));
  switch (kind) {
    case 'confirmed':
      return {
        kind,
        record: from.get('record', record),
        merged: from.get('merged', flag),
        unchanged: from.get('unchanged', flag),
      };
    case 'deleted':
      return { kind, version: from.get('version', count) };
    case 'conflict':
      return { kind, conflict: from.get('conflict', readConflict) };
    case 'parked':
      return { kind, ...readParked(value, at) };
    case 'dropped':
      return { kind, record: from.get('record', record) };
    case 'rejected':
      return { kind, error: from.get('error', readError) };
    case 'discarded':
      return { kind };
  }
};

const attempt = <T>(read: Decoder<T>, value: unknown): T | null => {
  try {
    return read(value, '');
  } catch (error) {
    if (error instanceof DecodeError) return null;
    throw error;
  }
};

/** A refusal as it is written down: errors lose their members when they are cloned. */
export const errorToJson = (error: StetError) => ({
  code: error.code,
  detail: error.message,
  status: error.status,
  retryable: error.retryable,
  retryAfterMs: error.retryAfterMs === null ? null : Math.max(0, Math.round(error.retryAfterMs)),
  field: error.field,
  problem: error.problem,
});

/** What storage and messages hold of an edit. */
export const editToJson = (edit: Edit): object => ({ ...edit, ...(edit.error && { error: errorToJson(edit.error) }) });
/** The edit that was written down, or null when it is none. */
export const editFromJson = (value: unknown): Edit | null => attempt(readEdit, value);

/** An edit with its place. */
export const keptToJson = (kept: KeptEdit): object => ({ order: kept.order, edit: editToJson(kept.edit) });
/** The opposite of {@link keptToJson}, or null. */
export const keptFromJson = (value: unknown): KeptEdit | null =>
  attempt((one, at) => {
    const from = new Members(one, at);
    return { order: from.get('order', count), edit: from.get('edit', readEdit) };
  }, value);

/** What became of a write, for other tabs. */
export const outcomeToJson = (outcome: WriteOutcome): object =>
  outcome.kind === 'rejected' ? { kind: outcome.kind, error: errorToJson(outcome.error) } : outcome;
/** The opposite of {@link outcomeToJson}, or null. */
export const outcomeFromJson = (value: unknown): WriteOutcome | null => attempt(readOutcome, value);
/** The opposite of {@link errorToJson}, or null. */
export const errorFromJson = (value: unknown): StetError | null => attempt(readError, value);
/** A change as it was written down, or null. */
export const changeFromJson = (value: unknown): Change | null => attempt(readChange, value);
