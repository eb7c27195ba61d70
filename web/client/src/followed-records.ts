/**
 * Which single records this page follows. Up to `FOLLOWED_SINGLY_MAX` of a type are followed one by one, with word to the others
 * that they are open here; past it the whole type is, for then it is a table that is looked at, not records.
 */
import { parseAddress } from './address';
import { FOLLOWED_SINGLY_MAX } from './limits';
import type { Address, Version } from './record';
import type { RecordReader } from './record-reader';
import { applyFeedEvent } from './reconcile';
import type { RecordStore } from './record-store';
import type { Feed } from './seams';

export interface FollowedRecords {
  /** Reads and follows it until it is undone. */
  follow(address: Address): () => void;
  close(): void;
}

interface Group {
  readonly single: Map<Address, () => void>;
  readonly addresses: Map<Address, number>;
  whole: (() => void) | null;
}

export const createFollowedRecords = (feed: Feed, store: RecordStore, reader: RecordReader): FollowedRecords => {
  const groups = new Map<string, Group>();

  /** Follows one record from what is known of it, so that nothing between reading and following is missed. */
  const followOne = (address: Address): (() => void) => {
    let stopped = false;
    let present: { readonly version: Version | null; readonly undo: () => void } | null = null;
    let unfollow: (() => void) | null = null;
    const show = () => {
      const version = store.find(address)?.record?.version ?? null;
      if (stopped || present?.version === version) return;
      const before = present;
      present = { version, undo: feed.present(address, version) };
      before?.undo();
    };
    const begin = () => {
      if (stopped) return;
      const since = store.find(address)?.record?.seq;
      let gapless = since !== undefined;
      unfollow = feed.follow({ addresses: [address], ...(since === undefined ? {} : { since }) }, (event) => {
        if (applyFeedEvent(store, event)) void reader.load(address, true);
        else if (event.kind === 'ready' && !gapless) {
          // What was there could not be read, or is none: whether that still holds is known from here on.
          gapless = true;
          void reader.load(address);
        }
      });
      show();
    };
    const unlisten = store.listen(address, show);
    if (store.find(address)?.record != null && store.get(address).error === null) begin();
    else void reader.load(address).then(begin);
    return () => {
      stopped = true;
      unlisten();
      unfollow?.();
      present?.undo();
    };
  };

  const followWhole = (type: string, group: Group): (() => void) => {
    let ready = false;
    return feed.follow({ types: [type] }, (event) => {
      const missed = applyFeedEvent(store, event);
      if (missed || (event.kind === 'ready' && !ready)) for (const address of group.addresses.keys()) void reader.load(address, missed);
      if (event.kind === 'ready') ready = true;
    });
  };

  const arrange = (type: string, group: Group) => {
    const many = group.addresses.size > FOLLOWED_SINGLY_MAX || (group.whole !== null && group.addresses.size > FOLLOWED_SINGLY_MAX / 2);
    if (many && group.whole === null) {
      group.whole = followWhole(type, group);
      for (const undo of group.single.values()) undo();
      group.single.clear();
    }
    if (!many) {
      for (const address of group.addresses.keys()) if (!group.single.has(address)) group.single.set(address, followOne(address));
      group.whole?.();
      group.whole = null;
    }
    for (const [address, undo] of group.single) {
      if (group.addresses.has(address)) continue;
      group.single.delete(address);
      undo();
    }
    if (group.addresses.size === 0) groups.delete(type);
  };

  const unforget = store.onForget(() => {
    for (const group of groups.values()) for (const address of group.addresses.keys()) void reader.load(address, true);
  });

  return {
    follow(address) {
      const type = parseAddress(address)?.type ?? address;
      const group = groups.get(type) ?? { single: new Map(), addresses: new Map(), whole: null };
      groups.set(type, group);
      const release = store.retain(address);
      group.addresses.set(address, (group.addresses.get(address) ?? 0) + 1);
      arrange(type, group);
      if (group.whole !== null) void reader.load(address);
      let followed = true;
      return () => {
        if (!followed) return;
        followed = false;
        const left = (group.addresses.get(address) ?? 1) - 1;
        if (left > 0) group.addresses.set(address, left);
        else group.addresses.delete(address);
        arrange(type, group);
        release();
      };
    },
    close() {
      unforget();
      for (const group of groups.values()) {
        for (const undo of group.single.values()) undo();
        group.whole?.();
      }
      groups.clear();
    },
  };
};
