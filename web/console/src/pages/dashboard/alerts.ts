/** What is wrong in a space, or was. See docs/alerts.md. */
import { listOf, numberOf, objectOf, textOf } from '../../outside';

export interface Alert {
  readonly id: string;
  readonly name: string;
  readonly state: 'firing' | 'resolved';
  readonly severity: string;
  readonly measure: string;
  readonly lane: string | null;
  readonly class: string | null;
  readonly operation: string | null;
  readonly value: number | null;
  readonly threshold: number | null;
  readonly since: string;
  readonly resolvedAt: string | null;
}

/** A page of `GET …/alerts`; what is none is left out. */
export function alertsOf(body: unknown): readonly Alert[] {
  return listOf(objectOf(body)['alerts']).flatMap((value): readonly Alert[] => {
    const one = objectOf(value);
    const id = textOf(one['id']);
    const name = textOf(one['name']);
    if (id === undefined || name === undefined) return [];
    return [
      {
        id,
        name,
        state: one['state'] === 'firing' ? 'firing' : 'resolved',
        severity: textOf(one['severity']) ?? '',
        measure: textOf(one['measure']) ?? '',
        lane: textOf(one['lane']) ?? null,
        class: textOf(one['class']) ?? null,
        operation: textOf(one['operation']) ?? null,
        value: numberOf(one['value']) ?? null,
        threshold: numberOf(one['threshold']) ?? null,
        since: textOf(one['since']) ?? '',
        resolvedAt: textOf(one['resolvedAt']) ?? null,
      },
    ];
  });
}
