import type { Edit } from './edit';
import type { EditStorage, KeptEdit } from './seams';

/** So many edits go into storage in one transaction: more would keep the page up for longer than a frame. */
export const editsAtOnceMax = 100;

/** Edits on their way into storage. */
export interface EditWriter {
  /** Resolves when they are in storage and `written` was called; rejects when they cannot be kept. */
  add(edits: readonly Edit[]): Promise<void>;
  /** Those that are not there yet, in order. */
  writing(): Iterable<Edit>;
  readonly size: number;
}

interface Given {
  readonly edits: readonly Edit[];
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Writes edits in the order in which they come, one transaction at a time: what comes while one is under way goes together into the
 * next. A transaction waits for the disk, so a hundred edits made in one go would otherwise be a hundred waits.
 *
 * @param written  what is in storage now, called once for each transaction
 */
export function createEditWriter(storage: Pick<EditStorage, 'add'>, written: (kept: readonly KeptEdit[]) => void): EditWriter {
  const writing = new Set<Edit>();
  let waiting: Given[] = [];
  let busy = false;

  const take = (): readonly Given[] => {
    let count = 0;
    const past = waiting.findIndex(({ edits }, index) => (count += edits.length) > editsAtOnceMax && index > 0);
    return waiting.splice(0, past === -1 ? waiting.length : past);
  };

  const write = async (batch: readonly Given[]): Promise<void> => {
    let kept: readonly KeptEdit[];
    const edits = batch.flatMap((one) => one.edits);
    try {
      kept = await storage.add(edits);
    } catch (error) {
      // What cannot be kept is no reason to refuse the others.
      if (batch.length > 1) for (const one of batch) await write([one]);
      else {
        for (const edit of edits) writing.delete(edit);
        for (const one of batch) one.reject(error);
      }
      return;
    }
    for (const edit of edits) writing.delete(edit);
    try {
      written(kept);
    } finally {
      for (const one of batch) one.resolve();
    }
  };

  const run = async (): Promise<void> => {
    busy = true;
    try {
      while (waiting.length > 0) await write(take());
    } finally {
      busy = false;
    }
  };

  return {
    add(edits) {
      for (const edit of edits) writing.add(edit);
      return new Promise((resolve, reject) => {
        waiting.push({ edits, resolve, reject });
        if (!busy) void run();
      });
    },
    writing: () => writing,
    get size() {
      return writing.size;
    },
  };
}
