import { useClient } from '@stet/react';
import { Search, UserRoundX, UsersRound } from 'lucide-react';
import { useMemo, useState } from 'react';
import { useMessages } from '../../i18n/messages';
import { hrefTo, navigate } from '../../routing/use-route';
import { useResource } from '../../use-resource';
import { Avatar, Button, EmptyState, ErrorNotice, RelativeTime, Skeleton, SplitPane, Table, Tag, TextInput } from '../../ui';
import { peopleMessages } from './messages';
import type { User } from './people';
import { readUsers } from './people-requests';
import { UserPanel } from './user-panel';

/** All users of the space; one of them in detail beside them. */
export function UserList({ selected, me, onInvite, onLinked }: { readonly selected: string | null; readonly me: string | null; readonly onInvite: () => void; readonly onLinked: () => void }) {
  const words = useMessages(peopleMessages);
  const client = useClient();
  const users = useResource(`users:${client.space}`, readUsers);
  const [text, setText] = useState('');
  const found = useMemo(() => matching(users.value ?? [], text), [users.value, text]);
  const shown = users.value?.find(({ id }) => id === selected) ?? null;
  const close = () => navigate(['people']);
  return (
    <SplitPane
      panel={shown === null ? null : <UserPanel key={shown.id} user={shown} isMe={shown.id === me} onChanged={users.refresh} onLinked={onLinked} onClose={close} />}
    >
      <div className="page-scroll">
        {users.status === 'loading' ? <div className="page-column"><Skeleton label={words.loading} /></div> : null}
        {users.error === null ? null : <div className="page-column"><ErrorNotice error={users.error} onRetry={() => void users.refresh()} /></div>}
        {users.value === null ? null : users.value.length === 0 ? (
          <EmptyState icon={UsersRound} title={words.noUsers} action={<Button variant="primary" onClick={onInvite}>{words.invite}</Button>}>
            {words.noUsersHint}
          </EmptyState>
        ) : (
          <>
            <div className="people-search">
              <Search size={15} aria-hidden />
              <TextInput type="search" aria-label={words.search} placeholder={words.search} value={text} onChange={(event) => setText(event.target.value)} />
            </div>
            {found.length === 0 ? (
              <EmptyState icon={UserRoundX} title={words.nobodyFound(text)}>{words.nobodyFoundHint}</EmptyState>
            ) : (
              <Table caption={words.users} head={[words.person, words.roles, words.state, words.since]}>
                {found.map((user) => (
                  <Row key={user.id} user={user} selected={user.id === selected} />
                ))}
              </Table>
            )}
          </>
        )}
      </div>
    </SplitPane>
  );
}

/** Whose name, login name, email or role has the text in it. */
function matching(users: readonly User[], text: string): readonly User[] {
  const wanted = text.trim().toLowerCase();
  return wanted === '' ? users : users.filter((user) => [user.id, user.name ?? '', user.email ?? '', ...user.roles].some((word) => word.toLowerCase().includes(wanted)));
}

function Row({ user, selected }: { readonly user: User; readonly selected: boolean }) {
  const words = useMessages(peopleMessages);
  return (
    <tr className={selected ? 'people-row people-row-selected' : 'people-row'} onClick={() => navigate(['people', 'users', user.id])}>
      <td>
        <span className="people-who">
          <Avatar name={user.id} quiet />
          <span className="people-names">
            <a href={hrefTo(['people', 'users', user.id])} aria-current={selected || undefined} onClick={(event) => event.stopPropagation()}>
              {user.name ?? user.id}
            </a>
            {user.name === null ? null : <span className="faint people-login">{user.id}</span>}
          </span>
        </span>
      </td>
      <td>
        <Roles user={user} />
      </td>
      <td>
        {user.disabled ? <Tag tone="danger">{words.disabled}</Tag> : user.hasPassword ? <Tag tone="success">{words.active}</Tag> : <Tag tone="warning">{words.invited}</Tag>}
      </td>
      <td className="soft">
        <RelativeTime time={user.createdAt} />
      </td>
    </tr>
  );
}

/** The roles as words; none is a member. */
export function Roles({ user }: { readonly user: Pick<User, 'roles'> }) {
  const words = useMessages(peopleMessages);
  if (user.roles.length === 0) return <span className="faint">{words.member}</span>;
  return (
    <span className="people-roles">
      {user.roles.map((role) => (
        <span key={role} className={role === 'admin' ? 'people-role people-role-admin' : 'people-role'}>
          {role}
        </span>
      ))}
    </span>
  );
}
