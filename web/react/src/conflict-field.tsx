import { useId, type ReactNode } from 'react';
import type { DraftField, Pick } from './conflict-draft';
import { useLanguage, useText } from './provider';
import { agoText } from './time-text';
import { useNow } from './use-now';
import { ValueEditor, type EditField } from './value-editor';
import { ValueView, type FormatValue } from './value-view';
import type { Json } from '@stet/client';

/** One field in conflict: what was there, what is there now, what I wrote; one of them is taken, and mine can be changed. */
export function ConflictField(props: {
  readonly field: DraftField;
  readonly label: string;
  readonly disabled: boolean;
  readonly format?: FormatValue | undefined;
  readonly edit?: EditField | undefined;
  readonly onPick: (pick: Pick) => void;
  readonly onWrite: (value: Json | undefined) => void;
}): ReactNode {
  const texts = useText();
  const language = useLanguage();
  const now = useNow(1_000);
  const id = useId();
  const { field, label } = props;
  const { base, current, yours, by, at } = field.field;
  const pointer = field.pointer;
  const who = by ?? texts.somebody;
  const when = at === undefined || now === null ? '' : agoText(language, now, at);

  const option = (pick: Pick, title: string, note: string, content: ReactNode): ReactNode => (
    <div className={`stet-side stet-side-${pick}`} data-picked={field.pick === pick}>
      <label className="stet-side-title">
        <input
          type="radio"
          name={`${id}-pick`}
          value={pick}
          checked={field.pick === pick}
          disabled={props.disabled}
          aria-describedby={`${id}-${pick}`}
          onChange={() => props.onPick(pick)}
        />
        <span>{title}</span>
        {note !== '' && <span className="stet-side-note">{note}</span>}
      </label>
      <div id={`${id}-${pick}`} className="stet-side-value">
        {content}
      </div>
    </div>
  );

  const value = field.typed === undefined ? yours : field.typed;
  const editing = {
    pointer,
    value,
    onChange: props.onWrite,
    id: `${id}-value`,
    label: texts.yourValue(label),
    disabled: props.disabled,
  };
  return (
    <fieldset className="stet-field" data-pointer={pointer}>
      <legend>
        {label}
        {field.changedAgain && <span className="stet-badge">{texts.fieldChangedAgain}</span>}
      </legend>
      <div className="stet-sides">
        {option('before', texts.before, '', <ValueView value={base} pointer={pointer} format={props.format} />)}
        {option(
          'theirs',
          texts.now,
          [who, when].filter((word) => word !== '').join(', '),
          <ValueView value={current} against={base} pointer={pointer} format={props.format} />,
        )}
        {option('mine', texts.mine, '', props.edit?.(editing) ?? <ValueEditor {...editing} />)}
      </div>
    </fieldset>
  );
}
