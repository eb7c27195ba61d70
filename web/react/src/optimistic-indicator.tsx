import type { Phase } from '@stet/client';
import type { ReactNode } from 'react';
import { useText } from './provider';
import type { Texts } from './texts';
import { useOnline } from './use-online';

type Shown = 'saving' | 'saved' | 'conflict' | 'rejected' | 'parked' | 'offline';

const signs: Readonly<Record<Shown, string>> = {
  saving: '🔄',
  saved: '✅',
  conflict: '⚠️',
  rejected: '⛔',
  parked: '⏳',
  offline: '📥',
};

const wordsOf = (texts: Texts, shown: Shown): string => {
  switch (shown) {
    case 'saving':
      return texts.updating;
    case 'saved':
      return texts.saved;
    case 'conflict':
      return texts.conflictDetected;
    case 'rejected':
      return texts.notSaved;
    case 'parked':
      return texts.waitsForDecision;
    case 'offline':
      return texts.savedHere;
  }
};

/** Says how it stands with the edits of a record; nothing while there were none. `why` is shown beside a refusal.
 *  Offline, an edit on its way is one that is kept here. */
export function OptimisticIndicator(props: { readonly phase: Phase; readonly why?: string; readonly online?: boolean }): ReactNode {
  const texts = useText();
  const found = useOnline();
  const online = props.online ?? found;
  const { phase } = props;
  const shown: Shown | null = phase === 'idle' ? null : phase === 'saving' && !online ? 'offline' : phase;
  return (
    <span className="stet-indicator" role="status" data-state={shown ?? 'idle'}>
      {shown !== null && (
        <>
          <span aria-hidden="true">{signs[shown]}</span> {wordsOf(texts, shown)}
          {shown === 'rejected' && props.why !== undefined && <span className="stet-why">: {props.why}</span>}
        </>
      )}
    </span>
  );
}
