/**
 * Where one is, as the part of the address behind `#`:
 *
 *     #/records/tasks/1?where=done      a page, what it shows, and how
 *     #/~crm/records/deals              the same in another space than `main`
 *
 * Each part is percent-encoded, so ids may hold slashes. An unknown page is the page's own to refuse.
 */
export interface Route {
  readonly space: string;
  /** The page and what it shows, decoded: `['records', 'tasks', '1']`; empty: the first page. */
  readonly parts: readonly string[];
  readonly query: Readonly<Record<string, string>>;
}

export const mainSpace = 'main';

const decodePart = (part: string): string => {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
};

export function parseRoute(hash: string): Route {
  const text = hash.replace(/^#\/?/, '');
  const mark = text.indexOf('?');
  const path = mark < 0 ? text : text.slice(0, mark);
  const parts = path.split('/').filter((part) => part !== '').map(decodePart);
  const first = parts[0];
  const space = first?.startsWith('~') === true && first.length > 1 ? first.slice(1) : mainSpace;
  return {
    space,
    parts: first?.startsWith('~') === true ? parts.slice(1) : parts,
    query: mark < 0 ? {} : Object.fromEntries(new URLSearchParams(text.slice(mark + 1))),
  };
}

export function formatRoute(route: Route): string {
  const parts = route.space === mainSpace ? route.parts : [`~${route.space}`, ...route.parts];
  const query = new URLSearchParams(Object.entries(route.query).filter(([, value]) => value !== '')).toString();
  return `#/${parts.map(encodeURIComponent).join('/').replace(/%7E/gi, '~')}${query === '' ? '' : `?${query}`}`;
}

/** What a link of invitation or of a new password holds: `#/link/SPACE/SECRET`; null: the route is none. */
export function linkOf({ parts }: Route): { readonly space: string; readonly secret: string } | null {
  return parts[0] === 'link' && parts[1] !== undefined && parts[2] !== undefined ? { space: parts[1], secret: parts[2] } : null;
}
