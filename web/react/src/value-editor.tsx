import type { Json, Pointer } from '@stet/client';
import { useState, type ReactNode } from 'react';
import { useText } from './provider';

/** What an editor of one field gets. It calls `onChange` with the value, or undefined while what stands there makes no sense. */
export interface EditValue {
  readonly pointer: Pointer;
  readonly value: Json | undefined;
  readonly onChange: (value: Json | undefined) => void;
  readonly id: string;
  /** What it is called, for `aria-label`. */
  readonly label: string;
  readonly disabled: boolean;
}

/** Gives an application's own editor for a field; undefined: the one by kind of value. */
export type EditField = (props: EditValue) => ReactNode | undefined;

type Kind = 'line' | 'text' | 'number' | 'boolean' | 'json';

const kindOf = (value: Json | undefined): Kind => {
  if (typeof value === 'boolean') return 'boolean';
  if (typeof value === 'number') return 'number';
  if (typeof value === 'string') return value.length > 60 || value.includes('\n') ? 'text' : 'line';
  return value === undefined ? 'line' : 'json';
};

const writtenAs = (value: Json | undefined, kind: Kind): string =>
  value === undefined ? '' : kind === 'json' ? JSON.stringify(value, null, 2) : typeof value === 'string' ? value : JSON.stringify(value);

/** What a text says as JSON; undefined when it is none. */
export function parseJson(text: string): Json | undefined {
  try {
    const value: Json = JSON.parse(text);
    return value;
  } catch {
    return undefined;
  }
}

/** What a text says as a number; undefined when it is none that JSON can hold. */
export function parseNumber(text: string): number | undefined {
  const trimmed = text.trim().replace(',', '.');
  return /^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(trimmed) && Number.isFinite(Number(trimmed)) ? Number(trimmed) : undefined;
}

const readAs = (text: string, kind: Kind): Json | undefined =>
  kind === 'number' ? parseNumber(text) : kind === 'json' ? parseJson(text) : text;

/** An editor by the kind of the value that was there first. */
export function ValueEditor(props: EditValue): ReactNode {
  const texts = useText();
  const [kind] = useState(() => kindOf(props.value));
  const [text, setText] = useState(() => writtenAs(props.value, kind));
  const wrong = readAs(text, kind) === undefined;
  const change = (next: string): void => {
    setText(next);
    props.onChange(readAs(next, kind));
  };
  const shared = { id: props.id, 'aria-label': props.label, disabled: props.disabled, className: 'stet-input' };
  const errorId = `${props.id}-error`;
  const judged = { 'aria-invalid': wrong, ...(wrong ? { 'aria-describedby': errorId } : {}) };

  if (kind === 'boolean') {
    return (
      <select {...shared} value={String(props.value)} onChange={(event) => props.onChange(event.target.value === 'true')}>
        <option value="true">{texts.yes}</option>
        <option value="false">{texts.no}</option>
      </select>
    );
  }
  if (kind === 'line' || kind === 'number') {
    return (
      <>
        <input
          {...shared}
          {...judged}
          type="text"
          inputMode={kind === 'number' ? 'decimal' : 'text'}
          value={text}
          onChange={(event) => change(event.target.value)}
        />
        {wrong && <Wrong id={errorId} text={texts.notANumber} />}
      </>
    );
  }
  return (
    <>
      <textarea
        {...shared}
        {...judged}
        spellCheck={kind === 'text'}
        rows={Math.min(12, text.split('\n').length + 1)}
        value={text}
        onChange={(event) => change(event.target.value)}
      />
      {wrong && <Wrong id={errorId} text={texts.notJson} />}
    </>
  );
}

function Wrong(props: { readonly id: string; readonly text: string }): ReactNode {
  return (
    <span className="stet-wrong" id={props.id} role="alert">
      {props.text}
    </span>
  );
}
