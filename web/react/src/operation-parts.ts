/** The operations that an operation was split into. */
import type { Client, Live, Operation } from '@stet/client';
import { polled } from './polled';
import type { ViewClock } from './provider';

const lookEveryMs = 3_000;

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Names the ids of a page of operations, and where the next page begins. */
export function decodePage(body: unknown): { readonly ids: readonly string[]; readonly next: string | null } {
  if (!isObject(body) || !Array.isArray(body['operations'])) return { ids: [], next: null };
  const list: readonly unknown[] = body['operations'];
  return {
    ids: list.flatMap((item) => (isObject(item) && typeof item['id'] === 'string' ? [item['id']] : [])),
    next: typeof body['next'] === 'string' ? body['next'] : null,
  };
}

/** All parts of an operation, each followed live. The feed does not tell by parent, so new ones are looked for every three seconds. */
export function operationParts(client: Client, clock: ViewClock, parent: string): Live<readonly Operation[]> {
  const ids = polled<readonly string[]>(clock, lookEveryMs, [], async (before, signal) => {
    try {
      const found: string[] = [];
      let after: string | null = null;
      do {
        const { body } = await client.http.request('GET', '/operations', {
          query: { parent, ...(after === null ? {} : { after }) },
          signal,
        });
        const page = decodePage(body);
        found.push(...page.ids);
        after = page.next;
      } while (after !== null);
      return found.length === before.length && found.every((id, index) => id === before[index]) ? before : found;
    } catch {
      /* It is looked again at the next turn; until then what is known stays. */
      return before;
    }
  });
  const followed = new Map<string, { readonly live: ReturnType<Client['operations']['watch']>; readonly undo: () => void }>();
  const listeners = new Set<() => void>();
  let stop: (() => void) | null = null;
  let shown: readonly Operation[] = [];

  const show = (): void => {
    const next = ids.getSnapshot().flatMap((id) => followed.get(id)?.live.getSnapshot().operation ?? []);
    if (next.length === shown.length && next.every((operation, index) => operation === shown[index])) return;
    shown = next;
    for (const listener of [...listeners]) listener();
  };
  const follow = (): void => {
    for (const id of ids.getSnapshot()) {
      if (followed.has(id)) continue;
      const live = client.operations.watch(id);
      followed.set(id, { live, undo: live.subscribe(show) });
    }
    show();
  };

  return {
    subscribe(listener) {
      const own = (): void => listener();
      listeners.add(own);
      if (stop === null) {
        const undo = ids.subscribe(follow);
        stop = () => {
          undo();
          for (const { undo: release } of followed.values()) release();
          followed.clear();
        };
        follow();
      }
      return () => {
        if (!listeners.delete(own) || listeners.size > 0 || stop === null) return;
        stop();
        stop = null;
      };
    },
    getSnapshot: () => shown,
  };
}
