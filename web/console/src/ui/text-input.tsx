import type { InputHTMLAttributes, Ref, TextareaHTMLAttributes } from 'react';
import { classNames } from './class-names';

export interface TextInputProps extends Omit<InputHTMLAttributes<HTMLInputElement>, 'className' | 'style' | 'size'> {
  readonly size?: 'medium' | 'small';
  /** For ids, expressions and JSON: all signs equally wide. */
  readonly code?: boolean;
  readonly ref?: Ref<HTMLInputElement>;
}

/** One line of text, a number, a date. Labelled by its {@link Field} or by `aria-label`. */
export function TextInput({ size = 'medium', code = false, ...rest }: TextInputProps) {
  return <input type="text" {...rest} className={classNames('input', size === 'small' && 'input-small', code && 'input-code')} />;
}

export interface TextAreaProps extends Omit<TextareaHTMLAttributes<HTMLTextAreaElement>, 'className' | 'style'> {
  readonly code?: boolean;
  readonly ref?: Ref<HTMLTextAreaElement>;
}

/** Several lines; it grows with what is in it. */
export function TextArea({ code = false, rows = 3, ...rest }: TextAreaProps) {
  return <textarea {...rest} rows={rows} className={classNames('input', code && 'input-code')} spellCheck={code ? false : rest.spellCheck} />;
}
