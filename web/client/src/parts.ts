/** The parts that face the network and the browser, as `createClient` puts them together; tests give their own. */
import type { Sessions } from './client';
import type { Credentials } from './credentials';
import type { HttpCore } from './http';
import type { Clock, Connectivity, EditQueue, EditStorage, Feed, Leadership, SocketFactory, TabLink, Transport } from './seams';

/** What the parts are made from. */
export interface World {
  readonly url: string;
  readonly space: string;
  readonly clock: Clock;
  readonly transport: Transport;
  readonly http: HttpCore;
  readonly credentials: Credentials;
  /** Absent: found by the part itself. */
  readonly storage?: EditStorage;
  readonly tabs?: TabLink;
  /** null: server-sent events only. Absent: the platform's WebSocket where there is one. */
  readonly socket?: SocketFactory | null;
}

export interface Parts {
  readonly queue: EditQueue;
  readonly feed: Feed;
  readonly sessions: Sessions;
  readonly leadership: Leadership;
  readonly connectivity: Connectivity;
  updateWithLock<R>(key: string, work: (signal: AbortSignal) => Promise<R>): Promise<R>;
  /** Leaves no timer, lock, channel or connection behind. */
  close(): Promise<void>;
}
