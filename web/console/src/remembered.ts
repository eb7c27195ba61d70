/** A choice that this browser remembers: theme, language, widths. Where nothing can be kept it lasts as long as the page. */
export interface Remembered<T> {
  get(): T;
  set(value: T): void;
  subscribe(listener: () => void): () => void;
}

/** `decode` names what was found, or answers null for what it does not know; kept under `stet.console.` + `name`. */
export function remembered<T>(name: string, fallback: T, decode: (found: unknown) => T | null): Remembered<T> {
  const key = `stet.console.${name}`;
  const read = (): T => {
    try {
      const text = globalThis.localStorage?.getItem(key) ?? null;
      if (text === null) return fallback;
      const found: unknown = JSON.parse(text);
      return decode(found) ?? fallback;
    } catch {
      return fallback;
    }
  };
  let value = read();
  const listeners = new Set<() => void>();
  const tell = () => listeners.forEach((listener) => listener());
  globalThis.addEventListener?.('storage', (event: Event) => {
    if (!(event instanceof StorageEvent) || event.key !== key) return;
    value = read();
    tell();
  });
  return {
    get: () => value,
    set: (next) => {
      value = next;
      try {
        globalThis.localStorage?.setItem(key, JSON.stringify(next));
      } catch {
        /* Full, or forbidden: it holds until the page is closed. */
      }
      tell();
    },
    subscribe: (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  };
}
