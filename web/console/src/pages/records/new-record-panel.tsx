import type { JsonObject, StetError } from '@stet/client';
import { useClient } from '@stet/react';
import { useMemo, useState } from 'react';
import { ownWrite, showInline } from '../../app/own-writes';
import { useLanguage } from '../../i18n/language';
import { useMessages } from '../../i18n/messages';
import type { TypeDefinition } from '../../types/type-definition';
import { Button, ErrorNotice, errorWords, Field, Panel, showToast, Tabs, TextInput } from '../../ui';
import { applyDraft, defaultsOf, fieldOfError, formOf, missingFields, type Draft } from './form-model';
import { JsonEditor } from './json-editor';
import { parseJsonObject } from './json-text';
import { recordsMessages } from './messages';
import { refusedWords } from './wrong-words';
import { RecordFields } from './record-fields';

export interface NewRecordPanelProps {
  readonly type: string;
  readonly definition: TypeDefinition | undefined;
  /** What it begins with: a copy of another. */
  readonly from: JsonObject | null;
  readonly onCreated: (id: string) => void;
  readonly onClose: () => void;
}

/** A record that is not there yet. */
export function NewRecordPanel({ type, definition, from, onCreated, onClose }: NewRecordPanelProps) {
  const words = useMessages(recordsMessages);
  const language = useLanguage();
  const client = useClient();
  const begin = useMemo(() => from ?? defaultsOf(definition), [from, definition]);
  const groups = useMemo(() => formOf(definition, begin), [definition, begin]);
  const hasForm = groups.some((group) => group.fields.length > 0);
  const [view, setView] = useState<'form' | 'json'>(hasForm ? 'form' : 'json');
  const [id, setId] = useState('');
  const [draft, setDraft] = useState<Draft>(new Map());
  const [json, setJson] = useState<string | null>(null);
  const [tried, setTried] = useState(false);
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState<StetError | null>(null);
  const applied = applyDraft(begin, groups, draft);
  const written = parseJsonObject(json ?? JSON.stringify(applied.data, null, 2));
  const wrong = new Map([...(json === null ? missingFields(applied.data, groups) : []), ...applied.wrong]);
  const create = () => {
    setTried(true);
    if (json === null ? wrong.size > 0 : !written.ok) return;
    const data = json === null ? applied.data : written.ok ? written.value : begin;
    setBusy(true);
    setRefused(null);
    const write = ownWrite(client.records.create<JsonObject>(type, data, id.trim() === '' ? {} : { id: id.trim() }));
    const shown = showInline(write.id);
    // Offline it is kept here, and goes on by itself: nobody waits for it.
    const offline = !client.store.getState().online;
    const done = (outcomeId: string) => {
      showToast({ tone: 'success', title: words.created(outcomeId) });
      onCreated(outcomeId);
    };
    if (offline) {
      shown();
      void write.local.then(() => done(decodeURIComponent(write.address.split('/')[1] ?? '')));
      return;
    }
    void write.confirmed.then((outcome) => {
      setBusy(false);
      if (outcome.kind === 'confirmed') done(outcome.record.id);
      else if (outcome.kind === 'rejected') {
        setRefused(outcome.error);
        void client.discard(write.id).catch(() => undefined);
      }
    });
  };
  const refusedAt = fieldOfError(refused?.field ?? null, groups);
  const why = refused ? errorWords(refused, language) : null;
  const idTaken = refused?.code === 'ALREADY_EXISTS' && id.trim() !== '';
  return (
    <Panel label={words.newRecord} title={words.newRecord} subtitle={<span className="mono">{type}</span>} onClose={onClose}>
      <form
        className="records-editor"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          create();
        }}
      >
        <Tabs
          label={words.recordTabs}
          selected={view}
          onSelect={(next) => {
            // What is written as JSON stays JSON until it is one again.
            if (next === 'form' && json !== null && !written.ok) return;
            setView(next);
          }}
          tabs={[
            { id: 'form', label: words.form },
            { id: 'json', label: words.json },
          ]}
        >
          {refused && refusedAt === null && !idTaken ? (
            <div className="panel-section">
              <ErrorNotice error={refused} />
            </div>
          ) : null}
          <div className="panel-section fields">
            <Field label={words.id} hint={words.idHint} note={words.optional} error={idTaken ? (why?.title ?? null) : null}>
              {(control) => <TextInput {...control} name="id" code value={id} onChange={(event) => { setId(event.target.value); setRefused(null); }} autoCapitalize="none" spellCheck={false} autoFocus={!hasForm} />}
            </Field>
          </div>
          {view === 'form' && json === null ? (
            <RecordFields
              groups={groups}
              data={begin}
              draft={draft}
              wrong={tried ? wrong : applied.wrong}
              refused={new Map(refusedAt !== null && why ? [[refusedAt, why.detail ?? why.title]] : [])}
              exists={false}
              onChange={(pointer, text) => setDraft(new Map([...draft, [pointer, text]]))}
            />
          ) : (
            <JsonEditor text={json ?? JSON.stringify(applied.data, null, 2)} refused={refused && refusedAt !== null ? refusedWords(refused, language) : null} onChange={setJson} />
          )}
        </Tabs>
        <div className="panel-foot records-foot">
          <span className="panel-foot-space" />
          <Button variant="ghost" onClick={onClose}>
            {words.cancel}
          </Button>
          <Button type="submit" variant="primary" busy={busy}>
            {words.create}
          </Button>
        </div>
      </form>
    </Panel>
  );
}
