/** An edit that waits, in a line: which record, and what is written into which field. */
import type { Edit, Json } from '@stet/client';
import { recordName } from '../types/type-definition';

export interface EditWords {
  /** The record by its name, else by its address. */
  readonly name: string;
  /** What it becomes. */
  readonly op: 'create' | 'change' | 'delete';
  /** The fields that are written, as they are called in the data, with a short text of each value. */
  readonly fields: readonly (readonly [name: string, value: string])[];
}

const valueLengthMax = 60;
const valueText = (value: Json | undefined): string => {
  const text = value === null || value === undefined || value === '' ? '–' : typeof value === 'string' ? value.replace(/\s+/g, ' ').trim() : JSON.stringify(value);
  return text.length > valueLengthMax ? `${text.slice(0, valueLengthMax - 1)}…` : text;
};

/** @param edit one that waits to be sent */
export function editWords({ change, baseData, address }: Pick<Edit, 'change' | 'baseData' | 'address'>): EditWords {
  const written = change.op === 'patch' ? change.patch : change.op === 'delete' ? {} : change.data;
  return {
    name: recordName(baseData ?? undefined) ?? recordName(written) ?? address,
    op: change.op === 'create' ? 'create' : change.op === 'delete' ? 'delete' : 'change',
    fields: Object.entries(written).map(([name, value]) => [name, valueText(value)]),
  };
}
