/**
 * One request as the whole client makes it: credentials, time limit, tries, and answers that are either named JSON or a
 * {@link StetError}. `ask` gives every answer that came from Stet, refusals too, to those who must tell outcomes apart;
 * `request` throws the refusals.
 */
import { toCamel } from './camel';
import type { Http, HttpAnswer, HttpOptions } from './client';
import { credentialHeaders, type Credentials } from './credentials';
import { parseJson } from './decode';
import { StetError } from './error';
import { abortedError, closedError, networkError, problemFromText, retryAfterMs, timeoutError, unreadable } from './problem';
import { defaultRetry, withRetry, type RetryPolicy } from './retry';
import type { Clock, Transport, TransportAnswer } from './seams';

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE';

export interface HttpWorld {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly credentials: Credentials;
  readonly space: string;
  readonly timeoutMs: number;
  readonly retry?: RetryPolicy;
  /** A write is tried once more. */
  readonly retried?: () => void;
  /** Aborted when the client is closed: what is under way, or waits to be tried again, is given up. */
  readonly closed?: AbortSignal;
}

const query = (given: HttpOptions['query']): string => {
  const parameters = new URLSearchParams();
  for (const [name, value] of Object.entries(given ?? {})) {
    if (value === undefined) continue;
    if (Array.isArray(value)) for (const one of value) parameters.append(name, String(one));
    else parameters.append(name, value === true ? '1' : value === false ? '0' : String(value));
  }
  const text = parameters.toString();
  return text === '' ? '' : `?${text}`;
};

/** Where a path of {@link Http} stands on the server: below the space, or with two slashes below its root. */
export const serverPath = (space: string, path: string): string =>
  path.startsWith('//') ? path.slice(1) : `/v1/${encodeURIComponent(space)}${path}`;

/** A signal that is aborted with the first of some, and what lets go of them. (`AbortSignal.any` is younger than the browsers we run in.) */
const firstOf = (signals: readonly (AbortSignal | undefined)[]): { readonly signal: AbortSignal; readonly release: () => void } => {
  const abort = new AbortController();
  const onAbort = () => abort.abort();
  for (const one of signals) {
    if (one?.aborted === true) onAbort();
    one?.addEventListener('abort', onAbort, { once: true });
  }
  return { signal: abort.signal, release: () => signals.forEach((one) => one?.removeEventListener('abort', onAbort)) };
};

const etag = (header: string | null): number | null => {
  const found = /^(?:W\/)?"(\d+)"$/.exec(header ?? '');
  return found === null ? null : Number(found[1]);
};

/** Runs `work` under a time limit and the caller's signal; what is late is given up, so that nothing of it goes on. */
const bounded = async <R>(
  clock: Clock,
  ms: number,
  signal: AbortSignal | undefined,
  work: (signal: AbortSignal) => Promise<R>,
): Promise<R> => {
  if (signal?.aborted === true) throw abortedError();
  const abort = new AbortController();
  let end: ((error: StetError) => void) | null = null;
  const ended = new Promise<never>((_, reject) => {
    end = reject;
  });
  const stop = (error: StetError) => {
    abort.abort();
    end?.(error);
  };
  const onAbort = () => stop(abortedError());
  const undo = clock.after(ms, () => stop(timeoutError(ms)));
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    return await Promise.race([work(abort.signal), ended]);
  } finally {
    undo();
    signal?.removeEventListener('abort', onAbort);
  }
};

/** Names the data that a request is meant for. */
export const spaceIdHeader = 'Stet-Space-Id';

export interface CoreOptions extends HttpOptions {
  /** Sent twice it takes effect once, though it has no key: something in it is good for one use. */
  readonly repeatable?: boolean;
  /** Who asks: as somebody else it is not sent. Without: a write that was begun as one person is not repeated as another. */
  readonly as?: string;
  /** For which data it is meant; as `Edit.space` says. A server that has others refuses it, by the field {@link spaceIdHeader}. */
  readonly spaceId?: string;
  /** It is sent once more. */
  readonly repeated?: () => void;
}

/** The client's requests, with what its own parts need beside {@link Http}. */
export interface HttpCore extends Http {
  /** As `request`, but a problem document with this status is an answer: the conflict of a write. */
  ask(method: Method, path: string, options: CoreOptions, answers: readonly number[]): Promise<HttpAnswer>;
}

const read = async (answer: TransportAnswer, answers: readonly number[], now: number): Promise<HttpAnswer> => {
  const text = await answer.text();
  const type = answer.header('content-type') ?? '';
  const success = answer.status >= 200 && answer.status < 300;
  if (!success && !answers.includes(answer.status)) {
    throw problemFromText(answer.status, text, retryAfterMs(answer.header('retry-after'), now));
  }
  try {
    const isJson = /^application\/(?:[\w.-]+\+)?json\b/.test(type);
    // A proxy's page of HTML with status 200 must not pass for an empty answer.
    if (success && /^text\/html\b/.test(type)) throw new TypeError('a page of HTML');
    if (!success && !isJson) throw problemFromText(answer.status, text, null);
    const body = text === '' || !isJson ? null : toCamel(parseJson(text));
    return { status: answer.status, etag: etag(answer.header('etag')), body, text };
  } catch (cause) {
    throw unreadable(cause, answer.status);
  }
};

const notThem = (person: string) =>
  new StetError({ code: 'UNAUTHENTICATED', detail: `"${person}" is not logged in any more`, status: 401 });

/** Puts the requests together; see {@link Http}. */
export const createHttp = (world: HttpWorld): HttpCore => {
  const { transport, clock, credentials } = world;

  const once = async (method: Method, path: string, options: CoreOptions, answers: readonly number[]) => {
    const write = method !== 'GET';
    const body = options.body === undefined ? undefined : typeof options.body === 'string' && options.contentType !== undefined
      ? options.body
      : JSON.stringify(options.body);
    const headers: Record<string, string> = {
      Accept: options.accept ?? 'application/json',
      ...credentialHeaders(credentials, write),
      ...(body === undefined ? {} : { 'Content-Type': options.contentType ?? 'application/json' }),
      ...(options.ifMatch === undefined ? {} : { 'If-Match': `"${options.ifMatch}"` }),
      ...(options.key === undefined ? {} : { 'Idempotency-Key': options.key }),
      ...(options.spaceId === undefined ? {} : { [spaceIdHeader]: options.spaceId }),
    };
    return bounded(clock, options.timeoutMs ?? world.timeoutMs, options.signal, async (signal) => {
      let answer: TransportAnswer;
      try {
        answer = await transport({
          method,
          path: serverPath(world.space, path) + query(options.query),
          headers,
          signal,
          ...(body === undefined ? {} : { body }),
        });
      } catch (cause) {
        // Given up by us: what `bounded` says of it counts, and says nothing about the network.
        if (!signal.aborted) credentials.reached?.(false);
        throw networkError(cause);
      }
      credentials.reached?.(true);
      return read(answer, answers, clock.now());
    });
  };

  const ask = async (method: Method, path: string, given: CoreOptions, answers: readonly number[]): Promise<HttpAnswer> => {
    const { signal, release } = firstOf([given.signal, world.closed]);
    try {
      return await tryAll(method, path, { ...given, signal }, answers);
    } catch (thrown) {
      if (world.closed?.aborted === true && given.signal?.aborted !== true) throw closedError();
      throw thrown;
    } finally {
      release();
    }
  };

  const tryAll = async (method: Method, path: string, options: CoreOptions, answers: readonly number[]): Promise<HttpAnswer> => {
    let renewed = false;
    // The cookie and its proof may be another person's by the time of the next try: what was written is not theirs.
    const person = options.as ?? (method === 'GET' ? null : credentials.actor);
    const retry = {
      safe: method === 'GET',
      keyed: options.key !== undefined || options.repeatable === true,
      ...(options.signal === undefined ? {} : { signal: options.signal }),
      retried: () => {
        if (method !== 'GET') world.retried?.();
        options.repeated?.();
      },
    };
    return withRetry(clock, world.retry ?? defaultRetry, retry, async () => {
      for (;;) {
        if (person !== null && credentials.actor !== person) throw notThem(person);
        try {
          return await once(method, path, options, answers);
        } catch (error) {
          if (!(error instanceof StetError)) throw error;
          if ((error.status === 401 && error.code !== 'LOGIN_FAILED') || error.field === spaceIdHeader) credentials.refused?.(error);
          // A page that was just loaded has its cookie, but not yet the proof. Nothing was done: it may be sent again.
          if (error.code !== 'CSRF_REQUIRED' || renewed || credentials.renew === null) throw error;
          renewed = true;
          if (!(await credentials.renew())) throw error;
        }
      }
    });
  };

  return { ask, request: (method, path, options = {}) => ask(method, path, options, []) };
};
