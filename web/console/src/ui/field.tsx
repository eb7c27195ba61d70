import { CircleAlert } from 'lucide-react';
import { useId, type ReactNode } from 'react';
import { classNames } from './class-names';

/** What a control inside a {@link Field} must be given. */
export interface FieldControl {
  readonly id: string;
  readonly 'aria-describedby': string | undefined;
  readonly 'aria-invalid': true | undefined;
  readonly 'aria-required': true | undefined;
}

export interface FieldProps {
  readonly label: ReactNode;
  readonly hint?: ReactNode;
  readonly error?: ReactNode;
  readonly required?: boolean;
  /** Said beside the label: the type of a value, who may change it. */
  readonly note?: ReactNode;
  /** The label is read out but not shown. */
  readonly quiet?: boolean;
  readonly children: (control: FieldControl) => ReactNode;
}

/** A labelled control with its hint and, when something is wrong, what. */
export function Field({ label, hint, error, required = false, note, quiet = false, children }: FieldProps) {
  const id = useId();
  const hasHint = hint !== undefined && hint !== null && hint !== '';
  const hasError = error !== undefined && error !== null && error !== '';
  const described = [hasHint && `${id}-hint`, hasError && `${id}-error`].filter(Boolean).join(' ');
  return (
    <div className={classNames('field', hasError && 'field-wrong')}>
      <div className={classNames('field-head', quiet && 'visually-hidden')}>
        <label htmlFor={id}>
          {label}
          {required ? (
            <span className="field-required" aria-hidden>
              *
            </span>
          ) : null}
        </label>
        {note === undefined ? null : <span className="field-note">{note}</span>}
      </div>
      {children({ id, 'aria-describedby': described === '' ? undefined : described, 'aria-invalid': hasError || undefined, 'aria-required': required || undefined })}
      {hasError ? (
        <p className="field-error" id={`${id}-error`}>
          <CircleAlert size={13} aria-hidden /> <span>{error}</span>
        </p>
      ) : null}
      {hasHint ? (
        <p className="field-hint" id={`${id}-hint`}>
          {hint}
        </p>
      ) : null}
    </div>
  );
}
