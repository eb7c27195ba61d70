import { Plus } from 'lucide-react';
import { useFormat } from '../../i18n/format';
import { useMessages } from '../../i18n/messages';
import { hrefTo } from '../../routing/use-route';
import type { TypesState } from '../../types/types-store';
import { IconButton } from '../../ui';
import { recordsMessages } from './messages';

export interface TypeListProps {
  readonly state: TypesState;
  readonly names: readonly string[];
  readonly current: string | null;
  readonly onNew: () => void;
}

/** All types with their counts; the one that is shown is marked. */
export function TypeList({ state, names, current, onNew }: TypeListProps) {
  const words = useMessages(recordsMessages);
  const format = useFormat();
  return (
    <nav className="types" aria-label={words.types}>
      <div className="types-head">
        <h2 className="nav-heading">{words.types}</h2>
        <IconButton icon={Plus} size="small" label={words.newType} onClick={onNew} />
      </div>
      <ul role="list">
        {names.map((name) => {
          const count = state.counts.get(name);
          return (
            <li key={name}>
              <a className="types-link" href={hrefTo(['records', name])} aria-current={name === current ? 'page' : undefined} title={name}>
                <span className="truncate">{state.types.get(name)?.title ?? name}</span>
                {count === undefined ? null : <span className="types-count">{format.number(count)}</span>}
              </a>
            </li>
          );
        })}
      </ul>
    </nav>
  );
}
