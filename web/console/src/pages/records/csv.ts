/** Comma-separated values (RFC 4180), as spreadsheets open them. */
import type { Client, Json, JsonObject, Page, RecordOf } from '@stet/client';

/** A spreadsheet takes a text that begins so for a formula; an apostrophe before it says that it is none. */
const formula = /^[=+\-@\t\r]/;

/** One cell. Numbers and truth values as JSON writes them, lists and objects as JSON. */
export function csvCell(value: Json | undefined): string {
  if (value === undefined || value === null) return '';
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const safe = formula.test(text) ? `'${text}` : text;
  return /["',;\n\r\t]/.test(safe) || safe !== safe.trim() ? `"${safe.replaceAll('"', '""')}"` : safe;
}

export const csvLine = (cells: readonly (Json | undefined)[]): string => `${cells.map(csvCell).join(',')}\r\n`;

export interface CsvColumn {
  readonly label: string;
  readonly value: (record: RecordOf) => Json | undefined;
}

/** Records asked for at once. */
const pageSize = 500;
/** What Excel needs to see UTF-8. */
const byteOrderMark = '\uFEFF';

/** Reads a list page by page and writes it down as it comes; `onProgress` hears how many records there are so far. */
export async function exportCsv(
  client: Client,
  type: string,
  columns: readonly CsvColumn[],
  options: { readonly where?: string; readonly sort?: string; readonly signal: AbortSignal; readonly onProgress: (records: number) => void },
): Promise<Blob> {
  const { where, sort, signal, onProgress } = options;
  const parts: string[] = [byteOrderMark, csvLine(columns.map((column) => column.label))];
  let after: string | null = null;
  let count = 0;
  do {
    const page: Page<JsonObject> = await client.records.list<JsonObject>(type, {
      limit: pageSize,
      signal,
      ...(where ? { where } : {}),
      ...(sort ? { sort } : {}),
      ...(after === null ? {} : { after }),
    });
    parts.push(page.records.map((record) => csvLine(columns.map((column) => column.value(record)))).join(''));
    count += page.records.length;
    onProgress(count);
    after = page.next;
  } while (after !== null);
  return new Blob(parts, { type: 'text/csv;charset=utf-8' });
}
