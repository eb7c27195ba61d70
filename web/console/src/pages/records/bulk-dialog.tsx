import type { Json, JsonObject, RecordState } from '@stet/client';
import { useClient } from '@stet/react';
import { useEffect, useMemo, useRef, useState } from 'react';
import { useFormat } from '../../i18n/format';
import { useLanguage } from '../../i18n/language';
import { useMessages } from '../../i18n/messages';
import type { TypeDefinition } from '../../types/type-definition';
import { Button, Checkbox, Dialog, errorWords } from '../../ui';
import { runBulk, targetsOf, type BulkChange, type BulkResult } from './bulk';
import { formOf, readField, withValue, type Draft } from './form-model';
import { recordsMessages } from './messages';
import { offerBulkUndo } from './record-actions';
import { RecordFields } from './record-fields';

export interface BulkDialogProps {
  readonly kind: 'edit' | 'delete';
  readonly type: string;
  readonly definition: TypeDefinition | undefined;
  readonly records: readonly RecordState[];
  readonly onClose: (done: ReadonlySet<string>) => void;
}

/** The same change to many records, with what came of each. */
export function BulkDialog({ kind, type, definition, records, onClose }: BulkDialogProps) {
  const words = useMessages(recordsMessages);
  const format = useFormat();
  const language = useLanguage();
  const client = useClient();
  // What is worked on is what was selected when it was opened, however the list moves meanwhile.
  const [targets] = useState(() => targetsOf(records));
  const groups = useMemo(() => formOf(definition, definition ? {} : (records[0]?.data ?? {})), [definition, records]);
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set());
  const [draft, setDraft] = useState<Draft>(new Map());
  const [tried, setTried] = useState(false);
  const [results, setResults] = useState<readonly BulkResult[] | null>(null);
  const [running, setRunning] = useState(false);
  const stop = useRef(new AbortController());
  useEffect(() => {
    const controller = new AbortController();
    stop.current = controller;
    return () => controller.abort();
  }, []);
  const fields = groups.flatMap((group) => group.fields).filter((field) => chosen.has(field.pointer));
  const readings = fields.map((field) => ({ field, read: readField(field, draft.get(field.pointer) ?? '') }));
  const wrong = new Map(readings.flatMap(({ field, read }) => (read.wrong ? [[field.pointer, read.wrong] as const] : [])));
  const patchOf = (): JsonObject => {
    let patch: JsonObject = {};
    // In a merge patch null takes a field out.
    for (const { field, read } of readings) patch = withValue(patch, field.pointer, (read.value ?? null) satisfies Json);
    return patch;
  };
  const run = async () => {
    setTried(true);
    if (kind === 'edit' && (fields.length === 0 || wrong.size > 0)) return;
    const change: BulkChange = kind === 'delete' ? { op: 'delete' } : { op: 'patch', patch: patchOf() };
    setRunning(true);
    setResults([]);
    await runBulk(client.http, type, targets, change, { signal: stop.current.signal, onProgress: setResults });
    setRunning(false);
  };
  const count = format.number(targets.length);
  const done = results?.filter((result) => result.outcome === 'done') ?? [];
  const failed = results?.filter((result) => result.outcome !== 'done') ?? [];
  const conflicts = failed.filter((result) => result.outcome === 'conflict').length;
  const close = () => {
    stop.current.abort();
    const title = (kind === 'edit' ? words.bulkChanged : words.bulkDeleted)(format.number(done.length));
    offerBulkUndo(client, type, done, title, words, format.number);
    onClose(new Set(done.map((result) => result.id)));
  };
  return (
    <Dialog
      open
      title={kind === 'edit' ? words.bulkEditTitle(count) : words.bulkDeleteTitle(count)}
      description={kind === 'edit' ? words.bulkEditHint : words.bulkDeleteHint}
      onClose={close}
      footer={
        results === null ? (
          <>
            <Button onClick={close}>{words.cancel}</Button>
            <Button variant={kind === 'delete' ? 'danger' : 'primary'} onClick={() => void run()}>
              {kind === 'delete' ? words.bulkDelete : words.bulkChange}
            </Button>
          </>
        ) : (
          <Button variant="primary" onClick={close}>
            {running ? words.cancel : words.close}
          </Button>
        )
      }
    >
      {results !== null ? (
        <div className="stack">
          <progress className="records-progress" aria-label={words.bulkDone(format.number(results.length), count)} value={results.length} max={Math.max(targets.length, 1)} />
          <p role="status">{words.bulkDone(format.number(done.length), count)}</p>
          {conflicts > 0 ? <p className="soft">{words.bulkConflicts(format.number(conflicts))}</p> : null}
          {failed.length - conflicts > 0 ? <p className="soft">{words.bulkRefused(format.number(failed.length - conflicts))}</p> : null}
          {failed.length === 0 ? null : (
            <ul className="records-failed" role="list">
              {failed.map((result) => {
                const why = errorWords(result.error, language);
                return (
                  <li key={result.id}>
                    <span className="mono">{result.id}</span>
                    <span className="soft">{why.detail ?? why.title}</span>
                  </li>
                );
              })}
            </ul>
          )}
        </div>
      ) : kind === 'edit' ? (
        <div className="records-bulk">
          <div className="records-bulk-choice" role="group" aria-label={words.columns}>
            {groups.flatMap((group) => group.fields).filter((field) => !field.immutable).map((field) => (
              <Checkbox
                key={field.pointer}
                label={field.label}
                checked={chosen.has(field.pointer)}
                onChange={(event) => {
                  const next = new Set(chosen);
                  if (event.target.checked) next.add(field.pointer);
                  else next.delete(field.pointer);
                  setChosen(next);
                }}
              />
            ))}
          </div>
          {tried && fields.length === 0 ? <p className="field-error" role="alert">{words.bulkNothing}</p> : null}
          <RecordFields
            groups={groups.map((group) => ({ ...group, fields: group.fields.filter((field) => chosen.has(field.pointer)) })).filter((group) => group.fields.length > 0)}
            data={{}}
            draft={draft}
            wrong={tried ? wrong : new Map()}
            refused={new Map()}
            exists={false}
            onChange={(pointer, text) => setDraft(new Map([...draft, [pointer, text]]))}
          />
        </div>
      ) : null}
    </Dialog>
  );
}
