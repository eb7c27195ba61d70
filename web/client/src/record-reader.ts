/** Reads single records into the store, each once at a time. */
import { recordPath } from './address';
import { DecodeError } from './decode';
import { StetError } from './error';
import type { HttpCore } from './http';
import { tombstoneVersion } from './outcome';
import { unreadable } from './problem';
import type { Address, RecordOf } from './record';
import { record } from './record-decoder';
import type { RecordStore } from './record-store';

export interface RecordReader {
  /** Reads it into the store; never rejects, the store says what came of it. @param anew something was missed: take it whatever its version */
  load(address: Address, anew?: boolean): Promise<void>;
  close(): void;
}

/** The decoded record of an answer; throws NOT_STET when it is none. */
export const readRecord = (body: unknown): RecordOf => {
  try {
    return record(body, '');
  } catch (cause) {
    if (cause instanceof DecodeError) throw unreadable(cause);
    throw cause;
  }
};

export const createRecordReader = (http: HttpCore, store: RecordStore): RecordReader => {
  const reading = new Map<Address, Promise<void>>();
  const again = new Set<Address>();
  /** One for each reading: a signal for all would have a thousand listeners when a thousand records are read. */
  const stops = new Set<AbortController>();
  let closed = false;

  const once = async (address: Address, anew: boolean): Promise<void> => {
    const { type, id } = store.get(address);
    const before = store.versionOf(address);
    const stop = new AbortController();
    stops.add(stop);
    if (closed) stop.abort();
    try {
      const answer = await http.request('GET', recordPath(type, id), { signal: stop.signal });
      store.applyRecord(readRecord(answer.body), anew);
    } catch (thrown) {
      if (closed) return;
      const error = thrown instanceof StetError ? thrown : unreadable(thrown);
      const version = error.code === 'DELETED' ? tombstoneVersion(error.problem) : null;
      if (version !== null) store.applyDeleted(address, version);
      else if (['NOT_FOUND', 'DELETED', 'FORBIDDEN', 'PURGED', 'SYSTEM_TYPE'].includes(error.code)) {
        // It may have come into being while the answer was on its way: then that is newer than the answer.
        if (store.versionOf(address) === before) store.applyMissing(address);
      } else store.applyError(address, error);
    } finally {
      stops.delete(stop);
    }
  };

  return {
    load(address, anew = false) {
      const running = reading.get(address);
      if (running !== undefined) {
        // What is under way may have been read before the reason for this call; so once more, after it.
        if (!anew || again.has(address)) return running;
        again.add(address);
        return running.then(() => {
          again.delete(address);
          return this.load(address, true);
        });
      }
      const work = once(address, anew).finally(() => reading.delete(address));
      reading.set(address, work);
      return work;
    },
    close() {
      closed = true;
      for (const stop of stops) stop.abort();
    },
  };
};
