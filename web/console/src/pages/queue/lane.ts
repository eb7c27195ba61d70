/** The lanes of the queue, as `GET …/lanes` tells them. See docs/queue.md. */
import { isObject, listOf, numberOf, objectOf, textOf } from '../../outside';

export interface Lane {
  readonly id: string;
  readonly version: number;
  readonly width: number;
  readonly paused: boolean;
  readonly draining: boolean;
  /** That wait, all classes together. */
  readonly waiting: number;
  /** Of those by class, without the classes in which nobody waits. */
  readonly byClass: readonly (readonly [string, number])[];
  /** That wait for a time or for others. */
  readonly delayed: number;
  readonly running: number;
  /** Agents that ask for work at this moment. */
  readonly waitingClaims: number;
  readonly oldestWaitS: number | null;
  /** Of one that came now; null as long as nobody can tell. */
  readonly waitS: number | null;
  readonly waitRangeS: readonly [number, number] | null;
  readonly processingS: number | null;
  /** Nobody has asked for work for so long, although some waits. */
  readonly noWorkerForS: number | null;
  readonly settings: LaneSettings;
}

/** What may be set; see the table in docs/queue.md. */
export interface LaneSettings {
  readonly width: number;
  readonly maxQueued: number;
  readonly maxQueuedPerActor: number;
  readonly ageS: number;
  readonly timeoutS: number;
  readonly keepS: number;
  readonly fair: boolean;
}

/** Of which kind a setting is, and within which bounds. */
export const laneNumbers = [
  { name: 'width', member: 'width', least: 1 },
  { name: 'maxQueued', member: 'max_queued', least: 1 },
  { name: 'maxQueuedPerActor', member: 'max_queued_per_actor', least: 1 },
  { name: 'ageS', member: 'age_s', least: 0 },
  { name: 'timeoutS', member: 'timeout_s', least: 1 },
  { name: 'keepS', member: 'keep_s', least: 0 },
] as const;

const classes = ['structural', 'urgent', 'high', 'normal', 'low'] as const;

/** A page of lanes in the client's camelCase, by name. */
export function lanesOf(body: unknown): readonly Lane[] {
  return listOf(objectOf(body)['lanes'])
    .map(laneOf)
    .filter((one) => one !== null)
    .sort((one, other) => one.id.localeCompare(other.id));
}

/** Null for what is no lane. */
export function laneOf(value: unknown): Lane | null {
  if (!isObject(value)) return null;
  const id = textOf(value['id']);
  if (id === undefined) return null;
  const queued = objectOf(value['queued']);
  const byClass = classes.map((name) => [name, numberOf(queued[name]) ?? 0] as const).filter(([, count]) => count > 0);
  const range = listOf(value['estimatedWaitRangeS']).map(numberOf);
  const [low, high] = range;
  const width = numberOf(value['width']) ?? 1;
  return {
    id,
    version: numberOf(value['version']) ?? 0,
    width,
    paused: value['paused'] === true,
    draining: value['draining'] === true,
    waiting: byClass.reduce((sum, [, count]) => sum + count, 0),
    byClass,
    delayed: numberOf(value['delayed']) ?? 0,
    running: numberOf(value['running']) ?? 0,
    waitingClaims: numberOf(value['waitingClaims']) ?? 0,
    oldestWaitS: numberOf(value['oldestWaitS']) ?? null,
    waitS: numberOf(value['estimatedWaitS']) ?? null,
    waitRangeS: low !== undefined && high !== undefined ? [low, high] : null,
    processingS: numberOf(value['averageProcessingS']) ?? null,
    noWorkerForS: numberOf(value['noWorkerForS']) ?? null,
    settings: {
      width,
      maxQueued: numberOf(value['maxQueued']) ?? 100_000,
      maxQueuedPerActor: numberOf(value['maxQueuedPerActor']) ?? 100_000,
      ageS: numberOf(value['ageS']) ?? 300,
      timeoutS: numberOf(value['timeoutS']) ?? 3600,
      keepS: numberOf(value['keepS']) ?? 604_800,
      fair: value['fair'] === 'actor',
    },
  };
}

/** The body of a `PUT` that makes `before` into `after`: only what differs; null when nothing does. */
export function settingsChange(before: LaneSettings, after: LaneSettings): Readonly<Record<string, number | string | null>> | null {
  const change: Record<string, number | string | null> = {};
  for (const { name, member } of laneNumbers) if (before[name] !== after[name]) change[member] = after[name];
  if (before.fair !== after.fair) change['fair'] = after.fair ? 'actor' : null;
  return Object.keys(change).length === 0 ? null : change;
}
