import { ListTodo } from 'lucide-react';
import { lazy } from 'react';
import type { PageDefinition } from '../page';

export const page: PageDefinition = {
  path: 'queue',
  title: { en: 'Queue', es: 'Cola' },
  icon: ListTodo,
  component: lazy(() => import('./queue-page').then((module) => ({ default: module.QueuePage }))),
  shortcut: 'g q',
  group: 'work',
};
