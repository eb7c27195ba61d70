import { useFormat } from '../../i18n/format';
import { useMessages } from '../../i18n/messages';
import { hrefTo } from '../../routing/use-route';
import type { TypesState } from '../../types/types-store';
import { recordsMessages } from './messages';

/** All types with their counts; the one that is shown is marked. */
export function TypeList({ state, names, current }: { readonly state: TypesState; readonly names: readonly string[]; readonly current: string | null }) {
  const words = useMessages(recordsMessages);
  const format = useFormat();
  return (
    <nav className="types" aria-label={words.types}>
      <h2 className="nav-heading">{words.types}</h2>
      <ul role="list">
        {names.map((name) => {
          const count = state.counts.get(name);
          return (
            <li key={name}>
              <a className="types-link" href={hrefTo(['records', name])} aria-current={name === current ? 'page' : undefined}>
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
