import type { Client } from '@stet/client';
import { recordName, type TypeDefinition } from '../types/type-definition';

/** A record that the palette offers. */
export interface FoundRecord {
  readonly type: string;
  readonly id: string;
  readonly name: string | null;
}

/** Types asked at once, and records shown of each. */
const typesMax = 8;
const perType = 4;

const quote = (text: string): string => `"${text.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;

/** What finds a text in one type: the beginning of an id, or a part of what its records are called. */
export function searchExpression(type: Pick<TypeDefinition, 'fields'> | undefined, text: string): string {
  const named = (type?.fields ?? []).filter(({ pointer }) => ['/title', '/name', '/subject', '/number'].includes(pointer));
  return [`$id starts_with ${quote(text)}`, ...named.map(({ pointer }) => `${pointer.slice(1)} contains ${quote(text)}`)].join(' || ');
}

/** `type/id` as somebody types it: an address names one record, whatever else matches. */
export function parseAddress(text: string, types: readonly string[]): { readonly type: string; readonly id: string } | null {
  const slash = text.indexOf('/');
  if (slash <= 0 || slash === text.length - 1) return null;
  const type = text.slice(0, slash);
  return types.includes(type) ? { type, id: text.slice(slash + 1) } : null;
}

/** Records whose id begins with the text, or whose name has it. A type that refuses is passed over. */
export async function searchRecords(client: Client, types: ReadonlyMap<string, TypeDefinition>, names: readonly string[], text: string, signal: AbortSignal): Promise<readonly FoundRecord[]> {
  const pages = await Promise.all(
    names.slice(0, typesMax).map((type) =>
      client.records.list(type, { where: searchExpression(types.get(type), text), limit: perType, signal }).then(
        ({ records }) => records.map((record) => ({ type, id: record.id, name: recordName(record.data) })),
        () => [],
      ),
    ),
  );
  return pages.flat();
}

/** How well a label answers what was typed: 0 not at all, more is better. Letters must come in order; beginnings of words count most. */
export function matchScore(label: string, text: string): number {
  const hay = label.toLowerCase();
  const needle = text.trim().toLowerCase();
  if (needle === '') return 1;
  const at = hay.indexOf(needle);
  if (at === 0) return 100 - hay.length / 100;
  if (at > 0) return (/\W/.test(hay.charAt(at - 1)) ? 80 : 60) - at / 100;
  let from = 0;
  for (const letter of needle) {
    from = hay.indexOf(letter, from) + 1;
    if (from === 0) return 0;
  }
  return 10 - from / 100;
}

/** Entries as they are shown, group by group in the order in which the groups come: the arrows go from one to the one below it. */
export function byGroup<T extends { readonly group: string }>(entries: readonly T[]): readonly T[] {
  return [...new Set(entries.map(({ group }) => group))].flatMap((group) => entries.filter((entry) => entry.group === group));
}
