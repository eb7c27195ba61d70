import { StetError, type Json, type JsonObject, type Version } from '@stet/client';
import { useClient } from '@stet/react';
import { CircleCheck, Plus } from 'lucide-react';
import { useEffect, useRef, useState } from 'react';
import { useFormat } from '../../i18n/format';
import { useMessages } from '../../i18n/messages';
import { hrefTo } from '../../routing/use-route';
import { isJsonObject, type TypeDefinition } from '../../types/type-definition';
import { useAction } from '../../use-action';
import { Button, Checkbox, ErrorNotice, Field, Notice, Select, showToast, Table, Tabs, TextArea, TextInput } from '../../ui';
import { definitionOf, freshPointer, indexLines, indexOf, jsonOf, memberAt, placeOf, ruleOf, ruleText, strategies, violationsOf, withMember, type Place, type Violations } from './definition';
import { DifferenceList } from './difference-list';
import { FieldEditor } from './field-editor';
import { schemaMessages } from './messages';
import { putType } from './schema-requests';

export interface TypeEditorProps {
  /** Null: a new type, whose name is asked for. */
  readonly name: string | null;
  /** Null: it is not declared yet. */
  readonly type: TypeDefinition | null;
  readonly onSaved: (name: string) => Promise<void>;
  readonly onClose: () => void;
}

/** What the server said is wrong with a definition, and where. */
export interface Wrong {
  readonly place: Place;
  readonly pointer: string;
  readonly detail: string;
}

const accessMembers = ['read', 'create', 'update', 'delete'] as const;

/** A definition as a form for what is usual, and as JSON for all of it. It can be tried before it is saved. */
export function TypeEditor({ name, type, onSaved, onClose }: TypeEditorProps) {
  const words = useMessages(schemaMessages);
  const client = useClient();
  const action = useAction();
  const [base] = useState<{ readonly version: Version | null; readonly definition: JsonObject }>(() => ({ version: type?.version ?? null, definition: type === null ? {} : definitionOf(type.raw) }));
  const [definition, setDefinition] = useState<JsonObject>(() => (type === null ? { title: '', on_conflict: 'merge', fields: {} } : base.definition));
  const [text, setText] = useState<string | null>(null);
  const [typed, setTyped] = useState('');
  const [checked, setChecked] = useState(false);
  const [view, setView] = useState<'form' | 'json'>('form');
  const wanted = name ?? typed.trim();
  const typo = text !== null && !isJsonObject(jsonOf(text));
  const problem = action.error instanceof StetError ? action.error : null;
  const violations = problem?.code === 'TYPE_VIOLATED' ? violationsOf(problem.problem) : null;
  const wrong: Wrong | null = problem?.code === 'INVALID_TYPE' && problem.field !== null ? { place: placeOf(problem.field), pointer: problem.field, detail: problem.message } : null;

  const form = useRef<HTMLFormElement>(null);
  const wrongAt = wrong?.pointer ?? null;
  // What is wrong may be far from the button that was pressed.
  useEffect(() => {
    if (wrongAt !== null) form.current?.querySelector<HTMLElement>('[aria-invalid=true]')?.focus();
  }, [wrongAt]);
  // What else the server says stands at the top, and the button stays in sight far below it.
  const saysAbove = checked || (action.error !== null && wrongAt === null);
  useEffect(() => {
    if (saysAbove) form.current?.scrollIntoView({ block: 'start' });
  }, [saysAbove]);

  const change = (next: JsonObject) => {
    setDefinition(next);
    setChecked(false);
    action.clear();
  };
  const set = (path: readonly string[], value: Json | undefined) => change(withMember(definition, path, value));
  const show = (next: 'form' | 'json') => {
    if (typo) return;
    setText(next === 'json' ? JSON.stringify(definition, null, 2) : null);
    setView(next);
  };
  const put = async (how: { readonly dryRun: boolean; readonly force: boolean }) => {
    if (wanted === '' || typo) return;
    setChecked(false);
    const kept = await action.run(() => putType(client, { name: wanted, definition: withoutBlanks(definition), base: base.version, ...how }));
    if (!kept) return;
    if (how.dryRun) setChecked(true);
    else {
      showToast({ tone: 'success', title: words.saved(wanted) });
      await onSaved(wanted);
    }
  };

  return (
    <form
      ref={form}
      className="schema-type"
      aria-label={words.editTitle(name ?? words.newType)}
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        void put({ dryRun: false, force: false });
      }}
    >
      <header className="schema-head schema-head-editor">
        <div className="schema-head-line">
          <h2>{name === null ? words.newType : words.editTitle(type?.title ?? name)}</h2>
          <div className="row">
            <Button onClick={onClose}>{words.cancel}</Button>
            <Button busy={action.busy} disabled={wanted === '' || typo} onClick={() => void put({ dryRun: true, force: false })} title={words.checkHint}>
              {words.check}
            </Button>
            <Button type="submit" variant="primary" busy={action.busy} disabled={wanted === '' || typo}>
              {words.save}
            </Button>
          </div>
        </div>
      </header>
      <Outcome problem={problem} other={problem === null ? action.error : null} wrong={wrong} violations={violations} checked={checked} busy={action.busy} onForce={() => void put({ dryRun: false, force: true })} />
      {name === null ? (
        <Field label={words.name} hint={words.nameHint} required>
          {(control) => <TextInput {...control} code autoFocus autoCapitalize="none" spellCheck={false} value={typed} onChange={(event) => setTyped(event.target.value)} />}
        </Field>
      ) : null}
      <Tabs
        label={words.editors}
        selected={view}
        onSelect={show}
        tabs={[
          { id: 'form', label: words.form },
          { id: 'json', label: words.json },
        ]}
      >
        {view === 'form' ? (
          <DefinitionForm definition={definition} wrong={wrong} set={set} change={change} />
        ) : (
          <div className="schema-json">
            <Field label={words.json} quiet error={typo ? words.notObject : wrong === null ? null : `${words.elsewhere(wrong.pointer)}: ${wrong.detail}`}>
              {(control) => (
                <TextArea
                  {...control}
                  code
                  rows={24}
                  value={text ?? ''}
                  onChange={(event) => {
                    setText(event.target.value);
                    const value = jsonOf(event.target.value);
                    if (isJsonObject(value)) change(value);
                  }}
                />
              )}
            </Field>
          </div>
        )}
      </Tabs>
      {base.version === null ? null : (
        <details className="card schema-preview">
          <summary>{words.changes}</summary>
          <DifferenceList before={base.definition} after={withoutBlanks(definition)} />
        </details>
      )}
    </form>
  );
}

/** Titles that were left empty are not put. */
function withoutBlanks(definition: JsonObject): JsonObject {
  let made = definition;
  for (const member of ['title', 'description']) if (made[member] === '') made = withMember(made, [member], undefined);
  return made;
}

interface OutcomeProps {
  readonly problem: StetError | null;
  readonly other: unknown;
  readonly wrong: Wrong | null;
  readonly violations: Violations | null;
  readonly checked: boolean;
  readonly busy: boolean;
  readonly onForce: () => void;
}

/** What the server said of it. */
function Outcome({ problem, other, wrong, violations, checked, busy, onForce }: OutcomeProps) {
  const words = useMessages(schemaMessages);
  const format = useFormat();
  if (checked) {
    return (
      <div className="notice schema-fits" role="status">
        <CircleCheck size={17} aria-hidden />
        <div className="notice-words">
          <strong>{words.fits}</strong>
        </div>
      </div>
    );
  }
  if (violations !== null) {
    return (
      <section className="card schema-violations" role="alert">
        <div className="card-head">
          <h3>{words.violations(format.number(violations.count))}</h3>
          {violations.forcible ? (
            <Button variant="danger" size="small" busy={busy} onClick={onForce}>
              {words.force}
            </Button>
          ) : null}
        </div>
        <p className="schema-violations-hint soft">{violations.forcible ? words.violationsHint : words.violationsFixed}</p>
        <Table caption={words.violations(format.number(violations.count))} head={[words.openRecords, words.field, '']}>
          {violations.examples.map((one) => (
            <tr key={`${one.address} ${one.field}`}>
              <td>
                <a className="mono" href={hrefTo(['records', ...one.address.split('/').map(decodeURIComponent)])}>
                  {one.address}
                </a>
              </td>
              <td className="mono">{one.field}</td>
              <td className="soft">{one.detail}</td>
            </tr>
          ))}
        </Table>
      </section>
    );
  }
  if (problem?.code === 'CONCURRENT_MODIFICATION') return <Notice tone="warning" title={words.overtaken} />;
  if (wrong !== null) {
    return (
      <div className="notice notice-danger" role="alert">
        <div className="notice-words">
          <strong>{words.elsewhere(wrong.pointer)}</strong>
          <p>{wrong.detail}</p>
        </div>
      </div>
    );
  }
  const failure = problem ?? other;
  return failure === null ? null : <ErrorNotice error={failure} />;
}

interface FormProps {
  readonly definition: JsonObject;
  readonly wrong: Wrong | null;
  readonly set: (path: readonly string[], value: Json | undefined) => void;
  readonly change: (definition: JsonObject) => void;
}

function DefinitionForm({ definition, wrong, set, change }: FormProps) {
  const words = useMessages(schemaMessages);
  const fields = definition['fields'];
  const pointers = isJsonObject(fields) ? Object.keys(fields) : [];
  const [opened, setOpened] = useState<string | null>(null);
  const at = (section: string, member: string | null = null): string | null =>
    wrong !== null && wrong.place.section === section && wrong.place.field === null && (member === null || wrong.place.member === member) ? wrong.detail : null;
  const text = (member: string) => String(definition[member] ?? '');
  return (
    <div className="schema-form">
      <div className="schema-pair">
        <Field label={words.label} hint={words.labelHint} error={at('title')}>
          {(control) => <TextInput {...control} value={text('title')} onChange={(event) => set(['title'], event.target.value)} />}
        </Field>
        <Field label={words.onConflict} error={at('on_conflict')}>
          {(control) => (
            <Select
              {...control}
              value={String(definition['on_conflict'] ?? 'reject')}
              onChange={(event) => set(['on_conflict'], event.target.value)}
              options={strategies.map((strategy) => ({ value: strategy, label: `${strategy}: ${words[`strategy_${strategy}`]}` }))}
            />
          )}
        </Field>
      </div>
      <Field label={words.description} error={at('description')}>
        {(control) => <TextArea {...control} rows={2} value={text('description')} onChange={(event) => set(['description'], event.target.value)} />}
      </Field>
      <section className="card">
        <div className="card-head">
          <h3>{words.fields}</h3>
          <Button
            size="small"
            icon={Plus}
            onClick={() => {
              const pointer = freshPointer(definition);
              set(['fields', pointer], { type: 'string' });
              setOpened(pointer);
            }}
          >
            {words.addField}
          </Button>
        </div>
        {pointers.length === 0 ? <p className="card-body soft">{words.noFields}</p> : null}
        <ul role="list" className="schema-fields">
          {pointers.map((pointer) => (
            <FieldEditor
              key={pointer}
              pointer={pointer}
              definition={definition}
              open={opened === pointer || wrong?.place.field === pointer}
              wrong={wrong !== null && wrong.place.field === pointer ? wrong : null}
              onOpen={(open) => setOpened(open ? pointer : null)}
              onRenamed={setOpened}
              change={change}
            />
          ))}
        </ul>
      </section>
      <div className="schema-pair">
        <IndexField label={words.index} hint={words.indexHint} member="index" definition={definition} error={at('index')} set={set} />
        <IndexField label={words.unique} hint={words.uniqueHint} member="unique" definition={definition} error={at('unique')} set={set} />
      </div>
      <fieldset className="card schema-access">
        <legend>{words.access}</legend>
        <p className="field-hint">{words.accessHint}</p>
        {accessMembers.map((member) => (
          <Field key={member} label={words[`access_${member}`]} error={at('access', member)}>
            {(control) => (
              <TextInput
                {...control}
                code
                spellCheck={false}
                autoCapitalize="none"
                value={ruleText(memberAt(definition, ['access', member]))}
                onChange={(event) => change(withoutEmptyAccess(withMember(definition, ['access', member], event.target.value.trim() === '' ? undefined : event.target.value)))}
                onBlur={(event) => change(withoutEmptyAccess(withMember(definition, ['access', member], ruleOf(event.target.value))))}
              />
            )}
          </Field>
        ))}
      </fieldset>
      <div className="schema-pair">
        <NumberField label={words.retainVersions} path={['retain', 'versions']} definition={definition} error={at('retain', 'versions')} change={change} />
        <NumberField label={words.retainDays} path={['retain', 'days']} definition={definition} error={at('retain', 'days')} change={change} />
      </div>
      <Checkbox
        label={words.retainAll}
        checked={definition['retain'] === undefined}
        onChange={(event) => set(['retain'], event.target.checked ? undefined : { versions: 100 })}
      />
    </div>
  );
}

/** Rules that are all taken away are no rules: then every member reads and writes. */
function withoutEmptyAccess(definition: JsonObject): JsonObject {
  const access = definition['access'];
  return isJsonObject(access) && Object.keys(access).length === 0 ? withMember(definition, ['access'], undefined) : definition;
}

function IndexField({ label, hint, member, definition, error, set }: { readonly label: string; readonly hint: string; readonly member: string; readonly definition: JsonObject; readonly error: string | null; readonly set: FormProps['set'] }) {
  const [text, setText] = useState(() => indexLines(definition[member]));
  return (
    <Field label={label} hint={hint} error={error}>
      {(control) => (
        <TextArea
          {...control}
          code
          rows={3}
          value={text}
          onChange={(event) => {
            setText(event.target.value);
            set([member], indexOf(event.target.value));
          }}
        />
      )}
    </Field>
  );
}

/** A whole number, or nothing; what stands above it goes when it is empty. */
function NumberField({ label, path, definition, error, change }: { readonly label: string; readonly path: readonly [string, string]; readonly definition: JsonObject; readonly error: string | null; readonly change: FormProps['change'] }) {
  const words = useMessages(schemaMessages);
  const value = memberAt(definition, path);
  const [text, setText] = useState<string | null>(null);
  const shown = text ?? (value === undefined ? '' : String(value));
  const bad = shown.trim() !== '' && !/^\d+$/.test(shown.trim());
  return (
    <Field label={label} error={bad ? words.notNumber : error}>
      {(control) => (
        <TextInput
          {...control}
          inputMode="numeric"
          value={shown}
          onChange={(event) => {
            setText(event.target.value);
            const typed = event.target.value.trim();
            if (typed !== '' && !/^\d+$/.test(typed)) return;
            const next = withMember(definition, path, typed === '' ? undefined : Number(typed));
            const above = next[path[0]];
            change(isJsonObject(above) && Object.keys(above).length === 0 ? withMember(next, [path[0]], undefined) : next);
          }}
          onBlur={() => setText(null)}
        />
      )}
    </Field>
  );
}
