import { forwardRef, type InputHTMLAttributes, type TextareaHTMLAttributes } from 'react';
import { classNames } from './class-names';
import { firstFocus, useElement } from './use-element';

export interface TextInputProps extends Omit<InputHTMLAttributes<HTMLInputElement>, 'className' | 'style' | 'size'> {
  readonly size?: 'medium' | 'small';
  /** For ids, expressions and JSON: all characters equally wide. */
  readonly code?: boolean;
}

/** One line of text, a number, a date. Labelled by its {@link Field} or by `aria-label`. */
export const TextInput = forwardRef<HTMLInputElement, TextInputProps>(function TextInput({ size = 'medium', code = false, autoFocus, ...rest }, ref) {
  const element = useElement(ref, autoFocus);
  return <input type="text" {...rest} {...firstFocus(autoFocus)} ref={element} className={classNames('input', size === 'small' && 'input-small', code && 'input-code')} />;
});

export interface TextAreaProps extends Omit<TextareaHTMLAttributes<HTMLTextAreaElement>, 'className' | 'style'> {
  readonly code?: boolean;
}

/** Several lines; it grows with what is in it. */
export const TextArea = forwardRef<HTMLTextAreaElement, TextAreaProps>(function TextArea({ code = false, rows = 3, autoFocus, ...rest }, ref) {
  const element = useElement(ref, autoFocus);
  return <textarea {...rest} {...firstFocus(autoFocus)} ref={element} rows={rows} className={classNames('input', code && 'input-code')} spellCheck={code ? false : rest.spellCheck} />;
});
