import { Activity } from 'lucide-react';
import { late } from '../late';
import type { PageDefinition } from '../page';

export const page: PageDefinition = {
  path: 'activity',
  title: { en: 'Activity', es: 'Actividad' },
  icon: Activity,
  ...late(() => import('./activity-page').then((module) => module.ActivityPage)),
  shortcut: 'g a',
  group: 'data',
};
