import type { Client, Who } from '@stet/client';
import type { LucideIcon } from 'lucide-react';
import type { ComponentType } from 'react';
import type { Language } from '../i18n/language';
import type { Route } from '../routing/route';

/** A page of the console as the shell knows it. Small, for all of them are loaded first; the component comes when it is gone to. */
export interface PageDefinition {
  /** The first part of its routes: `records` for `#/records/tasks/1`. */
  readonly path: string;
  readonly title: Readonly<Record<Language, string>>;
  readonly icon: LucideIcon;
  /** With `load` it is `...late(() => import('./records-page').then((module) => module.RecordsPage))`. */
  readonly component: ComponentType;
  /** Fetches the component before it is drawn; what is there already is not fetched again. Rejects when it cannot be had: then drawing it says so. */
  readonly load: () => Promise<void>;
  /** Begins to read what the page shows first, before the page itself is here and while it is not known who asks: what nobody
   *  may see is refused, and read again after the login. */
  readonly prepare?: (client: Client, route: Route) => void;
  /** Keys that go there, one after the other: `g r`. */
  readonly shortcut: string;
  /** The heading that it stands under in the navigation. */
  readonly group: 'data' | 'work' | 'space';
  /** Whoever it is of no use to does not see it in the navigation; the server refuses them anyway. */
  readonly visibleTo?: (who: Who) => boolean;
  /** A hook: the number beside its name, null or 0 for none. */
  readonly useBadge?: () => number | null;
  /** Reached from elsewhere alone, not from the navigation. */
  readonly hidden?: boolean;
}
