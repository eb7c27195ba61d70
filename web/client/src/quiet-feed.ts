/** A feed that tells nothing: what there is where no connection can be held. Who follows it sees what is read. */
import type { Feed } from './seams';

export const createQuietFeed = (): Feed => ({
  state: 'idle',
  follow: () => () => {},
  present: () => () => {},
  subscribe: () => () => {},
});
