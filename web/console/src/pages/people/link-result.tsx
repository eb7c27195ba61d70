import { useFormat } from '../../i18n/format';
import { useMessages } from '../../i18n/messages';
import { Secret } from './secret';
import { peopleMessages } from './messages';
import type { InviteLink } from './people';

/** A link that was just made, to be copied and handed on. */
export function LinkResult({ link }: { readonly link: InviteLink }) {
  const words = useMessages(peopleMessages);
  const format = useFormat();
  return (
    <Secret title={words.linkReady} hint={words.linkReadyHint} text={link.url ?? ''} copy={words.copyLink}>
      {words.linkFor(link.user ?? link.name ?? words.anybody, format.dateTime(link.expiresAt))}
    </Secret>
  );
}
