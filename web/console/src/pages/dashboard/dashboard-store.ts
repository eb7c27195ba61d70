/** Looks at the server every two seconds while somebody sees the dashboard, and keeps what it saw as points. */
import { StetError, type Client, type Live } from '@stet/client';
import { lanesOf } from '../queue/lane';
import { alertsOf, type Alert } from './alerts';
import { pointOf, withPoint, type Look, type Point } from './dashboard-history';
import { parseMetrics, type Sample } from './metrics-text';
import { statsOf } from './stats';

export interface DashboardState {
  readonly status: 'loading' | 'ready' | 'error';
  readonly look: Look | null;
  readonly points: readonly Point[];
  readonly alerts: readonly Alert[];
  /** Of the last look, if it failed. */
  readonly error: unknown;
}
export interface DashboardStore extends Live<DashboardState> {
  refresh(): Promise<void>;
}
export interface DashboardWorld {
  readonly now: () => number;
  readonly after: (ms: number, callback: () => void) => () => void;
  readonly hidden: () => boolean;
}

export const lookMs = 2000;
/** Alerts that are over and still shown. */
const alertsShown = 30;

const browser: DashboardWorld = {
  now: Date.now,
  after: (ms, callback) => {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
  hidden: () => document.visibilityState === 'hidden',
};

const refused = (error: unknown): boolean => error instanceof StetError && (error.status === 403 || error.status === 401 || error.status === 404);

/** `serverAdmin`: whether the metrics of the whole server may be read. */
export function createDashboardStore(client: Client, serverAdmin: boolean, world: DashboardWorld = browser): DashboardStore {
  let state: DashboardState = { status: 'loading', look: null, points: [], alerts: [], error: null };
  let undo: (() => void) | null = null;
  let abort: AbortController | null = null;
  let mayReadMetrics = serverAdmin;
  let mayReadLanes = true;
  const listeners = new Set<() => void>();
  const set = (next: DashboardState) => {
    state = next;
    listeners.forEach((listener) => listener());
  };
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
  const look = async (signal: AbortSignal): Promise<{ readonly look: Look; readonly alerts: readonly Alert[] }> => {
    const [stats, lanes, metrics, alerts] = await Promise.all([
      client.http.request('GET', '/stats', { signal }),
      optional(mayReadLanes, async () => lanesOf((await client.http.request('GET', '/lanes', { signal })).body), [], () => (mayReadLanes = false)),
      optional<readonly Sample[] | null>(mayReadMetrics, async () => parseMetrics((await client.http.request('GET', '//metrics', { signal, accept: 'text/plain' })).text), null, () => (mayReadMetrics = false)),
      optional(true, async () => alertsOf((await client.http.request('GET', '/alerts', { signal, query: { state: 'any', limit: alertsShown } })).body), [], () => undefined),
    ]);
    const body: unknown = JSON.parse(stats.text);
    return { look: { at: world.now(), stats: statsOf(body), lanes, metrics }, alerts };
  };
  const later = () => {
    undo?.();
    undo = listeners.size === 0 ? null : world.after(lookMs, () => (world.hidden() ? later() : void refresh()));
  };
  const refresh = async () => {
    abort?.abort();
    const mine = new AbortController();
    abort = mine;
    try {
      const seen = await look(mine.signal);
      if (abort === mine) set({ status: 'ready', look: seen.look, points: withPoint(state.points, pointOf(state.look, seen.look)), alerts: seen.alerts, error: null });
    } catch (error) {
      if (abort === mine) set({ ...state, status: state.look === null ? 'error' : 'ready', error });
    }
    if (abort !== mine) return;
    abort = null;
    later();
  };
  return {
    refresh,
    getSnapshot: () => state,
    subscribe: (listener) => {
      listeners.add(listener);
      if (listeners.size === 1) void refresh();
      return () => {
        listeners.delete(listener);
        if (listeners.size > 0) return;
        undo?.();
        undo = null;
        abort?.abort();
        abort = null;
      };
    },
  };
}
