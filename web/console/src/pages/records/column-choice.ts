/** Which columns of a type are shown and how wide, as this browser remembers it. */
import { remembered } from '../../remembered';
import { isJsonObject } from '../../types/type-definition';

export interface ColumnChoice {
  /** null: as at first. */
  readonly shown: readonly string[] | null;
  readonly widths: Readonly<Record<string, number>>;
}
export const asAtFirst: ColumnChoice = { shown: null, widths: {} };

const decodeChoice = (found: unknown): ColumnChoice => {
  if (!isJsonObject(found)) return asAtFirst;
  const { shown, widths } = found;
  return {
    shown: Array.isArray(shown) ? shown.filter((id): id is string => typeof id === 'string') : null,
    widths: isJsonObject(widths) ? Object.fromEntries(Object.entries(widths).flatMap(([id, width]) => (typeof width === 'number' ? [[id, width] as const] : []))) : {},
  };
};

/** By type. */
export const columnChoices = remembered<Readonly<Record<string, ColumnChoice>>>('columns', {}, (found) => (isJsonObject(found) ? Object.fromEntries(Object.entries(found).map(([type, choice]) => [type, decodeChoice(choice)])) : null));

export const chooseColumns = (type: string, change: Partial<ColumnChoice>): void => {
  const all = columnChoices.get();
  columnChoices.set({ ...all, [type]: { ...(all[type] ?? asAtFirst), ...change } });
};
