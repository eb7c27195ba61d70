/**
 * The feed as every tab has it. A tab keeps what its pages follow, and how far each is; the leader has a copy of it and the connection. When
 * the leader is gone each tab tells the next one, from where it is: nothing is missed, and nothing comes twice.
 */
import { createFeedConnection, type FeedConnection } from './feed-connection';
import { createFeedHub, type FeedHub, type Told } from './feed-hub';
import { feedMessageFromText, feedMessageToText, type Delivery, type FeedMessage } from './feed-message';
import type { Leader } from './leader';
import type { Address, Version } from './record';
import type { Clock, Connectivity, Feed, FeedEvent, FeedState, Interest, TabLink } from './seams';
import type { Wire, WireEvents } from './wire';

/** What the leader has not answered is said again. */
const repeatMs = 3_000;

export interface FeedOptions {
  readonly tabs: TabLink;
  readonly leader: Leader;
  readonly clock: Clock;
  readonly connectivity: Connectivity;
  readonly actor: () => string | null;
  readonly socket: ((events: WireEvents) => Promise<Wire>) | null;
  readonly streams: (events: WireEvents) => Wire;
  /** The server says that the session is over. */
  readonly doubt: () => void;
  /** The connection is there (again). Only in the leading tab. */
  readonly opened: () => void;
}

/** The feed with what keeps it. */
export interface RunningFeed extends Feed {
  /** Somebody logged in or out. */
  review(): void;
  close(): void;
}

interface Followed {
  /** Another one whenever it is told to a leader from its own place: what was sent for the one before does not count any more. */
  id: number;
  replaces: number | null;
  readonly interest: Interest;
  readonly listener: (event: FeedEvent) => void;
  seen: number | null;
  resume: number | null;
  known: boolean;
}
interface Open {
  readonly address: Address;
  readonly version: Version | null;
}

/** Puts the feed of this tab together. */
export function createFeed(options: FeedOptions): RunningFeed {
  const { tabs, leader, clock } = options;
  const followed = new Map<number, Followed>();
  const opened = new Map<number, Open>();
  const listeners = new Set<(state: FeedState) => void>();
  let state: FeedState = 'idle';
  let lastId = 0;
  let closed = false;
  /** The leader that this tab listens to, and how many messages of events it had from it. */
  let term = '';
  let received = 0;
  let undoRepeat: (() => void) | null = null;
  /** This tab leads. */
  let hub: FeedHub | null = null;
  let connection: FeedConnection | null = null;
  let terms = 0;
  /** Leading: how many messages of events each tab was sent, and how to stop watching it. */
  const sent = new Map<string, number>();
  const watched = new Map<string, () => void>();
  let outgoing: Delivery[] = [];

  const post = (message: FeedMessage) => tabs.post(feedMessageToText(message));
  const become = (next: FeedState) => {
    if (state === next) return;
    state = next;
    for (const listener of [...listeners]) listener(next);
  };
  const keyOf = (tab: string, id: number) => `${tab} ${id}`;

  /* ---- As a follower ---- */

  const receive = (id: number, told: Told) => {
    const one = followed.get(id);
    if (!one) return;
    one.seen = told.seen;
    one.resume = told.resume;
    one.known = true;
    if (told.event) one.listener(told.event);
  };
  const sayFollow = (one: Followed) => {
    const place = { seen: one.seen, resume: one.resume };
    if (hub) hub.follow(keyOf(tabs.id, one.id), one.interest, place);
    else post({ kind: 'follow', tab: tabs.id, id: one.id, interest: one.interest, place, replaces: one.replaces });
  };
  const sayOpen = (id: number, { address, version }: Open) => {
    if (hub) hub.present(keyOf(tabs.id, id), address, version);
    else post({ kind: 'present', tab: tabs.id, id, address, version });
  };
  const sayAll = () => {
    const all = [...followed.values()];
    followed.clear();
    for (const one of all) {
      one.replaces = one.id;
      one.id = ++lastId;
      one.known = hub !== null;
      followed.set(one.id, one);
    }
    for (const one of all) sayFollow(one);
    for (const [id, one] of opened) sayOpen(id, one);
    repeat();
  };
  const repeat = () => {
    if (undoRepeat !== null || closed || hub || ![...followed.values()].some(({ known }) => !known)) return;
    undoRepeat = clock.after(repeatMs, () => {
      undoRepeat = null;
      if (!hub) for (const one of followed.values()) if (!one.known) sayFollow(one);
      repeat();
    });
  };

  /* ---- As the leader ---- */

  const flush = () => {
    const items = outgoing;
    outgoing = [];
    if (items.length === 0 || hub === null) return;
    const numbers: Record<string, number> = {};
    for (const { to } of items) for (const tab of Object.keys(to)) numbers[tab] ??= (sent.get(tab) ?? 0) + 1;
    for (const [tab, number] of Object.entries(numbers)) sent.set(tab, number);
    post({ kind: 'events', term, numbers, items });
  };
  /** One event for many followers is sent once: it comes to them one after the other. */
  const deliver = (key: string, told: Told) => {
    const space = key.lastIndexOf(' ');
    const [tab, id] = [key.slice(0, space), Number(key.slice(space + 1))];
    if (tab === tabs.id) return receive(id, told);
    if (outgoing.length === 0) queueMicrotask(flush);
    const last = outgoing.at(-1);
    const same = last && last.event === told.event && last.seen === told.seen && last.resume === told.resume;
    if (same) outgoing[outgoing.length - 1] = { ...last, to: { ...last.to, [tab]: [...(last.to[tab] ?? []), id] } };
    else outgoing.push({ ...told, to: { [tab]: [id] } });
  };
  const watch = (tab: string) => {
    if (watched.has(tab)) return;
    watched.set(
      tab,
      leader.watchTab(tab, () => {
        watched.delete(tab);
        sent.delete(tab);
        for (const key of known) if (key.startsWith(`${tab} `)) known.delete(key);
        hub?.drop(`${tab} `);
      }),
    );
  };
  const known = new Set<string>();
  const lead = () => {
    terms += 1;
    term = `${tabs.id}:${terms}`;
    // Whatever the leader before had open is gone with it.
    become('idle');
    sent.clear();
    known.clear();
    const mine = createFeedHub({ clock, tell: deliver, changed: () => connection?.review() });
    hub = mine;
    connection = createFeedConnection({
      ...options,
      hub: mine,
      state(next) {
        if (closed && next !== 'closed') return;
        become(next);
        post({ kind: 'state', term, state: next });
      },
    });
    sayAll();
    post({ kind: 'lead', term, state });
    connection.review();
  };
  const resign = () => {
    connection?.close();
    hub?.close();
    connection = null;
    hub = null;
    outgoing = [];
    for (const undo of watched.values()) undo();
    watched.clear();
  };

  const forget = (key: string, at: FeedHub) => {
    if (known.delete(key)) at.unfollow(key);
  };
  const obey = (message: FeedMessage, at: FeedHub) => {
    switch (message.kind) {
      case 'follow': {
        watch(message.tab);
        const key = keyOf(message.tab, message.id);
        if (message.replaces !== null) forget(keyOf(message.tab, message.replaces), at);
        if (!known.has(key)) at.follow(key, message.interest, message.place);
        known.add(key);
        return post({ kind: 'known', tab: message.tab, id: message.id });
      }
      case 'unfollow':
        return forget(keyOf(message.tab, message.id), at);
      case 'present':
        watch(message.tab);
        return at.present(keyOf(message.tab, message.id), message.address, message.version);
      case 'absent':
        return at.absent(keyOf(message.tab, message.id), message.address);
      case 'ask':
        return post({ kind: 'lead', term, state });
      case 'lead':
      case 'state':
      case 'known':
      case 'events':
        return;
    }
  };
  const hear = (message: FeedMessage) => {
    switch (message.kind) {
      case 'lead':
        become(message.state);
        if (message.term === term) return;
        term = message.term;
        received = 0;
        return sayAll();
      case 'state':
        if (message.term === term) become(message.state);
        return;
      case 'known': {
        const one = message.tab === tabs.id ? followed.get(message.id) : undefined;
        if (one) one.known = true;
        return;
      }
      case 'events': {
        const number = message.numbers[tabs.id];
        if (message.term !== term || number === undefined) return;
        const missed = number !== received + 1;
        received = number;
        // From where each is: the leader tells the rest again.
        if (missed) return sayAll();
        for (const { to, ...told } of message.items) {
          for (const id of to[tabs.id] ?? []) {
            if (followed.has(id)) receive(id, told);
            else post({ kind: 'unfollow', tab: tabs.id, id });
          }
        }
        return;
      }
      case 'follow':
      case 'unfollow':
      case 'present':
      case 'absent':
      case 'ask':
        return;
    }
  };

  const undoTabs = tabs.subscribe((posted) => {
    const message = feedMessageFromText(posted);
    if (message === null || closed) return;
    if (hub) obey(message, hub);
    else hear(message);
  });
  const undoLeader = leader.subscribe((leading) => {
    if (leading) lead();
    else resign();
  });
  const undoReturn = leader.onReturn(() => {
    if (!hub) sayAll();
  });
  if (leader.leading) lead();
  else post({ kind: 'ask' });

  return {
    get state() {
      return state;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    follow(interest, listener) {
      const since = interest.since ?? null;
      const one: Followed = { id: ++lastId, replaces: null, interest, listener, seen: since, resume: since, known: false };
      followed.set(one.id, one);
      if (!closed) sayFollow(one);
      repeat();
      return () => {
        if (!followed.delete(one.id) || closed) return;
        if (hub) hub.unfollow(keyOf(tabs.id, one.id));
        else post({ kind: 'unfollow', tab: tabs.id, id: one.id });
      };
    },
    present(address, version) {
      const id = ++lastId;
      const one = { address, version };
      opened.set(id, one);
      if (!closed) sayOpen(id, one);
      return () => {
        if (!opened.delete(id) || closed) return;
        if (hub) hub.absent(keyOf(tabs.id, id), address);
        else post({ kind: 'absent', tab: tabs.id, id, address });
      };
    },
    review: () => connection?.review(),
    close() {
      if (closed) return;
      closed = true;
      resign();
      undoRepeat?.();
      undoLeader();
      undoReturn();
      undoTabs();
      followed.clear();
      opened.clear();
      become('closed');
      listeners.clear();
    },
  };
}
