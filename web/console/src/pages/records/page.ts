import { Rows3 } from 'lucide-react';
import { lazy } from 'react';
import type { PageDefinition } from '../page';

export const page: PageDefinition = {
  path: 'records',
  title: { en: 'Records', es: 'Registros' },
  icon: Rows3,
  component: lazy(() => import('./records-page').then((module) => ({ default: module.RecordsPage }))),
  shortcut: 'g r',
  group: 'data',
};
