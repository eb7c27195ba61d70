/** Names of writes: UUIDs of version 7 (RFC 9562), in the order in which they were made. */
import type { MutationId } from './record';
import type { Clock } from './seams';

/** Fills bytes with chance; the browser's and Node's `crypto.getRandomValues`. */
export type Randomness = (bytes: Uint8Array) => void;

const POOL_BYTES = 4096;
/** Each byte in two digits: to work them out anew took longer than all else about an edit. */
const hex: readonly string[] = Array.from({ length: 256 }, (_, byte) => byte.toString(16).padStart(2, '0'));

const systemRandomness: Randomness = (bytes) => {
  crypto.getRandomValues(bytes);
};

/** Makes ids that only grow within this page: 48 bits of time, then 12 that count within a millisecond, then 62 of chance.
 *  A clock that goes back changes nothing: the last time is used until it has caught up. */
export const createIds = (clock: Pick<Clock, 'now'>, randomness: Randomness = systemRandomness): (() => MutationId) => {
  let last = 0;
  let counter = 0;
  // Chance is asked for in pieces of this size: one call for each id would cost more than all the rest.
  const pool = new Uint8Array(POOL_BYTES);
  let used = POOL_BYTES;
  return () => {
    if (used === POOL_BYTES) {
      randomness(pool);
      used = 0;
    }
    const bytes = pool.subarray(used, used + 16);
    used += 16;
    const now = Math.floor(clock.now());
    if (now > last) {
      last = now;
      // Half of the counter's room is left to count in; two pages seldom begin at the same place.
      counter = (((bytes[6] ?? 0) << 8) | (bytes[7] ?? 0)) & 0x7ff;
    } else if (++counter > 0xfff) {
      last += 1;
      counter = 0;
    }
    for (let index = 0, rest = last; index < 6; index++) {
      bytes[5 - index] = rest % 256;
      rest = Math.floor(rest / 256);
    }
    bytes[6] = 0x70 | (counter >> 8);
    bytes[7] = counter & 0xff;
    bytes[8] = 0x80 | ((bytes[8] ?? 0) & 0x3f);
    let id = '';
    for (let index = 0; index < 16; index++) {
      if (index === 4 || index === 6 || index === 8 || index === 10) id += '-';
      id += hex[bytes[index] ?? 0] ?? '';
    }
    return id;
  };
};
