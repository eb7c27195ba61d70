import { useClientState } from '@stet/react';
import { useMessages } from '../i18n/messages';
import { shellMessages } from './messages';

/** Whether what is seen is up to date, and what still waits. */
export function ConnectionState() {
  const words = useMessages(shellMessages);
  const online = useClientState((state) => state.online, true);
  const feed = useClientState((state) => state.feed, 'idle');
  const waiting = useClientState((state) => state.edits.length, 0);
  const [tone, text] = !online ? ['off', words.offline] : feed === 'open' || feed === 'idle' ? ['on', words.live] : feed === 'waiting' ? ['off', words.reconnecting] : ['half', words.connecting];
  return (
    <div className="connection" role="status">
      <span className={`connection-dot connection-${tone}`} aria-hidden />
      <span className="truncate">{waiting > 0 ? `${text} · ${words.waiting(waiting)}` : text}</span>
    </div>
  );
}
