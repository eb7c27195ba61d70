import { CalendarDays } from 'lucide-react';
import { late } from '../late';
import type { PageDefinition } from '../page';

export const page: PageDefinition = {
  path: 'calendar',
  title: { en: 'Calendar', es: 'Calendario' },
  icon: CalendarDays,
  ...late(() => import('./calendar-page').then((module) => module.CalendarPage)),
  shortcut: 'g w',
  group: 'work',
};
