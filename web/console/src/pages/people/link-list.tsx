import { useClient } from '@stet/react';
import { Link2 } from 'lucide-react';
import { useState } from 'react';
import { useMessages } from '../../i18n/messages';
import type { Resource, ResourceState } from '../../resource';
import { Button, ConfirmDialog, EmptyState, ErrorNotice, Person, RelativeTime, showToast, Skeleton, Table, Tag } from '../../ui';
import { peopleMessages } from './messages';
import type { InviteLink } from './people';
import { withdrawLink } from './people-requests';
import { Roles } from './user-list';

/** Invitations and resets that nobody used yet. Their secrets are not told again. */
export function LinkList({ links, onInvite }: { readonly links: ResourceState<readonly InviteLink[]> & Pick<Resource<readonly InviteLink[]>, 'refresh'>; readonly onInvite: () => void }) {
  const words = useMessages(peopleMessages);
  const client = useClient();
  const [asked, setAsked] = useState<InviteLink | null>(null);
  const withdraw = async () => {
    if (asked === null) return;
    await withdrawLink(client, asked.id);
    showToast({ tone: 'success', title: words.withdrawn });
    await links.refresh();
  };
  return (
    <>
      {links.status === 'loading' ? <Skeleton label={words.loading} /> : null}
      {links.error === null ? null : <ErrorNotice error={links.error} onRetry={() => void links.refresh()} />}
      {links.value?.length === 0 ? (
        <EmptyState icon={Link2} title={words.noLinks} action={<Button onClick={onInvite}>{words.invite}</Button>}>
          {words.noLinksHint}
        </EmptyState>
      ) : null}
      {links.value !== null && links.value.length > 0 ? (
        <div className="card">
          <Table stacks caption={words.links} head={[words.forWhom, words.kind, words.roles, words.madeBy, words.until, '']}>
            {links.value.map((link) => (
              <tr key={link.id}>
                <td>{link.user ?? link.name ?? <span className="faint">{words.anybody}</span>}</td>
                <td data-label={words.kind}>
                  <Tag tone={link.kind === 'invite' ? 'info' : 'warning'}>{link.kind === 'invite' ? words.kind_invite : words.kind_reset}</Tag>
                </td>
                <td data-label={words.roles}>{link.kind === 'invite' ? <Roles user={link} /> : null}</td>
                <td data-label={words.madeBy}>{link.createdBy === null ? null : <Person name={link.createdBy} />}</td>
                <td className="soft" data-label={words.until}>
                  <RelativeTime time={link.expiresAt} />
                </td>
                <td className="people-end">
                  <Button size="small" onClick={() => setAsked(link)}>
                    {words.withdraw}
                  </Button>
                </td>
              </tr>
            ))}
          </Table>
        </div>
      ) : null}
      <ConfirmDialog open={asked !== null} title={words.withdrawTitle} confirm={words.withdraw} onConfirm={withdraw} onClose={() => setAsked(null)}>
        <p>{words.withdrawDoes}</p>
      </ConfirmDialog>
    </>
  );
}
