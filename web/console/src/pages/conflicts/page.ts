import { useConflicts } from '@stet/react';
import { GitMerge } from 'lucide-react';
import { lazy } from 'react';
import type { PageDefinition } from '../page';

/** Unread ones of the server, and those that were met here. */
const useUnread = (): number => {
  const { unread, mine } = useConflicts();
  return unread + mine.length;
};

export const page: PageDefinition = {
  path: 'conflicts',
  title: { en: 'Conflicts', es: 'Conflictos' },
  icon: GitMerge,
  component: lazy(() => import('./conflicts-page').then((module) => ({ default: module.ConflictsPage }))),
  shortcut: 'g c',
  group: 'data',
  useBadge: useUnread,
};
