/** Which edits may go now, and when the next one may: decided from what waits and the time, without clock or network. */
import type { Edit } from './edit';
import type { EditList } from './edit-list';
import type { KeptEdit } from './seams';
import type { Address, MutationId } from './record';

/** So many records are written at a time. */
export const parallelMax = 6;
const firstPauseMs = 1_000;
const pauseMsMax = 60_000;

/** What keeps edits back. */
export interface Pauses {
  /** Being sent. */
  readonly inFlight: ReadonlySet<MutationId>;
  /** Whose fate is being looked up, or whose outcome is being written down: they keep their place. */
  readonly held: ReadonlySet<MutationId>;
  /** Not before this time, by the id of the unit's first edit. Milliseconds of the monotonic clock. */
  readonly notBefore: ReadonlyMap<MutationId, number>;
  /** After the network failed: nothing before this time, and then one at a time until an answer comes. */
  readonly lostUntil: number | null;
}

/** Units that may be sent now, and when to look again; null: when something happens. */
export interface Due {
  readonly units: readonly (readonly Edit[])[];
  readonly againAt: number | null;
}

/** Later edits of a record wait behind one that was refused or met somebody else's; one that waits on the server lets them pass,
 *  and so does one of a person who is not here. */
const blocks = (edit: Edit, actor: string): boolean =>
  edit.actor === actor && edit.state !== 'parked' && edit.state !== 'confirmed';

/** @param actor  whose session it is; the edits of others wait for them */
export const due = (list: EditList, pauses: Pauses, actor: string, now: number): Due => {
  if (pauses.lostUntil !== null && now < pauses.lostUntil) return { units: [], againAt: pauses.lostUntil };
  const most = pauses.lostUntil === null ? parallelMax : 1;
  const units: (readonly Edit[])[] = [];
  const taken = new Set<MutationId>();
  let busy = countUnits(list, pauses.inFlight);
  let againAt: number | null = null;
  for (const { edit } of list.all()) {
    if (busy + units.length >= most) break;
    if (edit.state !== 'pending' || edit.actor !== actor || taken.has(edit.id)) continue;
    const unit = list.unit(edit);
    for (const one of unit) taken.add(one.edit.id);
    if (!unit.every((one) => mayGo(list, one, unit, pauses, actor))) continue;
    const notBefore = pauses.notBefore.get(edit.id);
    if (notBefore !== undefined && now < notBefore) againAt = Math.min(againAt ?? notBefore, notBefore);
    else units.push(unit.map((one) => one.edit));
  }
  return { units, againAt };
};

const countUnits = (list: EditList, inFlight: ReadonlySet<MutationId>): number => {
  const units = new Set<MutationId>();
  for (const id of inFlight) units.add(list.find(id)?.edit.transaction ?? id);
  return units.size;
};

const mayGo = (list: EditList, one: KeptEdit, unit: readonly KeptEdit[], pauses: Pauses, actor: string): boolean => {
  const { edit } = one;
  if (edit.state !== 'pending' || edit.actor !== actor) return false;
  if (pauses.inFlight.has(edit.id) || pauses.held.has(edit.id)) return false;
  // It was sent before one that another tab had made earlier became known here; whether it was taken must be found out all the same.
  if (edit.unsure === true) return true;
  return list.of(edit.address).every(
    (other) => other.order >= one.order || unit.some((member) => member.edit.id === other.edit.id) || !blocks(other.edit, actor),
  );
};

/** A random part of a pause that doubles with every failure, from 1 s to a minute. */
export const backoffMs = (failures: number, random: number): number =>
  Math.ceil(random * Math.min(pauseMsMax, firstPauseMs * 2 ** Math.min(failures - 1, 16)));

/** What stands before an edit in its record, of those that its author saw when it was made. */
export const lastOf = (list: EditList, address: Address, actor: string): MutationId | null =>
  list.of(address).findLast(({ edit }) => edit.actor === actor)?.edit.id ?? null;
