import type { Json, JsonObject, Pointer } from '@stet/client';
import { ChevronDown, ChevronRight, CircleAlert, Trash2 } from 'lucide-react';
import { useState, type ReactNode } from 'react';
import { useMessages } from '../../i18n/messages';
import { fieldLabel, isJsonObject } from '../../types/type-definition';
import { Checkbox, Field, IconButton, Select, TextInput, type FieldControl } from '../../ui';
import { choicesOf, choicesText, fieldKinds, jsonOf, memberAt, mergeRules, withFieldRenamed, withMember } from './definition';
import { schemaMessages } from './messages';
import type { Wrong } from './type-editor';
import { mergeWords } from './type-view';

export interface FieldEditorProps {
  readonly pointer: Pointer;
  readonly definition: JsonObject;
  readonly open: boolean;
  readonly wrong: Wrong | null;
  readonly onOpen: (open: boolean) => void;
  readonly onRenamed: (pointer: Pointer) => void;
  readonly change: (definition: JsonObject) => void;
}

/** One field of a definition: a line that opens into its form. What the form does not know of it stays. */
export function FieldEditor({ pointer, definition, open, wrong, onOpen, onRenamed, change }: FieldEditorProps) {
  const words = useMessages(schemaMessages);
  const found = memberAt(definition, ['fields', pointer]);
  const field = isJsonObject(found) ? found : {};
  const kinds = Array.isArray(field['type']) ? field['type'].join(', ') : String(field['type'] ?? words.any);
  const title = typeof field['title'] === 'string' ? field['title'] : null;
  const Chevron = open ? ChevronDown : ChevronRight;
  return (
    <li className="schema-field">
      <div className="schema-field-line">
        <button type="button" className="schema-field-open" aria-expanded={open} onClick={() => onOpen(!open)}>
          <Chevron size={15} aria-hidden />
          <strong>{fieldLabel({ pointer, title })}</strong>
          <code className="faint">{pointer}</code>
          <span className="soft">{kinds}</span>
          {wrong === null ? null : (
            <span className="schema-field-wrong">
              <CircleAlert size={14} aria-hidden /> {wrong.detail}
            </span>
          )}
        </button>
        <IconButton icon={Trash2} size="small" tone="danger" label={words.removeField(pointer)} onClick={() => change(withMember(definition, ['fields', pointer], undefined))} />
      </div>
      {open ? <FieldForm pointer={pointer} field={field} definition={definition} wrong={wrong} onRenamed={onRenamed} change={change} /> : null}
    </li>
  );
}

function FieldForm({ pointer, field, definition, wrong, onRenamed, change }: Pick<FieldEditorProps, 'pointer' | 'definition' | 'wrong' | 'onRenamed' | 'change'> & { readonly field: JsonObject }) {
  const words = useMessages(schemaMessages);
  const [name, setName] = useState(pointer);
  const fields = definition['fields'];
  const taken = name !== pointer && isJsonObject(fields) && name in fields;
  const set = (member: string, value: Json | undefined) => change(withMember(definition, ['fields', pointer, member], value));
  const at = (member: string): string | null => (wrong !== null && wrong.place.member === member ? wrong.detail : null);
  const rename = () => {
    const wanted = name.trim();
    if (wanted === '' || wanted === pointer || taken) return setName(pointer);
    change(withFieldRenamed(definition, pointer, wanted));
    onRenamed(wanted);
  };
  const type = field['type'];
  const several = Array.isArray(type);
  const merge = field['merge'];
  const known = merge === undefined || mergeRules.some((rule) => rule === merge);
  return (
    <div className="schema-field-form">
      <Field label={words.pointer} hint={words.pointerHint} error={taken ? words.pointerTaken : wrong !== null && wrong.place.member === null ? wrong.detail : null}>
        {(control) => <TextInput {...control} code spellCheck={false} autoCapitalize="none" value={name} onChange={(event) => setName(event.target.value)} onBlur={rename} />}
      </Field>
      <Field label={words.label}>{(control) => <TextInput {...control} value={String(field['title'] ?? '')} onChange={(event) => set('title', event.target.value === '' ? undefined : event.target.value)} />}</Field>
      <Field label={words.kind} error={at('type')}>
        {(control) => (
          <Select
            {...control}
            value={several ? JSON.stringify(type) : String(type ?? 'any')}
            onChange={(event) => set('type', event.target.value === 'any' ? undefined : (jsonOf(event.target.value) ?? event.target.value))}
            options={[...fieldKinds.map((kind) => ({ value: kind, label: kind === 'any' ? words.anyKind : kind })), ...(several ? [{ value: JSON.stringify(type), label: type.join(', ') }] : [])]}
          />
        )}
      </Field>
      <Field label={words.whenTwo} error={at('merge')}>
        {(control) => (
          <Select
            {...control}
            value={merge === undefined ? '' : String(merge)}
            onChange={(event) => set('merge', event.target.value === '' ? undefined : event.target.value)}
            options={[{ value: '', label: words.usual }, ...mergeRules.map((rule) => ({ value: rule, label: `${rule}: ${mergeWords(rule, words)}` })), ...(known ? [] : [{ value: String(merge), label: String(merge) }])]}
          />
        )}
      </Field>
      <TypedField label={words.choices} hint={words.choicesHint} value={choicesText(field['enum'])} error={at('enum')} read={(text) => choicesOf(text) ?? (text.trim() === '' ? undefined : null)} wrong={words.choicesWrong} onValue={(value) => set('enum', value)} />
      <TypedField label={words.fallback} hint={words.fallbackHint} value={field['default'] === undefined ? '' : JSON.stringify(field['default'])} error={at('default')} read={jsonOrNothing} wrong={words.notJson} onValue={(value) => set('default', value)} />
      <TypedField label={words.minimum} value={field['minimum'] === undefined ? '' : String(field['minimum'])} error={at('minimum')} read={numberOrNothing} wrong={words.notNumber} onValue={(value) => set('minimum', value)} />
      <TypedField label={words.maximum} value={field['maximum'] === undefined ? '' : String(field['maximum'])} error={at('maximum')} read={numberOrNothing} wrong={words.notNumber} onValue={(value) => set('maximum', value)} />
      <TypedField label={words.maxBytes} value={field['max_bytes'] === undefined ? '' : String(field['max_bytes'])} error={at('max_bytes')} read={numberOrNothing} wrong={words.notNumber} onValue={(value) => set('max_bytes', value)} />
      <div className="schema-check">
        <Checkbox label={words.required} checked={field['required'] === true} onChange={(event) => set('required', event.target.checked ? true : undefined)} />
      </div>
    </div>
  );
}

const numberOrNothing = (text: string): Json | null | undefined => {
  const value = Number(text.trim());
  return text.trim() === '' ? undefined : Number.isFinite(value) ? value : null;
};
/** `null` itself is written `null`, and stands for no default: it is refused as wrong. */
const jsonOrNothing = (text: string): Json | null | undefined => (text.trim() === '' ? undefined : (jsonOf(text) ?? null));

interface TypedFieldProps {
  readonly label: string;
  readonly hint?: ReactNode;
  readonly value: string;
  readonly error: string | null;
  /** Null: it cannot be read. */
  readonly read: (text: string) => Json | null | undefined;
  readonly wrong: string;
  readonly onValue: (value: Json | undefined) => void;
}

/** A value that is typed: as long as it cannot be read it is only shown. */
function TypedField({ label, hint, value, error, read, wrong, onValue }: TypedFieldProps) {
  const [text, setText] = useState<string | null>(null);
  const shown = text ?? value;
  const bad = text !== null && read(text) === null;
  return (
    <Field label={label} hint={hint} error={bad ? wrong : error}>
      {(control: FieldControl) => (
        <TextInput
          {...control}
          code
          value={shown}
          onChange={(event) => {
            setText(event.target.value);
            const next = read(event.target.value);
            if (next !== null) onValue(next);
          }}
          onBlur={() => {
            if (!bad) setText(null);
          }}
        />
      )}
    </Field>
  );
}
