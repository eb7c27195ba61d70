/** What a connection of the feed can do, be it a WebSocket or event streams. */
import type { StreamEvent } from './feed-event';
import type { StetError } from './error';
import type { Address, Seq, Version } from './record';
import type { Interest } from './seams';

export interface Wire {
  /** So many subscriptions it can hold at a time. */
  readonly subscriptionsMax: number;
  /** Begins a subscription: from `since` on, or from now on. */
  subscribe(name: string, interest: Interest, since: Seq | null): void;
  unsubscribe(name: string): void;
  /** This client has the record open; said again when it is another version. */
  present(address: Address, version: Version | null): void;
  absent(address: Address): void;
  /** Ends it; nothing is told any more. */
  close(): void;
}

/** What a connection tells. */
export interface WireEvents {
  /** It can be used. */
  open(): void;
  /** @param sub  null for what is of no subscription
   *  @param id   the position to go on from after a break, where the event has one */
  event(sub: string | null, event: StreamEvent, id: Seq | null): void;
  /** A subscription was refused. */
  refused(sub: string, error: StetError): void;
  /** It is over, or never opened. Once, and last. */
  close(): void;
}
