import { Rows3 } from 'lucide-react';
import { typesOf } from '../../types/types-store';
import { late } from '../late';
import type { PageDefinition } from '../page';
import { listOptions } from './list-options';

/** A list that was read ahead is let go after this when no page has taken it. */
const heldMs = 10_000;

export const page: PageDefinition = {
  path: 'records',
  title: { en: 'Records', es: 'Registros' },
  icon: Rows3,
  ...late(() => import('./records-page').then((module) => module.RecordsPage)),
  prepare(client, { parts, query }) {
    const type = parts[1];
    if (type !== undefined && query['trash'] !== '1') {
      const undo = client.records.live(type, listOptions(query)).subscribe(() => undefined);
      setTimeout(undo, heldMs);
    }
    void typesOf(client).refresh();
  },
  shortcut: 'g r',
  group: 'data',
};
