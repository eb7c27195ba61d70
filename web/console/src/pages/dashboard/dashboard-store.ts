/** Looks at the server every two seconds while somebody sees the dashboard, and keeps what it saw as points. */
import { StetError, type Client } from '@stet/client';
import { createResource, type Resource, type ResourceOptions } from '../../resource';
import { lanesOf } from '../queue/lane';
import { alertsOf, type Alert } from './alerts';
import { pointOf, withPoint, type Look, type Point } from './dashboard-history';
import { parseMetrics, type Sample } from './metrics-text';
import { statsOf } from './stats';

/** What was seen so far. */
export interface Dashboard {
  readonly look: Look;
  readonly points: readonly Point[];
  readonly alerts: readonly Alert[];
}
export interface DashboardWorld extends Omit<ResourceOptions, 'everyMs'> {
  readonly now: () => number;
}

export const lookMs = 2000;
/** Alerts that are over and still shown. */
const alertsShown = 30;

const refused = (error: unknown): boolean => error instanceof StetError && (error.status === 403 || error.status === 401 || error.status === 404);

/** `serverAdmin`: whether the metrics of the whole server may be read. */
export function createDashboardStore(client: Client, serverAdmin: boolean, { now, ...world }: DashboardWorld = { now: Date.now }): Resource<Dashboard> {
  let mayReadMetrics = serverAdmin;
  let mayReadLanes = true;
  const optional = async <T>(allowed: boolean, read: () => Promise<T>, none: T, forbid: () => void): Promise<T> => {
    if (!allowed) return none;
    try {
      return await read();
    } catch (error) {
      if (!refused(error)) throw error;
      forbid();
      return none;
    }
  };
  const look = async (signal: AbortSignal, before: Dashboard | null): Promise<Dashboard> => {
    const [stats, lanes, metrics, alerts] = await Promise.all([
      client.http.request('GET', '/stats', { signal }),
      optional(mayReadLanes, async () => lanesOf((await client.http.request('GET', '/lanes', { signal })).body), [], () => (mayReadLanes = false)),
      optional<readonly Sample[] | null>(mayReadMetrics, async () => parseMetrics((await client.http.request('GET', '//metrics', { signal, accept: 'text/plain' })).text), null, () => (mayReadMetrics = false)),
      optional(true, async () => alertsOf((await client.http.request('GET', '/alerts', { signal, query: { state: 'any', limit: alertsShown } })).body), [], () => undefined),
    ]);
    const body: unknown = JSON.parse(stats.text);
    const seen: Look = { at: now(), stats: statsOf(body), lanes, metrics };
    return { look: seen, points: withPoint(before?.points ?? [], pointOf(before?.look ?? null, seen)), alerts };
  };
  return createResource(look, { everyMs: lookMs, ...world });
}
