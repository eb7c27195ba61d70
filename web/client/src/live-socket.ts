/** One WebSocket at `/v1/{space}/live`: see docs/live.md. */
import { toCamel } from './camel';
import { count, DecodeError, json, Members, parseJson, text } from './decode';
import { streamEventOf } from './feed-event';
import type { JsonObject } from './json';
import { problemOf } from './problem';
import type { Address, Seq, Version } from './record';
import type { Clock, Interest, Socket, SocketFactory } from './seams';
import type { Wire, WireEvents } from './wire';

/** The server takes 64; the rest is room for one that replaces another. */
const socketSubscriptionsMax = 48;
const openMsMax = 15_000;
const heartbeatMsDefault = 15_000;
/** The server takes 64 of a connection: more are not told. */
const presentMax = 60;

export interface LiveSocketOptions {
  readonly socket: SocketFactory;
  /** With its query, when a ticket is needed. */
  readonly url: string;
  readonly clock: Clock;
  /** This program's version. */
  readonly version: string;
  readonly csrf: string | null;
  /** The server's version, as it says hello. */
  readonly greeted?: (serverVersion: string) => void;
}

/** Opens it. The browser answers pings by itself and tells nobody, so silence is broken by a hello of our own. */
export function openLiveSocket(options: LiveSocketOptions, events: WireEvents): Wire {
  const { clock } = options;
  const asked = new Map<number, string>();
  const present = new Set<Address>();
  let socket: Socket | null = null;
  let number = 0;
  let open = false;
  let over = false;
  let heartbeatMs = heartbeatMsDefault;
  let heardAt = clock.monotonic();
  let undoTimer = () => {};

  const end = (tell: boolean) => {
    if (over) return;
    over = true;
    undoTimer();
    socket?.close();
    if (tell) events.close();
  };
  const send = (message: JsonObject): number => {
    number += 1;
    if (open && !over) socket?.send(JSON.stringify({ id: number, ...message }));
    return number;
  };
  const hello = () => send({ op: 'hello', client: options.version, ...(options.csrf !== null && { csrf: options.csrf }) });
  /** Says hello after a quiet heartbeat, gives up after two. */
  const watch = () => {
    undoTimer();
    const quiet = clock.monotonic() - heardAt;
    if (quiet >= 2 * heartbeatMs) return end(true);
    if (quiet >= heartbeatMs) hello();
    const next = quiet >= heartbeatMs ? 2 * heartbeatMs : heartbeatMs;
    undoTimer = clock.after(next - quiet, watch);
  };

  const answered = (id: number, from: Members) => {
    const sub = asked.get(id);
    asked.delete(id);
    const status = from.get('status', count);
    const body = toCamel(from.find('body', json) ?? null);
    if (status >= 400) {
      const error = problemOf(status, body, null);
      if (sub !== undefined) events.refused(sub, error);
      return;
    }
    if (sub !== undefined || body === null) return;
    const said = new Members(body);
    const heartbeat = said.find('heartbeatS', count);
    if (heartbeat !== undefined && heartbeat > 0) heartbeatMs = heartbeat * 1000;
    const version = said.find('version', text);
    if (version !== undefined && heartbeat !== undefined) options.greeted?.(version);
  };
  const hear = (message: string) => {
    heardAt = clock.monotonic();
    const from = new Members(parseJson(message));
    if (!from.has('event')) return answered(from.get('id', count), from);
    const event = streamEventOf(from.get('event', text), from.find('data', json) ?? {});
    if (event) events.event(from.find('sub', text) ?? null, event, from.find('id', count) ?? null);
  };

  undoTimer = clock.after(openMsMax, () => end(true));
  socket = options.socket(options.url, ['stet.v1'], {
    open() {
      if (over) return;
      open = true;
      heardAt = clock.monotonic();
      hello();
      watch();
      events.open();
    },
    message(message) {
      if (over) return;
      try {
        hear(message);
      } catch (error) {
        // Whoever speaks so is no Stet server: nothing that was heard here can be relied on.
        if (!(error instanceof DecodeError)) throw error;
        end(true);
      }
    },
    close: () => end(true),
  });

  return {
    subscriptionsMax: socketSubscriptionsMax,
    subscribe(name: string, interest: Interest, since: Seq | null) {
      const id = send({
        op: 'subscribe',
        sub: name,
        ...(interest.types && interest.types.length > 0 && { type: interest.types }),
        ...(interest.addresses && interest.addresses.length > 0 && { ids: interest.addresses }),
        ...(interest.where !== undefined && { where: interest.where }),
        ...(interest.events && interest.events.length > 0 && { events: interest.events }),
        ...(since !== null && { since }),
      });
      asked.set(id, name);
    },
    unsubscribe: (name) => void send({ op: 'unsubscribe', sub: name }),
    present(address: Address, version: Version | null) {
      if (!present.has(address) && present.size >= presentMax) return;
      present.add(address);
      send({ op: 'present', address, version });
    },
    absent(address) {
      if (present.delete(address)) send({ op: 'absent', address });
    },
    close: () => end(false),
  };
}
