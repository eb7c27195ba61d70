/**
 * The leading tab's part of the feed: which subscriptions serve all that the tabs follow, and who is told what.
 *
 * Interests that name types and addresses share subscriptions and are told apart here; one with an expression has its own. Each follower has
 * its own position. A subscription that begins earlier than a follower's position may repeat what it has; that is left out, so everybody
 * hears each event once and in order. When the names of a subscription change, another takes its place before it goes. When the server refuses one
 * that many share, they are tried apart (`suspects.ts`): only those hear of it whose own names it does not take.
 */
import type { StreamEvent } from './feed-event';
import { seqOf } from './feed-event';
import { coarse, concerns, interestKey, isPlain, namesMax } from './interest';
import type { StetError } from './error';
import type { Address, Seq, Version } from './record';
import type { Clock, FeedEvent, Interest } from './seams';
import { createSuspects } from './suspects';
import type { Wire } from './wire';

/** Where a follower is. */
export interface Place {
  /** The newest that it was told; null: nothing yet, and it asked for no past. */
  readonly seen: Seq | null;
  /** Where to go on after a break: not inside a transaction. */
  readonly resume: Seq | null;
}
/** What a follower is told: an event, a position, or both. */
export interface Told extends Place {
  readonly event: FeedEvent | null;
}

export interface FeedHub {
  follow(key: string, interest: Interest, place: Place): void;
  unfollow(key: string): void;
  /** `owner` has the record open. */
  present(owner: string, address: Address, version: Version | null): void;
  absent(owner: string, address: Address): void;
  /** All of a tab that is gone: keys and owners that begin so. */
  drop(prefix: string): void;
  /** Whether anybody wants to hear anything. */
  readonly wanted: boolean;
  /** A connection is there (or no longer: null). */
  connect(wire: Wire | null): void;
  event(sub: string | null, event: StreamEvent, id: Seq | null): void;
  refused(sub: string, error: StetError): void;
  close(): void;
}

export interface FeedHubOptions {
  readonly clock: Clock;
  readonly tell: (key: string, told: Told) => void;
  /** `wanted` may be another. */
  readonly changed: () => void;
}

interface Follower {
  readonly key: string;
  readonly interest: Interest;
  seen: Seq | null;
  resume: Seq | null;
  /** Which subscription told `seen`: two kinds of event may have one position. */
  seenBy: Subscription | null;
  /** Its `where` is not asked for: it is told to read anew instead. */
  blunt: boolean;
  resetting: (() => void) | null;
  /** It was told `ready` on this connection. */
  greeted: boolean;
}
interface Subscription {
  readonly name: string;
  readonly key: string;
  readonly interest: Interest;
  readonly members: Set<Follower>;
  /** Followers that hear from its `ready` on. */
  readonly waiting: Set<Follower>;
  ready: boolean;
  position: Seq | null;
}
interface Group {
  readonly interest: Interest;
  readonly members: Follower[];
}

/** Names that nobody follows any more are still asked for so long: pages come and go. */
const shrinkMs = 1_000;
/** Who cannot be told exactly is told to read anew at most so often. */
const bluntMs = 250;
/** What the server had no room for is asked for again. */
const refusedMs = 5_000;
const lowest = (positions: readonly Seq[]): Seq | null => (positions.length === 0 ? null : Math.min(...positions));
const united = (one: Interest, other: Interest): Interest => ({
  types: [...new Set([...(one.types ?? []), ...(other.types ?? [])])],
  addresses: [...new Set([...(one.addresses ?? []), ...(other.addresses ?? [])])],
});
const fits = (interest: Interest, most = namesMax) => (interest.types ?? []).length <= most && (interest.addresses ?? []).length <= most;
const namesAll = (interest: Interest) => isPlain(interest) && !interest.types?.length && !interest.addresses?.length;

/** Sorts followers into as many subscriptions as there may be; past that, expressions give way to names of types.
 *  @param room  so many types, and so many addresses, may be united in one */
export const groupFollowers = <F extends { readonly interest: Interest }>(
  followers: readonly F[],
  most: number,
  room: number = namesMax,
): readonly { readonly interest: Interest; readonly members: readonly F[] }[] => {
  const own = new Map<string, { interest: Interest; members: F[] }>();
  const shared: { interest: Interest; members: F[] }[] = [];
  const share = (follower: F, interest: Interest) => {
    const wide = fits(interest) ? interest : coarse(interest);
    // All types are all there is, and what nobody names cannot be united with names.
    const found = shared.find((group) => !namesAll(group.interest) && !namesAll(wide) && fits(united(group.interest, wide), room));
    if (found) {
      found.interest = united(found.interest, wide);
      found.members.push(follower);
    } else shared.push({ interest: wide, members: [follower] });
  };
  for (const follower of followers) if (isPlain(follower.interest)) share(follower, follower.interest);
  const special = followers.filter(({ interest }) => !isPlain(interest));
  // Events have no substitute, so they come before expressions.
  const first = special.filter(({ interest }) => interest.where === undefined);
  for (const follower of [...first, ...special.filter((one) => !first.includes(one))]) {
    const key = interestKey(follower.interest);
    const group = own.get(key);
    if (group) group.members.push(follower);
    else if (follower.interest.where === undefined || own.size + Math.max(1, shared.length) < most)
      own.set(key, { interest: follower.interest, members: [follower] });
    else share(follower, { types: coarse(follower.interest).types ?? [] });
  }
  return [...shared, ...own.values()];
};

/** Makes a hub without followers. */
export function createFeedHub(options: FeedHubOptions): FeedHub {
  const { clock } = options;
  const followers = new Map<string, Follower>();
  const present = new Map<Address, Map<string, Version | null>>();
  /** The version that was said last. */
  const said = new Map<Address, Version | null>();
  let subscriptions = new Map<string, Subscription>();
  let wire: Wire | null = null;
  let names = 0;
  const suspects = createSuspects<Follower>();
  /** Suspects that are being tried together. */
  let trial: Subscription | null = null;
  let room = namesMax;
  let undoArrange: (() => void) | null = null;
  let arrangeAt = Infinity;

  const tell = (follower: Follower, event: FeedEvent | null) =>
    options.tell(follower.key, { event, seen: follower.seen, resume: follower.resume });

  /** Soon, for what comes in one go is arranged at once. */
  const arrangeIn = (ms: number) => {
    const at = clock.monotonic() + ms;
    if (undoArrange !== null && at >= arrangeAt) return;
    undoArrange?.();
    arrangeAt = at;
    undoArrange = clock.after(ms, () => {
      undoArrange = null;
      arrange();
    });
  };

  const start = (follower: Follower, from: Seq) => {
    follower.seen ??= from;
    follower.resume ??= from;
  };
  const greet = (follower: Follower, seq: Seq) => {
    tell(follower, follower.greeted ? null : { kind: 'ready', seq });
    follower.greeted = true;
  };
  const join = (subscription: Subscription, follower: Follower) => {
    subscription.members.add(follower);
    const { position } = subscription;
    if (!subscription.ready || position === null) {
      subscription.waiting.add(follower);
      return;
    }
    start(follower, position);
    greet(follower, position);
  };
  /** Nothing that this follower has not heard has gone by in that subscription. */
  const mayJoin = (subscription: Subscription, follower: Follower) =>
    follower.resume === null ? true : subscription.ready && subscription.position !== null && follower.resume >= subscription.position;

  const subscribe = ({ interest, members }: Group): Subscription | null => {
    if (wire === null) return null;
    names += 1;
    const since = lowest(members.flatMap(({ resume }) => (resume === null ? [] : [resume])));
    const subscription: Subscription = {
      name: `s${names}`,
      key: interestKey(interest),
      interest,
      members: new Set(members),
      waiting: new Set(members),
      ready: false,
      position: null,
    };
    subscriptions.set(subscription.name, subscription);
    wire.subscribe(subscription.name, interest, since);
    return subscription;
  };
  const unsubscribe = (subscription: Subscription) => {
    if (!subscriptions.delete(subscription.name)) return;
    if (subscription === trial) {
      suspects.clear(subscription.members);
      tried();
    }
    wire?.unsubscribe(subscription.name);
  };
  const isThere = (follower: Follower) => followers.get(follower.key) === follower;
  /** Each is taken, and all in one are not. */
  const shrinkRoom = () => {
    room = Math.floor(room / 2);
  };
  /** The trial is over; the next one, and what was found out, are arranged. */
  const tried = () => {
    trial = null;
    arrangeIn(0);
  };
  const tryNext = () => {
    const members = trial === null && wire !== null ? suspects.take(isThere) : null;
    if (members !== null) {
      const [first, ...rest] = groupFollowers(members, 1);
      for (const { members: others } of rest) suspects.putBack(others);
      if (first) trial = subscribe({ interest: first.interest, members: [...first.members] });
    } else if (trial === null && suspects.innocent()) shrinkRoom();
  };
  /** Those whose followers are all served by others. */
  const sweep = () => {
    const all = [...subscriptions.values()];
    for (const [index, old] of all.entries()) {
      const served = [...old.members].every(
        (one) =>
          !followers.has(one.key) ||
          all.some((other, at) => at > index && other.ready && subscriptions.has(other.name) && other.members.has(one)),
      );
      if (served) unsubscribe(old);
    }
  };
  const arrange = () => {
    if (wire === null) return;
    tryNext();
    const free = [...followers.values()].filter((one) => !suspects.has(one));
    const groups = groupFollowers(free, wire.subscriptionsMax, room);
    const kept = new Set<Subscription>();
    for (const { interest, members } of groups) {
      for (const member of members) member.blunt = member.interest.where !== undefined && interest.where === undefined;
      const key = interestKey(interest);
      const there = [...subscriptions.values()].findLast((one) => one.key === key);
      const fresh = there ? members.filter((member) => !there.members.has(member)) : members;
      if (there && fresh.every((member) => mayJoin(there, member))) {
        kept.add(there);
        for (const member of fresh) join(there, member);
      } else subscribe({ interest, members: [...members] });
    }
    sweep();
  };

  const resetSoon = (follower: Follower, seq: Seq) => {
    follower.resetting ??= clock.after(bluntMs, () => {
      follower.resetting = null;
      if (followers.get(follower.key) === follower) tell(follower, { kind: 'reset', seq: Math.max(seq, follower.seen ?? seq) });
    });
  };
  const give = (subscription: Subscription, follower: Follower, event: FeedEvent, id: Seq | null) => {
    const seq = seqOf(event);
    if (seq !== null && follower.seen !== null) {
      if (seq < follower.seen || (seq === follower.seen && follower.seenBy !== subscription)) return;
    }
    if (seq !== null) {
      follower.seen = seq;
      follower.seenBy = subscription;
    }
    if (id !== null) follower.resume = Math.max(id, follower.resume ?? id);
    if (follower.blunt && event.kind === 'change') resetSoon(follower, event.seq);
    else tell(follower, event);
  };
  /** Everything up to here was told. */
  const pass = (subscription: Subscription, position: Seq) => {
    subscription.position = Math.max(position, subscription.position ?? position);
    for (const follower of subscription.members) {
      if (subscription.waiting.has(follower) && follower.resume === null) continue;
      follower.resume = Math.max(position, follower.resume ?? position);
    }
  };

  const ready = (subscription: Subscription, seq: Seq) => {
    subscription.ready = true;
    subscription.position = Math.max(seq, subscription.position ?? seq);
    for (const follower of subscription.waiting) {
      start(follower, seq);
      follower.resume = Math.max(seq, follower.resume ?? seq);
      greet(follower, seq);
    }
    subscription.waiting.clear();
    if (subscription === trial) {
      suspects.clear(subscription.members);
      tried();
    }
    sweep();
  };
  const spread = (subscription: Subscription, event: StreamEvent, id: Seq | null) => {
    switch (event.kind) {
      case 'ready':
        return ready(subscription, event.seq);
      case 'bookmark':
        pass(subscription, event.seq);
        for (const follower of subscription.members) if (!subscription.waiting.has(follower)) tell(follower, null);
        return;
      case 'reset':
        for (const follower of subscription.members) {
          // Its past is gone; what comes now follows on this.
          follower.seen = event.seq;
          follower.resume = event.seq;
          follower.seenBy = subscription;
          tell(follower, event);
        }
        subscription.position = Math.max(event.seq, subscription.position ?? event.seq);
        return;
      case 'auth':
      case 'end':
        return;
      case 'change':
      case 'revoked':
      case 'conflict':
      case 'operation':
      case 'queue':
      case 'presence':
      case 'failed':
        for (const follower of [...subscription.members]) {
          if (subscription.waiting.has(follower) && follower.resume === null) continue;
          if (followers.get(follower.key) === follower && concerns(follower.blunt ? coarse(follower.interest) : follower.interest, event))
            give(subscription, follower, event, id);
        }
        if (id !== null) pass(subscription, id);
    }
  };

  const sayPresence = (address: Address) => {
    const versions = [...(present.get(address)?.values() ?? [])];
    if (versions.length === 0) {
      if (said.delete(address)) wire?.absent(address);
      return;
    }
    // Several tabs have it open: the oldest is what a change may still be made from.
    const version = versions.includes(null) ? null : Math.min(...versions.flatMap((one) => one ?? []));
    if (said.has(address) && said.get(address) === version) return;
    said.set(address, version);
    wire?.present(address, version);
  };
  const leave = (owner: string, address: Address) => {
    const owners = present.get(address);
    if (!owners?.delete(owner)) return;
    if (owners.size === 0) present.delete(address);
    sayPresence(address);
  };
  const forget = (key: string) => {
    const follower = followers.get(key);
    if (!follower) return;
    follower.resetting?.();
    followers.delete(key);
    suspects.clear([follower]);
    for (const subscription of subscriptions.values()) {
      subscription.members.delete(follower);
      subscription.waiting.delete(follower);
    }
    arrangeIn(shrinkMs);
  };

  return {
    follow(key, interest, place) {
      forget(key);
      followers.set(key, { key, interest, seen: place.seen, resume: place.resume, seenBy: null, blunt: false, resetting: null, greeted: false });
      arrangeIn(0);
      options.changed();
    },
    unfollow(key) {
      forget(key);
      options.changed();
    },
    present(owner, address, version) {
      const owners = present.get(address) ?? new Map<string, Version | null>();
      present.set(address, owners);
      owners.set(owner, version);
      sayPresence(address);
      options.changed();
    },
    absent(owner, address) {
      leave(owner, address);
      options.changed();
    },
    drop(prefix) {
      for (const key of [...followers.keys()]) if (key.startsWith(prefix)) forget(key);
      for (const [address, owners] of [...present])
        for (const owner of [...owners.keys()]) if (owner.startsWith(prefix)) leave(owner, address);
      options.changed();
    },
    get wanted() {
      return followers.size > 0 || present.size > 0;
    },
    connect(next) {
      wire = next;
      subscriptions = new Map();
      suspects.reset();
      trial = null;
      room = namesMax;
      said.clear();
      for (const follower of followers.values()) follower.greeted = false;
      if (next === null) return;
      arrange();
      for (const address of present.keys()) sayPresence(address);
    },
    event(sub, event, id) {
      if (sub !== null) {
        const subscription = subscriptions.get(sub);
        if (subscription) spread(subscription, event, id);
      } else if (event.kind === 'presence') {
        for (const follower of followers.values()) if (concerns(follower.interest, event)) tell(follower, event);
      }
    },
    refused(sub, error) {
      const subscription = subscriptions.get(sub);
      if (!subscription) return;
      subscriptions.delete(sub);
      const members = [...subscription.members].filter(isThere);
      if (error.retryable) {
        if (subscription === trial) {
          trial = null;
          suspects.putBack(members);
        }
        return arrangeIn(refusedMs);
      }
      if (new Set(members.map(({ interest }) => interestKey(interest))).size > 1) {
        // Those whom another one serves are known to be taken.
        const proven = (one: Follower) => [...subscriptions.values()].some((other) => other.ready && other.members.has(one));
        const unproven = members.filter((one) => !proven(one));
        if (unproven.length > 0) suspects.split(unproven);
        else shrinkRoom();
      } else {
        suspects.convict(members);
        for (const follower of members) {
          tell(follower, { kind: 'failed', error });
          followers.delete(follower.key);
        }
      }
      if (subscription === trial) trial = null;
      arrangeIn(0);
    },
    close() {
      undoArrange?.();
      for (const follower of followers.values()) follower.resetting?.();
      followers.clear();
    },
  };
}
