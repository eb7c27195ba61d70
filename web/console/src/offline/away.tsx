import type { Edit } from '@stet/client';
import { useClient, useClientState } from '@stet/react';
import { CloudOff } from 'lucide-react';
import { Wordmark } from '../app/logo';
import { shellMessages } from '../app/messages';
import { usePageTitle } from '../app/page-title';
import { useMessages } from '../i18n/messages';
import { Button } from '../ui';
import { WaitingEdits } from './waiting-edits';

const none: readonly Edit[] = [];

/** Nobody can say yet who is logged in: the server is away. What waits is kept; the page goes on by itself when it is back. */
export function Away() {
  const words = useMessages(shellMessages);
  const client = useClient();
  const edits = useClientState((state) => state.edits, none);
  const waiting = edits.length;
  usePageTitle(words.away);
  return (
    <div className="login">
      <main className="login-card">
        <Wordmark />
        <div className="login-head" role="status">
          <CloudOff size={24} aria-hidden className="soft" />
          <h1>{words.away}</h1>
          <p className="soft">{words.awayHint}</p>
          {waiting > 0 ? <p>{words.awayWaiting(waiting)}</p> : null}
        </div>
        {waiting > 0 ? <WaitingEdits edits={edits} /> : null}
        <Button wide onClick={() => void client.session.refresh().catch(() => {})}>
          {words.awayRetry}
        </Button>
      </main>
    </div>
  );
}
