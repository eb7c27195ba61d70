import type { OperationClass, OperationStatus } from '@stet/client';
import { useMessages } from '../../i18n/messages';
import { Tag, type Tone } from '../../ui';
import { queueMessages } from './messages';

const tones: Readonly<Record<OperationStatus, Tone>> = {
  queued: 'neutral',
  running: 'info',
  retrying: 'warning',
  completed: 'success',
  failed: 'danger',
  rejected: 'danger',
  cancelled: 'neutral',
  expired: 'warning',
};

export type QueueWords = ReturnType<typeof useMessages<(typeof queueMessages)['en']>>;

/** The words for a status. */
export function statusWords(words: QueueWords, status: OperationStatus): string {
  return status === 'cancelled' ? words.cancelledStatus : words[status];
}

export function classWords(words: QueueWords, name: OperationClass): string {
  return words[name];
}

/** A status, in its colour and its word. */
export function StatusTag({ status }: { readonly status: OperationStatus }) {
  const words = useMessages(queueMessages);
  return <Tag tone={tones[status]}>{statusWords(words, status)}</Tag>;
}
