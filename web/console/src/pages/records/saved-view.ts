/** A way to look at a type's records, with a name: filter, order and columns. Views are records of the ordinary type `console_views`, so that all who may read it share
 *  them; where that is not permitted they stay in this browser. */
import type { JsonObject } from '@stet/client';
import { isJsonObject } from '../../types/type-definition';

export const viewsType = 'console_views';

export interface SavedView {
  readonly id: string;
  readonly name: string;
  readonly type: string;
  readonly where: string;
  readonly sort: string;
  readonly columns: readonly string[];
}

/** What a record of `console_views` says; null for what is none. */
export function decodeView(id: string, data: unknown): SavedView | null {
  if (!isJsonObject(data)) return null;
  const { name, type, where, sort, columns } = data;
  if (typeof name !== 'string' || typeof type !== 'string' || name.trim() === '') return null;
  return {
    id,
    name,
    type,
    where: typeof where === 'string' ? where : '',
    sort: typeof sort === 'string' ? sort : '',
    columns: Array.isArray(columns) ? columns.filter((column): column is string => typeof column === 'string') : [],
  };
}

export const encodeView = ({ name, type, where, sort, columns }: Omit<SavedView, 'id'>): JsonObject => ({ name, type, where, sort, columns: [...columns] });

/** Those of one type, by name. */
export const viewsOf = (views: readonly SavedView[], type: string): readonly SavedView[] => views.filter((view) => view.type === type).sort((a, b) => a.name.localeCompare(b.name));

/** Whether what is shown is what the view says. */
export const showsView = (view: SavedView, shown: Pick<SavedView, 'where' | 'sort' | 'columns'>): boolean =>
  view.where === shown.where && view.sort === shown.sort && view.columns.length === shown.columns.length && view.columns.every((column, index) => column === shown.columns[index]);

/** Those kept in this browser. */
export function decodeLocalViews(found: unknown): readonly SavedView[] | null {
  return Array.isArray(found) ? found.flatMap((entry: unknown) => (isJsonObject(entry) && typeof entry['id'] === 'string' ? (decodeView(entry['id'], entry) ?? []) : [])) : null;
}
