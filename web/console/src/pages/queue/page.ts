import { ListTodo } from 'lucide-react';
import { late } from '../late';
import type { PageDefinition } from '../page';

export const page: PageDefinition = {
  path: 'queue',
  title: { en: 'Queue', es: 'Cola' },
  icon: ListTodo,
  ...late(() => import('./queue-page').then((module) => module.QueuePage)),
  shortcut: 'g q',
  group: 'work',
};
