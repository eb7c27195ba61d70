import { Activity } from 'lucide-react';
import { lazy } from 'react';
import type { PageDefinition } from '../page';

export const page: PageDefinition = {
  path: 'activity',
  title: { en: 'Activity', es: 'Actividad' },
  icon: Activity,
  component: lazy(() => import('./activity-page').then((module) => ({ default: module.ActivityPage }))),
  shortcut: 'g a',
  group: 'data',
};
