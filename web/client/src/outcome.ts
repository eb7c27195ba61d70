/** From the answer to a write to its outcome, wherever the answer came from: HTTP, a transaction, the live connection. */
import { conflict } from './conflict-decoder';
import { Members, count, flag, text } from './decode';
import type { WriteOutcome } from './edit';
import { problemOf, unreadable } from './problem';
import { isMap, type Json } from './json';
import type { MutationId } from './record';
import { record } from './record-decoder';

/**
 * What an answer says of a write. Never throws: an answer that cannot be read is a rejection with `NOT_STET`.
 *
 * @param status  its HTTP status, of a write over the live connection, too
 * @param body    in camelCase, as `toCamel` makes it
 * @param id      the edit that was sent
 * @param waitMs  what the server asked to wait, in milliseconds
 */
export const outcomeOf = (status: number, body: Json, id: MutationId, waitMs: number | null = null): WriteOutcome => {
  try {
    if (status === 202 && isMap(body)) {
      const members = new Members(body);
      return {
        kind: 'parked',
        conflictId: members.get('conflictId', text),
        deadline: members.get('deadline', text),
        fallback: members.get('fallback', text),
      };
    }
    if (status >= 200 && status < 300) {
      const members = new Members(body);
      const written = record(body, '');
      if (written.deleted === true) return { kind: 'deleted', version: written.version };
      if (members.find('applied', flag) === false) return { kind: 'dropped', record: written };
      return {
        kind: 'confirmed',
        record: written,
        merged: members.has('merge'),
        unchanged: members.find('unchanged', flag) ?? false,
      };
    }
    const members = new Members(body);
    const code = members.find('code', text);
    if (code === 'CONCURRENT_MODIFICATION' && members.has('resolutionToken')) {
      return { kind: 'conflict', conflict: conflict(id)(body, '') };
    }
    return { kind: 'rejected', error: problemOf(status, body, waitMs) };
  } catch (cause) {
    return { kind: 'rejected', error: unreadable(cause, status) };
  }
};

/** The version that a tombstone says; null when it says none. */
export const tombstoneVersion = (body: Json): number | null => {
  try {
    return new Members(body).find('version', count) ?? null;
  } catch {
    return null;
  }
};
