import { KeyRound } from 'lucide-react';
import { useEffect, useRef, type ReactNode } from 'react';
import { CopyButton } from '../../ui';

export interface SecretProps {
  readonly title: string;
  readonly hint: string;
  readonly text: string;
  /** What the button that copies is called. */
  readonly copy: string;
  readonly children?: ReactNode;
}

/** Something that is shown once. It has the focus when it comes, selected, so that it can be copied at once. */
export function Secret({ title, hint, text, copy, children }: SecretProps) {
  const field = useRef<HTMLInputElement>(null);
  useEffect(() => {
    field.current?.focus();
    field.current?.select();
  }, [text]);
  return (
    <div className="people-secret" role="group" aria-label={title}>
      <div className="people-secret-head">
        <KeyRound size={15} aria-hidden />
        <strong>{title}</strong>
      </div>
      {children === undefined ? null : <p>{children}</p>}
      <div className="people-secret-line">
        <input ref={field} className="input input-code" readOnly value={text} aria-label={title} onFocus={(event) => event.target.select()} />
        <CopyButton text={text} label={copy} />
      </div>
      <p className="field-hint">{hint}</p>
    </div>
  );
}
