import { Gauge } from 'lucide-react';
import { late } from '../late';
import type { PageDefinition } from '../page';

export const page: PageDefinition = {
  path: 'dashboard',
  title: { en: 'Dashboard', es: 'Panel' },
  icon: Gauge,
  ...late(() => import('./dashboard-page').then((module) => module.DashboardPage)),
  shortcut: 'g d',
  group: 'space',
};
