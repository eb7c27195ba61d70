import { StetError } from '@stet/client';
import { useClient, useRecord } from '@stet/react';
import { ArrowLeft, Clock, History, RotateCcw } from 'lucide-react';
import { useState, type ReactNode } from 'react';
import { useCommands } from '../../app/commands';
import { usePageTitle } from '../../app/page-title';
import { useLanguage } from '../../i18n/language';
import { useMessages } from '../../i18n/messages';
import { hrefTo, navigate, useRoute } from '../../routing/use-route';
import { humanize, pointerParts, recordName } from '../../types/type-definition';
import { useTypes } from '../../types/use-types';
import { Button, ConfirmDialog, EmptyState, ErrorNotice, errorWords, Field, PageHeader, showToast, Skeleton, TextInput } from '../../ui';
import { useResource } from '../../use-resource';
import { CompareVersions } from './compare-versions';
import './history.css';
import { historyMessages } from './messages';
import { Timeline } from './timeline';
import { readSnapshot, readTimeline, revert, timeOf, type VersionEntry } from './versions';

const step = 50;

/** What became of one record: `#/history/TYPE/ID?left=2&right=5`. */
export function HistoryPage(): ReactNode {
  const words = useMessages(historyMessages);
  const { parts } = useRoute();
  const [, type, id] = parts;
  usePageTitle(words.title, id ?? null);
  if (type !== undefined && id !== undefined) return <RecordHistory key={`${type} ${id}`} type={type} id={id} />;
  return (
    <div className="page">
      <PageHeader title={words.title} />
      <EmptyState icon={History} title={words.emptyTitle} action={<a className="button button-secondary" href={hrefTo(['records'])}>{words.goRecords}</a>}>
        {words.emptyText}
      </EmptyState>
    </div>
  );
}

const versionIn = (text: string | undefined): number | null => (text !== undefined && /^[1-9]\d{0,15}$/.test(text) ? Number(text) : null);

function RecordHistory({ type, id }: { readonly type: string; readonly id: string }): ReactNode {
  const words = useMessages(historyMessages);
  const client = useClient();
  const { query } = useRoute();
  const types = useTypes();
  const record = useRecord(type, id);
  const [wanted, setWanted] = useState(step);
  const [asking, setAsking] = useState<number | null>(null);
  const seen = record.record?.version ?? 0;

  /* A new version is another key: the timeline follows the record. */
  const timeline = useResource(`timeline ${type} ${id} ${wanted} ${seen} ${record.status}`, (_, signal) => readTimeline(client, type, id, wanted, signal));
  const entries = timeline.value?.entries ?? [];
  const newest = entries[0]?.version ?? null;
  const right = versionIn(query['right']) ?? newest;
  const left = versionIn(query['left']) ?? (right === null ? null : Math.max(1, right - 1));
  const pair = useResource(`pair ${type} ${id} ${left ?? 0} ${right ?? 0}`, async (_, signal) => {
    if (left === null || right === null) return { left: { version: 0, data: null, gone: 'missing' as const }, right: { version: 0, data: null, gone: 'missing' as const } };
    const [older, newer] = await Promise.all([readSnapshot(client, type, id, { version: left }, signal), readSnapshot(client, type, id, { version: right }, signal)]);
    /* The first version has none before it. */
    return { left: left === right && right === 1 ? { version: 0, data: null, gone: 'missing' as const } : older, right: newer };
  });

  const go = (change: Readonly<Record<string, string>>): void => navigate(['history', type, id], { ...query, ...change });
  const hrefOf = (entry: VersionEntry): string => hrefTo(['history', type, id], { left: String(Math.max(1, entry.version - 1)), right: String(entry.version) });
  const labelOf = (pointer: string): string =>
    types.types.get(type)?.fields.find((field) => field.pointer === pointer)?.title ?? humanize(pointerParts(pointer).at(-1) ?? pointer);
  const name = recordName(record.data ?? undefined) ?? id;

  const bringBack = async (version: number): Promise<void> => {
    if (newest === null) return;
    try {
      await revert(client, type, id, version, newest);
    } catch (reason) {
      if (reason instanceof StetError && reason.code === 'CONCURRENT_MODIFICATION') {
        await timeline.refresh();
        throw new Error(words.movedOn);
      }
      throw reason;
    }
    showToast({ tone: 'success', title: words.reverted(version) });
    navigate(['history', type, id]);
    await timeline.refresh();
  };

  useCommands([{ id: 'history-latest', label: words.latestCommand, icon: History, group: words.group, run: () => navigate(['history', type, id]) }]);

  if (timeline.status === 'error') {
    const missing = timeline.error instanceof StetError && timeline.error.code === 'NOT_FOUND';
    return (
      <div className="page">
        <PageHeader title={words.title} note={`${type}/${id}`} />
        {missing ? (
          <EmptyState icon={History} title={words.noneTitle} action={<a className="button button-secondary" href={hrefTo(['records', type])}>{words.goRecords}</a>}>
            {words.noneText}
          </EmptyState>
        ) : (
          <div className="page-scroll">
            <div className="page-column">
              <ErrorNotice error={timeline.error} onRetry={() => void timeline.refresh()} />
            </div>
          </div>
        )}
      </div>
    );
  }
  const target = right !== null && newest !== null && right < newest ? right : left !== null && newest !== null && left < newest ? left : null;
  const revertable = target !== null && pair.value !== null && (target === right ? pair.value.right : pair.value.left).data !== null;
  return (
    <div className="page">
      <PageHeader
        title={name}
        note={words.title}
        actions={
          <>
            {target !== null && revertable ? (
              <Button icon={RotateCcw} onClick={() => setAsking(target)}>
                {words.revert(target)}
              </Button>
            ) : null}
            <Button icon={ArrowLeft} onClick={() => navigate(['records', type, id])}>
              {words.back}
            </Button>
          </>
        }
      />
      <div className="history-layout">
        <section className="history-side" aria-labelledby="history-versions">
          <h2 id="history-versions">{words.versions}</h2>
          <TimeTravel type={type} id={id} onFound={(version) => go({ right: String(version), left: String(Math.max(1, version - 1)) })} />
          {timeline.value === null ? <Skeleton label={words.loading} /> : <Timeline entries={entries} newest={newest} left={left} right={right} hrefOf={hrefOf} labelOf={labelOf} />}
          {timeline.value?.more === true ? (
            <Button size="small" onClick={() => setWanted(wanted + step)}>
              {words.more}
            </Button>
          ) : null}
        </section>
        <section className="history-main" aria-label={words.title}>
          <h2>{left === null || right === null ? words.title : left === right && right === 1 ? words.firstTitle : words.compareTitle(left, right)}</h2>
          {newest === null || newest === 1 ? null : (
            <div className="history-pick">
              <VersionField label={words.left} value={left} newest={newest} onPick={(version) => go({ left: String(version), right: String(right ?? newest) })} />
              <VersionField label={words.right} value={right} newest={newest} onPick={(version) => go({ right: String(version), left: String(left ?? 1) })} />
            </div>
          )}
          <CompareVersions pair={pair} labelOf={labelOf} onRetry={() => void pair.refresh()} />
        </section>
      </div>
      <ConfirmDialog open={asking !== null} title={words.revertTitle(asking ?? 0)} confirm={words.revert(asking ?? 0)} tone="primary" onConfirm={() => bringBack(asking ?? 0)} onClose={() => setAsking(null)}>
        <p>{words.revertText}</p>
      </ConfirmDialog>
    </div>
  );
}

function VersionField({ label, value, newest, onPick }: { readonly label: string; readonly value: number | null; readonly newest: number; readonly onPick: (version: number) => void }): ReactNode {
  const words = useMessages(historyMessages);
  return (
    <Field label={label}>
      {(control) => (
        <TextInput
          {...control}
          type="number"
          min={1}
          max={newest}
          aria-label={`${label}: ${words.version(value ?? 0)}`}
          value={value ?? ''}
          onChange={(event) => {
            const version = versionIn(event.target.value);
            if (version !== null && version <= newest) onPick(version);
          }}
        />
      )}
    </Field>
  );
}

/** Finds the version that stood at a time. */
function TimeTravel({ type, id, onFound }: { readonly type: string; readonly id: string; readonly onFound: (version: number) => void }): ReactNode {
  const words = useMessages(historyMessages);
  const language = useLanguage();
  const client = useClient();
  const [local, setLocal] = useState('');
  const [said, setSaid] = useState<string | null>(null);
  const at = timeOf(local);
  const look = async (): Promise<void> => {
    if (at === null) return;
    try {
      const found = await readSnapshot(client, type, id, { at }, new AbortController().signal);
      setSaid(found.gone === 'missing' || found.version === 0 ? words.atMissing : words.atFound(found.version));
      if (found.version > 0) onFound(found.version);
    } catch (reason) {
      setSaid(errorWords(reason, language).title);
    }
  };
  return (
    <form
      className="history-travel"
      onSubmit={(event) => {
        event.preventDefault();
        void look();
      }}
    >
      <Field label={words.at}>{(control) => <TextInput {...control} type="datetime-local" step={1} value={local} onChange={(event) => setLocal(event.target.value)} />}</Field>
      <Button type="submit" size="small" icon={Clock} aria-disabled={at === null}>
        {words.atGo}
      </Button>
      <p role="status" className="faint">
        {said}
      </p>
    </form>
  );
}
