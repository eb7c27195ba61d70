import type { Json, Pointer } from '@stet/client';
import type { ReactNode } from 'react';
import { useText } from './provider';
import { diffText } from './text-diff';

/** Says how a value of a field is shown; undefined: as it is by itself. */
export type FormatValue = (value: Json | undefined, pointer: Pointer) => ReactNode | undefined;

/** Texts longer than this, or of several lines, are shown by their differences. */
const longText = 60;

const isLong = (value: Json | undefined): value is string =>
  typeof value === 'string' && (value.length > longText || value.includes('\n'));

/** A list of a few plain values, which reads better in one line. */
const isShortList = (value: Json): value is readonly (string | number)[] =>
  Array.isArray(value) && value.length <= 20 && value.every((item: unknown) => typeof item === 'number' || (typeof item === 'string' && item.length <= 40));

/** One value of any kind of JSON. `against`: what it is compared with, when it is long text. */
export function ValueView(props: {
  readonly value: Json | undefined;
  readonly pointer: Pointer;
  readonly against?: Json | undefined;
  readonly format?: FormatValue | undefined;
}): ReactNode {
  const texts = useText();
  const { value, against } = props;
  const given = props.format?.(value, props.pointer);
  if (given !== undefined) return <span className="stet-value">{given}</span>;
  if (value === undefined) return <span className="stet-value stet-value-absent">{texts.absent}</span>;
  if (typeof value === 'string' && value.trim() === '') return <span className="stet-value stet-value-absent">{texts.emptyText}</span>;
  if (isLong(value) && typeof against === 'string' && against !== value) {
    return <TextDifference before={against} after={value} />;
  }
  if (typeof value === 'string') return <span className="stet-value stet-value-text">{value}</span>;
  if (typeof value === 'boolean') return <span className="stet-value">{value ? texts.yes : texts.no}</span>;
  if (typeof value === 'number') return <span className="stet-value stet-value-number">{String(value)}</span>;
  if (value === null) return <code className="stet-value stet-value-absent">null</code>;
  if (isShortList(value)) return <span className="stet-value">{value.length === 0 ? texts.emptyText : value.map(String).join(', ')}</span>;
  return <pre className="stet-value stet-value-json">{JSON.stringify(value, null, 2)}</pre>;
}

/** Two texts as one, what came and went marked; read aloud with a word before each. */
export function TextDifference(props: { readonly before: string; readonly after: string }): ReactNode {
  const texts = useText();
  return (
    <span className="stet-value stet-value-text">
      {diffText(props.before, props.after).map((piece, index) => {
        if (piece.kind === 'same') return <span key={index}>{piece.text}</span>;
        const Mark = piece.kind === 'added' ? 'ins' : 'del';
        return (
          <Mark key={index}>
            <span className="stet-hidden"> [{piece.kind === 'added' ? texts.added : texts.removed}] </span>
            {piece.text}
          </Mark>
        );
      })}
    </span>
  );
}
