import type { Client } from '@stet/client';
import { pages } from './pages/pages';
import { remembered } from './remembered';
import { linkOf, type Route } from './routing/route';

/** Somebody was logged in here when this browser last asked. What is asked for nobody is refused, and a browser writes that into its console. */
const somebody = remembered<boolean>('somebody', false, (found) => (typeof found === 'boolean' ? found : null));

/**
 * Begins what the first page needs before anything is drawn: the client, which asks who is here; the page's component; and what it shows.
 * One after the other these were most of the time until the first page could be used.
 *
 * @returns makes clients; the first one of that space is the one that is at work already
 */
export function startFirst(route: Route, makeClient: (space: string) => Client): (space: string) => Client {
  if (linkOf(route) !== null) return makeClient;
  let first: Client | null = makeClient(route.space);
  const path = route.parts[0] ?? pages[0]?.path;
  const page = pages.find((candidate) => candidate.path === path);
  // What cannot be had is said where it is drawn.
  page?.load().catch(() => undefined);
  if (somebody.get()) page?.prepare?.(first, route);
  const { live } = first.session;
  live.subscribe(() => {
    const { status } = live.getSnapshot();
    if (status !== 'unknown') somebody.set(status === 'authenticated');
  });
  return (space) => {
    const made = first;
    first = null;
    if (made?.space === space) return made;
    void made?.close();
    return makeClient(space);
  };
}
