/** A server that the test plays: every request waits in a list until the test answers it, or a handler does. */
import type { Json } from '../json';
import type { Transport, TransportAnswer, TransportRequest } from '../seams';

export interface FakeAnswer {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** Sent as JSON; a text with `raw` as it is. */
  readonly body?: Json;
  readonly raw?: string;
  readonly stream?: ReadableStream<Uint8Array>;
}

/** A request on its way. */
export interface Pending {
  readonly request: TransportRequest;
  /** `GET /v1/main/records/tasks/1`. */
  readonly line: string;
  /** Its body as JSON; null when there is none. */
  readonly body: unknown;
  answer(answer: FakeAnswer): void;
  /** There is no answer: the network is gone. */
  fail(): void;
}

export interface FakeTransport {
  readonly transport: Transport;
  /** Those that nobody has answered yet, in order. */
  readonly pending: readonly Pending[];
  /** All that ever came: `GET /v1/…`. */
  readonly lines: readonly string[];
  /** Takes the first one that waits. Throws when none does. */
  next(): Pending;
  /** From now on requests are answered by this; 'offline': none is; null: they wait for the test. */
  handle(handler: ((request: TransportRequest) => FakeAnswer | 'offline') | null): void;
}

const answerOf = (given: FakeAnswer): TransportAnswer => {
  const headers = new Map(Object.entries(given.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value]));
  const status = given.status ?? 200;
  if (!headers.has('content-type') && given.body !== undefined) {
    headers.set('content-type', status >= 400 ? 'application/problem+json' : 'application/json');
  }
  return {
    status,
    header: (name) => headers.get(name.toLowerCase()) ?? null,
    text: () => Promise.resolve(given.raw ?? (given.body === undefined ? '' : JSON.stringify(given.body))),
    stream: given.stream ?? null,
  };
};

/** A fake transport; requests wait for the test unless it sets a handler. */
export const createFakeTransport = (): FakeTransport => {
  let pending: Pending[] = [];
  const lines: string[] = [];
  let handler: ((request: TransportRequest) => FakeAnswer | 'offline') | null = null;

  const transport: Transport = (request) =>
    new Promise((resolve, reject) => {
      const line = `${request.method} ${request.path}`;
      lines.push(line);
      const fail = () => reject(new TypeError('fetch failed'));
      if (handler !== null) {
        const given = handler(request);
        if (given === 'offline') fail();
        else resolve(answerOf(given));
        return;
      }
      const leave = () => {
        pending = pending.filter((other) => other !== one);
      };
      const one: Pending = {
        request,
        line,
        body: request.body === undefined ? null : JSON.parse(request.body),
        answer(answer) {
          leave();
          resolve(answerOf(answer));
        },
        fail() {
          leave();
          fail();
        },
      };
      request.signal?.addEventListener('abort', () => {
        leave();
        reject(new DOMException('aborted', 'AbortError'));
      });
      pending.push(one);
    });

  return {
    transport,
    get pending() {
      return pending;
    },
    lines,
    next() {
      const [first] = pending;
      if (first === undefined) throw new Error('no request waits');
      return first;
    },
    handle(next) {
      handler = next;
    },
  };
};
