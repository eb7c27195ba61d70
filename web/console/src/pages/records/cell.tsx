import type { Json, RecordState } from '@stet/client';
import { CircleAlert, CircleDashed, TriangleAlert } from 'lucide-react';
import { formatOf } from '../../i18n/format';
import type { Language } from '../../i18n/language';
import { Person, RelativeTime, Tag, type Tone } from '../../ui';
import { columnValue, type RecordColumn } from './columns';

/** Words for states that every office knows; what is none of them is neutral. */
const tones: readonly (readonly [RegExp, Tone])[] = [
  [/^(done|won|paid|active|completed|accepted|approved|confirmed|signed|ok|finished|closed)$/i, 'success'],
  [/^(lost|failed|rejected|overdue|cancelled|canceled|blocked|declined|expired)$/i, 'danger'],
  [/^(waiting|pending|draft|on_hold|paused|negotiation|review|in_review|proposal|urgent|high)$/i, 'warning'],
  [/^(new|open|sent|in_progress|doing|qualified|running|planned|contacted)$/i, 'info'],
];
const toneOf = (value: string): Tone => tones.find(([pattern]) => pattern.test(value))?.[1] ?? 'neutral';

/** One value in a table. */
export function Cell({ record, column, language }: { readonly record: RecordState; readonly column: RecordColumn; readonly language: Language }) {
  const value = columnValue(record, column.id);
  const format = formatOf(language);
  if (column.id === '$id') {
    const Sign = record.phase === 'conflict' ? TriangleAlert : record.phase === 'rejected' ? CircleAlert : record.phase === 'saving' ? CircleDashed : null;
    return (
      <>
        <span className="truncate mono">{record.id}</span>
        {Sign ? <Sign size={13} aria-hidden className={`records-phase records-phase-${record.phase}`} /> : null}
      </>
    );
  }
  if (value === undefined || value === null) return <span className="faint" aria-hidden>–</span>;
  if (column.kind === 'person' && typeof value === 'string') return <Person name={value} />;
  if (column.kind === 'time' && typeof value === 'string') return <span className="soft truncate"><RelativeTime time={value} /></span>;
  if (column.kind === 'choice' && typeof value === 'string') return <Tag tone={toneOf(value)}>{value}</Tag>;
  return <span className="truncate">{short(value, (number) => format.number(number, 6))}</span>;
}

const shortMax = 200;
/** A value on one line. */
export function short(value: Json, number: (value: number) => string): string {
  if (typeof value === 'string') return value.slice(0, shortMax);
  if (typeof value === 'number') return number(value);
  if (typeof value === 'boolean') return value ? '✓' : '✗';
  if (Array.isArray(value) && value.every((one) => typeof one === 'string' || typeof one === 'number')) return value.join(', ').slice(0, shortMax);
  return JSON.stringify(value).slice(0, shortMax);
}
