import { UsersRound } from 'lucide-react';
import { late } from '../late';
import type { PageDefinition } from '../page';

export const page: PageDefinition = {
  path: 'people',
  title: { en: 'People', es: 'Personas' },
  icon: UsersRound,
  ...late(() => import('./people-page').then((module) => module.PeoplePage)),
  shortcut: 'g p',
  group: 'space',
};
