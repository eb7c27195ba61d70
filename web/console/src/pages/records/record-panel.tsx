import type { JsonObject, RecordState, StetError } from '@stet/client';
import { OptimisticIndicator, useClient, useRecord } from '@stet/react';
import { Copy, CopyPlus, Ellipsis, History, Trash2, Undo2 } from 'lucide-react';
import { useEffect, useMemo, useRef, useState, type KeyboardEvent } from 'react';
import { useCommands } from '../../app/commands';
import { ownWrite, showInline } from '../../app/own-writes';
import { showConflict } from '../../app/show-conflict';
import { useFormat } from '../../i18n/format';
import { useLanguage } from '../../i18n/language';
import { useMessages } from '../../i18n/messages';
import { hrefTo, navigate } from '../../routing/use-route';
import { recordName, valueAt, type TypeDefinition } from '../../types/type-definition';
import { Avatar, Button, ConfirmDialog, EmptyState, ErrorNotice, errorWords, IconButton, Menu, Notice, Panel, plainName, RelativeTime, showToast, Skeleton, Tabs } from '../../ui';
import { applyDraft, fieldOfError, formOf, rebaseData, sameJson, type Draft } from './form-model';
import { JsonEditor } from './json-editor';
import { parseJsonObject } from './json-text';
import { recordsMessages } from './messages';
import { deleteRecord, undoChange } from './record-actions';
import { RecordFields } from './record-fields';
import { refusedWords } from './wrong-words';

export interface RecordPanelProps {
  readonly type: string;
  readonly id: string;
  readonly definition: TypeDefinition | undefined;
  readonly onClose: () => void;
  readonly onDuplicate: (data: JsonObject) => void;
}

type View = 'form' | 'json' | 'details';
const noDraft: Draft = new Map();
const noData: JsonObject = {};

/** What somebody has written and not saved. The version and data are those that were looked at when it began. */
interface Begun {
  readonly version: number | null;
  readonly data: JsonObject;
  readonly fields: Draft;
  /** The whole data as text, when it is edited as JSON. */
  readonly json: string | null;
}

/** One record: read live, edited in a form or as JSON. */
export function RecordPanel({ type, id, definition, onClose, onDuplicate }: RecordPanelProps) {
  const words = useMessages(recordsMessages);
  const language = useLanguage();
  const client = useClient();
  const record = useRecord(type, id);
  const [view, setView] = useState<View>('form');
  const [asked, setAsked] = useState<'delete' | null>(null);
  const others = record.people.filter((person) => !person.self).map((person) => plainName(person.actor));
  const names = [...new Set(others)];
  const format = useFormat();
  const version = record.record?.version ?? 0;
  // What somebody writes is not taken from them when the record is: the form stays, with what it was made from.
  const [writing, setWriting] = useState(false);
  const last = useRef(record);
  if (record.status === 'ready') last.current = record;
  const gone = record.status === 'deleted' && writing && last.current.status === 'ready' && last.current.address === record.address;
  const name = recordName((gone ? last.current : record).data ?? undefined) ?? id;
  useCommands([
    ...(record.status === 'ready'
      ? [
          { id: 'record-history', label: `${words.history}: ${name}`, icon: History, keys: 'h', group: words.title, run: () => navigate(['history', type, id]) },
          { id: 'record-delete', label: `${words.deleteRecord}: ${name}`, icon: Trash2, keys: 'Delete', group: words.title, run: () => setAsked('delete') },
        ]
      : []),
  ]);
  return (
    <Panel
      label={name}
      title={record.status === 'loading' ? id : name}
      subtitle={
        <span className="row records-subtitle">
          <span className="mono">{`${type}/${id}`}</span>
          {record.record ? <span>{`v${version}`}</span> : null}
          {names.length > 0 ? (
            <span className="records-people" role="status">
              <span className="avatars">{names.slice(0, 3).map((who) => <Avatar key={who} name={who} size="small" quiet />)}</span>
              {words.here(format.list(names), names.length > 1)}
            </span>
          ) : null}
        </span>
      }
      actions={
        <Menu
          label={words.actions}
          align="end"
          items={[
            { label: words.history, icon: History, keys: 'h', onSelect: () => navigate(['history', type, id]) },
            { label: words.copyAddress, icon: Copy, onSelect: () => void navigator.clipboard.writeText(new URL(hrefTo(['records', type, id]), location.href).href) },
            { label: words.duplicate, icon: CopyPlus, disabled: record.data === null, onSelect: () => record.data && onDuplicate(record.data) },
            { label: words.undoLast, icon: Undo2, disabled: version < 2, onSelect: () => void undoChange(client, type, id, version, words, language) },
            'line',
            { label: words.deleteRecord, icon: Trash2, danger: true, disabled: record.status !== 'ready', onSelect: () => setAsked('delete') },
          ]}
          trigger={(props) => <IconButton {...props} icon={Ellipsis} size="small" label={words.actions} />}
        />
      }
      onClose={onClose}
    >
      {record.status === 'loading' ? (
        <Skeleton label={words.loading} />
      ) : record.status === 'error' ? (
        <div className="panel-section">
          <ErrorNotice error={record.error} />
        </div>
      ) : record.status === 'missing' || (record.status === 'deleted' && !gone) ? (
        <EmptyState
          icon={Trash2}
          title={record.status === 'deleted' ? words.deletedRecord : words.missing}
          action={
            record.status === 'deleted' ? (
              <Button onClick={() => navigate(['records', type], { trash: '1' })}>{words.trash}</Button>
            ) : (
              <Button onClick={onClose}>{words.backToRecords}</Button>
            )
          }
        >
          {record.status === 'deleted' ? words.deletedRecordHint : words.missingHint}
        </EmptyState>
      ) : (
        <Editor record={gone ? last.current : record} gone={gone} definition={definition} name={name} view={view} onView={setView} onWriting={setWriting} />
      )}
      <ConfirmDialog
        open={asked === 'delete'}
        title={words.deleteTitle(name)}
        confirm={words.deleteRecord}
        onClose={() => setAsked(null)}
        onConfirm={() => {
          deleteRecord(client, type, id, name, words, language);
          onClose();
        }}
      >
        {words.deleteHint}
      </ConfirmDialog>
    </Panel>
  );
}

interface EditorProps {
  readonly record: RecordState;
  /** It was deleted; `record` is as it was before. */
  readonly gone: boolean;
  readonly definition: TypeDefinition | undefined;
  readonly name: string;
  readonly view: View;
  readonly onView: (view: View) => void;
  /** Hears whether there is something that is not saved yet. */
  readonly onWriting: (writing: boolean) => void;
}

function Editor({ record, gone, definition, name, view, onView, onWriting }: EditorProps) {
  const words = useMessages(recordsMessages);
  const language = useLanguage();
  const client = useClient();
  const { type, id } = record;
  const data = record.data ?? noData;
  const [begun, setBegun] = useState<Begun | null>(null);
  const [refused, setRefused] = useState<StetError | null>(null);
  const [tried, setTried] = useState(false);
  const alive = useRef(true);
  const groups = useMemo(() => formOf(definition, data), [definition, data]);
  useEffect(() => {
    alive.current = true;
    return () => {
      alive.current = false;
    };
  }, []);

  const draft = begun?.fields ?? noDraft;
  const applied = applyDraft(data, groups, draft);
  const text = begun?.json ?? JSON.stringify(data, null, 2);
  const json = parseJsonObject(text);
  const changed = begun !== null && (begun.json === null ? draft.size > 0 && (applied.wrong.size > 0 || !sameJson(applied.data, data)) : !json.ok || !sameJson(json.value, begun.data));
  useEffect(() => onWriting(changed), [changed, onWriting]);
  const begin = (): Begun => begun ?? { version: record.record?.version ?? null, data, fields: noDraft, json: null };

  const write = (field: string, value: string) => {
    const from = begin();
    setRefused(null);
    setBegun({ ...from, fields: new Map([...from.fields, [field, value]]) });
  };
  const discard = () => {
    setBegun(null);
    setRefused(null);
    setTried(false);
  };
  const save = () => {
    setTried(true);
    if (begun === null || !changed || (begun.json === null ? applied.wrong.size > 0 : !json.ok)) return;
    const edited = begun;
    const make = (now: JsonObject): JsonObject => {
      if (edited.json === null) return applyDraft(now, formOf(definition, now), edited.fields).data;
      return json.ok ? rebaseData(edited.data, json.value, now) : now;
    };
    const saved = ownWrite(client.records.update<JsonObject>(type, id, make, edited.version === null ? {} : { base: edited.version }));
    const shown = showInline(saved.id);
    setBegun(null);
    setRefused(null);
    setTried(false);
    void saved.confirmed.then((outcome) => {
      if (!alive.current) shown();
      if (outcome.kind === 'confirmed' && !outcome.unchanged) {
        const { version } = outcome.record;
        showToast({ tone: 'success', title: words.saved(name), action: { label: words.undo, run: () => void undoChange(client, type, id, version, words, language) }, forMs: 6_000 });
      }
      // What was refused comes back into the form, so that it can be put right; the edit itself is let go.
      if (outcome.kind === 'rejected' && alive.current) {
        setBegun((now) => now ?? edited);
        setRefused(outcome.error);
        // One that could not even be kept here does not wait anywhere.
        void client.discard(saved.id).catch(() => undefined);
      }
    });
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if ((event.ctrlKey || event.metaKey) && (event.key === 's' || event.key === 'Enter')) {
      event.preventDefault();
      save();
    } else if (event.key === 'Escape' && changed) {
      // Once it takes back, twice it closes.
      event.preventDefault();
      event.stopPropagation();
      discard();
    }
  };
  const refusedAt = fieldOfError(refused?.field ?? null, groups);
  const why = refused ? errorWords(refused, language) : null;
  const changedBy = plainName(record.record?.updatedBy ?? '');
  const notes = new Map(
    begun && begun.json === null && record.record && record.record.version !== begun.version
      ? [...draft.keys()].filter((pointer) => !sameJson(valueAt(begun.data, pointer), valueAt(record.record?.data, pointer))).map((pointer) => [pointer, words.changedElsewhere(changedBy)])
      : [],
  );
  return (
    <form
      className="records-editor"
      onKeyDown={onKeyDown}
      onSubmit={(event) => {
        event.preventDefault();
        save();
      }}
      noValidate
    >
      <Tabs
        label={words.recordTabs}
        selected={view}
        onSelect={onView}
        tabs={[
          { id: 'form', label: words.form },
          { id: 'json', label: words.json },
          { id: 'details', label: words.details },
        ]}
      >
        {gone ? (
          <div className="panel-section">
            <Notice tone="warning" title={words.deletedMeanwhile}>{words.deletedMeanwhileHint}</Notice>
          </div>
        ) : null}
        {why && refusedAt === null ? (
          <div className="panel-section">
            <ErrorNotice error={refused} />
          </div>
        ) : null}
        {view === 'form' ? (
          begun?.json === null || begun === null ? (
            <RecordFields groups={groups} data={data} draft={draft} wrong={tried || draft.size > 0 ? applied.wrong : new Map()} refused={new Map(refusedAt !== null && why ? [[refusedAt, why.detail ?? why.title]] : [])} notes={notes} exists onChange={write} />
          ) : (
            <div className="panel-section">
              <Notice tone="info" title={words.unsaved} action={<Button size="small" onClick={() => onView('json')}>{words.json}</Button>} />
            </div>
          )
        ) : view === 'json' ? (
          <JsonEditor
            text={begun?.json ?? JSON.stringify(applied.data, null, 2)}
            refused={refused && refusedAt !== null ? refusedWords(refused, language) : null}
            onChange={(next) => {
              setRefused(null);
              setBegun({ ...begin(), json: next });
            }}
          />
        ) : (
          <Details record={record} />
        )}
      </Tabs>
      {view === 'details' && !changed && record.phase === 'idle' ? null : (
        <div className="panel-foot records-foot">
          <OptimisticIndicator phase={changed ? 'idle' : record.phase} />
          {record.phase === 'conflict' && !changed ? (
            <Button size="small" onClick={() => showConflict(record.address)}>
              {words.decide}
            </Button>
          ) : null}
          {changed ? <span className="soft">{words.unsaved}</span> : null}
          <span className="panel-foot-space" />
          {changed ? (
            <Button variant="ghost" onClick={discard}>
              {words.discard}
            </Button>
          ) : null}
          <Button type="submit" variant="primary" disabled={!changed}>
            {words.saveRecord}
          </Button>
        </div>
      )}
    </form>
  );
}

function Details({ record }: { readonly record: RecordState }) {
  const words = useMessages(recordsMessages);
  const known = record.record;
  if (!known) return null;
  return (
    <dl className="records-details">
      <dt>{words.id}</dt>
      <dd className="mono">{known.id}</dd>
      <dt>{words.version}</dt>
      <dd>{known.version}</dd>
      <dt>{words.updatedAt}</dt>
      <dd>
        <RelativeTime time={known.updatedAt} />
      </dd>
      <dt>{words.updatedBy}</dt>
      <dd>{plainName(known.updatedBy)}</dd>
      <dt>{words.createdAt}</dt>
      <dd>
        <RelativeTime time={known.createdAt} />
      </dd>
      <dt>{words.createdBy}</dt>
      <dd>{plainName(known.createdBy)}</dd>
      {known.parent === undefined ? null : (
        <>
          <dt>{words.parent}</dt>
          <dd>
            <a className="mono" href={hrefTo(['records', ...known.parent.split('/').map(decodeURIComponent)])}>
              {known.parent}
            </a>
          </dd>
        </>
      )}
    </dl>
  );
}
