import type { Conflict, Edit } from '@stet/client';
import { ConflictDialog, useClient, useClientState, useConflicts } from '@stet/react';
import { useEffect, useRef, useState } from 'react';
import { useLanguage } from '../i18n/language';
import { useMessages } from '../i18n/messages';
import { useTypes } from '../types/use-types';
import { fieldLabel } from '../types/type-definition';
import { errorWords, showToast } from '../ui';
import { shellMessages } from './messages';
import { isOwnWrite, isShownInline } from './own-writes';
import { useConflictRequests } from './show-conflict';

const noEdits: readonly Edit[] = [];
const identityOf = (conflict: Conflict): string => `${conflict.address} ${conflict.edit ?? conflict.conflictId ?? conflict.resolutionToken}`;
/** What the dialog calls a record: examples and schemas name types by these. */
const nouns = { tasks: 'task', bookings: 'booking', contacts: 'contact', customers: 'company', deals: 'deal', notes: 'note', documents: 'document', orders: 'order', events: 'event' } as const;
const nounOf = (type: string) => (Object.hasOwn(nouns, type) ? nouns[type as keyof typeof nouns] : 'record');

/** Tells what became of writes, wherever one is: refused ones by a toast, conflicts by the dialog. Once, in the shell. */
export function WriteWatch() {
  const words = useMessages(shellMessages);
  const language = useLanguage();
  const client = useClient();
  const edits = useClientState((state) => state.edits, noEdits);
  const { mine } = useConflicts();
  const { types } = useTypes();
  const [shown, setShown] = useState<string | null>(null);
  const told = useRef(new Set<string>());

  useEffect(() => {
    for (const edit of edits) {
      if (edit.state !== 'rejected' || told.current.has(edit.id) || isShownInline(edit.id)) continue;
      told.current.add(edit.id);
      const why = errorWords(edit.error, language);
      showToast({
        tone: 'danger',
        title: words.rejected(edit.address),
        body: why.detail ?? why.title,
        action: { label: words.rejectedDiscard, run: () => void client.discard(edit.id).then(() => showToast({ title: words.undone(edit.address) }), () => undefined) },
        forMs: 0,
      });
    }
  }, [edits, client, language, words]);

  useEffect(() => {
    for (const conflict of mine) {
      const identity = identityOf(conflict);
      if (told.current.has(identity)) continue;
      told.current.add(identity);
      if (isOwnWrite(conflict.edit)) setShown((before) => before ?? identity);
      else showToast({ tone: 'warning', title: words.conflictTitle(conflict.address), body: words.conflictBody, action: { label: words.conflictOpen, run: () => setShown(identity) }, forMs: 0 });
    }
  }, [mine, words]);

  useConflictRequests((address) => {
    const conflict = mine.find((candidate) => candidate.address === address);
    if (conflict) setShown(identityOf(conflict));
  });

  const conflict = mine.find((candidate) => identityOf(candidate) === shown) ?? null;
  const type = decodeURIComponent(conflict?.address.split('/')[0] ?? '');
  const labels = Object.fromEntries((types.get(type)?.fields ?? []).map((field) => [field.pointer, fieldLabel(field)]));
  return <ConflictDialog conflict={conflict} noun={nounOf(type)} labels={labels} onEnd={() => setShown(null)} />;
}
