/** Saved views: of everybody where they may be shared, else of this browser. */
import { StetError, type Client, type JsonObject } from '@stet/client';
import { ownWrite, showInline } from '../../app/own-writes';
import { remembered } from '../../remembered';
import { decodeLocalViews, encodeView, viewsType, type SavedView } from './saved-view';

export const localViews = remembered<readonly SavedView[]>('views', [], decodeLocalViews);

const refusals: ReadonlySet<string> = new Set(['FORBIDDEN', 'NOT_FOUND', 'SYSTEM_TYPE', 'INVALID_DATA', 'UNAVAILABLE', 'QUOTA_EXCEEDED']);

/** Keeps a view; `id` null: a new one. Answers where it is kept now. */
export async function saveView(client: Client, id: string | null, view: Omit<SavedView, 'id'>): Promise<{ readonly id: string; readonly where: 'shared' | 'local' }> {
  const isLocal = id !== null && localViews.get().some((other) => other.id === id);
  if (!isLocal) {
    const write = ownWrite(id === null ? client.records.create<JsonObject>(viewsType, encodeView(view)) : client.records.update<JsonObject>(viewsType, id, () => encodeView(view)));
    showInline(write.id);
    const outcome = await write.confirmed;
    if (outcome.kind === 'confirmed') return { id: outcome.record.id, where: 'shared' };
    if (outcome.kind !== 'rejected') throw new StetError({ code: 'CONCURRENT_MODIFICATION', detail: '' });
    await client.discard(write.id).catch(() => undefined);
    if (!refusals.has(outcome.error.code)) throw outcome.error;
  }
  const kept = { ...view, id: id ?? crypto.randomUUID() };
  localViews.set([...localViews.get().filter((other) => other.id !== kept.id), kept]);
  return { id: kept.id, where: 'local' };
}

export async function deleteView(client: Client, id: string): Promise<void> {
  const local = localViews.get();
  if (local.some((view) => view.id === id)) {
    localViews.set(local.filter((view) => view.id !== id));
    return;
  }
  const outcome = await ownWrite(client.records.remove(viewsType, id)).confirmed;
  if (outcome.kind === 'rejected') throw outcome.error;
}
