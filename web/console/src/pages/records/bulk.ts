/** The same change to many records: in transactions of some at a time, and one by one where a transaction was refused, so that each record has its own answer. */
import { StetError, type Client, type JsonObject, type RecordState } from '@stet/client';
import { isObject } from '../../outside';

export type BulkChange = { readonly op: 'patch'; readonly patch: JsonObject } | { readonly op: 'delete' };
export interface BulkResult {
  readonly id: string;
  readonly outcome: 'done' | 'conflict' | 'refused';
  readonly error: unknown;
  /** The version that was made; null when nothing was, because it was so already or was refused. */
  readonly version: number | null;
}
export interface BulkTarget {
  readonly id: string;
  readonly version: number;
}

/** So few that one refusal makes few go one by one, so many that the way there and back does not count. */
export const portionSize = 50;

export const targetsOf = (records: readonly RecordState[]): readonly BulkTarget[] => records.flatMap(({ id, record }) => (record ? [{ id, version: record.version }] : []));

export function portions<T>(items: readonly T[], size = portionSize): readonly (readonly T[])[] {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, index) => items.slice(index * size, (index + 1) * size));
}

type Request = Pick<Client['http'], 'request'>;
const newKey = (): string => crypto.randomUUID();

/** Goes through all of them; each base is the version that was looked at. `onProgress` hears every answer. Stops between portions when it is given up. */
export async function runBulk(http: Request, type: string, targets: readonly BulkTarget[], change: BulkChange, options: { readonly signal: AbortSignal; readonly onProgress: (results: readonly BulkResult[]) => void; readonly key?: () => string }): Promise<readonly BulkResult[]> {
  const { signal, onProgress, key = newKey } = options;
  const results: BulkResult[] = [];
  const mutation = ({ id, version }: BulkTarget) => ({ ...change, type, id, base_version: version });
  for (const portion of portions(targets)) {
    if (signal.aborted) break;
    try {
      const { body } = await http.request('POST', '/transactions', { body: { mutations: portion.map(mutation) }, key: key() });
      const made: readonly unknown[] = isObject(body) && Array.isArray(body['results']) ? body['results'] : [];
      results.push(...portion.map(({ id }, index) => ({ id, outcome: 'done' as const, error: null, version: madeVersion(made[index]) })));
    } catch (error) {
      // Without an answer nobody knows; sending each again would say no more.
      if (!(error instanceof StetError) || error.status === 0 || error.status >= 500) {
        results.push(...portion.map(({ id }) => ({ id, outcome: 'refused' as const, error, version: null })));
        onProgress([...results]);
        continue;
      }
      for (const target of portion) {
        results.push(await one(http, type, target, change, key()));
        onProgress([...results]);
      }
    }
    onProgress([...results]);
  }
  return results;
}

/** The version of a record that a write answered; null where it says that nothing changed. */
const madeVersion = (record: unknown): number | null =>
  isObject(record) && typeof record['version'] === 'number' && record['unchanged'] !== true ? record['version'] : null;

async function one(http: Request, type: string, target: BulkTarget, change: BulkChange, key: string): Promise<BulkResult> {
  const path = pathOf(type, target.id);
  try {
    const { body } =
      change.op === 'delete'
        ? await http.request('DELETE', path, { ifMatch: target.version, key })
        : await http.request('PATCH', path, { body: change.patch, contentType: 'application/merge-patch+json', ifMatch: target.version, key });
    return { id: target.id, outcome: 'done', error: null, version: madeVersion(body) };
  } catch (error) {
    return { id: target.id, outcome: error instanceof StetError && error.code === 'CONCURRENT_MODIFICATION' ? 'conflict' : 'refused', error, version: null };
  }
}

const pathOf = (type: string, id: string): string => `/records/${encodeURIComponent(type)}/${encodeURIComponent(id)}`;

/** Takes back what was done, record by record: what others changed since in other fields stays, and what they changed in the same is left alone.
 *  Answers how many are as they were, and how many are not. */
export async function undoBulk(http: Request, type: string, results: readonly BulkResult[], key: () => string = newKey): Promise<{ readonly undone: number; readonly left: number }> {
  let [undone, left] = [0, 0];
  for (const { id, version } of results) {
    if (version === null) continue;
    try {
      await http.request('POST', `${pathOf(type, id)}/revert`, { body: { to: version - 1, base_version: version }, key: key() });
      undone += 1;
    } catch {
      left += 1;
    }
  }
  return { undone, left };
}
