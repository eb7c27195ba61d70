import { useSyncExternalStore } from 'react';
import { formatRoute, parseRoute, type Route } from './route';

let shown = globalThis.location?.hash ?? '';
let route: Route = parseRoute(shown);
const read = (): Route => {
  if (location.hash !== shown) {
    shown = location.hash;
    route = parseRoute(shown);
  }
  return route;
};
const subscribe = (listener: () => void) => {
  window.addEventListener('hashchange', listener);
  return () => window.removeEventListener('hashchange', listener);
};

/** The route that is shown; the same object until it changes. */
export const useRoute = (): Route => useSyncExternalStore(subscribe, read);

/** The address of a page in the space that is shown: `<a href={hrefTo(['records', type])}>`. */
export function hrefTo(parts: readonly string[], query: Readonly<Record<string, string>> = {}): string {
  return formatRoute({ space: read().space, parts, query });
}

/** Goes to a page of the space that is shown. `replace`: the back button does not come back to where one is. */
export function navigate(parts: readonly string[], query: Readonly<Record<string, string>> = {}, how: 'push' | 'replace' = 'push'): void {
  goTo({ space: read().space, parts, query }, how);
}

export function goTo(target: Route, how: 'push' | 'replace' = 'push'): void {
  const hash = formatRoute(target);
  if (hash === location.hash) return;
  if (how === 'replace') {
    history.replaceState(history.state, '', hash);
    window.dispatchEvent(new HashChangeEvent('hashchange'));
  } else {
    location.hash = hash;
  }
}
