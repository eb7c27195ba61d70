/** The numbers of the dashboard over time, in bounded memory: each look at the server becomes one point of every line. */
import { bucketsOf, sumOf, type Bucket, type Sample } from './metrics-text';
import { bucketGrowth, doublingBuckets, quantile, rateOf, shareOf } from './rates';
import type { Stats } from './stats';
import type { Lane } from '../queue/lane';

/** What one look saw. */
export interface Look {
  /** Milliseconds since 1970. */
  readonly at: number;
  readonly stats: Stats;
  readonly lanes: readonly Lane[];
  /** Null for who may not read them. */
  readonly metrics: readonly Sample[] | null;
}

/** What is shown as lines; null: not known at that time. */
export interface Point {
  readonly at: number;
  readonly writesPerS: number | null;
  readonly requestsPerS: number | null;
  /** Of the writes in between, 0 to 1. */
  readonly conflictShare: number | null;
  readonly cacheShare: number | null;
  readonly commitP50Ms: number | null;
  readonly commitP99Ms: number | null;
  readonly requestP50Ms: number | null;
  readonly requestP99Ms: number | null;
  readonly queued: number;
  readonly running: number;
  /** The longest that somebody who came now would wait, over all lanes, in seconds. */
  readonly waitS: number | null;
  readonly subscribers: number | null;
  readonly connections: number | null;
  readonly streams: number | null;
  readonly bytes: number;
}

const commitBuckets = (stats: Stats): readonly Bucket[] => (stats.activity === null ? [] : doublingBuckets(stats.activity.firstBucketUs / 1000, stats.activity.commitBuckets));
/** Requests that answer at once; streams and long polls last as long as they are wanted. */
const requestBuckets = (metrics: readonly Sample[] | null): readonly Bucket[] => (metrics === null ? [] : bucketsOf(metrics.filter(({ labels }) => !/\/(changes|live|claim)$/.test(labels['route'] ?? '')), 'stet_http_request_seconds'));
const ms = (seconds: number | null): number | null => (seconds === null ? null : seconds * 1000);

/** The point of one look after another. */
export function pointOf(before: Look | null, now: Look): Point {
  const seconds = before === null ? 0 : (now.at - before.at) / 1000;
  const activity = now.stats.activity;
  const earlier = before?.stats.activity ?? null;
  const rate = (name: string): number | null => {
    const total = now.metrics === null ? null : sumOf(now.metrics, name);
    const last = before?.metrics === null || before === null ? null : sumOf(before.metrics, name);
    return total === null || last === null ? null : rateOf(last, total, seconds);
  };
  const gauge = (name: string): number | null => (now.metrics === null ? null : sumOf(now.metrics, name));
  const commits = before === null || earlier === null ? [] : bucketGrowth(commitBuckets(before.stats), commitBuckets(now.stats));
  const requests = before === null || before.metrics === null ? [] : bucketGrowth(requestBuckets(before.metrics), requestBuckets(now.metrics));
  const waits = now.lanes.flatMap(({ waitS }) => (waitS === null ? [] : [waitS]));
  return {
    at: now.at,
    writesPerS: before === null ? null : activity !== null && earlier !== null ? rateOf(earlier.changes, activity.changes, seconds) : rateOf(before.stats.seq, now.stats.seq, seconds),
    requestsPerS: rate('stet_http_requests_total'),
    conflictShare: activity === null || earlier === null ? null : shareOf({ part: earlier.conflicts, whole: earlier.commands }, { part: activity.conflicts, whole: activity.commands }),
    cacheShare:
      activity === null || earlier === null
        ? null
        : shareOf({ part: earlier.cacheHits, whole: earlier.cacheHits + earlier.cacheMisses }, { part: activity.cacheHits, whole: activity.cacheHits + activity.cacheMisses }),
    commitP50Ms: quantile(commits, 0.5),
    commitP99Ms: quantile(commits, 0.99),
    requestP50Ms: ms(quantile(requests, 0.5)),
    requestP99Ms: ms(quantile(requests, 0.99)),
    queued: now.lanes.reduce((sum, lane) => sum + lane.waiting, 0),
    running: now.lanes.reduce((sum, lane) => sum + lane.running, 0),
    waitS: waits.length === 0 ? null : Math.max(...waits),
    subscribers: activity?.subscribers ?? null,
    connections: gauge('stet_http_connections'),
    streams: gauge('stet_http_streams'),
    bytes: now.stats.bytes,
  };
}

/** Ten minutes at one look every two seconds. */
export const pointsMax = 300;

/** One more point, the oldest ones gone. */
export const withPoint = (points: readonly Point[], point: Point, max = pointsMax): readonly Point[] => [...points, point].slice(-max);
