/** What a field is called where nobody says. */
import type { Pointer } from '@stet/client';
import { partsOf } from './pointer';

/** Names of fields: by pointer, or a function that may not know. */
export type Labels = Readonly<Record<Pointer, string>> | ((pointer: Pointer) => string | undefined);

const wordsOf = (name: string): string => {
  const words = name
    .replaceAll(/([a-z0-9])([A-Z])/g, '$1 $2')
    .replaceAll(/[_-]+/g, ' ')
    .trim()
    .toLowerCase();
  return words === '' ? name : words.charAt(0).toUpperCase() + words.slice(1);
};

/** The label of a field: as given, else made from its name: `/lines/0/unit_price` is "Lines 1 › Unit price". `whole` stands for the
 *  record itself. */
export function labelOf(pointer: Pointer, labels: Labels | undefined, whole: string): string {
  const given = typeof labels === 'function' ? labels(pointer) : labels?.[pointer];
  if (given !== undefined) return given;
  const parts = partsOf(pointer);
  if (parts.length === 0) return whole;
  const words: string[] = [];
  for (const part of parts) {
    if (/^\d+$/.test(part) && words.length > 0) words[words.length - 1] += ` ${Number(part) + 1}`;
    else words.push(wordsOf(part));
  }
  return words.join(' › ');
}
