import { StetError } from '@stet/client';
import type { Format } from '../i18n/format';

interface Words {
  readonly failed: string;
  readonly limited: (minutes: string) => string;
  readonly noAnswer: string;
  readonly linkInvalid: string;
}

/** Why somebody is not let in, in words; null for what those do not cover. */
export function loginWords(error: unknown, words: Words, format: Pick<Format, 'duration'>): string | null {
  if (!(error instanceof StetError)) return null;
  if (error.code === 'LOGIN_FAILED') return words.failed;
  if (error.status === 429) return words.limited(format.duration(error.retryAfterMs ?? 60_000));
  if (error.code === 'NETWORK' || error.code === 'TIMEOUT') return words.noAnswer;
  if (error.code === 'LINK_INVALID') return words.linkInvalid;
  return null;
}
