import { useSession } from '@stet/react';
import { usePageTitle } from '../../app/page-title';
import { useMessages } from '../../i18n/messages';
import { navigate, useRoute } from '../../routing/use-route';
import { PageHeader, Tabs } from '../../ui';
import { FunctionList } from './function-list';
import { HandlerList } from './handler-list';
import { schemaMessages } from './messages';
import { SettingsView } from './settings-view';
import { TypesView } from './types-view';
import './schema.css';

type View = 'types' | 'functions' | 'handlers' | 'settings';

/** What the space knows of its own: types, functions, handlers, settings. Administrators change it, others read. */
export function SchemaPage() {
  const words = useMessages(schemaMessages);
  const { parts } = useRoute();
  const { state } = useSession();
  const admin = state.status === 'authenticated' && state.who.admin;
  const [, part, name] = parts;
  const view: View = part === 'functions' || part === 'handlers' || part === 'settings' ? part : 'types';
  usePageTitle(name, words.title);
  return (
    <div className="page schema-page">
      <PageHeader title={words.title} {...(admin ? {} : { note: words.onlyAdmins })} />
      <Tabs<View>
        label={words.views}
        selected={view}
        onSelect={(next) => navigate(next === 'types' ? ['schema'] : ['schema', next])}
        tabs={[
          { id: 'types', label: words.types },
          { id: 'functions', label: words.functions },
          { id: 'handlers', label: words.handlers },
          { id: 'settings', label: words.settings },
        ]}
      >
        {view === 'types' ? <TypesView selected={name ?? null} how={parts[3] ?? null} admin={admin} /> : null}
        {view === 'functions' ? <FunctionList selected={name ?? null} /> : null}
        {view === 'handlers' ? <HandlerList /> : null}
        {view === 'settings' ? <SettingsView admin={admin} /> : null}
      </Tabs>
    </div>
  );
}
