/** Why a booking was refused, and what there is instead. See docs/bookings.md. */
import type { StetError } from '@stet/client';
import { instantOf, listOf, numberOf, objectOf, textOf, type Outside } from '../../outside';

export interface Slot {
  readonly resource: string | null;
  readonly start: number;
  readonly end: number;
}
export interface SlotTaken {
  /** `address` is null for one that this person may not see. */
  readonly inTheWay: readonly (Slot & { readonly address: string | null })[];
  readonly more: number;
  readonly nextFree: readonly Slot[];
}

/** What a refusal says about times; null when it is about something else. In a transaction the first such refusal counts. */
export function slotTakenOf(error: Pick<StetError, 'code' | 'problem'>): SlotTaken | null {
  const problem: Outside = error.problem;
  if (error.code === 'SLOT_TAKEN' && problem['inTheWay'] !== undefined) return takenOf(problem);
  const refused = listOf(problem['conflicts']).map(objectOf).find((one) => one['code'] === 'SLOT_TAKEN');
  if (refused !== undefined) return takenOf(refused);
  return error.code === 'SLOT_TAKEN' ? takenOf(problem) : null;
}

function takenOf(problem: Outside): SlotTaken {
  return {
    inTheWay: slotsOf(problem['inTheWay']),
    more: numberOf(problem['moreInTheWay']) ?? 0,
    nextFree: slotsOf(problem['nextFree']),
  };
}

function slotsOf(value: unknown): readonly (Slot & { readonly address: string | null })[] {
  return listOf(value).flatMap((one) => {
    const slot = objectOf(one);
    const start = instantOf(slot['start']);
    const end = instantOf(slot['end']);
    if (start === undefined || end === undefined) return [];
    return [{ resource: textOf(slot['resource']) ?? null, start, end, address: textOf(slot['address']) ?? null }];
  });
}
