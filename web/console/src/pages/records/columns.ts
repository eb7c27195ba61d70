/** The columns that a type's records can be shown in: what is declared, what the data has besides, and what the server knows of each record. */
import type { Json, RecordState } from '@stet/client';
import { fieldLabel, humanize, pointerParts, toPointer, valueAt, type TypeDefinition } from '../../types/type-definition';
import { fieldPath } from './filter-completion';

export interface RecordColumn {
  /** A pointer into the data, or the metadata's name: `$updated_at`. */
  readonly id: string;
  readonly label: string;
  readonly kind: 'text' | 'number' | 'boolean' | 'choice' | 'time' | 'person' | 'id' | 'other';
  /** Pixels, until somebody drags it. */
  readonly width: number;
  /** As `sort` and `where` name it. */
  readonly path: string;
}

/** Columns shown until somebody chooses. */
const shownAtFirst = 6;
/** Records looked at for what is not declared. */
const samplesMax = 200;

interface Labels {
  readonly id: string;
  readonly version: string;
  readonly createdAt: string;
  readonly createdBy: string;
  readonly updatedAt: string;
  readonly updatedBy: string;
}

const widths: Readonly<Record<RecordColumn['kind'], number>> = { text: 160, number: 110, boolean: 90, choice: 130, time: 140, person: 140, id: 130, other: 180 };
/** What a record is called needs room. */
const nameWidth = 260;

const kindOfValue = (value: Json | undefined): RecordColumn['kind'] =>
  typeof value === 'number' ? 'number' : typeof value === 'boolean' ? 'boolean' : typeof value === 'string' ? (/^\d{4}-\d{2}-\d{2}T\d/.test(value) ? 'time' : 'text') : 'other';

/** All columns a type has. `records`: some of them, for what is not declared. */
export function columnsOf(type: TypeDefinition | undefined, records: readonly RecordState[], labels: Labels): readonly RecordColumn[] {
  const columns = new Map<string, RecordColumn>();
  const add = (id: string, label: string, kind: RecordColumn['kind'], path: string) => {
    if (!columns.has(id)) columns.set(id, { id, label, kind, width: kind === 'text' && /^\/(title|name|subject)$/.test(id) ? nameWidth : widths[kind], path });
  };
  add('$id', labels.id, 'id', '$id');
  const declared = (type?.fields ?? []).filter((field) => !field.pointer.includes('*'));
  const holders = new Set(declared.map((field) => toPointer(pointerParts(field.pointer).slice(0, -1))));
  for (const field of declared) {
    if (holders.has(field.pointer)) continue;
    const kinds = field.kinds.filter((kind) => kind !== 'null');
    const only = kinds.length === 1 ? kinds[0] : undefined;
    const kind = field.choices ? 'choice' : only === 'string' ? 'text' : only === 'number' || only === 'integer' ? 'number' : only === 'boolean' ? 'boolean' : 'other';
    add(field.pointer, pointerParts(field.pointer).length > 1 ? pointerParts(field.pointer).map(humanize).join(' · ') : fieldLabel(field), kind, fieldPath(field.pointer));
  }
  for (const { data } of records.slice(0, samplesMax)) {
    for (const [name, value] of Object.entries(data ?? {})) {
      const pointer = toPointer([name]);
      if (!holders.has(pointer) || pointer === '') add(pointer, humanize(name), kindOfValue(value), fieldPath(pointer));
    }
  }
  add('$updated_at', labels.updatedAt, 'time', '$updated_at');
  add('$updated_by', labels.updatedBy, 'person', '$updated_by');
  add('$created_at', labels.createdAt, 'time', '$created_at');
  add('$created_by', labels.createdBy, 'person', '$created_by');
  add('$version', labels.version, 'number', '$version');
  return [...columns.values()];
}

/** What is shown when nobody chose: the id, the first that are short, and when it changed. */
export function columnsAtFirst(columns: readonly RecordColumn[]): readonly string[] {
  const data = columns.filter((column) => !column.id.startsWith('$') && column.kind !== 'other' && !/notes|description|body|text$/.test(column.id));
  return ['$id', ...data.slice(0, shownAtFirst).map((column) => column.id), '$updated_at'];
}

/** What a record has in a column. */
export function columnValue(record: Pick<RecordState, 'id' | 'data' | 'record'>, id: string): Json | undefined {
  switch (id) {
    case '$id':
      return record.id;
    case '$version':
      return record.record?.version;
    case '$updated_at':
      return record.record?.updatedAt;
    case '$updated_by':
      return record.record?.updatedBy;
    case '$created_at':
      return record.record?.createdAt;
    case '$created_by':
      return record.record?.createdBy;
    default:
      return valueAt(record.data ?? undefined, id);
  }
}

/** `-$updated_at` ↔ the column and its direction. */
export function parseSort(sort: string, columns: readonly RecordColumn[]): { readonly id: string; readonly descending: boolean } | null {
  const [first = ''] = sort.split(',');
  const descending = first.startsWith('-');
  const column = columns.find((candidate) => candidate.path === (descending ? first.slice(1) : first));
  return column ? { id: column.id, descending } : null;
}

/** A click on a heading: ascending, descending, and again as the server gives them. */
export function nextSort(sort: string, column: RecordColumn): string {
  return sort === column.path ? `-${column.path}` : sort === `-${column.path}` ? '' : column.path;
}
