import { Gauge } from 'lucide-react';
import { lazy } from 'react';
import type { PageDefinition } from '../page';

export const page: PageDefinition = {
  path: 'dashboard',
  title: { en: 'Dashboard', es: 'Panel' },
  icon: Gauge,
  component: lazy(() => import('./dashboard-page').then((module) => ({ default: module.DashboardPage }))),
  shortcut: 'g d',
  group: 'space',
};
