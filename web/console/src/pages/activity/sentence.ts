/** What happened as a sentence in pieces, so that a name, a field and a value can look like one: "ana changed status from open to done". */
import type { Json } from '@stet/client';
import { formatOf } from '../../i18n/format';
import type { Language } from '../../i18n/language';
import { fieldName, type FieldDifference } from '../../differences';
import type { ChangeEntry, ConflictEntry, Entry, OperationEntry } from './entry';

export interface Piece {
  readonly text: string;
  readonly look: 'plain' | 'actor' | 'field' | 'value' | 'record';
}

const valueLengthMax = 48;
const cutText = (text: string): string => (text.length > valueLengthMax ? `${text.slice(0, valueLengthMax - 1)}…` : text);

/** A value in a few signs. */
export function valueWords(value: Json | undefined, language: Language): string {
  const words = speech[language];
  if (value === undefined || value === null || (typeof value === 'string' && value.trim() === '')) return words.nothing;
  if (typeof value === 'boolean') return value ? words.yes : words.no;
  if (typeof value === 'number') return String(value);
  if (typeof value === 'string') return cutText(value.replace(/\s+/g, ' '));
  if (Array.isArray(value)) return value.every((one) => typeof one === 'string' || typeof one === 'number') && value.length <= 4 && value.length > 0 ? cutText(value.join(', ')) : words.entries(value.length);
  return cutText(JSON.stringify(value));
}

const speech = {
  en: {
    nothing: 'nothing', yes: 'yes', no: 'no', someone: 'Somebody', theQueue: 'The queue', aWorker: 'A worker',
    entries: (count: number) => (count === 1 ? '1 entry' : `${count} entries`),
    created: ' created ', deleted: ' deleted ', purged: ' erased ', changed: ' changed ', on: ' on ', from: ' from ', to: ' to ', set: ' set ', cleared: ' cleared ', and: ' and ', comma: ', ',
    more: (count: number) => (count === 1 ? '1 more field' : `${count} more fields`),
    saved: ' saved ', without: ' without a visible change',
    conflict: {
      opened: ' met a conflict on ', changed: ' changed a conflict on ', resolved: ' settled the conflict on ', expired: 'The deadline settled the conflict on ', overwritten: ' lost a value on ',
      settled: ' was told how it ended: ', reopened: ' opened the conflict again on ', read: ' read about ', dismissed: ' dismissed a notice about ', merged: ' had changes merged on ',
    },
    conflictOther: ' had a conflict on ',
    operation: {
      OperationQueued: ' asked for ', OperationStarted: ' started ', OperationProgress: ' goes on with ', OperationConflict: ' met a conflict in ', OperationRetrying: ' will try again: ', OperationRejected: ' gave up, others were faster: ',
      OperationCompleted: ' completed ', OperationFailed: ' failed at ', OperationCancelled: ' cancelled ', OperationExpired: ' ran out of time: ', OperationPruned: ' forgot ',
    },
    operationOther: ' moved ', askedOf: ' by ', request: 'a request', requestTo: (worker: string) => `a request to ${worker}`, lane: (lane: string) => ` in ${lane}`, gap: 'Some activity before this is no longer kept',
  },
  es: {
    nothing: 'nada', yes: 'sí', no: 'no', someone: 'Alguien', theQueue: 'La cola', aWorker: 'Un agente',
    entries: (count: number) => (count === 1 ? '1 elemento' : `${count} elementos`),
    created: ' creó ', deleted: ' borró ', purged: ' eliminó para siempre ', changed: ' cambió ', on: ' en ', from: ' de ', to: ' a ', set: ' puso ', cleared: ' vació ', and: ' y ', comma: ', ',
    more: (count: number) => (count === 1 ? '1 campo más' : `${count} campos más`),
    saved: ' guardó ', without: ' sin un cambio visible',
    conflict: {
      opened: ' encontró un conflicto en ', changed: ' cambió un conflicto en ', resolved: ' resolvió el conflicto en ', expired: 'El plazo resolvió el conflicto en ', overwritten: ' perdió un valor en ',
      settled: ' supo cómo terminó: ', reopened: ' reabrió el conflicto en ', read: ' leyó sobre ', dismissed: ' descartó un aviso sobre ', merged: ' tuvo cambios combinados en ',
    },
    conflictOther: ' tuvo un conflicto en ',
    operation: {
      OperationQueued: ' pidió ', OperationStarted: ' empezó ', OperationProgress: ' sigue con ', OperationConflict: ' encontró un conflicto en ', OperationRetrying: ' lo intentará otra vez: ', OperationRejected: ' se rindió, otros fueron más rápidos: ',
      OperationCompleted: ' terminó ', OperationFailed: ' falló en ', OperationCancelled: ' canceló ', OperationExpired: ' agotó el tiempo: ', OperationPruned: ' olvidó ',
    },
    operationOther: ' movió ', askedOf: ' para ', request: 'una petición', requestTo: (worker: string) => `una petición a ${worker}`, lane: (lane: string) => ` en ${lane}`, gap: 'La actividad anterior a este punto ya no se guarda',
  },
} as const;

const plain = (text: string): Piece => ({ text, look: 'plain' });
const record = (entry: ChangeEntry): Piece => ({ text: entry.title ?? `${entry.type}/${entry.id}`, look: 'record' });
const actorPiece = (actor: string | null, language: Language): Piece => ({ text: actor === null ? speech[language].someone : actor.replace(/^(user|token|agent|function|system):/, ''), look: 'actor' });

/** "status from open to done"; "note" alone where the value is too long to be read in passing. */
function differencePieces({ pointer, from, to }: FieldDifference, language: Language): readonly Piece[] {
  const words = speech[language];
  const field: Piece = { text: fieldName(pointer), look: 'field' };
  const long = (value: Json | undefined) => typeof value === 'string' && value.length > 3 * valueLengthMax;
  if (long(from) || long(to)) return [field];
  return [field, plain(words.from), { text: valueWords(from, language), look: 'value' }, plain(words.to), { text: valueWords(to, language), look: 'value' }];
}

function changePieces(entry: ChangeEntry, language: Language): readonly Piece[] {
  const words = speech[language];
  const who = actorPiece(entry.actor, language);
  if (entry.op !== 'update') return [who, plain(entry.op === 'create' ? words.created : entry.op === 'delete' ? words.deleted : words.purged), record(entry)];
  if (entry.differences === null) return [who, plain(words.changed), record(entry)];
  const [first, ...rest] = entry.differences;
  if (first === undefined) return [who, plain(words.saved), record(entry), plain(words.without)];
  const more = rest.length === 0 ? [] : [plain(words.and), plain(words.more(rest.length))];
  return [who, plain(words.changed), ...differencePieces(first, language), ...more, plain(words.on), record(entry)];
}

function conflictPieces(entry: ConflictEntry, language: Language): readonly Piece[] {
  const words = speech[language];
  const known: Readonly<Record<string, string>> = words.conflict;
  const target: Piece = { text: entry.address ?? '?', look: 'record' };
  const fields: readonly Piece[] = entry.fields.length === 0 ? [] : [plain(': '), { text: formatOf(language).list(entry.fields.map(fieldName)), look: 'field' }];
  if (entry.event === 'expired') return [plain(words.conflict.expired), target, ...fields];
  return [actorPiece(entry.actor, language), plain(known[entry.event] ?? words.conflictOther), target, ...fields];
}

function operationPieces(entry: OperationEntry, language: Language): readonly Piece[] {
  const words = speech[language];
  const known: Readonly<Record<string, string>> = words.operation;
  const byWorker = ['OperationStarted', 'OperationProgress', 'OperationCompleted', 'OperationFailed', 'OperationRetrying', 'OperationConflict', 'OperationRejected'].includes(entry.event);
  const byNobody = entry.event === 'OperationExpired' || entry.event === 'OperationPruned';
  const who: Piece = byNobody ? { text: words.theQueue, look: 'plain' } : byWorker ? { text: entry.worker ?? words.aWorker, look: 'actor' } : actorPiece(entry.actor, language);
  const asked = byWorker || entry.worker === null;
  const what = entry.task ?? (asked ? words.request : words.requestTo(entry.worker));
  const whom = entry.task === null || asked ? [] : [plain(words.askedOf), { text: entry.worker, look: 'actor' } as const];
  return [who, plain(known[entry.event] ?? words.operationOther), { text: what, look: 'record' }, ...whom, ...(entry.lane === null ? [] : [plain(words.lane(entry.lane))]), ...(entry.message === null ? [] : [plain(`: ${cutText(entry.message)}`)])];
}

/** The sentence of one entry. */
export function sentenceOf(entry: Entry, language: Language): readonly Piece[] {
  switch (entry.kind) {
    case 'change':
      return changePieces(entry, language);
    case 'conflict':
      return conflictPieces(entry, language);
    case 'operation':
      return operationPieces(entry, language);
    case 'gap':
      return [plain(speech[language].gap)];
  }
}

export const sentenceText = (pieces: readonly Piece[]): string => pieces.map(({ text }) => text).join('');
