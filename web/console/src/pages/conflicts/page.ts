import { useConflicts } from '@stet/react';
import { GitMerge } from 'lucide-react';
import { late } from '../late';
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
  ...late(() => import('./conflicts-page').then((module) => module.ConflictsPage)),
  shortcut: 'g c',
  group: 'data',
  useBadge: useUnread,
};
