/** Puts the client together: the world's seams, what is known (`record-store.ts`), and what tells it something new. */
import type { Client, ClientOptions } from './client';
import { createConflicts } from './conflicts';
import { createCredentials } from './credentials';
import type { Edit, WriteOutcome } from './edit';
import { createFetchTransport, serverUrl } from './fetch-transport';
import { createFollowedRecords } from './followed-records';
import { createHttp } from './http';
import { IDLE_RECORDS_DEFAULT } from './limits';
import { createMetrics } from './metrics';
import { openParts } from './open-parts';
import { createOperations } from './operations';
import type { Parts, World } from './parts';
import { createRecordReader } from './record-reader';
import { RecordStore } from './record-store';
import { createRecords } from './records';
import { createReporter } from './report';
import type { EditEvent } from './seams';
import { watchServerVersion } from './server-version';
import { systemClock } from './system-clock';
import { createIds } from './uuid';
import { CLIENT_VERSION } from './version';
import { createWritePromises } from './write-promises';

const TIMEOUT_MS = 30_000;

/** A client of one space of one server. Throws a TypeError when `url` is no address. Close it when it is no longer needed. */
export const createClient = (options: ClientOptions = {}): Client => createClientFrom(options, openParts);

/** Like {@link createClient}, with parts of the test's own. @internal */
export const createClientFrom = (options: ClientOptions, open: (world: World) => Parts): Client => {
  const url = serverUrl(options.url);
  const space = options.space ?? 'main';
  const clock = options.clock ?? systemClock;
  const transport = options.transport ?? createFetchTransport(url);
  const credentials = createCredentials(options.token ?? null);
  const metrics = createMetrics(clock);
  const closed = new AbortController();
  const http = createHttp({
    transport,
    clock,
    credentials,
    space,
    timeoutMs: options.timeoutMs ?? TIMEOUT_MS,
    retried: () => metrics.retried(),
    closed: closed.signal,
  });
  const parts = open({
    url,
    space,
    clock,
    transport,
    http,
    credentials,
    ...(options.storage === undefined ? {} : { storage: options.storage }),
    ...(options.tabs === undefined ? {} : { tabs: options.tabs }),
    ...(options.socket === undefined ? {} : { socket: options.socket }),
  });
  const { queue, feed, sessions, leadership, connectivity } = parts;

  const store = new RecordStore({
    clock,
    idleRecordsMax: options.idleRecordsMax ?? IDLE_RECORDS_DEFAULT,
    initial: {
      online: connectivity.online,
      feed: feed.state,
      leader: leadership.leading,
      session: sessions.live.getSnapshot(),
      versions: { client: CLIENT_VERSION, server: null, fit: true },
      storage: queue.storage,
    },
  });
  credentials.replaced = () => store.forget();
  const promises = createWritePromises();
  const reader = createRecordReader(http, store);
  const followed = createFollowedRecords(feed, store, reader);
  const ids = createIds(clock);
  const records = createRecords({
    http,
    store,
    queue,
    feed,
    clock,
    followed,
    promises,
    metrics,
    ids,
    credentials,
    sessions,
  });
  const conflicts = createConflicts({ http, store, queue, feed, clock, metrics });
  const operations = createOperations({ http, feed, clock, metrics, ids });

  const judged = (edit: Edit, outcome: WriteOutcome) => {
    metrics.settled(edit.id, outcome);
    if (outcome.kind === 'conflict') store.applyConflict(outcome.conflict);
  };

  const hear = (event: EditEvent) => {
    switch (event.kind) {
      case 'loaded':
        // Who was here last was kept beside them.
        store.setPerson(shownOf());
        for (const edit of event.edits) store.putEdit(edit);
        break;
      case 'added':
        for (const edit of event.edits) store.putEdit(edit);
        break;
      case 'changed':
        if (event.edit.attempts > Math.max(1, store.edit(event.edit.id)?.attempts ?? 0)) metrics.resent(event.edit.id);
        store.putEdit(event.edit);
        if (event.outcome !== undefined) judged(event.edit, event.outcome);
        break;
      case 'settled':
        store.settle(event.edit, event.outcome);
        judged(event.edit, event.outcome);
        break;
      case 'storage':
        store.set({ storage: event.state });
        break;
    }
    promises.hear(event);
  };

  /** Somebody else may see other things; whoever looks at something reads it as themselves. */
  let person = actorOf();
  /** undefined: it is not known yet. What is read meanwhile is read with the very credentials that are then found to be theirs. */
  function actorOf(): string | null | undefined {
    const session = sessions.live.getSnapshot();
    if (session.status === 'unknown') return undefined;
    return session.status === 'authenticated' ? session.who.actor : null;
  }
  /** Whose edits are shown: also those of who cannot be asked, or whose session is over. */
  function shownOf(): string | null | undefined {
    const session = sessions.live.getSnapshot();
    if (session.status === 'authenticated') return session.who.actor;
    return session.status === 'unknown' ? (sessions.lastActor ?? undefined) : sessions.lastActor;
  }
  const sessionChanged = () => {
    const session = sessions.live.getSnapshot();
    store.set({ session });
    store.setPerson(shownOf());
    const now = actorOf();
    if (now === undefined || now === person) return;
    const before = person;
    person = now;
    if (before === undefined) return;
    store.forget();
  };

  store.setPerson(shownOf());
  for (const edit of queue.list()) store.putEdit(edit);
  const undo = [
    queue.subscribe(hear),
    feed.subscribe((state) => {
      store.set({ feed: state });
      // What could not be read while nobody was there.
      if (state === 'open') for (const address of store.addresses((one) => one.error !== null)) void reader.load(address);
    }),
    leadership.subscribe((leader) => store.set({ leader })),
    connectivity.subscribe((online) => store.set({ online })),
    sessions.live.subscribe(sessionChanged),
    watchServerVersion(http, store, feed),
    options.reportMetrics === true ? createReporter(http, clock, metrics, credentials) : () => {},
  ];

  let closing: Promise<void> | null = null;
  return {
    space,
    url,
    store: store.api,
    records,
    conflicts,
    operations,
    session: sessions,
    feed: { follow: (interest, listener) => feed.follow(interest, listener) },
    http: { request: (method, path, given) => http.request(method, path, given) },
    updateWithLock: (key, work) => parts.updateWithLock(key, work),
    metrics: () => metrics.snapshot(),
    discard: (id) => queue.discard(id),
    retry: (id, change) => queue.retry(id, change),
    close() {
      closing ??= (async () => {
        for (const one of undo) one();
        records.close();
        conflicts.close();
        operations.close();
        followed.close();
        reader.close();
        store.close();
        const shut = parts.close();
        // Whoever is told of it finds everything closed.
        closed.abort();
        promises.close();
        await shut;
      })();
      return closing;
    },
  };
};
