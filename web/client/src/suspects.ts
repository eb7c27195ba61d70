/**
 * Finds out who of many was the reason when a subscription that they shared was refused: half of them is asked for apart, then half of those
 * that are refused again, until somebody is refused alone. One of them is tried at a time, for connections are few.
 */

/** Those whose names the server may not take. `F` is a follower. */
export interface Suspects<F> {
  has(follower: F): boolean;
  /** They were refused together. */
  split(followers: readonly F[]): void;
  /** The next to be tried together, of those that `stillThere` answers for; null when there are none. */
  take(stillThere: (follower: F) => boolean): readonly F[] | null;
  /** Nothing was found out about them: they come next. */
  putBack(followers: readonly F[]): void;
  /** The server took them. */
  clear(followers: Iterable<F>): void;
  /** The server took none of them, and they could not be told apart. */
  convict(followers: Iterable<F>): void;
  /** Everybody was tried, and nobody was the reason: there are too many of them in one. Says so once. */
  innocent(): boolean;
  reset(): void;
}

/** Nobody is suspected. */
export function createSuspects<F>(): Suspects<F> {
  let waiting: (readonly F[])[] = [];
  const all = new Set<F>();
  /** Since somebody was suspected first, nobody was found to be the reason. */
  let unexplained = false;

  return {
    has: (follower) => all.has(follower),
    split(followers) {
      if (all.size === 0) unexplained = true;
      for (const one of followers) all.add(one);
      const half = Math.ceil(followers.length / 2);
      waiting.push(...[followers.slice(0, half), followers.slice(half)].filter((part) => part.length > 0));
    },
    take(stillThere) {
      for (;;) {
        const next = waiting.shift();
        if (next === undefined) return null;
        const there = next.filter((one) => all.has(one) && stillThere(one));
        for (const one of next) if (!there.includes(one)) all.delete(one);
        if (there.length > 0) return there;
      }
    },
    putBack(followers) {
      waiting.unshift(followers);
    },
    clear(followers) {
      for (const one of followers) all.delete(one);
    },
    convict(followers) {
      unexplained = false;
      for (const one of followers) all.delete(one);
    },
    innocent() {
      if (all.size > 0 || !unexplained) return false;
      unexplained = false;
      return true;
    },
    reset() {
      waiting = [];
      all.clear();
      unexplained = false;
    },
  };
}
