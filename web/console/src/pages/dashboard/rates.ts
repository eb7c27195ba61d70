/** What counters and histograms say about the time between two looks at them. A counter that fell was begun anew: what it shows now came since. */
import type { Bucket } from './metrics-text';

/** How much a counter grew. */
export const growth = (before: number, now: number): number => (now >= before ? now - before : now);

/** By second; null where no time went by. */
export function rateOf(before: number, now: number, seconds: number): number | null {
  return seconds > 0 ? growth(before, now) / seconds : null;
}

/** A part of a whole, both as they grew; null where the whole did not. */
export function shareOf(before: { readonly part: number; readonly whole: number }, now: { readonly part: number; readonly whole: number }): number | null {
  const whole = growth(before.whole, now.whole);
  return whole > 0 ? Math.min(1, growth(before.part, now.part) / whole) : null;
}

/** The observations between two looks. If any bucket fell, or the bounds are others, all that are there now. */
export function bucketGrowth(before: readonly Bucket[], now: readonly Bucket[]): readonly Bucket[] {
  const alike = before.length === now.length && now.every(({ upTo, count }, index) => before[index]?.upTo === upTo && count >= (before[index]?.count ?? 0));
  return alike ? now.map(({ upTo, count }, index) => ({ upTo, count: count - (before[index]?.count ?? 0) })) : now;
}

/**
 * Below which value a share of the observations lies, taken to be spread evenly within a bucket; null without observations. Of what lies in the
 * open last bucket only its beginning is known.
 */
export function quantile(buckets: readonly Bucket[], share: number): number | null {
  const total = buckets.at(-1)?.count ?? 0;
  if (total <= 0) return null;
  const rank = share * total;
  let below = { upTo: 0, count: 0 };
  for (const bucket of buckets) {
    if (bucket.count >= rank && bucket.count > below.count) {
      if (!Number.isFinite(bucket.upTo)) return below.upTo;
      return below.upTo + (bucket.upTo - below.upTo) * ((rank - below.count) / (bucket.count - below.count));
    }
    below = bucket;
  }
  return below.upTo;
}

/** Buckets that hold each its own observations, by a first bound that doubles, as cumulative ones. */
export function doublingBuckets(first: number, counts: readonly number[]): readonly Bucket[] {
  let sum = 0;
  return counts.map((count, index) => ({ upTo: index + 1 < counts.length ? first * 2 ** index : Infinity, count: (sum += count) }));
}
