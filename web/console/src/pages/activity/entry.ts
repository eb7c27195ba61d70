/** One thing that happened in a space, as the Activity page shows it: of a change, of a conflict, of an operation. */
import type { Address, FeedEvent, JsonObject, Seq, Time, Version } from '@stet/client';
import { isObject, listOf, numberOf, objectOf, textOf, textsOf, type Outside } from '../../outside';
import type { FieldDifference } from '../../differences';

interface Happened {
  /** Of this entry alone. */
  readonly key: string;
  readonly seq: Seq;
  /** When, as far as the event says; when it was heard of otherwise. */
  readonly at: Time;
  readonly actor: string | null;
  readonly address: Address | null;
}

export interface ChangeEntry extends Happened {
  readonly kind: 'change';
  readonly op: 'create' | 'update' | 'delete' | 'purge';
  readonly type: string;
  readonly id: string;
  readonly version: Version;
  /** A name in the data to call it by, if there is one. */
  readonly title: string | null;
  /** What it changed; null as long as nobody knows. */
  readonly differences: readonly FieldDifference[] | null;
}
export interface ConflictEntry extends Happened {
  readonly kind: 'conflict';
  readonly event: string;
  readonly conflictId: string | null;
  readonly fields: readonly string[];
}
export interface OperationEntry extends Happened {
  readonly kind: 'operation';
  readonly event: string;
  readonly operationId: string;
  readonly lane: string | null;
  /** Who does it, or which function is run. */
  /** What kind of work it is: `op_type`. */
  readonly task: string | null;
  readonly worker: string | null;
  readonly message: string | null;
}
/** What was between the entry below and the one above is no longer kept. */
export interface GapEntry extends Happened {
  readonly kind: 'gap';
}
export type Entry = ChangeEntry | ConflictEntry | OperationEntry | GapEntry;

/** A change with the data it left, which the log compares and lets go. */
export interface HeardChange {
  readonly entry: ChangeEntry;
  readonly data: JsonObject;
}
export type Heard = HeardChange | { readonly entry: ConflictEntry | OperationEntry | GapEntry; readonly data: null };

const ops = ['create', 'update', 'delete', 'purge'] as const;
const opOf = (value: unknown): ChangeEntry['op'] => ops.find((op) => op === value) ?? 'update';

const titleMembers = ['title', 'name', 'subject', 'label', 'number'] as const;
/** The first of the usual members that names a record. */
export function titleOf(data: Outside): string | null {
  for (const member of titleMembers) {
    const value = data[member];
    if (typeof value === 'string' && value.trim() !== '') return value.length > 80 ? `${value.slice(0, 79)}…` : value;
  }
  return null;
}

const isData = (value: unknown): value is JsonObject => isObject(value);

function changeOf(seq: Seq, op: unknown, record: Outside, now: Time): HeardChange | null {
  const type = textOf(record['type']);
  const id = textOf(record['id']);
  const data = record['data'];
  if (type === undefined || id === undefined) return null;
  const known = isData(data) ? data : {};
  const version = numberOf(record['version']) ?? 0;
  const kind = opOf(op);
  return {
    entry: {
      kind: 'change',
      key: `${seq}:${type}/${id}`,
      seq,
      at: textOf(record['updatedAt']) ?? now,
      actor: textOf(record['updatedBy']) ?? null,
      address: textOf(record['address']) ?? `${encodeURIComponent(type)}/${encodeURIComponent(id)}`,
      op: kind,
      type,
      id,
      version,
      title: titleOf(known),
      differences: kind === 'update' ? null : [],
    },
    data: known,
  };
}

/** The last of the times that an event tells under these names. Times of the server sort as texts. */
const latestOf = (event: Outside, members: readonly string[]): Time | undefined =>
  members.flatMap((member) => textOf(event[member]) ?? []).sort().at(-1);

function conflictOf(seq: Seq, event: string, body: Outside, now: Time): Heard {
  const conflict = objectOf(body['conflict']);
  const id = textOf(conflict['id']) ?? null;
  return {
    entry: {
      kind: 'conflict',
      key: `${seq}:conflict:${id ?? ''}:${event}`,
      seq,
      at: latestOf(conflict, ['openedAt', 'resolvedAt']) ?? now,
      actor: textOf(body['user']) ?? textOf(conflict['by']) ?? null,
      address: textOf(body['address']) ?? textOf(conflict['address']) ?? null,
      event,
      conflictId: id,
      fields: textsOf(body['affectedData']),
    },
    data: null,
  };
}

function operationOf(seq: Seq, event: string, body: Outside, now: Time): Heard | null {
  const operation = objectOf(body['operation']);
  const id = textOf(operation['id']);
  if (id === undefined) return null;
  const progress = objectOf(operation['progress']);
  return {
    entry: {
      kind: 'operation',
      key: `${seq}:operation:${id}`,
      seq,
      at: latestOf({ ...operation, progressAt: progress['at'] }, ['queuedAt', 'startedAt', 'progressAt', 'finishedAt']) ?? now,
      actor: textOf(body['user']) ?? textOf(operation['by']) ?? null,
      address: textOf(operation['target']) ?? null,
      event,
      operationId: id,
      lane: textOf(operation['lane']) ?? null,
      task: textOf(operation['opType']) ?? null,
      worker: textOf(operation['currentAgent']) ?? textOf(operation['agent']) ?? textOf(operation['function']) ?? null,
      message: textOf(progress['message']) ?? null,
    },
    data: null,
  };
}

/** What the feed tells; null for what is no news. `now`: for what does not say when. */
export function heardOf(event: FeedEvent, now: Time): Heard | null {
  switch (event.kind) {
    case 'change':
      return changeOf(event.seq, event.op, { ...event.record }, now);
    case 'conflict':
      return conflictOf(event.seq, event.event, event.body, now);
    case 'operation':
      return operationOf(event.seq, event.event, event.body, now);
    case 'reset':
      return { entry: { kind: 'gap', key: `${event.seq}:gap`, seq: event.seq, at: now, actor: null, address: null }, data: null };
    case 'ready':
    case 'revoked':
    case 'queue':
    case 'presence':
    case 'failed':
      return null;
  }
}

/** A page of `GET …/changes` in the client's camelCase, oldest first. `next`: the position up to which it tells. */
export function pageOf(body: unknown, now: Time): { readonly heard: readonly Heard[]; readonly next: Seq } {
  const page = objectOf(body);
  const heard = listOf(page['changes']).flatMap((value): readonly Heard[] => {
    const one = objectOf(value);
    const seq = numberOf(one['seq']);
    if (seq === undefined) return [];
    const event = textOf(one['event']) ?? '';
    const found = isObject(one['record'])
      ? changeOf(seq, one['op'], one['record'], now)
      : isObject(one['operation'])
        ? operationOf(seq, event, one, now)
        : isObject(one['conflict'])
          ? conflictOf(seq, event, one, now)
          : null;
    return found === null ? [] : [found];
  });
  return { heard, next: numberOf(page['next']) ?? 0 };
}
