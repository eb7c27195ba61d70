/** What tabs say to one another about the queue. Another tab may run another version of this program: its messages are outside data. */
import { array, count, DecodeError, flag, Members, nullable, oneOf, text, type Decoder } from './decode';
import type { Edit, WriteOutcome } from './edit';
import {
  changeFromJson,
  editFromJson,
  editToJson,
  errorFromJson,
  errorToJson,
  keptFromJson,
  keptToJson,
  outcomeFromJson,
  outcomeToJson,
} from './edit-codec';
import type { StetError } from './error';
import type { MutationId } from './record';
import type { KeptEdit } from './seams';
import { tabMessage } from './tab-message';

/** What can be asked of the leader. Asking twice is asking once. */
export type Command =
  | { readonly op: 'retry'; readonly id: MutationId; readonly change: Edit['change'] | null }
  | { readonly op: 'discard'; readonly id: MutationId }
  | { readonly op: 'settle'; readonly id: MutationId; readonly outcome: WriteOutcome }
  | { readonly op: 'update'; readonly edit: Edit };

/** What changed in the queue, as the leader tells it. */
export type QueueChange =
  | { readonly kind: 'added'; readonly kept: readonly KeptEdit[] }
  | { readonly kind: 'changed'; readonly kept: KeptEdit; readonly outcome?: WriteOutcome }
  | { readonly kind: 'settled'; readonly kept: KeptEdit; readonly outcome: WriteOutcome };

export type QueueMessage =
  /** To the leader: kept by this tab, please send. `again`: it was said before, and may have been settled since. */
  | { readonly kind: 'added'; readonly kept: readonly KeptEdit[]; readonly again: boolean }
  | { readonly kind: 'command'; readonly from: string; readonly number: number; readonly command: Command }
  /** To the leader: I missed something. */
  | { readonly kind: 'ask'; readonly from: string }
  /** From the leader: this is the `number`th change of its term. */
  | { readonly kind: 'change'; readonly term: string; readonly number: number; readonly change: QueueChange }
  | { readonly kind: 'done'; readonly to: string; readonly number: number; readonly error: StetError | null }
  /** From the leader: it leads, and so many changes were told. */
  | { readonly kind: 'lead'; readonly term: string; readonly number: number }
  /** From the leader: all that waits, and what was settled lately. */
  | {
      readonly kind: 'snapshot';
      readonly to: string;
      readonly term: string;
      readonly number: number;
      readonly kept: readonly KeptEdit[];
      readonly settled: readonly { readonly id: MutationId; readonly outcome: WriteOutcome }[];
    };

const part = 'stet.queue';

const commandToJson = (command: Command): object => {
  if (command.op === 'settle') return { ...command, outcome: outcomeToJson(command.outcome) };
  return command.op === 'update' ? { ...command, edit: editToJson(command.edit) } : command;
};
const changeToJson = (change: QueueChange): object => {
  switch (change.kind) {
    case 'added':
      return { kind: change.kind, kept: change.kept.map(keptToJson) };
    case 'changed':
      return { kind: change.kind, kept: keptToJson(change.kept), ...(change.outcome && { outcome: outcomeToJson(change.outcome) }) };
    case 'settled':
      return { kind: change.kind, kept: keptToJson(change.kept), outcome: outcomeToJson(change.outcome) };
  }
};

const asObject = (message: QueueMessage): object => {
  switch (message.kind) {
    case 'added':
      return { part, ...message, kept: message.kept.map(keptToJson) };
    case 'command':
      return { part, ...message, command: commandToJson(message.command) };
    case 'change':
      return { part, ...message, change: changeToJson(message.change) };
    case 'done':
      return { part, ...message, error: message.error && errorToJson(message.error) };
    case 'snapshot':
      return {
        part,
        ...message,
        kept: message.kept.map(keptToJson),
        settled: message.settled.map(({ id, outcome }) => ({ id, outcome: outcomeToJson(outcome) })),
      };
    case 'ask':
    case 'lead':
      return { part, ...message };
  }
};

/** A decoder of one that answers null for what it does not know. */
const known =
  <T>(read: (value: unknown) => T | null, what: string): Decoder<T> =>
  (value, pointer) => {
    const found = read(value);
    if (found === null) throw new DecodeError(pointer, what);
    return found;
  };
const kept = known(keptFromJson, 'an edit with its place');
const outcome = known(outcomeFromJson, 'an outcome');

const command: Decoder<Command> = (value, pointer) => {
  const from = new Members(value, pointer);
  const op = from.get('op', oneOf('retry', 'discard', 'settle', 'update'));
  switch (op) {
    case 'retry':
      return { op, id: from.get('id', text), change: from.get('change', nullable(known(changeFromJson, 'a change'))) };
    case 'discard':
      return { op, id: from.get('id', text) };
    case 'settle':
      return { op, id: from.get('id', text), outcome: from.get('outcome', outcome) };
    case 'update':
      return { op, edit: from.get('edit', known(editFromJson, 'an edit')) };
  }
};
const change: Decoder<QueueChange> = (value, pointer) => {
  const from = new Members(value, pointer);
  const kind = from.get('kind', oneOf('added', 'changed', 'settled'));
  switch (kind) {
    case 'added':
      return { kind, kept: from.get('kept', array(kept)) };
    case 'changed':
      return { kind, kept: from.get('kept', kept), ...from.part('outcome', outcome) };
    case 'settled':
      return { kind, kept: from.get('kept', kept), outcome: from.get('outcome', outcome) };
  }
};
const settled: Decoder<{ readonly id: MutationId; readonly outcome: WriteOutcome }> = (value, pointer) => {
  const from = new Members(value, pointer);
  return { id: from.get('id', text), outcome: from.get('outcome', outcome) };
};

const read = (from: Members): QueueMessage => {
  const kind = from.get('kind', oneOf('added', 'command', 'ask', 'change', 'done', 'lead', 'snapshot'));
  switch (kind) {
    case 'added':
      return { kind, kept: from.get('kept', array(kept)), again: from.get('again', flag) };
    case 'command':
      return { kind, from: from.get('from', text), number: from.get('number', count), command: from.get('command', command) };
    case 'ask':
      return { kind, from: from.get('from', text) };
    case 'change':
      return { kind, term: from.get('term', text), number: from.get('number', count), change: from.get('change', change) };
    case 'done':
      return {
        kind,
        to: from.get('to', text),
        number: from.get('number', count),
        error: from.get('error', nullable(known(errorFromJson, 'an error'))),
      };
    case 'lead':
      return { kind, term: from.get('term', text), number: from.get('number', count) };
    case 'snapshot':
      return {
        kind,
        to: from.get('to', text),
        term: from.get('term', text),
        number: from.get('number', count),
        kept: from.get('kept', array(kept)),
        settled: from.get('settled', array(settled)),
      };
  }
};

/** What is posted: text, so that nothing comes through that JSON cannot say. */
export const queueMessageToText = (message: QueueMessage): string => JSON.stringify(asObject(message));

/** A message about the queue, or null: of another part, or one that cannot be understood. */
export const queueMessageFromText = (value: unknown): QueueMessage | null => tabMessage(part, value, read);
