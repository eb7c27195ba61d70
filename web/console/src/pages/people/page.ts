import { UsersRound } from 'lucide-react';
import { lazy } from 'react';
import type { PageDefinition } from '../page';

export const page: PageDefinition = {
  path: 'people',
  title: { en: 'People', es: 'Personas' },
  icon: UsersRound,
  component: lazy(() => import('./people-page').then((module) => ({ default: module.PeoplePage }))),
  shortcut: 'g p',
  group: 'space',
};
