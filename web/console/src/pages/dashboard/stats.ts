/** What `GET …/stats` says, from the answer's text: names of types in it are the application's own. */
import { listOf, numberOf, objectOf, textOf } from '../../outside';

export interface Contended {
  readonly type: string;
  readonly field: string;
  readonly strategy: string;
  readonly conflicts: number;
}

/** Counters since the space was opened; null for those who are no administrators. */
export interface SpaceActivity {
  readonly commands: number;
  readonly changes: number;
  readonly replays: number;
  readonly refusals: number;
  readonly conflicts: number;
  readonly merged: number;
  readonly stale: number;
  readonly contended: readonly Contended[];
  readonly cacheHits: number;
  readonly cacheMisses: number;
  readonly subscribers: number;
  readonly waiting: number;
  readonly halted: boolean;
  readonly commitFailures: number;
  readonly firstBucketUs: number;
  readonly commitBuckets: readonly number[];
}

export interface Stats {
  readonly name: string;
  readonly seq: number;
  readonly bytes: number;
  readonly logBytes: number;
  /** Null: how many there are is not for everybody. */
  readonly types: readonly { readonly name: string; readonly records: number | null; readonly system: boolean }[];
  readonly conflictsOpen: number;
  readonly hotRecords: readonly { readonly address: string; readonly conflicts: number }[];
  readonly limits: readonly { readonly name: 'records' | 'bytes'; readonly used: number | null; readonly limit: number }[];
  readonly writesPerActor: { readonly rate: number; readonly burst: number } | null;
  readonly activity: SpaceActivity | null;
}

const count = (value: unknown): number => numberOf(value) ?? 0;
const sum = (value: unknown): number => Object.values(objectOf(value)).reduce((all: number, one) => all + count(one), 0);

function activityOf(value: unknown): SpaceActivity | null {
  if (value === undefined) return null;
  const from = objectOf(value);
  const stale = objectOf(from['stale']);
  const cache = objectOf(from['cache']);
  const commits = objectOf(from['commits']);
  return {
    commands: count(from['commands']),
    changes: count(from['changes']),
    replays: count(from['replays']),
    refusals: count(from['refusals']),
    conflicts: sum(from['conflicts']),
    merged: count(stale['merged']),
    stale: sum(stale),
    contended: listOf(from['contended']).map((one) => {
      const entry = objectOf(one);
      return { type: textOf(entry['type']) ?? '', field: textOf(entry['field']) ?? '', strategy: textOf(entry['strategy']) ?? '', conflicts: count(entry['conflicts']) };
    }),
    cacheHits: count(cache['hits']),
    cacheMisses: count(cache['misses']),
    subscribers: count(objectOf(from['feed'])['subscribers']),
    waiting: count(from['waiting']),
    halted: from['halted'] === true,
    commitFailures: count(commits['failures']),
    firstBucketUs: count(commits['first_bucket_us']),
    commitBuckets: listOf(commits['buckets']).map(count),
  };
}

/** From the parsed answer, in the server's own spelling. */
export function statsOf(body: unknown): Stats {
  const from = objectOf(body);
  const limits = objectOf(from['limits']);
  const writes = objectOf(limits['writes_per_actor']);
  const rate = numberOf(writes['rate']);
  return {
    name: textOf(from['name']) ?? '',
    seq: count(from['seq']),
    bytes: count(from['bytes']),
    logBytes: count(from['log_bytes']),
    types: Object.entries(objectOf(from['types'])).map(([name, one]) => ({ name, records: numberOf(objectOf(one)['records']) ?? null, system: name.startsWith('stet.') })),
    conflictsOpen: count(objectOf(from['conflicts'])['open']),
    hotRecords: listOf(from['hot_records']).flatMap((one) => {
      const entry = objectOf(one);
      const address = textOf(entry['address']);
      return address === undefined ? [] : [{ address, conflicts: count(entry['conflicts']) }];
    }),
    limits: (['records', 'bytes'] as const).flatMap((name) => {
      const entry = objectOf(limits[name]);
      const limit = numberOf(entry['limit']);
      return limit === undefined ? [] : [{ name, limit, used: numberOf(entry['used']) ?? null }];
    }),
    writesPerActor: rate === undefined ? null : { rate, burst: count(writes['burst']) },
    activity: activityOf(from['activity']),
  };
}

/** Conflicts by type, the most contended first. */
export function conflictsByType(contended: readonly Contended[]): readonly { readonly type: string; readonly conflicts: number; readonly fields: readonly Contended[] }[] {
  const types = new Map<string, Contended[]>();
  for (const one of contended) types.set(one.type, [...(types.get(one.type) ?? []), one]);
  return [...types]
    .map(([type, fields]) => ({ type, conflicts: fields.reduce((all, one) => all + one.conflicts, 0), fields: fields.sort((one, other) => other.conflicts - one.conflicts) }))
    .sort((one, other) => other.conflicts - one.conflicts);
}
