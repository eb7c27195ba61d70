/** What is done with one record besides editing it, with the toasts that say what came of it. */
import type { Client, JsonObject, Version, WriteOutcome } from '@stet/client';
import { ownWrite } from '../../app/own-writes';
import { showToast, errorWords } from '../../ui';
import type { Language } from '../../i18n/language';
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
    showToast({ tone: 'danger', title: why.title, ...(why.detail === null ? {} : { body: why.detail }) });
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
