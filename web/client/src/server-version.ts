/** Asks the server once for its version, and again when it came back from a break: it may be another one then. */
import type { HttpCore } from './http';
import { Members, text } from './decode';
import type { RecordStore } from './record-store';
import type { Feed } from './seams';
import { CLIENT_VERSION, versionsFit } from './version';

/** Keeps `versions` of the state. Returns its undo. */
export const watchServerVersion = (http: HttpCore, store: RecordStore, feed: Feed): (() => void) => {
  const closed = new AbortController();
  let asking = false;
  /** It answered, and the feed was not lost since. */
  let known = false;
  let open = false;

  const ask = async () => {
    if (asking) return;
    asking = true;
    try {
      const answer = await http.request('GET', '//healthz', { signal: closed.signal });
      const server = new Members(answer.body).get('version', text);
      known = true;
      store.set({ versions: { client: CLIENT_VERSION, server, fit: versionsFit(CLIENT_VERSION, server) } });
    } catch {
      // Nobody there, or no Stet server: that shows wherever something is read. It is asked again when the feed is open.
    } finally {
      asking = false;
    }
  };
  const undo = feed.subscribe((state) => {
    if (open && state !== 'open') known = false;
    open = state === 'open';
    if (open && !known) void ask();
  });
  void ask();
  return () => {
    closed.abort();
    undo();
  };
};
