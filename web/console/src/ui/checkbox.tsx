import { useEffect, useRef, type InputHTMLAttributes, type ReactNode } from 'react';

export interface CheckboxProps extends Omit<InputHTMLAttributes<HTMLInputElement>, 'className' | 'style' | 'type'> {
  /** Shown beside it. Without, `aria-label` says what it is. */
  readonly label?: ReactNode;
  /** Some of what it stands for are checked. */
  readonly partly?: boolean;
  readonly type?: 'checkbox' | 'radio';
}

/** Yes or no; with `type="radio"` and a `name` one of several. */
export function Checkbox({ label, partly = false, type = 'checkbox', ...rest }: CheckboxProps) {
  const box = useRef<HTMLInputElement>(null);
  useEffect(() => {
    if (box.current) box.current.indeterminate = partly;
  }, [partly]);
  return (
    <label className="check">
      <input {...rest} ref={box} type={type} />
      {label === undefined ? null : <span>{label}</span>}
    </label>
  );
}
