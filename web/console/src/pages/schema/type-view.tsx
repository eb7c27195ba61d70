import type { Json, JsonObject } from '@stet/client';
import { useClient } from '@stet/react';
import { ArrowLeft, History, Pencil, Rows3, Trash2 } from 'lucide-react';
import { useState, type ReactNode } from 'react';
import { useFormat, type Format } from '../../i18n/format';
import { useMessages } from '../../i18n/messages';
import { hrefTo, navigate } from '../../routing/use-route';
import { fieldLabel, isJsonObject, type FieldDefinition, type TypeDefinition } from '../../types/type-definition';
import { Button, ConfirmDialog, EmptyState, Notice, showToast, Table } from '../../ui';
import { indexLines, memberAt, mergeRules, strategies } from './definition';
import { schemaMessages } from './messages';
import { deleteType } from './schema-requests';

export interface TypeViewProps {
  readonly name: string;
  /** Null: it is not declared. */
  readonly type: TypeDefinition | null;
  readonly count: number | null;
  readonly admin: boolean;
  readonly onRemoved: () => Promise<void>;
}

type Words = ReturnType<typeof useMessages<(typeof schemaMessages)['en']>>;

/** One type, to be read. */
export function TypeView({ name, type, count, admin, onRemoved }: TypeViewProps) {
  const words = useMessages(schemaMessages);
  const format = useFormat();
  const client = useClient();
  const [asked, setAsked] = useState(false);
  const edit = () => navigate(['schema', 'types', name, 'edit']);
  const remove = async () => {
    if (type === null) return;
    await deleteType(client, name, type.version);
    showToast({ tone: 'success', title: words.removed });
    await onRemoved();
    navigate(['schema', 'types', name]);
  };
  return (
    <article className="schema-type">
      <header className="schema-head">
        <a className="schema-back" href={hrefTo(['schema'])}>
          <ArrowLeft size={15} aria-hidden /> {words.back}
        </a>
        <div className="schema-head-line">
          <div className="schema-head-words">
            <h2>{type?.title ?? name}</h2>
            <p className="soft">
              <span className="mono">{name}</span>
              {type === null ? null : <> · {words.version(type.version)}</>}
              {count === null ? null : <> · {words.records(format.number(count))}</>}
            </p>
          </div>
          <div className="row">
            <Button variant="ghost" icon={Rows3} onClick={() => navigate(['records', name])}>
              {words.openRecords}
            </Button>
            {type === null ? null : (
              <Button variant="ghost" icon={History} onClick={() => navigate(['schema', 'types', name, 'versions'])}>
                {words.history}
              </Button>
            )}
            {admin && type !== null ? (
              <Button icon={Pencil} onClick={edit}>
                {words.edit}
              </Button>
            ) : null}
          </div>
        </div>
        {type?.description === null || type === null ? null : <p className="schema-about">{type.description}</p>}
      </header>
      {type === null ? (
        <EmptyState icon={Rows3} title={words.undeclaredTitle} action={admin ? <Button variant="primary" onClick={edit}>{words.declareIt}</Button> : undefined}>
          {words.undeclaredHint}
        </EmptyState>
      ) : (
        <Definition type={type} words={words} format={format} />
      )}
      {admin && type !== null ? (
        <div>
          <Button variant="danger" size="small" icon={Trash2} onClick={() => setAsked(true)}>
            {words.remove}
          </Button>
        </div>
      ) : null}
      <ConfirmDialog open={asked} title={words.removeTitle(type?.title ?? name)} confirm={words.remove} onConfirm={remove} onClose={() => setAsked(false)}>
        <p>{words.removeDoes}</p>
      </ConfirmDialog>
    </article>
  );
}

interface PartProps {
  readonly type: TypeDefinition;
  readonly words: Words;
  readonly format: Format;
}

function Definition({ type, words, format }: PartProps) {
  const forced = type.raw['forced'];
  return (
    <>
      {isJsonObject(forced) ? <Notice tone="warning" title={words.forced(Number(forced['violations'] ?? 0), String(forced['by'] ?? ''))} /> : null}
      <section className="card">
        <div className="card-head">
          <h3>{words.fields}</h3>
        </div>
        {type.fields.length === 0 ? <p className="card-body soft">{words.noFields}</p> : <Fields type={type} words={words} format={format} />}
      </section>
      <div className="schema-cards">
        <Conflicts type={type} words={words} format={format} />
        <Indexes type={type} words={words} format={format} />
        <Access type={type} words={words} format={format} />
      </div>
    </>
  );
}

const known = <T extends string>(all: readonly T[], value: Json | undefined): T | null => all.find((one) => one === value) ?? null;

/** What people say of a merge rule; a rule of its own by its name. */
export function mergeWords(rule: Json | undefined, words: Words): string {
  const found = known(mergeRules, rule);
  return found === null ? String(rule ?? '') : words[`merge_${found}`];
}

function rulesOf(field: FieldDefinition, raw: JsonObject, words: Words): readonly string[] {
  const frozen = raw['immutable_when'];
  const choices = field.choices?.map((one) => (typeof one === 'string' ? one : JSON.stringify(one)));
  return [
    field.required ? words.required : null,
    choices === undefined ? null : words.oneOf(choices.join(', ')),
    field.minimum === null ? null : words.atLeast(String(field.minimum)),
    field.maximum === null ? null : words.atMost(String(field.maximum)),
    field.minBytes === null ? null : words.bytesMin(String(field.minBytes)),
    field.maxBytes === null ? null : words.bytesMax(String(field.maxBytes)),
    field.fallback === undefined ? null : words.default(typeof field.fallback === 'string' && field.fallback !== '' ? field.fallback : JSON.stringify(field.fallback)),
    typeof frozen === 'string' ? words.frozenWhen(frozen) : null,
  ].filter((rule) => rule !== null);
}

function Fields({ type, words }: PartProps) {
  return (
    <Table stacks caption={words.fields} head={[words.field, words.kind, words.rules, words.whenTwo]}>
      {type.fields.map((field) => {
        const raw = memberAt(type.raw, ['fields', field.pointer]);
        const nested = isJsonObject(raw) && isJsonObject(raw['fields']) ? Object.keys(raw['fields']) : [];
        return (
          <tr key={field.pointer}>
            <td>
              <strong className="schema-field-name">{fieldLabel(field)}</strong>
              <span className="mono faint schema-pointer">{field.pointer}</span>
              {nested.length === 0 ? null : <span className="mono faint schema-pointer">{nested.join(' ')}</span>}
            </td>
            <td className="schema-kinds" data-label={words.kind}>{field.kinds.length === 0 ? <span className="faint">{words.any}</span> : field.kinds.join(', ')}</td>
            <td data-label={words.rules}>
              <span className="schema-rules">
                {rulesOf(field, isJsonObject(raw) ? raw : {}, words).map((rule) => (
                  <span key={rule} className="schema-rule">
                    {rule}
                  </span>
                ))}
              </span>
            </td>
            <td data-label={words.whenTwo}>{field.merge === null ? <span className="faint">{words.usual}</span> : mergeWords(field.merge, words)}</td>
          </tr>
        );
      })}
    </Table>
  );
}

/** A list of names with what is said of them. */
function Facts({ facts }: { readonly facts: readonly (readonly [ReactNode, ReactNode])[] }) {
  return (
    <dl className="schema-facts">
      {facts.map(([name, value], index) => (
        <div key={index}>
          <dt>{name}</dt>
          <dd>{value}</dd>
        </div>
      ))}
    </dl>
  );
}

function Conflicts({ type, words, format }: PartProps) {
  const strategy = known(strategies, type.onConflict);
  const overrides = type.raw['allow_overrides'];
  const ask = type.raw['ask'];
  const units = type.raw['units'];
  const retain = type.raw['retain'];
  const number = (value: Json | undefined) => (typeof value === 'number' ? format.number(value) : null);
  const facts: (readonly [ReactNode, ReactNode])[] = [[words.onConflict, strategy === null ? type.onConflict : words[`strategy_${strategy}`]]];
  if (Array.isArray(overrides)) facts.push([words.overrides, overrides.length === 0 ? '–' : <code>{overrides.join(', ')}</code>]);
  if (isJsonObject(ask)) {
    const deadline = ask['deadline_s'];
    const fallback = ask['fallback'];
    facts.push([words.ask, [typeof deadline === 'number' ? words.askDeadline(format.duration(deadline * 1000)) : null, typeof fallback === 'string' ? words.askFallback(fallback) : null].filter(Boolean).join(', ')]);
  }
  if (Array.isArray(units)) facts.push([words.together, <Lines key="units" lines={units.map((unit: Json) => (Array.isArray(unit) ? unit.join(' ') : String(unit)))} />]);
  facts.push([words.retain, isJsonObject(retain) ? words.retainWords(number(retain['versions']), number(retain['days'])) : words.retainAll]);
  return (
    <section className="card">
      <div className="card-head">
        <h3>{words.staleWrites}</h3>
      </div>
      <div className="card-body">
        <Facts facts={facts} />
      </div>
    </section>
  );
}

function Lines({ lines }: { readonly lines: readonly string[] }) {
  return (
    <ul role="list" className="schema-lines mono">
      {lines.map((line) => (
        <li key={line}>{line}</li>
      ))}
    </ul>
  );
}

const listed = (value: Json | undefined): readonly string[] => indexLines(value).split('\n').filter((line) => line !== '');

function Indexes({ type, words }: PartProps) {
  const index = listed(type.raw['index']);
  const unique = listed(type.raw['unique']);
  const exclusive = type.raw['exclusive'];
  const bookings = (Array.isArray(exclusive) ? exclusive : exclusive === undefined ? [] : [exclusive]).filter(isJsonObject);
  return (
    <section className="card">
      <div className="card-head">
        <h3>{words.indexes}</h3>
      </div>
      <div className="card-body">
        <Facts
          facts={[
            [words.index, index.length === 0 ? '–' : <Lines key="index" lines={index} />],
            [words.unique, unique.length === 0 ? '–' : <Lines key="unique" lines={unique} />],
            ...(bookings.length === 0
              ? []
              : [
                  [
                    words.exclusive,
                    <Lines
                      key="exclusive"
                      lines={bookings.map((one) => words.exclusiveOf(typeof one['resource'] === 'string' ? one['resource'] : words.wholeType, JSON.stringify(one['start']).replace(/"/g, ''), JSON.stringify(one['end']).replace(/"/g, '')))}
                    />,
                  ] as const,
                ]),
          ]}
        />
      </div>
    </section>
  );
}

const accessMembers = ['read', 'create', 'update', 'delete'] as const;

function Access({ type, words }: PartProps) {
  const access = type.raw['access'];
  const rules = isJsonObject(access) ? access : null;
  const fields = rules === null ? undefined : rules['fields'];
  return (
    <section className="card schema-wide">
      <div className="card-head">
        <h3>{words.access}</h3>
      </div>
      <div className="card-body">
        {rules === null ? (
          <p className="soft">{words.accessOpen}</p>
        ) : (
          <Facts
            facts={[
              ...accessMembers.map((member) => [words[`access_${member}`], <Rule key={member} rule={rules[member]} none={words.accessNobody} />] as const),
              ...Object.entries(isJsonObject(fields) ? fields : {}).map(
                ([pointer, found]) =>
                  [
                    <span key={pointer} className="mono">
                      {pointer}
                    </span>,
                    <FieldRules key={`${pointer}-rules`} rules={isJsonObject(found) ? found : {}} words={words} />,
                  ] as const,
              ),
            ]}
          />
        )}
      </div>
    </section>
  );
}

function Rule({ rule, none }: { readonly rule: Json | undefined; readonly none: string }) {
  return rule === undefined || rule === false ? <span className="faint">{none}</span> : <code className="schema-code">{String(rule)}</code>;
}

function FieldRules({ rules, words }: { readonly rules: JsonObject; readonly words: Words }) {
  return (
    <>
      {(['hidden', 'readonly'] as const).map((member) =>
        rules[member] === undefined ? null : (
          <span key={member} className="schema-field-rule">
            <span className="faint">{words[member]}</span> <code className="schema-code">{String(rules[member])}</code>
          </span>
        ),
      )}
    </>
  );
}
