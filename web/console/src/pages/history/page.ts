import { History } from 'lucide-react';
import { lazy } from 'react';
import type { PageDefinition } from '../page';

export const page: PageDefinition = {
  path: 'history',
  title: { en: 'History', es: 'Historial' },
  icon: History,
  component: lazy(() => import('./history-page').then((module) => ({ default: module.HistoryPage }))),
  shortcut: 'g h',
  group: 'data',
  hidden: true,
};
