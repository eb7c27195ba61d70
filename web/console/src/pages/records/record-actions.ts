/** What is done with one record besides editing it, with the toasts that say what came of it. */
import { StetError, type Client, type JsonObject, type Version, type WriteOutcome } from '@stet/client';
import { ownWrite } from '../../app/own-writes';
import { showToast, errorWords } from '../../ui';
import type { Language } from '../../i18n/language';
import { undoBulk, type BulkResult } from './bulk';
import type { RecordsWords } from './messages';

const pathOf = (type: string, id: string): string => `/records/${encodeURIComponent(type)}/${encodeURIComponent(id)}`;

/** Puts back what stood before `version`, unless somebody wrote since. */
export async function revertTo(client: Client, type: string, id: string, base: Version, to: Version): Promise<void> {
  await client.http.request('POST', `${pathOf(type, id)}/revert`, { body: { to, base_version: base }, key: crypto.randomUUID() });
}

/** Takes the last change back, and says so or why not. */
export async function undoChange(client: Client, type: string, id: string, version: Version, words: RecordsWords, language: Language): Promise<void> {
  try {
    await revertTo(client, type, id, version, version - 1);
    showToast({ tone: 'success', title: words.undone });
  } catch (error) {
    const why = errorWords(error, language);
    const since = error instanceof StetError && error.code === 'CONCURRENT_MODIFICATION';
    showToast({ tone: 'danger', title: words.notUndone, body: since ? words.notUndoneSince : (why.detail ?? why.title) });
  }
}

/** Deletes, and offers to take it back. */
export function deleteRecord(client: Client, type: string, id: string, name: string, words: RecordsWords, language: Language): void {
  const write = ownWrite(client.records.remove(type, id));
  void write.confirmed.then((outcome: WriteOutcome<JsonObject>) => {
    if (outcome.kind !== 'deleted') return;
    showToast({ tone: 'success', title: words.deleted(name), action: { label: words.undo, run: () => void undoChange(client, type, id, outcome.version, words, language) } });
  });
}

/** Says how many were changed or deleted, and offers to take that back. */
export function offerBulkUndo(client: Client, type: string, results: readonly BulkResult[], title: string, words: RecordsWords, number: (count: number) => string): void {
  const run = async () => {
    const { undone, left } = await undoBulk(client.http, type, results);
    showToast({
      tone: left === 0 ? 'success' : 'warning',
      title: words.bulkUndone(number(undone)),
      ...(left === 0 ? {} : { body: words.bulkLeft(number(left)) }),
    });
  };
  if (results.some(({ version }) => version !== null)) showToast({ tone: 'success', title, action: { label: words.undo, run: () => void run() } });
}
