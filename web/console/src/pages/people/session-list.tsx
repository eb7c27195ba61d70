import { useClient } from '@stet/react';
import { LogOut, MonitorSmartphone, Pencil } from 'lucide-react';
import { useState } from 'react';
import { useMessages } from '../../i18n/messages';
import { useAction } from '../../use-action';
import { useResource } from '../../use-resource';
import { Badge, Button, ConfirmDialog, ErrorNotice, IconButton, RelativeTime, showToast, Skeleton, TextInput } from '../../ui';
import { peopleMessages } from './messages';
import type { Session } from './people';
import { endSession, endSessions, nameSession, readSessions } from './people-requests';

/** Where somebody is logged in; `user` null: oneself. */
export function SessionList({ user, name, title }: { readonly user: string | null; readonly name: string; readonly title: string }) {
  const words = useMessages(peopleMessages);
  const client = useClient();
  const sessions = useResource(`sessions:${client.space}:${user ?? ''}`, readSessions(user));
  const [ending, setEnding] = useState<Session | 'all' | null>(null);
  const others = sessions.value?.some(({ current }) => !current) === true;
  const end = async () => {
    if (ending === null) return;
    if (ending === 'all') await endSessions(client, user);
    else await endSession(client, ending.id);
    showToast({ tone: 'success', title: ending === 'all' ? words.sessionsEnded : words.sessionEnded });
    await sessions.refresh();
  };
  return (
    <div className="stack">
      <div className="people-section-head">
        <h3>{title}</h3>
        {others ? (
          <Button size="small" variant="ghost" icon={LogOut} onClick={() => setEnding('all')}>
            {user === null ? words.endOthers : words.endAllOf}
          </Button>
        ) : null}
      </div>
      {sessions.status === 'loading' ? <Skeleton lines={2} label={words.loading} /> : null}
      {sessions.error === null ? null : <ErrorNotice error={sessions.error} onRetry={() => void sessions.refresh()} />}
      {sessions.value?.length === 0 ? <p className="soft">{words.noSessions}</p> : null}
      <ul role="list" className="people-sessions">
        {sessions.value?.map((session) => <SessionRow key={session.id} session={session} mine={user === null} onEnd={() => setEnding(session)} onNamed={sessions.refresh} />)}
      </ul>
      <ConfirmDialog
        open={ending !== null}
        title={ending === 'all' ? (user === null ? words.endOthersTitle : words.endAllTitle(name)) : words.endSession(ending?.name ?? ending?.address ?? words.unnamed)}
        confirm={words.end}
        onConfirm={end}
        onClose={() => setEnding(null)}
      >
        <p>{ending === 'all' ? (user === null ? words.endOthersDoes : words.endAllDoes) : words.endSessionDoes}</p>
      </ConfirmDialog>
    </div>
  );
}

function SessionRow({ session, mine, onEnd, onNamed }: { readonly session: Session; readonly mine: boolean; readonly onEnd: () => void; readonly onNamed: () => Promise<void> }) {
  const words = useMessages(peopleMessages);
  const client = useClient();
  const action = useAction();
  const [text, setText] = useState<string | null>(null);
  const save = async () => {
    if (text !== null && text.trim() !== (session.name ?? '') && !(await action.run(() => nameSession(client, session.id, text.trim())))) return;
    setText(null);
    await onNamed();
  };
  return (
    <li className="people-session">
      <span className="people-session-icon">
        <MonitorSmartphone size={16} aria-hidden />
      </span>
      <div className="people-session-words">
        {text === null ? (
          <span className="people-session-name">
            <strong className="truncate">{session.name ?? words.unnamed}</strong>
            {session.current ? <Badge tone="success">{words.thisOne}</Badge> : null}
          </span>
        ) : (
          <form
            onSubmit={(event) => {
              event.preventDefault();
              void save();
            }}
          >
            <TextInput
              size="small"
              autoFocus
              aria-label={words.sessionName}
              value={text}
              onChange={(event) => setText(event.target.value)}
              onBlur={() => void save()}
              onKeyDown={(event) => {
                if (event.key !== 'Escape') return;
                event.preventDefault();
                event.stopPropagation();
                setText(null);
              }}
            />
          </form>
        )}
        <span className="faint">
          {session.address === null ? null : <>{words.from(session.address)} · </>}
          {words.used} <RelativeTime time={session.usedAt} /> · {words.began} <RelativeTime time={session.createdAt} />
        </span>
        {action.error === null ? null : <ErrorNotice error={action.error} />}
      </div>
      {mine ? <IconButton icon={Pencil} size="small" label={words.rename} onClick={() => setText(session.name ?? '')} /> : null}
      {session.current ? null : (
        <Button size="small" onClick={onEnd}>
          {words.end}
        </Button>
      )}
    </li>
  );
}
