/** Runs `kept-edits.ts` in a page, for `edits.mjs`. */
import { createIdbStorage } from '../client/src/idb-storage';
import { createMemoryStorage } from '../client/src/memory-storage';
import { keepEdits, type KeptEdits } from './kept-edits';

const measure = async (records: number, storage: 'memory' | 'IndexedDB', name: string): Promise<KeptEdits> => {
  const kept = storage === 'memory' ? createMemoryStorage() : createIdbStorage(name);
  check(storage, kept.state);
  return keepEdits(records, { url: `http://${name}.test`, storage: kept }, () => performance.now());
};

const check = (wanted: string, found: string) => {
  if (wanted === 'IndexedDB' && found !== 'durable') throw new Error('no figure: this browser keeps nothing');
};

Object.assign(window, { measure });
