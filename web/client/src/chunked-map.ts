/**
 * An immutable map that is cheap to change: its entries are spread over chunks, and a change copies the chunks it touches and no others.
 * A batch of changes to a map of 10,000 entries so costs what it changes and not the 10,000.
 */

const CHUNKS = 1024;

const chunkOf = (key: string): number => {
  // FNV-1a; addresses of one type differ at their ends, and each character reaches all bits.
  let hash = 0x811c9dc5;
  for (let index = 0; index < key.length; index++) hash = Math.imul(hash ^ key.charCodeAt(index), 0x01000193);
  return (hash ^ (hash >>> 15)) & (CHUNKS - 1);
};

type Chunk<V> = ReadonlyMap<string, V>;
const empty: Chunk<never> = new Map<string, never>();

/** See above. Order of iteration: none in particular, but the same for the same map. */
export class ChunkedMap<V> implements ReadonlyMap<string, V> {
  private readonly chunks: readonly Chunk<V>[];
  readonly size: number;

  private constructor(chunks: readonly Chunk<V>[], size: number) {
    this.chunks = chunks;
    this.size = size;
  }

  /** The map without entries. */
  static empty<V>(): ChunkedMap<V> {
    return new ChunkedMap<V>(Array.from({ length: CHUNKS }, () => empty), 0);
  }

  get(key: string): V | undefined {
    return this.chunks[chunkOf(key)]?.get(key);
  }

  has(key: string): boolean {
    return this.chunks[chunkOf(key)]?.has(key) ?? false;
  }

  /** The map with these changes: a value, or undefined to take the key out. The same map when there are none. */
  with(changes: Iterable<readonly [string, V | undefined]>): ChunkedMap<V> {
    const touched = new Map<number, Map<string, V>>();
    let size = this.size;
    for (const [key, value] of changes) {
      const index = chunkOf(key);
      const before = touched.get(index) ?? this.chunks[index];
      if (before === undefined || before.get(key) === value) continue;
      const chunk = touched.get(index) ?? new Map(before);
      touched.set(index, chunk);
      if (value === undefined) {
        if (chunk.delete(key)) size -= 1;
      } else {
        if (!chunk.has(key)) size += 1;
        chunk.set(key, value);
      }
    }
    if (touched.size === 0) return this;
    const chunks = [...this.chunks];
    for (const [index, chunk] of touched) chunks[index] = chunk;
    return new ChunkedMap(chunks, size);
  }

  *entries(): MapIterator<[string, V]> {
    for (const chunk of this.chunks) yield* chunk.entries();
  }

  *keys(): MapIterator<string> {
    for (const chunk of this.chunks) yield* chunk.keys();
  }

  *values(): MapIterator<V> {
    for (const chunk of this.chunks) yield* chunk.values();
  }

  [Symbol.iterator](): MapIterator<[string, V]> {
    return this.entries();
  }

  forEach(callback: (value: V, key: string, map: ReadonlyMap<string, V>) => void): void {
    for (const [key, value] of this.entries()) callback(value, key, this);
  }
}
