import type { Operation } from '@stet/client';
import { AgentProgressTracker, QueuePositionIndicator, useOperation, useOperationParts } from '@stet/react';
import { Ban, RotateCcw } from 'lucide-react';
import { useState, type ReactNode } from 'react';
import { useClient } from '@stet/react';
import { useFormat } from '../../i18n/format';
import { useMessages } from '../../i18n/messages';
import { hrefTo } from '../../routing/use-route';
import { Button, ConfirmDialog, ErrorNotice, Field, Panel, Person, RelativeTime, showToast, Skeleton, TextInput } from '../../ui';
import { queueMessages } from './messages';
import { classWords, StatusTag } from './status-tag';
import { isOpen, mayRetry, workOf, type Work } from './work';
import { WorkHistory } from './work-history';

/** One operation in detail, as it goes on. */
export function WorkPanel({ id, onClose }: { readonly id: string; readonly onClose: () => void }) {
  const words = useMessages(queueMessages);
  const client = useClient();
  const { operation, error } = useOperation(id);
  const { parts } = useParts(id);
  const [asking, setAsking] = useState(false);
  const [reason, setReason] = useState('');
  const [busy, setBusy] = useState(false);
  const [failure, setFailure] = useState<unknown>(null);
  const work = workOf(operation);
  const cancel = async () => {
    await client.http.request('POST', `/operations/${encodeURIComponent(id)}/cancel`, { body: reason.trim() === '' ? {} : { reason: reason.trim() } });
    showToast({ tone: 'success', title: words.cancelled });
  };
  const retry = async () => {
    setBusy(true);
    setFailure(null);
    try {
      await client.http.request('POST', `/operations/${encodeURIComponent(id)}/retry`, { body: {} });
      showToast({ tone: 'success', title: words.retried });
    } catch (reasonOfIt) {
      setFailure(reasonOfIt);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Panel
      label={words.detail}
      title={work?.opType ?? work?.function ?? words.detail}
      subtitle={work === null ? undefined : <StatusTag status={work.status} />}
      onClose={onClose}
      footer={
        work === null ? null : isOpen(work) ? (
          <Button variant="danger" icon={Ban} onClick={() => setAsking(true)}>
            {words.cancelWork}
          </Button>
        ) : mayRetry(work) ? (
          <Button icon={RotateCcw} busy={busy} onClick={() => void retry()}>
            {words.retry}
          </Button>
        ) : null
      }
    >
      {error !== null && work === null ? <ErrorNotice error={error} /> : null}
      {failure === null ? null : <ErrorNotice error={failure} />}
      {work === null ? error === null ? <Skeleton label={words.loading} /> : null : <WorkDetail key={id} work={work} operation={operation} parts={parts} />}
      <ConfirmDialog open={asking} title={words.cancelTitle} confirm={words.cancelConfirm} onConfirm={cancel} onClose={() => setAsking(false)}>
        <p>{words.cancelText}</p>
        <Field label={words.cancelReason}>{(control) => <TextInput {...control} value={reason} onChange={(event) => setReason(event.target.value)} />}</Field>
      </ConfirmDialog>
    </Panel>
  );
}

function useParts(id: string): { readonly parts: readonly Operation[] } {
  return { parts: useOperationParts(id) };
}

function WorkDetail({ work, operation, parts }: { readonly work: Work; readonly operation: Operation | null; readonly parts: readonly Operation[] }) {
  const words = useMessages(queueMessages);
  const format = useFormat();
  const time = (at: number | null): ReactNode => (at === null ? null : <RelativeTime time={at} />);
  const facts: readonly (readonly [string, ReactNode])[] = [
    [words.lane, <a href={hrefTo(['queue', work.lane])}>{work.lane}</a>],
    [words.class, work.class === work.effectiveClass ? classWords(words, work.class) : words.classOf(classWords(words, work.class), classWords(words, work.effectiveClass))],
    [words.forWhom, work.function ?? work.agent ?? words.anyAgent],
    [words.by, work.by === null ? null : <Person name={work.by} />],
    [words.target, work.target === null ? null : <a href={hrefTo(['records', ...work.target.split('/').map(decodeURIComponent)])}>{work.target}</a>],
    [words.partOf, work.parent === null ? null : <a href={hrefTo(['queue', work.lane, work.parent])}>{work.parent}</a>],
    [words.dependsOn, work.dependsOn.length === 0 ? null : work.dependsOn.map((other) => <a key={other} href={hrefTo(['queue', work.lane, other])}>{other} </a>)],
    [words.queuedAt, time(work.queuedAt)],
    [words.startedAt, time(work.startedAt)],
    [words.finishedAt, time(work.finishedAt)],
    [words.notBefore, time(work.notBefore)],
    [words.deadline, work.deadline === null ? null : format.dateTime(work.deadline)],
    [words.retries, words.ofRetries(work.retries, work.maxRetries)],
    [words.attempts, work.attempts === 0 ? null : format.number(work.attempts)],
    [words.id, <code className="work-id">{work.id}</code>],
  ];
  return (
    <div className="work-detail">
      {isOpen(work) ? (
        <section className="work-live">
          <QueuePositionIndicator operation={operation} />
          {work.status === 'running' || parts.length > 0 || work.agentsInvolved.length > 0 ? <AgentProgressTracker operation={operation} parts={parts} /> : null}
        </section>
      ) : null}
      {work.error === null ? null : <Said title={words.error} text={work.error} tone="danger" />}
      {work.reason === null ? null : <Said title={words.reason} text={work.reason} tone="neutral" />}
      <dl className="work-facts">
        {facts.map(([label, value]) =>
          value === null ? null : (
            <div key={label}>
              <dt>{label}</dt>
              <dd>{value}</dd>
            </div>
          ),
        )}
      </dl>
      {parts.length === 0 ? null : (
        <section>
          <h3>{words.parts}</h3>
          <ul role="list" className="work-parts">
            {parts.map((part) => (
              <li key={part.id}>
                <a href={hrefTo(['queue', part.lane, part.id])}>{String(part['opType'] ?? part.agent ?? part.id)}</a> <StatusTag status={part.status} />
              </li>
            ))}
          </ul>
        </section>
      )}
      <JsonBlock title={words.input} value={work.input} />
      {work.result === undefined ? null : <JsonBlock title={words.result} value={work.result} />}
      <WorkHistory key={`${work.id}`} id={work.id} version={work.version} />
    </div>
  );
}

function Said({ title, text, tone }: { readonly title: string; readonly text: string; readonly tone: 'danger' | 'neutral' }) {
  return (
    <section className={`work-said work-said-${tone}`}>
      <h3>{title}</h3>
      <p>{text}</p>
    </section>
  );
}

function JsonBlock({ title, value }: { readonly title: string; readonly value: unknown }) {
  const words = useMessages(queueMessages);
  return (
    <section>
      <h3>{title}</h3>
      {value === undefined ? <p className="soft">{words.nothing}</p> : <pre className="work-json" tabIndex={0} role="region" aria-label={title}>{JSON.stringify(value, null, 2)}</pre>}
    </section>
  );
}
