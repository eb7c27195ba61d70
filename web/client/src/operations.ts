/** Work that others do: ask for it, watch its place and progress, take its result; see {@link Operations}. */
import { addressOf, pathPart } from './address';
import type { Live, OperationState, Operations } from './client';
import { Members, array } from './decode';
import { StetError } from './error';
import type { HttpCore } from './http';
import type { Json, JsonObject } from './json';
import { OPERATIONS_IDLE_MAX } from './limits';
import type { MetricsRecorder } from './metrics';
import type { Operation, OperationRequest } from './operation';
import { isOver, operation as operationDocument, place as placeDocument } from './operation-decoder';
import { abortedError, closedError, unreadable } from './problem';
import type { MutationId } from './record';
import type { Clock, Feed, FeedEvent } from './seams';
import { createShared, type Shared } from './shared';

export interface OperationsWorld {
  readonly http: HttpCore;
  readonly feed: Feed;
  readonly clock: Clock;
  readonly metrics: MetricsRecorder;
  readonly ids: () => MutationId;
}

interface Watched {
  readonly shared: Shared;
  state: OperationState;
}

const loading: OperationState = { status: 'loading', operation: null, error: null };

const asError = (thrown: unknown): StetError => (thrown instanceof StetError ? thrown : unreadable(thrown));

const decoded = (body: unknown): Operation => {
  try {
    return operationDocument(body, '');
  } catch (cause) {
    throw unreadable(cause);
  }
};

/** A request in the server's names. */
const requestBody = (request: OperationRequest): { readonly [name: string]: Json } => {
  const named: Record<string, Json | undefined> = {
    lane: request.lane,
    class: request.class,
    op_type: request.opType,
    agent: request.agent,
    function: request.function,
    input: request.input,
    target: request.target,
    parent: request.parent,
    depends_on: request.dependsOn,
    not_before: request.notBefore,
    deadline: request.deadline,
    timeout_s: request.timeoutS,
  };
  const body: Record<string, Json> = {};
  for (const [name, value] of Object.entries(named)) if (value !== undefined) body[name] = value;
  return body;
};

/** The newer of two: what is over stays over for that version, and a version never goes back. */
const newer = (known: Operation | null, told: Operation): Operation => {
  if (known === null || told.version > known.version) return told;
  if (told.version < known.version) return known;
  // The same version, with another place in the queue, or with its result.
  return { ...known, ...told };
};

export const createOperations = (world: OperationsWorld): Operations & { close(): void } => {
  const { http, feed, clock, metrics } = world;
  const watched = new Map<string, Watched>();
  const closed = new AbortController();

  const path = (id: string) => `/operations/${pathPart(id)}`;

  const put = (id: string, next: OperationState) => {
    const one = watched.get(id);
    if (one === undefined) return;
    one.state = next;
    if (next.operation !== null) {
      if (next.operation.status === 'queued') metrics.queued(id);
      else metrics.started(id);
    }
    one.shared.tell();
  };

  const learn = (told: Operation) => {
    const known = watched.get(told.id)?.state.operation ?? null;
    const operation = newer(known, told);
    if (operation !== known) put(told.id, { status: 'ready', operation, error: null });
  };

  const read = async (id: string): Promise<void> => {
    try {
      const answer = await http.request('GET', path(id), { signal: closed.signal });
      learn(decoded(answer.body));
    } catch (thrown) {
      if (closed.signal.aborted) return;
      const known = watched.get(id)?.state.operation ?? null;
      put(id, { status: known === null ? 'error' : 'ready', operation: known, error: asError(thrown) });
    }
  };

  const learnPlaces = (body: JsonObject) => {
    for (const told of new Members(body).get('operations', array(placeDocument))) {
      const known = watched.get(told.id)?.state.operation ?? null;
      // A place is of an operation that waits; one that has gone on since is not put back.
      if (known === null || known.status !== (told.status ?? known.status)) continue;
      put(told.id, { status: 'ready', operation: { ...known, ...told }, error: null });
    }
  };

  const hear = (id: string, event: FeedEvent): void => {
    try {
      if (event.kind === 'operation') {
        const told = new Members(event.body).find('operation', operationDocument);
        // An event of what is over does not bring a large result along.
        if (told === undefined || (isOver(told.status) && told.result === undefined)) void read(id);
        if (told !== undefined) learn(told);
      } else if (event.kind === 'queue') learnPlaces(event.body);
      else if (event.kind === 'ready' || event.kind === 'reset') void read(id);
    } catch (thrown) {
      const known = watched.get(id)?.state.operation ?? null;
      put(id, { status: known === null ? 'error' : 'ready', operation: known, error: unreadable(thrown) });
    }
  };

  const source = (id: string): Watched => {
    const known = watched.get(id);
    if (known !== undefined) return known;
    const made: Watched = {
      state: loading,
      shared: createShared(clock, () => {
        const unfollow = feed.follow({ addresses: [addressOf('stet.operation', id)] }, (event) => hear(id, event));
        const unwatch = feed.subscribe((state) => {
          if (state === 'open' && made.state.error !== null) void read(id);
        });
        void read(id);
        return () => {
          unfollow();
          unwatch();
        };
      }),
    };
    watched.set(id, made);
    const idle = [...watched].filter(([, one]) => one !== made && !one.shared.active);
    for (const [name] of idle.slice(0, Math.max(0, idle.length - OPERATIONS_IDLE_MAX))) watched.delete(name);
    return made;
  };

  const watch = (id: string): Live<OperationState> => ({
    subscribe: (listener) => source(id).shared.subscribe(listener),
    getSnapshot: () => watched.get(id)?.state ?? loading,
  });

  const get: Operations['get'] = async (id, options = {}) => {
    const { signal } = options;
    const answer = await http.request('GET', path(id), signal === undefined ? {} : { signal });
    return decoded(answer.body);
  };

  return {
    async submit(request, options = {}) {
      const { signal, key } = options;
      const answer = await http.request('POST', '/operations', {
        body: requestBody(request),
        key: key ?? world.ids(),
        ...(signal === undefined ? {} : { signal }),
      });
      const submitted = decoded(answer.body);
      if (submitted.status === 'queued') metrics.queued(submitted.id);
      const one = source(submitted.id);
      if (one.state.operation === null) one.state = { status: 'ready', operation: submitted, error: null };
      return submitted;
    },
    get,
    watch,
    result(id, options = {}) {
      const { signal } = options;
      return new Promise((resolve, reject) => {
        const live = watch(id);
        let ended = false;
        const end = (settle: () => void) => {
          if (ended) return;
          ended = true;
          signal?.removeEventListener('abort', abort);
          closed.signal.removeEventListener('abort', leave);
          undo();
          settle();
        };
        const abort = () => end(() => reject(abortedError()));
        const leave = () => end(() => reject(closedError()));
        const look = () => {
          const { operation, error, status } = live.getSnapshot();
          // What is told of the end may leave a large result out.
          if (operation !== null && isOver(operation.status)) end(() => void get(id, options).then(resolve, reject));
          else if (status === 'error' && error !== null && !error.retryable) end(() => reject(error));
        };
        if (signal?.aborted === true) {
          reject(abortedError());
          return;
        }
        if (closed.signal.aborted) {
          reject(closedError());
          return;
        }
        signal?.addEventListener('abort', abort, { once: true });
        closed.signal.addEventListener('abort', leave, { once: true });
        const undo = live.subscribe(look);
        look();
      });
    },
    async cancel(id) {
      const answer = await http.request('POST', `${path(id)}/cancel`);
      const told = decoded(answer.body);
      learn(told);
      return told;
    },
    close() {
      closed.abort();
      for (const one of watched.values()) one.shared.close();
    },
  };
};
