import { Shapes } from 'lucide-react';
import { late } from '../late';
import type { PageDefinition } from '../page';

export const page: PageDefinition = {
  path: 'schema',
  title: { en: 'Schema', es: 'Esquema' },
  icon: Shapes,
  ...late(() => import('./schema-page').then((module) => module.SchemaPage)),
  shortcut: 'g s',
  group: 'space',
};
