import { Shapes } from 'lucide-react';
import { lazy } from 'react';
import type { PageDefinition } from '../page';

export const page: PageDefinition = {
  path: 'schema',
  title: { en: 'Schema', es: 'Esquema' },
  icon: Shapes,
  component: lazy(() => import('./schema-page').then((module) => ({ default: module.SchemaPage }))),
  shortcut: 'g s',
  group: 'space',
};
