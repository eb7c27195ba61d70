import type { Who } from '@stet/client';
import type { LucideIcon } from 'lucide-react';
import type { ComponentType, LazyExoticComponent } from 'react';
import type { Language } from '../i18n/language';

/** A page of the console as the shell knows it. Small, for all of them are loaded first; the component comes when it is gone to. */
export interface PageDefinition {
  /** The first part of its routes: `records` for `#/records/tasks/1`. */
  readonly path: string;
  readonly title: Readonly<Record<Language, string>>;
  readonly icon: LucideIcon;
  /** `lazy(() => import('./records-page').then((module) => ({ default: module.RecordsPage })))`. */
  readonly component: LazyExoticComponent<ComponentType>;
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
