import type { Operation, OperationStatus } from '@stet/client';
import { useState, type ReactNode } from 'react';
import { ProgressBar } from './progress-bar';
import { useText } from './provider';
import type { Texts } from './texts';
import { spanText } from './time-text';
import { useNow } from './use-now';

/** What the status of an operation is called. */
export function statusText(texts: Texts, status: OperationStatus): string {
  return texts[status];
}

/** When an estimate came, and the longest wait that was told, which is the bar's whole. */
interface Estimate {
  readonly operation: Operation;
  readonly atMs: number;
  readonly longestS: number;
}

/** How many seconds are left of an estimate that came at a time; never below 0, and null where nobody can tell. */
export function secondsLeft(estimateS: number | undefined | null, atMs: number, nowMs: number): number | null {
  return estimateS === undefined || estimateS === null ? null : Math.max(0, estimateS - (nowMs - atMs) / 1000);
}

/** The place of an operation in its queue and how long it will wait, counting down between what the server tells; then how far it is. */
export function QueuePositionIndicator(props: { readonly operation: Operation | null }): ReactNode {
  const texts = useText();
  const { operation } = props;
  const waits = operation?.status === 'queued' || operation?.status === 'retrying';
  const now = useNow(waits ? 1_000 : null);
  const [seen, setSeen] = useState<Estimate | null>(null);
  if (operation !== null && now !== null && seen?.operation !== operation) {
    const same = seen?.operation.id === operation.id && seen.operation.estimatedWaitS === operation.estimatedWaitS;
    const longestS = seen?.operation.id === operation.id ? seen.longestS : 0;
    /* An answer that repeats the estimate does not begin its countdown anew. */
    const atMs = same && seen !== null && seen.operation.position === operation.position ? seen.atMs : now;
    setSeen({ operation, atMs, longestS: Math.max(longestS, operation.estimatedWaitS ?? 0) });
  }
  if (operation === null) return null;

  if (!waits) {
    const percent = operation.status === 'completed' ? 100 : (operation.progress?.percent ?? (operation.status === 'running' ? null : 0));
    return (
      <div className="stet-queue" data-state={operation.status}>
        <p role="status">{statusText(texts, operation.status)}</p>
        <ProgressBar percent={percent} label={texts.queueProgress} text={statusText(texts, operation.status)} />
      </div>
    );
  }
  const left = seen === null || now === null ? (operation.estimatedWaitS ?? null) : secondsLeft(operation.estimatedWaitS, seen.atMs, now);
  const whole = Math.max(seen?.longestS ?? 0, operation.estimatedWaitS ?? 0);
  const noWorker = operation['noWorkerForS'];
  const position = operation.position;
  return (
    <div className="stet-queue" data-state={operation.status}>
      <p role="status">
        {position === undefined ? statusText(texts, operation.status) : texts.positionInQueue(position)}
        {position === 1 && <span className="stet-origin">{texts.nextInQueue}</span>}
      </p>
      {/* No live region: a word every second is noise. */}
      <p className="stet-wait">{left === null ? texts.waitUnknown : texts.estimatedWait(spanText(left))}</p>
      {typeof noWorker === 'number' && noWorker > 10 && <p className="stet-wait">{texts.nobodyWorks}</p>}
      <ProgressBar
        percent={left === null || whole === 0 ? null : (100 * (whole - left)) / whole}
        label={texts.queueProgress}
        {...(left === null ? {} : { text: texts.estimatedWait(spanText(left)) })}
      />
    </div>
  );
}
