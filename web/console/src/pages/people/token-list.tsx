import { useClient } from '@stet/react';
import { KeyRound, Plus } from 'lucide-react';
import { useState } from 'react';
import { useMessages } from '../../i18n/messages';
import { useResource } from '../../use-resource';
import { Button, ConfirmDialog, EmptyState, ErrorNotice, Person, RelativeTime, showToast, Skeleton, Table, Tag } from '../../ui';
import { peopleMessages } from './messages';
import type { Token } from './people';
import { readTokens, revokeToken } from './people-requests';
import { TokenDialog } from './token-dialog';
import { Roles } from './user-list';

/** The server's tokens; for its administrators. */
export function TokenList() {
  const words = useMessages(peopleMessages);
  const client = useClient();
  const tokens = useResource('tokens', readTokens);
  const [making, setMaking] = useState(false);
  const [asked, setAsked] = useState<Token | null>(null);
  const revoke = async () => {
    if (asked === null) return;
    await revokeToken(client, asked.id);
    showToast({ tone: 'success', title: words.revoked });
    await tokens.refresh();
  };
  const make = (
    <Button icon={Plus} onClick={() => setMaking(true)}>
      {words.newToken}
    </Button>
  );
  return (
    <>
      {tokens.status === 'loading' ? <Skeleton label={words.loading} /> : null}
      {tokens.error === null ? null : <ErrorNotice error={tokens.error} onRetry={() => void tokens.refresh()} />}
      {tokens.value?.length === 0 ? (
        <EmptyState icon={KeyRound} title={words.noTokens} action={make}>
          {words.noTokensHint}
        </EmptyState>
      ) : null}
      {tokens.value !== null && tokens.value.length > 0 ? (
        <div className="card">
          <div className="card-head">
            <h2>{words.tokens}</h2>
            {make}
          </div>
          <Table stacks caption={words.tokens} head={[words.actor, words.tokenName, words.roles, words.since, words.expires, '']}>
            {tokens.value.map((token) => (
              <tr key={token.id}>
                <td>
                  <Person name={token.actor} />
                </td>
                <td data-label={words.tokenName}>{token.name}</td>
                <td data-label={words.roles}>{token.admin ? <Tag tone="warning">{words.administrator}</Tag> : <Roles user={token} />}</td>
                <td className="soft" data-label={words.since}>
                  <RelativeTime time={token.createdAt} />
                </td>
                <td className="soft" data-label={words.expires}>{token.expiresAt === null ? words.never : <RelativeTime time={token.expiresAt} />}</td>
                <td className="people-end">
                  <Button size="small" onClick={() => setAsked(token)}>
                    {words.revoke}
                  </Button>
                </td>
              </tr>
            ))}
          </Table>
        </div>
      ) : null}
      <TokenDialog open={making} onClose={() => setMaking(false)} onMade={() => void tokens.refresh()} />
      <ConfirmDialog open={asked !== null} title={words.revokeTitle(asked?.actor ?? '')} confirm={words.revoke} onConfirm={revoke} onClose={() => setAsked(null)}>
        <p>{words.revokeDoes}</p>
      </ConfirmDialog>
    </>
  );
}
