import { spanText, useNow } from '@stet/react';
import { useMessages } from '../../i18n/messages';
import { Tag } from '../../ui';
import { conflictMessages } from './messages';

/** The last hour is told as a warning. */
const soonS = 3600;

/** How long there is to decide, counting down, and what happens then. */
export function Deadline({ time, fallback }: { readonly time: string; readonly fallback: string | undefined }) {
  const words = useMessages(conflictMessages);
  const now = useNow(1_000);
  if (now === null) return null;
  const left = (Date.parse(time) - now) / 1000;
  return (
    <span className="conflicts-deadline">
      <Tag tone={left < soonS ? 'warning' : 'neutral'}>{left > 0 ? words.left(spanText(left)) : words.timeOver}</Tag>
      <span className="faint">{words.then(fallback ?? 'server_wins')}</span>
    </span>
  );
}
