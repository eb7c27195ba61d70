/** Conflicts that wait and notices, as lists of the server tell them. */
import type { Client } from '@stet/client';
import { isObject, listOf, numberOf, textOf, textsOf } from '../../outside';

export type InboxState = 'open' | 'resolved' | 'expired' | 'overwritten' | 'settled' | 'merged';

/** One line of the inbox. */
export interface InboxItem {
  readonly id: string;
  readonly version: number;
  readonly state: InboxState;
  readonly address: string;
  readonly type: string;
  readonly recordId: string;
  /** Whose write it is; of a notice, whose value was lost. */
  readonly by: string | undefined;
  readonly who: readonly string[];
  readonly fields: readonly string[];
  readonly fieldsLeftOut: number;
  readonly deadline: string | undefined;
  readonly openedAt: string | undefined;
  readonly fallback: string | undefined;
  readonly resolvedBy: string | undefined;
  readonly overwrittenBy: string | undefined;
  readonly choice: string | undefined;
  readonly explanation: string | undefined;
  readonly deletes: boolean;
  /** Nothing is left to decide. */
  readonly clean: boolean;
  readonly read: boolean;
  readonly times: number;
}

export interface Inbox {
  readonly items: readonly InboxItem[];
  readonly unread: number;
  /** There are more than were asked for. */
  readonly more: boolean;
}

const states: readonly InboxState[] = ['open', 'resolved', 'expired', 'overwritten', 'settled', 'merged'];

/** Names one line; null for what has no id, or a state that this console does not know. */
export function decodeItem(found: unknown): InboxItem | null {
  if (!isObject(found)) return null;
  const id = textOf(found['id']);
  const state = states.find((known) => known === found['state']);
  if (id === undefined || state === undefined) return null;
  return {
    id,
    version: numberOf(found['version']) ?? 0,
    state,
    address: textOf(found['address']) ?? '',
    type: textOf(found['recordType']) ?? '',
    recordId: textOf(found['recordId']) ?? '',
    by: textOf(found['by']),
    who: textsOf(found['for']),
    fields: textsOf(found['affectedData']),
    fieldsLeftOut: numberOf(found['affectedLeftOut']) ?? 0,
    deadline: textOf(found['deadline']),
    openedAt: textOf(found['openedAt']),
    fallback: textOf(found['fallback']),
    resolvedBy: textOf(found['resolvedBy']),
    overwrittenBy: textOf(found['overwrittenBy']),
    choice: textOf(found['choice']),
    explanation: textOf(found['explanation']),
    deletes: found['deletes'] === true,
    clean: found['clean'] === true,
    read: found['read'] !== false,
    times: numberOf(found['times']) ?? 1,
  };
}

/** What is listed: what is this person's own, or all open ones that they may see. */
export type Scope = 'mine' | 'all';

const pageMax = 100;

/** Reads at least so many, page by page; a page of the server may be short and still have a next one. */
export async function readInbox(client: Client, scope: Scope, wanted: number, signal: AbortSignal): Promise<Inbox> {
  const items: InboxItem[] = [];
  let unread = 0;
  let after: string | undefined;
  do {
    const { body } = await client.http.request('GET', scope === 'mine' ? '/inbox' : '/conflicts', {
      query: { limit: Math.min(pageMax, wanted), after },
      signal,
    });
    if (!isObject(body)) break;
    for (const found of listOf(body[scope === 'mine' ? 'items' : 'conflicts'])) {
      const item = decodeItem(found);
      if (item !== null) items.push(item);
    }
    unread = numberOf(body['unread']) ?? unread;
    after = textOf(body['next']);
  } while (after !== undefined && items.length < wanted);
  return { items, unread, more: after !== undefined };
}

/** What became of each of many that were settled at once. */
export interface Settled {
  readonly resolved: number;
  readonly refused: readonly { readonly id: string; readonly why: string }[];
}

const manyMax = 500;

/** Settles many alike, five hundred with each request; each is settled for itself. */
export async function settleMany(client: Client, ids: readonly string[], choice: 'current' | 'merged'): Promise<Settled> {
  const refused: { readonly id: string; readonly why: string }[] = [];
  let resolved = 0;
  for (let start = 0; start < ids.length; start += manyMax) {
    const { body } = await client.http.request('POST', '/conflicts/resolve', {
      body: { conflicts: ids.slice(start, start + manyMax).map((id) => ({ id, choice })) },
    });
    for (const found of isObject(body) ? listOf(body['results']) : []) {
      if (!isObject(found)) continue;
      if (found['resolved'] === true) resolved += 1;
      else refused.push({ id: textOf(found['id']) ?? '', why: textOf(found['detail']) ?? textOf(found['code']) ?? '' });
    }
  }
  return { resolved, refused };
}

/** Opens one that expired, or a notice, again. */
export async function reopen(client: Client, item: InboxItem): Promise<string> {
  const { body } = await client.http.request('POST', `/conflicts/${encodeURIComponent(item.id)}/reopen`, { ifMatch: item.version });
  return (isObject(body) ? (textOf(body['conflictId']) ?? textOf(body['id'])) : undefined) ?? item.id;
}
