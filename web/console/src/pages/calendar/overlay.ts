/** What is shown while the server's answer and what was done here are not yet the same: its occurrences, with newer records that were
 *  heard of, edits that wait, and moves that are on their way put on top. */
import type { Edit, JsonObject } from '@stet/client';
import type { Intervals } from './declaration';
import type { Draft } from './draft';
import { isRepeating, type Occurrence } from './occurrence';
import { patched, valueAt } from './pointer';
import { timesOf } from './times';

/** A record as it was last heard of; null: it was deleted. */
export interface Heard {
  readonly version: number;
  readonly id: string;
  readonly data: JsonObject | null;
}

/** An occurrence with what is known of its state here. */
export interface Shown extends Occurrence {
  /** It is on its way, or was refused and waits for a decision. */
  readonly pending: boolean;
}

export interface Overlay {
  readonly heard: ReadonlyMap<string, Heard>;
  readonly edits: readonly Edit[];
  /** By the key of the occurrence. */
  readonly moves: ReadonlyMap<string, Draft>;
}

/** Edits in these states are shown; one that was refused is not: what it wanted did not come to be. */
const shownStates: ReadonlySet<Edit['state']> = new Set(['pending', 'conflict', 'parked']);

export function overlaid(occurrences: readonly Occurrence[], type: string, kind: Intervals, overlay: Overlay): readonly Shown[] {
  const wanted = new Map<string, { readonly id: string; readonly data: JsonObject | null; readonly pending: boolean; readonly version: number }>();
  for (const [address, heard] of overlay.heard) wanted.set(address, { ...heard, pending: false });
  for (const edit of overlay.edits) {
    if (edit.type !== type || !shownStates.has(edit.state)) continue;
    const before = wanted.get(edit.address);
    const data = before?.pending === true || (before !== undefined && before.version >= (edit.base ?? 0)) ? before.data : edit.baseData;
    wanted.set(edit.address, { id: edit.recordId, data: applied(data, edit), pending: true, version: Math.max(edit.base ?? 0, before?.version ?? 0) });
  }
  const shown: Shown[] = [];
  const there = new Set<string>();
  for (const one of occurrences) {
    there.add(one.address);
    if (isReplaced(one, wanted)) continue;
    const newer = wanted.get(one.address);
    if (newer === undefined || (!newer.pending && newer.version <= one.version)) shown.push({ ...one, pending: false });
    else if (newer.data === null) continue;
    else if (isRepeating(one)) shown.push({ ...one, data: newer.data, pending: newer.pending });
    else shown.push(...placed(kind, one.address, { ...newer, data: newer.data }, one));
  }
  for (const [address, one] of wanted) {
    if (there.has(address) || one.data === null) continue;
    // One that repeats has more than its first time: only the server tells all of them.
    if (kind.recurrence !== null && valueAt(one.data, kind.recurrence.rrule) != null && !one.pending) continue;
    shown.push(...placed(kind, address, { ...one, data: one.data }, null));
  }
  return shown.map((one) => {
    const move = overlay.moves.get(one.key);
    return move === undefined ? one : { ...one, start: move.start, end: move.end, allDay: move.allDay, pending: true };
  });
}

/** Whether a record of its own was heard of that takes the place of this occurrence, which the series leaves out by now: docs/calendar.md says how
 *  such a record is named. Without this, both would be seen until the next reading. */
function isReplaced(one: Occurrence, wanted: ReadonlyMap<string, { readonly data: JsonObject | null }>): boolean {
  if (!isRepeating(one) || one.originalStart === null) return false;
  const original = `${one.originalStart.slice(0, 19).replace(/[-:]/g, '')}Z`;
  return wanted.get(`${one.address}~${original}`)?.data != null;
}

function applied(data: JsonObject | null, edit: Edit): JsonObject | null {
  switch (edit.change.op) {
    case 'create':
    case 'put':
      return edit.change.data;
    case 'patch':
      return patched(data ?? {}, edit.change.patch);
    case 'delete':
      return null;
  }
}

function placed(
  kind: Intervals,
  address: string,
  one: { readonly id: string; readonly data: JsonObject; readonly pending: boolean; readonly version: number },
  before: Occurrence | null,
): readonly Shown[] {
  const times = timesOf(kind, one.data);
  if (times === null || (kind.resource !== null && times.resources.length === 0)) return [];
  return [
    {
      key: before?.key ?? address,
      id: one.id,
      address,
      version: one.version,
      start: times.start,
      end: times.end,
      allDay: times.allDay,
      zone: times.zone ?? before?.zone ?? null,
      resources: times.resources,
      series: before?.series ?? null,
      originalStart: before?.originalStart ?? null,
      heldUntil: before?.heldUntil ?? null,
      data: one.data,
      pending: one.pending,
    },
  ];
}
