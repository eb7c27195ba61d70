import { History } from 'lucide-react';
import { late } from '../late';
import type { PageDefinition } from '../page';

export const page: PageDefinition = {
  path: 'history',
  title: { en: 'History', es: 'Historial' },
  icon: History,
  ...late(() => import('./history-page').then((module) => module.HistoryPage)),
  shortcut: 'g h',
  group: 'data',
  hidden: true,
};
