import { useClient } from '@stet/react';
import { Plus, Shapes } from 'lucide-react';
import { useCommands } from '../../app/commands';
import { useFormat } from '../../i18n/format';
import { useMessages } from '../../i18n/messages';
import { hrefTo, navigate } from '../../routing/use-route';
import { typesOf } from '../../types/types-store';
import { useTypes } from '../../types/use-types';
import { Button, EmptyState, ErrorNotice, Skeleton } from '../../ui';
import { schemaMessages } from './messages';
import { TypeEditor } from './type-editor';
import { TypeVersions } from './type-versions';
import { TypeView } from './type-view';

/** As an address: a type may be called `new` as well. */
export const newTypeName = '+';

/** The types of the space, and one of them to look at, to edit, or through time. */
export function TypesView({ selected, how, admin }: { readonly selected: string | null; readonly how: string | null; readonly admin: boolean }) {
  const words = useMessages(schemaMessages);
  const format = useFormat();
  const client = useClient();
  const state = useTypes();
  const refresh = () => typesOf(client).refresh();
  const names = [...new Set([...state.types.keys(), ...state.counts.keys()])].filter((name) => !name.startsWith('stet.')).sort((one, other) => one.localeCompare(other));
  useCommands(admin ? [{ id: 'schema-new', label: words.newType, icon: Plus, keys: 'n', group: words.title, run: () => navigate(['schema', 'types', newTypeName]) }] : []);
  if (state.status === 'loading') return <div className="page-column"><Skeleton label={words.loading} /></div>;
  const type = selected === null ? null : (state.types.get(selected) ?? null);
  const newOne = (
    <Button icon={Plus} onClick={() => navigate(['schema', 'types', newTypeName])}>
      {words.newType}
    </Button>
  );
  const detail = () => {
    if (selected === null) return names.length === 0 ? null : <EmptyState icon={Shapes} title={words.pickType}>{words.pickTypeHint}</EmptyState>;
    if (admin && (selected === newTypeName || how === 'edit')) {
      return (
        <TypeEditor
          key={selected}
          name={selected === newTypeName ? null : selected}
          type={type}
          onSaved={async (name) => {
            await refresh();
            navigate(['schema', 'types', name]);
          }}
          onClose={() => navigate(selected === newTypeName ? ['schema'] : ['schema', 'types', selected])}
        />
      );
    }
    if (how === 'versions') return <TypeVersions key={selected} name={selected} />;
    return <TypeView name={selected} type={type} count={state.counts.get(selected) ?? null} admin={admin} onRemoved={refresh} />;
  };
  return (
    <div className={selected === null ? 'schema-split' : 'schema-split schema-split-open'}>
      <nav className="schema-names" aria-label={words.types}>
        {state.error === null ? null : <ErrorNotice error={state.error} onRetry={() => void refresh()} />}
        <ul role="list">
          {names.map((name) => {
            const count = state.counts.get(name);
            return (
              <li key={name}>
                <a href={hrefTo(['schema', 'types', name])} className="schema-name" aria-current={name === selected ? 'page' : undefined}>
                  <span className="truncate">{state.types.get(name)?.title ?? name}</span>
                  {state.types.has(name) ? count === undefined ? null : <span className="faint">{format.number(count)}</span> : <span className="faint">{words.undeclared}</span>}
                </a>
              </li>
            );
          })}
        </ul>
        {admin && names.length > 0 ? <div className="schema-names-foot">{newOne}</div> : null}
        {names.length === 0 && selected === null ? (
          <EmptyState icon={Shapes} title={words.noTypes} action={admin ? newOne : undefined}>
            {words.noTypesHint}
          </EmptyState>
        ) : null}
      </nav>
      <div className="schema-detail">{detail()}</div>
    </div>
  );
}
