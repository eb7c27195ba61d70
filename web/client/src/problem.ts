/** From an answer that is no success, or none at all, to a {@link StetError}. */
import { toCamel } from './camel';
import { Members, count, parseJson, text } from './decode';
import { StetError } from './error';
import { isMap, type Json } from './json';
import { codes, type Code } from './status';

/** Whether the word is in the status table. */
export const isCode = (word: string): word is Code => Object.hasOwn(codes, word);

/** A server may ask for no longer a pause than this. */
const RETRY_AFTER_MS_MAX = 3_600_000;

/** `Retry-After` in milliseconds: seconds, or a date; null when it is neither. `now`: milliseconds since 1970. */
export const retryAfterMs = (header: string | null, now: number): number | null => {
  if (header === null) return null;
  const seconds = /^\s*\d+\s*$/.test(header) ? Number(header) : null;
  const ms = seconds !== null ? seconds * 1000 : Date.parse(header) - now;
  return Number.isNaN(ms) ? null : Math.min(Math.max(0, ms), RETRY_AFTER_MS_MAX);
};

const notStet = (status: number, waitMs: number | null, cause?: unknown): StetError =>
  new StetError({
    code: 'NOT_STET',
    detail: `what answered with ${status} is no Stet server`,
    status,
    // A proxy that cannot reach the server speaks for itself; the same request can succeed a moment later.
    retryable: [408, 429, 502, 503, 504].includes(status),
    retryAfterMs: waitMs,
    ...(cause === undefined ? {} : { cause }),
  });

/** The error that a body says. `body` is in camelCase, as {@link toCamel} makes it. */
export const problemOf = (status: number, body: Json, waitMs: number | null): StetError => {
  if (!isMap(body)) return notStet(status, waitMs);
  try {
    const members = new Members(body);
    const word = members.get('code', text);
    const afterS = members.find('retryAfterS', count) ?? members.find('retryAfter', count);
    // A newer server may have codes that are not known here: its HTTP status says what kind they are.
    const code: Code = isCode(word) ? word : status >= 500 ? 'INTERNAL' : 'BAD_REQUEST';
    return new StetError({
      code,
      detail: members.find('detail', text) ?? members.find('title', text) ?? codes[code].words,
      status,
      retryable: isCode(word) ? codes[code].retry !== 'no' : status === 503 || status === 429,
      retryAfterMs: waitMs ?? (afterS === undefined ? null : Math.min(afterS * 1000, RETRY_AFTER_MS_MAX)),
      field: members.find('field', text) ?? null,
      problem: body,
    });
  } catch (cause) {
    return notStet(status, waitMs, cause);
  }
};

/** The error of an answer that is no success; `source` is its body as it came. */
export const problemFromText = (status: number, source: string, waitMs: number | null): StetError => {
  try {
    return problemOf(status, toCamel(parseJson(source)), waitMs);
  } catch (cause) {
    return notStet(status, waitMs, cause);
  }
};

/** What a transport threw: there was no answer, so nobody knows whether the request took effect. */
export const networkError = (cause: unknown): StetError =>
  cause instanceof StetError
    ? cause
    : new StetError({ code: 'NETWORK', detail: 'the server could not be reached', retryable: true, cause });

/** The caller gave up. */
export const abortedError = (): StetError => new StetError({ code: 'ABORTED', detail: 'the request was given up' });

/** The client was closed: nothing of it goes on. */
export const closedError = (): StetError => new StetError({ code: 'ABORTED', detail: 'the client was closed' });

/** The answer did not come in time. */
export const timeoutError = (ms: number): StetError =>
  new StetError({ code: 'TIMEOUT', detail: `there was no answer within ${ms} ms`, retryable: true });

/** An answer that claims success and does not say what it should. */
export const unreadable = (cause: unknown, status = 200): StetError =>
  cause instanceof StetError
    ? cause
    : new StetError({ code: 'NOT_STET', detail: 'the answer is not what a Stet server says', status, cause });
