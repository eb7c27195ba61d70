/** From what the feed tells to what the page knows. Whoever hears an event twice (two interests, two connections) does no harm: versions decide. */
import type { RecordStore } from './record-store';
import type { FeedEvent } from './seams';

/** Takes over what an event says of records; true when it said that something was missed, or that a whole type went out of sight. */
export const applyFeedEvent = (store: RecordStore, event: FeedEvent): boolean => {
  switch (event.kind) {
    case 'change':
      if (event.op === 'delete' && event.record.deleted !== true) store.applyRecord({ ...event.record, deleted: true });
      else store.applyRecord(event.record);
      return false;
    case 'revoked':
      if (event.address.includes('/')) {
        store.applyMissing(event.address);
        return false;
      }
      // The rules of a whole type changed: nothing of it may be shown until it was read anew.
      for (const address of store.addresses((state) => state.type === event.address)) store.applyMissing(address);
      return true;
    case 'reset':
      return true;
    case 'presence':
      store.setPeople(event.address, event.people);
      return false;
    case 'ready':
    case 'conflict':
    case 'operation':
    case 'queue':
    case 'failed':
      return false;
  }
};
