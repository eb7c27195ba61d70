import { useSession } from '@stet/react';
import { Link2, UserRoundPlus } from 'lucide-react';
import { useState } from 'react';
import { useCommands } from '../../app/commands';
import { usePageTitle } from '../../app/page-title';
import { useMessages } from '../../i18n/messages';
import { navigate, useRoute } from '../../routing/use-route';
import { useResource } from '../../use-resource';
import { Button, PageHeader, Tabs } from '../../ui';
import { Account } from './account';
import { InviteDialog } from './invite-dialog';
import { LinkList } from './link-list';
import { peopleMessages } from './messages';
import { readLinks } from './people-requests';
import { TokenList } from './token-list';
import { UserDialog } from './user-dialog';
import { UserList } from './user-list';
import './people.css';

type View = 'users' | 'links' | 'tokens' | 'me';

/** Who can log in, with what rights, and where they are; for everybody their own account. */
export function PeoplePage() {
  const words = useMessages(peopleMessages);
  const { parts } = useRoute();
  const { state } = useSession();
  const who = state.status === 'authenticated' ? state.who : null;
  const admin = who?.admin === true;
  usePageTitle(words.title);
  if (!admin) {
    return (
      <div className="page">
        <PageHeader title={words.me} />
        <div className="page-scroll">
          <div className="page-column people-narrow">
            <Account who={who} />
          </div>
        </div>
      </div>
    );
  }
  return <AdminView part={parts[1]} user={parts[2] ?? null} />;
}

function AdminView({ part, user }: { readonly part: string | undefined; readonly user: string | null }) {
  const words = useMessages(peopleMessages);
  const { state } = useSession();
  const who = state.status === 'authenticated' ? state.who : null;
  const links = useResource('links', readLinks);
  const [open, setOpen] = useState<'invite' | 'add' | null>(null);
  const [version, setVersion] = useState(0);
  const view: View = part === 'links' || part === 'me' ? part : part === 'tokens' && who?.serverAdmin === true ? part : 'users';
  useCommands([
    { id: 'people-invite', label: words.inviteTitle, icon: Link2, keys: 'n', group: words.title, run: () => setOpen('invite') },
    { id: 'people-add', label: words.addTitle, icon: UserRoundPlus, group: words.title, run: () => setOpen('add') },
  ]);
  return (
    <div className="page people-page">
      <PageHeader
        title={words.title}
        actions={
          <>
            <Button variant="ghost" icon={UserRoundPlus} onClick={() => setOpen('add')}>
              {words.addUser}
            </Button>
            <Button variant="primary" icon={Link2} onClick={() => setOpen('invite')}>
              {words.invite}
            </Button>
          </>
        }
      />
      <Tabs<View>
        label={words.tabs}
        selected={view}
        onSelect={(next) => navigate(next === 'users' ? ['people'] : ['people', next])}
        tabs={[
          { id: 'users', label: words.users },
          { id: 'links', label: words.links, ...(links.value === null || links.value.length === 0 ? {} : { count: links.value.length }) },
          ...(who?.serverAdmin === true ? [{ id: 'tokens' as const, label: words.tokens }] : []),
          { id: 'me', label: words.me },
        ]}
      >
        {view === 'users' ? <UserList key={version} selected={user} me={who?.actor ?? null} onInvite={() => setOpen('invite')} onLinked={() => void links.refresh()} /> : null}
        {view === 'links' ? (
          <div className="page-column">
            <LinkList links={links} onInvite={() => setOpen('invite')} />
          </div>
        ) : null}
        {view === 'tokens' ? (
          <div className="page-column">
            <TokenList />
          </div>
        ) : null}
        {view === 'me' ? (
          <div className="page-column people-narrow">
            <Account who={who} />
          </div>
        ) : null}
      </Tabs>
      <InviteDialog open={open === 'invite'} onClose={() => setOpen(null)} onMade={() => void links.refresh()} />
      <UserDialog
        open={open === 'add'}
        onClose={() => setOpen(null)}
        onMade={(id) => {
          setOpen(null);
          setVersion(version + 1);
          navigate(['people', 'users', id]);
        }}
      />
    </div>
  );
}
