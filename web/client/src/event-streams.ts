/** The feed over plain requests, where WebSockets do not come through: one event stream for each subscription, of which there are few. */
import { credentialHeaders, type Credentials } from './credentials';
import { DecodeError, parseJson } from './decode';
import { StetError } from './error';
import { streamEventOf } from './feed-event';
import { serverPath } from './http';
import { networkError, problemFromText } from './problem';
import type { Seq } from './record';
import type { Clock, Interest, Transport } from './seams';
import { createSseParser } from './sse-parser';
import type { Wire, WireEvents } from './wire';

/** Browsers hold six connections to a server of HTTP/1.1, of all tabs together. */
const streamsMax = 3;
/** The server says something every 15 seconds. */
const silenceMsMax = 40_000;

export interface EventStreamsOptions {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly credentials: Credentials;
  readonly space: string;
}

const queryOf = (interest: Interest, since: Seq | null): string => {
  const query = new URLSearchParams();
  for (const type of interest.types ?? []) query.append('type', type);
  for (const address of interest.addresses ?? []) query.append('id', address);
  for (const event of interest.events ?? []) query.append('events', event);
  if (interest.where !== undefined) query.set('where', interest.where);
  query.set('since', since === null ? 'now' : String(since));
  return query.toString();
};

/** Makes the connection; it is told open with the first stream that answers, and closed with the first that breaks. */
export function openEventStreams(options: EventStreamsOptions, events: WireEvents): Wire {
  const { transport, clock, credentials } = options;
  const streams = new Map<string, AbortController>();
  let open = false;
  let over = false;

  const end = (tell: boolean) => {
    if (over) return;
    over = true;
    for (const stream of streams.values()) stream.abort();
    streams.clear();
    if (tell) events.close();
  };

  const read = async (name: string, body: ReadableStream<Uint8Array>, heard: () => void, signal: AbortSignal) => {
    const reader = body.getReader();
    const cancel = () => void reader.cancel().catch(() => {});
    signal.addEventListener('abort', cancel, { once: true });
    const decoder = new TextDecoder();
    const parse = createSseParser();
    for (;;) {
      const { done, value } = await reader.read();
      if (done || signal.aborted) return;
      heard();
      for (const one of parse(decoder.decode(value, { stream: true }))) {
        if (signal.aborted) return;
        const event = streamEventOf(one.event, parseJson(one.data));
        const id = one.id === null || !/^\d+$/.test(one.id) ? null : Number(one.id);
        if (event) events.event(name, event, id);
      }
    }
  };

  const run = async (name: string, interest: Interest, since: Seq | null, stream: AbortController): Promise<void> => {
    let undoSilence = () => {};
    const heard = () => {
      undoSilence();
      undoSilence = clock.after(silenceMsMax, () => stream.abort());
    };
    heard();
    try {
      const answer = await transport({
        method: 'GET',
        path: `${serverPath(options.space, '/changes')}?${queryOf(interest, since)}`,
        headers: { Accept: 'text/event-stream', ...credentialHeaders(credentials, false) },
        signal: stream.signal,
      });
      if (stream.signal.aborted && streams.get(name) !== stream) return;
      if (answer.status !== 200 || answer.stream === null) throw problemFromText(answer.status, await answer.text(), null);
      credentials.reached?.(true);
      if (!open) {
        open = true;
        events.open();
      }
      await read(name, answer.stream, heard, stream.signal);
    } catch (thrown) {
      if (streams.get(name) !== stream) return;
      const error = thrown instanceof DecodeError ? new StetError({ code: 'NOT_STET', detail: thrown.message }) : networkError(thrown);
      if (error.status === 401) credentials.refused?.(error);
      // Asked for in a way that will never do: the others go on.
      if (error.status >= 400 && error.status < 500 && error.status !== 401 && !error.retryable && error.code !== 'NOT_STET') {
        streams.delete(name);
        return events.refused(name, error);
      }
    } finally {
      undoSilence();
    }
    if (streams.get(name) === stream) end(true);
  };

  return {
    subscriptionsMax: streamsMax,
    subscribe(name, interest, since) {
      const stream = new AbortController();
      streams.set(name, stream);
      void run(name, interest, since, stream);
    },
    unsubscribe(name) {
      const stream = streams.get(name);
      streams.delete(name);
      stream?.abort();
    },
    present() {},
    absent() {},
    close: () => end(false),
  };
}
