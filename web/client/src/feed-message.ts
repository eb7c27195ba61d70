/** What tabs say to one another about the feed. */
import { array, count, dictionary, Members, nullable, oneOf, text, type Decoder } from './decode';
import { feedEventOf, feedEventToJson } from './feed-event';
import type { Place, Told } from './feed-hub';
import { interestOf } from './interest';
import type { Address, Version } from './record';
import type { FeedState, Interest } from './seams';
import { tabMessage } from './tab-message';

/** Told to followers of several tabs at once. */
export interface Delivery extends Told {
  /** By tab: its followers. */
  readonly to: Readonly<Record<string, readonly number[]>>;
}

export type FeedMessage =
  /** To the leader; said again until it is known. `replaces`: what it was before, of which nothing is believed any more. */
  | {
      readonly kind: 'follow';
      readonly tab: string;
      readonly id: number;
      readonly interest: Interest;
      readonly place: Place;
      readonly replaces: number | null;
    }
  | { readonly kind: 'unfollow'; readonly tab: string; readonly id: number }
  | { readonly kind: 'present'; readonly tab: string; readonly id: number; readonly address: Address; readonly version: Version | null }
  | { readonly kind: 'absent'; readonly tab: string; readonly id: number; readonly address: Address }
  /** From a new tab, to learn how things stand. */
  | { readonly kind: 'ask' }
  /** From the leader: tell me what you follow. */
  | { readonly kind: 'lead'; readonly term: string; readonly state: FeedState }
  | { readonly kind: 'state'; readonly term: string; readonly state: FeedState }
  | { readonly kind: 'known'; readonly tab: string; readonly id: number }
  /** `numbers`: by tab, how many were sent to it in this term, this one counted. */
  | { readonly kind: 'events'; readonly term: string; readonly numbers: Readonly<Record<string, number>>; readonly items: readonly Delivery[] };

const part = 'stet.feed';

const place: Decoder<Place> = (value, pointer) => {
  const from = new Members(value, pointer);
  return { seen: from.get('seen', nullable(count)), resume: from.get('resume', nullable(count)) };
};
const state = oneOf('idle', 'connecting', 'open', 'waiting', 'unauthenticated', 'closed');
const delivery: Decoder<Delivery> = (value, pointer) => {
  const from = new Members(value, pointer);
  return {
    ...place(value, pointer),
    event: from.has('event') ? from.get('event', nullable(feedEventOf)) : null,
    to: from.get('to', dictionary(array(count))),
  };
};

const read = (from: Members): FeedMessage => {
  const kind = from.get('kind', oneOf('follow', 'unfollow', 'present', 'absent', 'ask', 'lead', 'state', 'known', 'events'));
  const tab = () => ({ tab: from.get('tab', text), id: from.get('id', count) });
  switch (kind) {
    case 'follow':
      return {
        kind,
        ...tab(),
        interest: from.get('interest', interestOf),
        place: from.get('place', place),
        replaces: from.get('replaces', nullable(count)),
      };
    case 'unfollow':
    case 'known':
      return { kind, ...tab() };
    case 'present':
      return { kind, ...tab(), address: from.get('address', text), version: from.get('version', nullable(count)) };
    case 'absent':
      return { kind, ...tab(), address: from.get('address', text) };
    case 'ask':
      return { kind };
    case 'lead':
    case 'state':
      return { kind, term: from.get('term', text), state: from.get('state', state) };
    case 'events':
      return { kind, term: from.get('term', text), numbers: from.get('numbers', dictionary(count)), items: from.get('items', array(delivery)) };
  }
};

/** What is posted. */
export const feedMessageToText = (message: FeedMessage): string =>
  JSON.stringify(
    message.kind === 'events'
      ? { part, ...message, items: message.items.map((item) => ({ ...item, event: item.event && feedEventToJson(item.event) })) }
      : { part, ...message },
  );

/** A message about the feed, or null. */
export const feedMessageFromText = (value: unknown): FeedMessage | null => tabMessage(part, value, read);
