/** A server of the feed: changes in order, told over WebSockets and event streams alike, from any position on. */
import type { Socket, SocketEvents, SocketFactory, Transport } from '../seams';

interface Change {
  readonly seq: number;
  readonly type: string;
  readonly address: string;
}
interface Subscriber {
  readonly wants: (change: Change) => boolean;
  readonly send: (event: string, id: number | null, data: object) => void;
}

export interface ModelFeed {
  readonly socket: SocketFactory;
  readonly transport: Transport;
  /** A record changes. */
  change(address: string): void;
  /** All connections break. */
  cut(): void;
  /** Sends a message as it is over each socket. */
  say(message: string): void;
  /** Positions before this one are not kept. */
  floor: number;
  /** Sockets do not come through; nothing does. */
  sockets: boolean;
  network: boolean;
  /** Answers nothing any more, and does not close either. */
  deaf: boolean;
  /** Names that it takes no subscription with, and how many it takes in one. */
  readonly unwanted: Set<string>;
  most: number;
  readonly connections: { sockets: number; streams: number };
  /** What the client sent: `subscribe tasks since 3`, `present tasks/1 2`. */
  readonly log: string[];
  /** Subscriptions that there are. */
  readonly subscribers: number;
  readonly opened: number;
}

const strings = (value: unknown): readonly string[] =>
  Array.isArray(value) ? value.filter((one: unknown): one is string => typeof one === 'string') : [];
const recordOf = ({ seq, type, address }: Change): object => ({
  type, id: address.split('/')[1] ?? '', address, version: seq, seq,
  created_at: '', created_by: '', updated_at: '', updated_by: '', data: { seq },
});

/** No changes yet. */
export function createModelFeed(): ModelFeed {
  const changes: Change[] = [];
  const subscribers = new Set<Subscriber>();
  const cuts = new Set<() => void>();
  const sockets = new Set<SocketEvents>();
  let seq = 0;
  let opened = 0;

  const begin = (subscriber: Subscriber, since: number | null) => {
    let from = since ?? seq;
    if (from < model.floor) {
      from = seq;
      subscriber.send('reset', seq, { seq });
    }
    for (const change of changes)
      if (change.seq > from && subscriber.wants(change)) subscriber.send('change', change.seq, changeData(change));
    subscriber.send('ready', seq, { seq });
    subscribers.add(subscriber);
  };
  const changeData = (change: Change) => ({
    seq: change.seq, prev: change.seq - 1, transaction: change.seq, op: 'update', record: recordOf(change),
  });
  const wants = (types: readonly string[], ids: readonly string[]) => (change: Change) =>
    (types.length === 0 && ids.length === 0) || types.includes(change.type) || ids.includes(change.address);

  const refuses = (names: readonly string[]) => names.length > model.most || names.some((name) => model.unwanted.has(name));

  const model: ModelFeed = {
    floor: 0,
    sockets: true,
    network: true,
    deaf: false,
    unwanted: new Set(),
    most: Infinity,
    connections: { sockets: 0, streams: 0 },
    log: [],
    get subscribers() {
      return subscribers.size;
    },
    get opened() {
      return opened;
    },
    change(address) {
      seq += 1;
      const change = { seq, type: address.split('/')[0] ?? '', address };
      changes.push(change);
      for (const one of [...subscribers]) if (one.wants(change)) one.send('change', seq, changeData(change));
    },
    cut() {
      for (const cut of [...cuts]) cut();
    },
    say(message) {
      for (const events of [...sockets]) events.message(message);
    },
    socket(_url, _protocols, events): Socket {
      const mine = new Map<string, Subscriber>();
      let over = false;
      const leave = () => {
        over = true;
        cuts.delete(cut);
        sockets.delete(events);
        for (const one of mine.values()) subscribers.delete(one);
      };
      const cut = () => {
        if (over) return;
        leave();
        model.connections.sockets -= 1;
        events.close();
      };
      const post = (message: object) => {
        if (over || model.deaf) return;
        queueMicrotask(() => {
          if (!over) events.message(JSON.stringify(message));
        });
      };
      const obey = (message: { readonly [name: string]: unknown }) => {
        const id = message['id'];
        switch (message['op']) {
          case 'hello':
            return post({ id, status: 200, body: { version: '0.1.0', fits: true, space: 'main', actor: 'ana', heartbeat_s: 15, seq } });
          case 'subscribe': {
            const sub = String(message['sub']);
            const since = typeof message['since'] === 'number' ? message['since'] : null;
            const [types, ids] = [strings(message['type']), strings(message['ids'])];
            model.log.push(`subscribe ${[...types, ...ids].join(',')} since ${since ?? 'now'}`);
            if (message['where'] === 'bad') {
              return post({ id, status: 400, body: { code: 'BAD_REQUEST', detail: 'where', status: 400, field: 'where' } });
            }
            if (refuses([...types, ...ids])) return post({ id, status: 400, body: { code: 'BAD_REQUEST', detail: 'ids', status: 400, field: '/ids' } });
            const subscriber: Subscriber = { wants: wants(types, ids), send: (event, at, data) => post({ sub, event, ...(at !== null && { id: at }), data }) };
            mine.set(sub, subscriber);
            post({ id, status: 200, body: { sub } });
            return begin(subscriber, since);
          }
          case 'unsubscribe': {
            const one = mine.get(String(message['sub']));
            if (one) subscribers.delete(one);
            mine.delete(String(message['sub']));
            return post({ id, status: 200, body: {} });
          }
          default:
            model.log.push(`${String(message['op'])} ${String(message['address'])} ${String(message['version'])}`);
            return post({ id, status: 200, body: {} });
        }
      };
      queueMicrotask(() => {
        if (over) return;
        if (!model.sockets || !model.network || model.deaf) {
          over = true;
          return events.close();
        }
        opened += 1;
        model.connections.sockets += 1;
        cuts.add(cut);
        sockets.add(events);
        events.open();
      });
      return {
        send(text) {
          const message: unknown = JSON.parse(text);
          if (typeof message === 'object' && message !== null && !model.deaf) obey(Object.fromEntries(Object.entries(message)));
        },
        close() {
          if (over) return;
          if (cuts.has(cut)) model.connections.sockets -= 1;
          leave();
        },
      };
    },
    async transport(request) {
      if (!model.network) throw new TypeError('fetch failed');
      const query = new URL(request.path, 'http://server').searchParams;
      const since = query.get('since');
      model.log.push(`stream ${[...query.getAll('type'), ...query.getAll('id'), ...query.getAll('events')].join(',')} since ${since ?? ''}`);
      if (refuses([...query.getAll('type'), ...query.getAll('id')])) {
        const problem = JSON.stringify({ code: 'BAD_REQUEST', detail: 'id', status: 400, field: 'id' });
        return { status: 400, header: () => 'application/problem+json', text: async () => problem, stream: null };
      }
      let leave = () => {};
      const stream = new ReadableStream<Uint8Array>({
        start(controller) {
          const encoder = new TextEncoder();
          const subscriber: Subscriber = {
            wants: wants(query.getAll('type'), query.getAll('id')),
            send: (event, id, data) =>
              controller.enqueue(encoder.encode(`${id === null ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`)),
          };
          const cut = () => {
            leave();
            controller.close();
          };
          leave = () => {
            if (cuts.delete(cut)) model.connections.streams -= 1;
            subscribers.delete(subscriber);
          };
          opened += 1;
          model.connections.streams += 1;
          cuts.add(cut);
          begin(subscriber, since === null || since === 'now' ? null : Number(since));
        },
        cancel: () => leave(),
      });
      request.signal?.addEventListener('abort', () => leave());
      return { status: 200, header: () => null, text: async () => '', stream };
    },
  };
  return model;
}
