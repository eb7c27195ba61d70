import type { JsonObject } from '@stet/client';
import { useFormat } from '../../i18n/format';
import { useMessages } from '../../i18n/messages';
import { valueAt } from '../../types/type-definition';
import { Checkbox, Field, Select, TextArea, TextInput, type FieldControl } from '../../ui';
import { writtenAs, type Draft, type FormField, type FormGroup, type Wrong } from './form-model';
import { recordsMessages } from './messages';
import { wrongWords } from './wrong-words';

export interface RecordFieldsProps {
  readonly groups: readonly FormGroup[];
  readonly data: JsonObject;
  readonly draft: Draft;
  readonly wrong: ReadonlyMap<string, Wrong>;
  /** By pointer, in the server's words. */
  readonly refused: ReadonlyMap<string, string>;
  /** Said beside a field: that somebody else changed it. */
  readonly notes?: ReadonlyMap<string, string>;
  /** It exists: fields that are set once are set. */
  readonly exists: boolean;
  readonly onChange: (pointer: string, text: string) => void;
}

/** The controls of a record's fields. */
export function RecordFields({ groups, data, draft, wrong, refused, notes, exists, onChange }: RecordFieldsProps) {
  const words = useMessages(recordsMessages);
  const format = useFormat();
  return (
    <>
      {groups.map((group) => (
        <div key={group.label ?? ''} className="panel-section fields" role={group.label === null ? undefined : 'group'} aria-label={group.label ?? undefined}>
          {group.label === null ? null : <h3 className="records-group">{group.label}</h3>}
          {group.fields.map((field) => {
            const value = valueAt(data, field.pointer);
            const text = draft.get(field.pointer) ?? writtenAs(field, value);
            const bad = wrong.get(field.pointer);
            const fixed = exists && field.immutable && value !== undefined && value !== null;
            const note = notes?.get(field.pointer) ?? (fixed ? words.setOnce : undefined);
            return (
              <Field
                key={field.pointer}
                label={field.label}
                required={field.required}
                error={bad ? wrongWords(bad, words, format) : refused.get(field.pointer)}
                hint={field.description ?? (field.control === 'words' ? words.wordsHint : undefined)}
                {...(note === undefined ? {} : { note })}
              >
                {(control) => <FieldInput field={field} control={control} text={text} fixed={fixed} onChange={(next) => onChange(field.pointer, next)} />}
              </Field>
            );
          })}
        </div>
      ))}
    </>
  );
}

function FieldInput({ field, control, text, fixed, onChange }: { readonly field: FormField; readonly control: FieldControl; readonly text: string; readonly fixed: boolean; readonly onChange: (text: string) => void }) {
  const words = useMessages(recordsMessages);
  const name = field.pointer;
  switch (field.control) {
    case 'choice': {
      const known = field.choices.map((choice) => ({ value: JSON.stringify(choice), label: typeof choice === 'string' ? choice : JSON.stringify(choice) }));
      const odd = text !== '' && !known.some((option) => option.value === text) ? [{ value: text, label: text }] : [];
      const none = field.required && text !== '' ? [] : [{ value: '', label: `– ${words.empty} –` }];
      return <Select {...control} name={name} disabled={fixed} value={text} options={[...none, ...known, ...odd]} onChange={(event) => onChange(event.target.value)} />;
    }
    case 'switch':
      return <Checkbox {...control} name={name} disabled={fixed} checked={text === 'true'} label={text === 'true' ? words.yes : text === 'false' ? words.no : words.empty} onChange={(event) => onChange(String(event.target.checked))} />;
    case 'text':
      return <TextArea {...control} name={name} readOnly={fixed} rows={4} value={text} onChange={(event) => onChange(event.target.value)} />;
    case 'json':
      return <TextArea {...control} name={name} readOnly={fixed} code rows={4} value={text} onChange={(event) => onChange(event.target.value)} />;
    case 'number':
      return <TextInput {...control} name={name} readOnly={fixed} inputMode={field.integer ? 'numeric' : 'decimal'} autoComplete="off" value={text} onChange={(event) => onChange(event.target.value)} />;
    case 'date':
      return <TextInput {...control} name={name} readOnly={fixed} type="date" value={text} onChange={(event) => onChange(event.target.value)} />;
    case 'line':
    case 'words':
    case 'time':
      return <TextInput {...control} name={name} readOnly={fixed} autoComplete="off" value={text} onChange={(event) => onChange(event.target.value)} />;
  }
}
