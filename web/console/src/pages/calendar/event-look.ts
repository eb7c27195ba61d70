/** How one occurrence looks and what it is called. */
import { textOf } from '../../outside';
import type { CalendarType, Intervals } from './declaration';
import type { Shown } from './overlay';
import { valueAt } from './pointer';

export interface EventLook {
  readonly title: string;
  /** One of six colours, by what is taken; the same resource always has the same. */
  readonly colour: number;
  readonly repeats: boolean;
  readonly held: boolean;
  readonly tentative: boolean;
  /** It takes nothing, because somebody gave a reason. */
  readonly overlaps: boolean;
}

export function titleOf(type: CalendarType, data: unknown, fallback: string): string {
  return textOf(valueAt(data, type.titleField)) ?? textOf(valueAt(data, '/name')) ?? fallback;
}

/** `order`: all resources, in the order of their colours. */
export function lookOf(type: CalendarType, kind: Intervals, one: Shown, order: ReadonlyMap<string, number>): EventLook {
  const first = one.resources.find((id) => order.has(id)) ?? one.resources[0];
  const status = type.statusField === null ? undefined : textOf(valueAt(one.data, type.statusField));
  return {
    title: titleOf(type, one.data, one.id),
    colour: (first === undefined ? 0 : (order.get(first) ?? 0)) % 6,
    repeats: one.series !== null,
    held: one.heldUntil !== null,
    tentative: status === 'tentative',
    overlaps: kind.allowOverlap !== null && textOf(valueAt(one.data, kind.allowOverlap)) !== undefined,
  };
}
