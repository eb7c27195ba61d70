import type { Client, Live } from '@stet/client';
import { decodeCounts, decodeTypes, type TypeDefinition } from './type-definition';

export interface TypesState {
  readonly status: 'loading' | 'ready' | 'error';
  /** By name: those that are declared, and those of which there are records. */
  readonly types: ReadonlyMap<string, TypeDefinition>;
  /** How many records each has; a type that one may not read may be missing. */
  readonly counts: ReadonlyMap<string, number>;
  readonly error: unknown;
}
export interface TypesStore extends Live<TypesState> {
  refresh(): Promise<void>;
  /** How many records of a type there are by now, from whoever follows them. */
  counted(type: string, count: number): void;
}

/** Types change seldom: what was read so long ago is read again when somebody looks. */
const freshMs = 10_000;

/** The space's types, read once for all who look. */
export function createTypesStore(client: Client, now: () => number = Date.now): TypesStore {
  let state: TypesState = { status: 'loading', types: new Map(), counts: new Map(), error: null };
  let readAt = Number.NEGATIVE_INFINITY;
  let reading: Promise<void> | null = null;
  /** Told while a reading is under way: it may have been counted before. */
  const meanwhile = new Map<string, number>();
  const listeners = new Set<() => void>();
  const set = (next: TypesState) => {
    state = next;
    listeners.forEach((listener) => listener());
  };
  const read = async () => {
    try {
      const [types, counts] = await Promise.all([
        client.http.request('GET', '/types'),
        // Statistics may be kept from some; the types are not.
        client.http.request('GET', '/stats').then(({ text }) => decodeCounts(text), () => new Map<string, number>()),
      ]);
      readAt = now();
      set({ status: 'ready', types: new Map(decodeTypes(types.text).map((type) => [type.name, type])), counts: new Map([...counts, ...meanwhile]), error: null });
    } catch (error) {
      set({ ...state, status: state.status === 'ready' ? 'ready' : 'error', error });
    } finally {
      reading = null;
      meanwhile.clear();
    }
  };
  const refresh = () => (reading ??= read());
  return {
    refresh,
    counted: (type, count) => {
      if (reading !== null) meanwhile.set(type, count);
      if (state.status === 'ready' && state.counts.get(type) !== count) set({ ...state, counts: new Map([...state.counts, [type, count]]) });
    },
    getSnapshot: () => state,
    subscribe: (listener) => {
      listeners.add(listener);
      if (now() - readAt > freshMs) void refresh();
      return () => void listeners.delete(listener);
    },
  };
}

const stores = new WeakMap<Client, TypesStore>();
/** The one of this client. */
export function typesOf(client: Client): TypesStore {
  let store = stores.get(client);
  if (!store) stores.set(client, (store = createTypesStore(client)));
  return store;
}
