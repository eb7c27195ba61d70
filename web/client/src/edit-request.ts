/**
 * Edits as requests. The same edit always makes the same request, byte for byte: the server knows one that it has taken by its key and
 * answers as it did then. So nothing that changes with time or with the way there may be in it.
 */
import { recordPath, pathPart } from './address';
import { Members, array, count, json, text } from './decode';
import type { Edit, WriteOutcome } from './edit';
import { StetError } from './error';
import { spaceIdHeader, type HttpCore } from './http';
import { isMap, type Json } from './json';
import { outcomeOf, tombstoneVersion } from './outcome';
import type { MutationId } from './record';
import { record } from './record-decoder';
import { codes } from './status';

/** What sending came to. */
export type Sent =
  /** The server has judged, each edit of the unit that it said something of. */
  | { readonly kind: 'judged'; readonly outcomes: ReadonlyMap<MutationId, WriteOutcome> }
  /** Nothing is known, or nothing was done: the same is to be sent again. `lost`: there was no answer of a Stet server at all. */
  | { readonly kind: 'later'; readonly error: StetError; readonly lost: boolean };

/** The network as the queue needs it. */
export interface EditSender {
  /** Sends one edit, or all of one transaction. Never rejects. */
  send(unit: readonly Edit[], signal: AbortSignal): Promise<Sent>;
  /** What became of an edit that may have been taken before; null when that cannot be found out now. */
  lookUp(edit: Edit, signal: AbortSignal): Promise<WriteOutcome | null>;
}

const terms = (edit: Edit) => ({
  ...(edit.base !== null && edit.change.op !== 'create' && { base_version: edit.base }),
  ...(edit.onConflict !== undefined && { on_conflict: edit.onConflict }),
  // Only where it decides: a machine whose clock is ahead would have every other write refused for it.
  ...(edit.onConflict === 'newest' && { modified_at: edit.madeAt }),
});

const content = (edit: Edit) => {
  switch (edit.change.op) {
    case 'create':
      return { data: edit.change.data, ...(edit.change.parent !== undefined && { parent: edit.change.parent }) };
    case 'put':
      return { data: edit.change.data };
    case 'patch':
      return { patch: edit.change.patch };
    case 'delete':
      return {};
  }
};

const envelope = 'application/stet+json';

/** Who asks, and for which data. */
const sender = (edit: Edit) => ({ as: edit.actor, ...(edit.space !== undefined && { spaceId: edit.space }) });

/** The server has other data than those that an edit was made for: it says so before it looks at anything else. */
export const isOfOtherData = (error: StetError): boolean => error.field === spaceIdHeader;

const sendOne = (http: HttpCore, edit: Edit, signal: AbortSignal) => {
  const path = recordPath(edit.type, edit.recordId);
  const body = JSON.stringify({ ...terms(edit), client_mutation_id: edit.id, ...content(edit) });
  const options = { body, contentType: envelope, signal, ...sender(edit) };
  switch (edit.change.op) {
    case 'create': {
      const named = JSON.stringify({ id: edit.recordId, ...terms(edit), client_mutation_id: edit.id, ...content(edit) });
      return http.ask('POST', `/records/${pathPart(edit.type)}`, { ...options, body: named }, [409, 412]);
    }
    case 'put':
      return http.ask('PUT', path, options, [409, 412]);
    case 'patch':
      return http.ask('PATCH', path, options, [409, 412]);
    case 'delete':
      // Not every proxy passes the body of a DELETE on.
      return http.ask('DELETE', path, { query: { ...terms(edit), client_mutation_id: edit.id }, signal, ...sender(edit) }, [404, 409, 412]);
  }
};

const sendTogether = (http: HttpCore, unit: readonly Edit[], key: MutationId, first: Edit, signal: AbortSignal) => {
  const mutations = unit.map((edit) => ({ op: edit.change.op, type: edit.type, id: edit.recordId, ...terms(edit), ...content(edit) }));
  const body = JSON.stringify({ client_mutation_id: key, mutations });
  return http.ask('POST', '/transactions', { body, contentType: 'application/json', signal, ...sender(first) }, [409]);
};

/** Whether the same may be taken another time, or its fate is open. What is no Stet server judges nothing. */
const comesAgain = (error: StetError): boolean =>
  error.retryable ||
  codes[error.code].retry !== 'no' ||
  error.code === 'NOT_STET' ||
  error.code === 'ABORTED' ||
  // Nobody has looked at what it says: it waits until somebody is logged in again.
  error.status === 401 ||
  error.code === 'CSRF_REQUIRED';

const later = (error: StetError): Sent => ({
  kind: 'later',
  error,
  lost: error.status === 0 || error.code === 'NOT_STET',
});

const rejected = (error: StetError): WriteOutcome => ({ kind: 'rejected', error });

const judgeOne = (edit: Edit, status: number, body: Json): WriteOutcome => {
  const outcome = outcomeOf(status, body, edit.id);
  if (outcome.kind !== 'rejected' || edit.change.op !== 'delete' || outcome.error.code !== 'DELETED') return outcome;
  const version = tombstoneVersion(body);
  return version === null ? outcome : { kind: 'deleted', version };
};

const judgeTogether = (unit: readonly Edit[], status: number, body: Json): Map<MutationId, WriteOutcome> => {
  const outcomes = new Map<MutationId, WriteOutcome>();
  if (status === 409) {
    for (const one of new Members(body).find('conflicts', array(json)) ?? []) {
      const index = new Members(one).get('index', count);
      const edit = unit[index];
      if (edit !== undefined && isMap(one)) outcomes.set(edit.id, outcomeOf(409, { code: 'CONCURRENT_MODIFICATION', ...one }, edit.id));
    }
    // A refusal that is no conflict of records is that of all of them.
    if (outcomes.size === 0) for (const edit of unit) outcomes.set(edit.id, outcomeOf(status, body, edit.id));
    return outcomes;
  }
  const results = new Members(body).get('results', array(json));
  for (const [index, edit] of unit.entries()) outcomes.set(edit.id, outcomeOf(200, results[index] ?? null, edit.id));
  return outcomes;
};

/** A cookie may be somebody else's by now, through another tab, of whom this one has not heard; and nobody is told of another's edits. */
const isStillThem = async (http: HttpCore, edit: Edit, signal: AbortSignal): Promise<boolean> => {
  const { body } = await http.ask('GET', '/session', { signal, query: { optional: 1 }, ...sender(edit) }, []);
  return new Members(body).find('actor', text) === edit.actor;
};

const readReceipt = async (http: HttpCore, edit: Edit, signal: AbortSignal): Promise<WriteOutcome | null> => {
  const key = edit.transaction ?? edit.id;
  const receipt = new Members((await http.ask('GET', `/mutations/${pathPart(key)}`, { signal, ...sender(edit) }, [])).body);
  const status = receipt.get('status', text);
  if (status === 'pending') return null;
  if (status !== 'confirmed') return (await isStillThem(http, edit, signal)) ? { kind: 'discarded' } : null;
  const results = (receipt.find('results', array(json)) ?? []).map((one) => new Members(one));
  const mine = results.find((one) => one.find('address', text) === edit.address) ?? results[0];
  const version = receipt.find('version', count) ?? mine?.find('version', count);
  if (edit.change.op === 'delete') return { kind: 'deleted', version: version ?? 0 };
  const path = recordPath(edit.type, edit.recordId);
  const read = async (query: { readonly version?: number }) => (await http.ask('GET', path, { signal, query, ...sender(edit) }, [])).body;
  try {
    // That version may not be kept any more; then it is known by what came after it.
    const body = await read(version === undefined ? {} : { version }).catch((thrown: unknown) => {
      if (thrown instanceof StetError && comesAgain(thrown)) throw thrown;
      return read({});
    });
    return { kind: 'confirmed', record: record(body, ''), merged: false, unchanged: false };
  } catch (thrown) {
    if (thrown instanceof StetError && comesAgain(thrown)) throw thrown;
    // It was taken, and is gone since, or out of this person's sight.
    return { kind: 'deleted', version: (thrown instanceof StetError ? tombstoneVersion(thrown.problem) : null) ?? version ?? 0 };
  }
};

const asJson = (body: unknown): Json => json(body ?? null, '');

/** Sends over HTTP. One way for all writes: a replay is known by its request, and that must not depend on what happened to be open. */
export const createEditSender = (http: HttpCore): EditSender => ({
  async send(unit, signal) {
    const [first] = unit;
    if (first === undefined) return { kind: 'judged', outcomes: new Map() };
    try {
      const key = first.transaction;
      const answer = await (key === undefined ? sendOne(http, first, signal) : sendTogether(http, unit, key, first, signal));
      const body = asJson(answer.body);
      const outcomes =
        key === undefined ? new Map([[first.id, judgeOne(first, answer.status, body)]]) : judgeTogether(unit, answer.status, body);
      for (const outcome of outcomes.values()) if (outcome.kind === 'rejected' && comesAgain(outcome.error)) return later(outcome.error);
      return { kind: 'judged', outcomes };
    } catch (thrown) {
      const error =
        thrown instanceof StetError ? thrown : new StetError({ code: 'NOT_STET', detail: 'the answer cannot be read', cause: thrown });
      if (comesAgain(error)) return later(error);
      if (error.code === 'KEY_REUSED') {
        // It was taken before, in other words: what became of it then is what counts.
        const outcomes = new Map<MutationId, WriteOutcome>();
        for (const edit of unit) {
          const found = await this.lookUp(edit, signal);
          // What nothing is known of was not taken: it is refused, and stays where its author sees it.
          outcomes.set(edit.id, found === null || found.kind === 'discarded' ? rejected(error) : found);
        }
        return { kind: 'judged', outcomes };
      }
      return { kind: 'judged', outcomes: new Map(unit.map((edit) => [edit.id, rejected(error)])) };
    }
  },
  async lookUp(edit, signal) {
    try {
      return await readReceipt(http, edit, signal);
    } catch (thrown) {
      // To be told nothing is not to be told that nothing was taken: it stays where its author sees it, with the reason.
      return thrown instanceof StetError && !comesAgain(thrown) ? rejected(thrown) : null;
    }
  },
});
