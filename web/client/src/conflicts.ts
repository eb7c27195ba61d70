/** Conflicts of this client's own edits, and those that wait on the server for this person; see {@link Conflicts}. */
import { claim, unclaim } from './claim';
import { pathPart, parseAddress, recordPath } from './address';
import type { Conflicts, ConflictsState } from './client';
import type { Conflict, Resolution, ResolutionOutcome } from './conflict';
import { conflict as conflictDocument } from './conflict-decoder';
import { Members, array, count, jsonObject, text } from './decode';
import type { Edit, WriteOutcome } from './edit';
import { StetError } from './error';
import type { HttpCore } from './http';
import { REFRESH_MS } from './limits';
import { isMap, type Json, type JsonObject } from './json';
import type { MetricsRecorder } from './metrics';
import { networkError, problemOf, unreadable } from './problem';
import type { RecordOf } from './record';
import { record as recordDocument } from './record-decoder';
import { readRecord } from './record-reader';
import type { RecordStore } from './record-store';
import { resolutionBody } from './resolution';
import { resolvedChange } from './resolved-change';
import type { Clock, EditQueue, Feed } from './seams';
import { createShared } from './shared';

export interface ConflictsWorld {
  readonly http: HttpCore;
  readonly store: RecordStore;
  readonly queue: EditQueue;
  readonly feed: Feed;
  readonly clock: Clock;
  readonly metrics: MetricsRecorder;
}

/** The name under which the time until a conflict is settled is kept: that of its edit, for each new state of it is the same dialog. */
const nameOf = (conflict: Conflict): string => conflict.edit ?? conflict.conflictId ?? conflict.resolutionToken;

/** How many that wait are looked at; `unread` counts all. */
const WAITING_MAX = 100;

const isConflict = (body: Json): boolean => isMap(body) && body['code'] === 'CONCURRENT_MODIFICATION' && typeof body['resolutionToken'] === 'string';

export const createConflicts = (world: ConflictsWorld): Conflicts & { close(): void } => {
  const { http, store, queue, feed, clock, metrics } = world;
  const closed = new AbortController();
  let waiting: readonly JsonObject[] = [];
  let unread = 0;
  let editsSeen: readonly Edit[] | null = null;
  let snapshot: ConflictsState = { mine: [], waiting, unread };

  /* ---- What waits on the server ---- */

  const readInbox = async (): Promise<void> => {
    try {
      const answer = await http.request('GET', '/inbox', { query: { limit: WAITING_MAX }, signal: closed.signal });
      const members = new Members(answer.body);
      waiting = members.get('items', array(jsonObject));
      unread = members.get('unread', count);
      editsSeen = null;
      shared.tell();
    } catch (thrown) {
      // Not logged in, or no network: it is asked again when the feed is there. What is shown stays.
      if (!(thrown instanceof StetError)) throw unreadable(thrown);
    }
  };

  const shared = createShared(clock, () => {
    let planned: (() => void) | null = null;
    const plan = () => {
      planned ??= clock.after(REFRESH_MS, () => {
        planned = null;
        void readInbox().catch(() => {});
      });
    };
    const undo = [
      feed.follow({ events: ['conflict'] }, (event) => {
        if (event.kind === 'conflict' || event.kind === 'ready' || event.kind === 'reset') plan();
      }),
      store.onNotify(() => {
        if (store.api.getState().edits !== editsSeen) shared.tell();
      }),
    ];
    void readInbox().catch(() => {});
    return () => {
      planned?.();
      for (const one of undo) one();
    };
  });

  const getSnapshot = (): ConflictsState => {
    const { edits } = store.api.getState();
    if (edits !== editsSeen) {
      editsSeen = edits;
      const mine = edits.flatMap((edit) => (edit.state === 'conflict' && edit.conflict !== undefined && store.isOwn(edit) ? [edit.conflict] : []));
      const same = mine.length === snapshot.mine.length && mine.every((one, index) => one === snapshot.mine[index]);
      if (!same || waiting !== snapshot.waiting || unread !== snapshot.unread) {
        snapshot = { mine: same ? snapshot.mine : mine, waiting, unread };
      }
    }
    return snapshot;
  };

  /* ---- Settling ---- */

  const ofDocument = (body: unknown, shown: Conflict): Conflict => {
    try {
      return conflictDocument(shown.edit)(body, '');
    } catch (cause) {
      throw unreadable(cause);
    }
  };

  const currentRecord = async (conflict: Conflict): Promise<RecordOf | null> => {
    const named = parseAddress(conflict.address);
    if (named === null) return null;
    try {
      const answer = await http.request('GET', recordPath(named.type, named.id));
      const read = readRecord(answer.body);
      store.applyRecord(read);
      return read;
    } catch (thrown) {
      const error = networkError(thrown);
      if (error.code === 'NOT_FOUND' || error.code === 'DELETED') return null;
      throw error;
    }
  };

  const settleEdit = async (conflict: Conflict, record: RecordOf | null): Promise<void> => {
    if (conflict.edit === null || store.edit(conflict.edit) === null) return;
    const outcome: WriteOutcome =
      record === null
        ? { kind: 'deleted', version: (conflict.currentVersion ?? 0) + 1 }
        : record.deleted === true
          ? { kind: 'deleted', version: record.version }
          : { kind: 'confirmed', record, merged: true, unchanged: false };
    await queue.settle(conflict.edit, outcome);
  };

  /** What an answer of `…/resolve` says: the record, or the conflict that waited with the record in it. */
  const resolvedRecord = (body: unknown): RecordOf | null => {
    try {
      const members = new Members(body);
      if (members.has('record')) return members.find('record', recordDocument) ?? null;
      return members.has('conflictType') ? null : recordDocument(body, '');
    } catch (cause) {
      throw unreadable(cause);
    }
  };

  const ask = async (conflict: Conflict, resolution: Resolution): Promise<ResolutionOutcome> => {
    const named = parseAddress(conflict.address);
    if (named === null) throw new StetError({ code: 'BAD_REQUEST', detail: `"${conflict.address}" is no address` });
    const path = conflict.conflictId === undefined ? `${recordPath(named.type, named.id)}/resolve` : `/conflicts/${pathPart(conflict.conflictId)}/resolve`;
    let repeated = false;
    const answer = await http.ask(
      'POST',
      path,
      {
        body: resolutionBody(conflict, resolution),
        // The token is good for one use.
        repeatable: true,
        repeated: () => {
          repeated = true;
        },
      },
      [409, 412],
    );
    if (answer.status < 300) {
      const record = resolvedRecord(answer.body);
      if (record !== null) store.applyRecord(record);
      await settleEdit(conflict, record);
      return { kind: 'resolved', record: record?.deleted === true ? null : record };
    }
    const body = jsonObject(answer.body, '');
    if (isConflict(body)) {
      const next = ofDocument(body, conflict);
      store.applyConflict(next);
      const edit = conflict.edit === null ? null : store.edit(conflict.edit);
      if (edit !== null) await queue.update({ ...edit, state: 'conflict', conflict: next });
      return { kind: 'conflict', conflict: next };
    }
    const error = problemOf(answer.status, body, null);
    if (error.code !== 'ALREADY_RESOLVED') throw error;
    const record = await currentRecord(conflict);
    await settleEdit(conflict, record);
    // The answer to the first try was lost, and the second found that it had taken effect.
    if (repeated) return { kind: 'resolved', record };
    const by = isMap(body['conflict']) ? new Members(body['conflict']).find('resolvedBy', text) : undefined;
    return { kind: 'already_resolved', ...(by === undefined ? {} : { by }) };
  };

  /** The edit, when others are sent with it, all or nothing. */
  const memberOf = (conflict: Conflict): Edit | null => {
    const edit = conflict.edit === null || conflict.conflictId !== undefined ? null : store.edit(conflict.edit);
    const { edits } = store.api.getState();
    return edit?.transaction !== undefined && edits.some((one) => one.id !== edit.id && one.transaction === edit.transaction) ? edit : null;
  };

  /** Settled alone it would be saved without the others. So it is put right here, and goes with them once none of them has a conflict. */
  const applyTogether = async (conflict: Conflict, edit: Edit, resolution: Resolution): Promise<ResolutionOutcome> => {
    const { conflict: _conflict, error: _error, ...rest } = edit;
    const change = resolvedChange(conflict, resolution);
    const base = change.op === 'create' ? null : conflict.currentVersion;
    await queue.update({ ...rest, state: 'pending', base, baseData: conflict.current, change });
    return { kind: 'resolved', record: store.find(conflict.address)?.record ?? null };
  };

  /** To give an own edit up, nobody has to be asked: the server never took it. */
  const giveUp = async (conflict: Conflict & { readonly edit: string }): Promise<ResolutionOutcome> => {
    await queue.discard(conflict.edit);
    return { kind: 'resolved', record: store.find(conflict.address)?.record ?? null };
  };

  const resolve = async (conflict: Conflict, resolution: Resolution): Promise<ResolutionOutcome> => {
    const { edit } = conflict;
    const member = memberOf(conflict);
    const outcome =
      resolution.choice === 'discard' && edit !== null && conflict.conflictId === undefined
        ? await giveUp({ ...conflict, edit })
        : member !== null
          ? await applyTogether(conflict, member, resolution)
          : await ask(conflict, resolution);
    if (outcome.kind === 'resolved') metrics.resolved(nameOf(conflict));
    if (conflict.conflictId !== undefined && shared.active) await readInbox().catch(() => {});
    return outcome;
  };

  return {
    live: { subscribe: (listener) => shared.subscribe(listener), getSnapshot },
    async get(conflictId) {
      const answer = await http.request('GET', `/conflicts/${pathPart(conflictId)}`);
      try {
        return conflictDocument(null)(answer.body, '');
      } catch (cause) {
        throw unreadable(cause);
      }
    },
    resolve: async <T>(conflict: Conflict<T>, resolution: Resolution<T>) =>
      claim<T, 'resolutionOutcome'>(await resolve(unclaim<T, 'conflict'>(conflict), unclaim<T, 'resolution'>(resolution))),
    opened: (conflict) => metrics.opened(nameOf(conflict)),
    close() {
      closed.abort();
      shared.close();
    },
  };
};
