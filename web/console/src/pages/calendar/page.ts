import { CalendarDays } from 'lucide-react';
import { lazy } from 'react';
import type { PageDefinition } from '../page';

export const page: PageDefinition = {
  path: 'calendar',
  title: { en: 'Calendar', es: 'Calendario' },
  icon: CalendarDays,
  component: lazy(() => import('./calendar-page').then((module) => ({ default: module.CalendarPage }))),
  shortcut: 'g w',
  group: 'work',
};
