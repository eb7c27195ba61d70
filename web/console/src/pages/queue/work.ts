/** Operations as the queue's page shows them. */
import type { Json, Operation, OperationClass, OperationStatus } from '@stet/client';
import { instantOf, isObject, listOf, numberOf, objectOf, textOf, textsOf } from '../../outside';

export interface Work {
  readonly id: string;
  readonly version: number;
  readonly status: OperationStatus;
  readonly lane: string;
  readonly class: OperationClass;
  /** Of its parents, when one is above its own. */
  readonly effectiveClass: OperationClass;
  readonly opType: string | null;
  readonly agent: string | null;
  readonly function: string | null;
  readonly handler: string | null;
  /** Who asked for it. */
  readonly by: string | null;
  readonly target: string | null;
  readonly parent: string | null;
  readonly dependsOn: readonly string[];
  readonly currentAgent: string | null;
  readonly agentsInvolved: readonly string[];
  readonly percent: number | null;
  readonly message: string | null;
  readonly updates: readonly { readonly at: number; readonly percent: number | null; readonly message: string | null; readonly agent: string | null }[];
  readonly position: number | null;
  readonly ahead: number | null;
  readonly delayed: boolean;
  readonly waitS: number | null;
  readonly waitRangeS: readonly [number, number] | null;
  readonly noWorkerForS: number | null;
  readonly processingS: number | null;
  readonly retries: number;
  readonly maxRetries: number;
  readonly attempts: number;
  readonly queuedAt: number | null;
  readonly startedAt: number | null;
  readonly finishedAt: number | null;
  readonly notBefore: number | null;
  readonly deadline: number | null;
  readonly error: string | null;
  readonly reason: string | null;
  readonly input: Json | undefined;
  readonly result: Json | undefined;
}

const statuses: Readonly<Record<string, OperationStatus>> = {
  queued: 'queued',
  running: 'running',
  retrying: 'retrying',
  completed: 'completed',
  failed: 'failed',
  rejected: 'rejected',
  cancelled: 'cancelled',
  expired: 'expired',
};
const classes: Readonly<Record<string, OperationClass>> = { low: 'low', normal: 'normal', high: 'high', urgent: 'urgent', structural: 'structural' };

/** One operation in the client's camelCase; null for what is none. */
export function workOf(value: unknown): Work | null {
  if (!isObject(value)) return null;
  const id = textOf(value['id']);
  const status = statuses[textOf(value['status']) ?? ''];
  if (id === undefined || status === undefined) return null;
  const progress = objectOf(value['progress']);
  const [low, high] = listOf(value['estimatedWaitRangeS']).map(numberOf);
  const own = classes[textOf(value['class']) ?? ''] ?? 'normal';
  return {
    id,
    version: numberOf(value['version']) ?? 0,
    status,
    lane: textOf(value['lane']) ?? 'default',
    class: own,
    effectiveClass: classes[textOf(value['effectiveClass']) ?? ''] ?? own,
    opType: textOf(value['opType']) ?? null,
    agent: textOf(value['agent']) ?? null,
    function: textOf(value['function']) ?? null,
    handler: textOf(value['handler']) ?? null,
    by: textOf(value['by']) ?? null,
    target: textOf(value['target']) ?? null,
    parent: textOf(value['parent']) ?? null,
    dependsOn: textsOf(value['dependsOn']),
    currentAgent: textOf(value['currentAgent']) ?? null,
    agentsInvolved: textsOf(value['agentsInvolved']),
    percent: numberOf(progress['percent']) ?? null,
    message: textOf(progress['message']) ?? null,
    updates: listOf(progress['updates']).flatMap((one) => {
      const update = objectOf(one);
      const at = instantOf(update['at']);
      if (at === undefined) return [];
      return [{ at, percent: numberOf(update['percent']) ?? null, message: textOf(update['message']) ?? null, agent: textOf(update['agent']) ?? null }];
    }),
    position: numberOf(value['position']) ?? null,
    ahead: numberOf(value['ahead']) ?? null,
    delayed: value['delayed'] === true,
    waitS: numberOf(value['estimatedWaitS']) ?? null,
    waitRangeS: low !== undefined && high !== undefined ? [low, high] : null,
    noWorkerForS: numberOf(value['noWorkerForS']) ?? null,
    processingS: numberOf(value['estimatedProcessingS']) ?? null,
    retries: numberOf(value['retries']) ?? 0,
    maxRetries: numberOf(value['maxRetries']) ?? 0,
    attempts: numberOf(value['attempts']) ?? 0,
    queuedAt: instantOf(value['queuedAt']) ?? null,
    startedAt: instantOf(value['startedAt']) ?? null,
    finishedAt: instantOf(value['finishedAt']) ?? null,
    notBefore: instantOf(value['notBefore']) ?? null,
    deadline: instantOf(value['deadline']) ?? null,
    error: textOf(value['error']) ?? null,
    reason: textOf(value['reason']) ?? null,
    input: jsonOf(value['input']),
    result: jsonOf(value['result']),
  };
}

/** What came as JSON. Undefined where there is nothing. */
function jsonOf(value: unknown): Json | undefined {
  if (value === null || typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean') return value;
  if (Array.isArray(value)) return value.map((one) => jsonOf(one) ?? null);
  if (isObject(value)) return Object.fromEntries(Object.entries(value).map(([name, inside]) => [name, jsonOf(inside) ?? null]));
  return undefined;
}

/** A page of operations, and the cursor of the next. */
export function workPageOf(body: unknown): { readonly work: readonly Work[]; readonly next: string | null } {
  const page = objectOf(body);
  return {
    work: listOf(page['operations'])
      .map(workOf)
      .filter((one) => one !== null),
    next: textOf(page['next']) ?? null,
  };
}

/** The newer of what the list and what the feed have said of one operation. Of the same version the feed's is newer: only it tells of
 *  places while nothing else happens. */
export function newer(listed: Work, heard: Operation | null): Work {
  if (heard === null || heard.version < listed.version) return listed;
  return workOf(heard) ?? listed;
}

export function isOpen(work: Pick<Work, 'status'>): boolean {
  return work.status === 'queued' || work.status === 'running' || work.status === 'retrying';
}

export function mayRetry(work: Pick<Work, 'status' | 'handler'>): boolean {
  return !isOpen(work) && (work.status !== 'completed' || work.handler !== null);
}

/** In the order in which they are done: what runs, what is tried again, what waits by its place, what is delayed; then what is over,
 *  the last first. */
export function inOrder(work: readonly Work[]): readonly Work[] {
  return [...work].sort((one, other) => rank(one) - rank(other) || within(one, other) || (one.id < other.id ? -1 : 1));
}

function rank(work: Work): number {
  if (work.status === 'running') return 0;
  if (work.status === 'retrying') return 1;
  if (work.status === 'queued') return work.delayed ? 3 : 2;
  return 4;
}

function within(one: Work, other: Work): number {
  if (!isOpen(one)) return (other.finishedAt ?? 0) - (one.finishedAt ?? 0);
  if (one.status === 'running') return (one.startedAt ?? 0) - (other.startedAt ?? 0);
  return one.lane.localeCompare(other.lane) || (one.position ?? Infinity) - (other.position ?? Infinity) || 0;
}

/** Which agents were seen at work among these, and on how many now. */
export function agentsOf(work: readonly Work[]): readonly { readonly name: string; readonly running: number; readonly waiting: number }[] {
  const agents = new Map<string, { running: number; waiting: number }>();
  const at = (name: string): { running: number; waiting: number } => {
    const found = agents.get(name) ?? { running: 0, waiting: 0 };
    agents.set(name, found);
    return found;
  };
  for (const one of work) {
    for (const name of one.agentsInvolved) at(name);
    if (one.status === 'running' && one.currentAgent !== null) at(one.currentAgent).running += 1;
    if ((one.status === 'queued' || one.status === 'retrying') && one.agent !== null) at(one.agent).waiting += 1;
  }
  return [...agents].map(([name, counts]) => ({ name, ...counts })).sort((one, other) => one.name.localeCompare(other.name));
}
