/** Deleted records of one type, read page by page. */
import type { Client, JsonObject, Live } from '@stet/client';
import { isJsonObject } from '../../types/type-definition';

export interface DeletedRecord {
  readonly id: string;
  /** Of its deletion: what brings it back is based on it. */
  readonly version: number;
  readonly deletedAt: string;
  readonly deletedBy: string;
  /** As it was last. */
  readonly data: JsonObject;
}
export interface TrashState {
  readonly status: 'loading' | 'ready' | 'error';
  readonly records: readonly DeletedRecord[];
  readonly next: string | null;
  readonly error: unknown;
}
export interface TrashStore extends Live<TrashState> {
  more(): void;
  refresh(): void;
  /** Puts back what stood before the deletion. */
  restore(record: DeletedRecord): Promise<void>;
}

const pageSize = 100;

/** `GET …/records/{type}?deleted=1`, its text: names in the data stay as they are. */
export function decodeDeleted(text: string): { readonly records: readonly DeletedRecord[]; readonly next: string | null } {
  const body: unknown = JSON.parse(text);
  if (!isJsonObject(body) || !Array.isArray(body['records'])) return { records: [], next: null };
  const records = body['records'].flatMap((found: unknown): readonly DeletedRecord[] => {
    if (!isJsonObject(found)) return [];
    const { id, version, updated_at: deletedAt, updated_by: deletedBy, data } = found;
    if (typeof id !== 'string' || typeof version !== 'number') return [];
    return [{ id, version, deletedAt: typeof deletedAt === 'string' ? deletedAt : '', deletedBy: typeof deletedBy === 'string' ? deletedBy : '', data: isJsonObject(data) ? data : {} }];
  });
  return { records, next: typeof body['next'] === 'string' ? body['next'] : null };
}

export function createTrash(client: Pick<Client, 'http'>, type: string, key: () => string = () => crypto.randomUUID()): TrashStore {
  const path = `/records/${encodeURIComponent(type)}`;
  let state: TrashState = { status: 'loading', records: [], next: null, error: null };
  let reading = false;
  const listeners = new Set<() => void>();
  const set = (next: TrashState) => {
    state = next;
    listeners.forEach((listener) => listener());
  };
  const read = async (after: string | null) => {
    if (reading) return;
    reading = true;
    try {
      const { text } = await client.http.request('GET', path, { query: { deleted: 1, limit: pageSize, ...(after === null ? {} : { after }) } });
      const page = decodeDeleted(text);
      set({ status: 'ready', records: after === null ? page.records : [...state.records, ...page.records], next: page.next, error: null });
    } catch (error) {
      set({ ...state, status: state.records.length > 0 ? 'ready' : 'error', error });
    } finally {
      reading = false;
    }
  };
  return {
    getSnapshot: () => state,
    subscribe: (listener) => {
      listeners.add(listener);
      if (state.status === 'loading') void read(null);
      return () => void listeners.delete(listener);
    },
    more: () => {
      if (state.next !== null) void read(state.next);
    },
    refresh: () => void read(null),
    restore: async (record) => {
      await client.http.request('POST', `${path}/${encodeURIComponent(record.id)}/revert`, { body: { to: record.version - 1, base_version: record.version }, key: key() });
      set({ ...state, records: state.records.filter((other) => other.id !== record.id) });
    },
  };
}
