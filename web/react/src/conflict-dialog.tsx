import type { Conflict, JsonObject, Resolution, ResolutionOutcome } from '@stet/client';
import { useCallback, useEffect, useId, useRef, useState, type ReactNode } from 'react';
import { ConflictForm, type ConflictEnd } from './conflict-form';
import type { Labels } from './field-label';
import { useStet, useText } from './provider';
import type { Noun, NounName, Texts } from './texts';
import type { EditField } from './value-editor';
import type { FormatValue } from './value-view';

/** What a {@link ConflictDialog} takes. */
export interface ConflictDialogProps<T = JsonObject> {
  /** Null: closed. */
  readonly conflict: Conflict<T> | null;
  /** It was settled, or closed without deciding. The dialog stays open until `conflict` is null, or another one. */
  readonly onEnd: (end: ConflictEnd) => void;
  /** What it is that changed. Default: a record. */
  readonly noun?: Noun | NounName;
  readonly labels?: Labels;
  readonly format?: FormatValue;
  readonly edit?: EditField;
  /** Default: the client's. */
  readonly resolve?: (conflict: Conflict, resolution: Resolution) => Promise<ResolutionOutcome>;
}

const sayingMs = 8_000;

const words = (texts: Texts, end: ConflictEnd): string => {
  if (end.kind === 'already_resolved') return texts.alreadyResolved(end.by ?? texts.somebody);
  return texts[end.kind];
};

/** The same conflict, in whatever state: what was chosen in its dialog stays when it moves on. */
const identityOf = (conflict: Conflict<unknown>): string =>
  `${conflict.address} ${conflict.conflictId ?? conflict.edit ?? conflict.resolutionToken}`;

/** Shows a conflict field by field, lets somebody settle it, and says what came of it. Modal: the focus stays inside and goes back to where
 *  it was. Escape closes it without deciding. */
export function ConflictDialog<T = JsonObject>(props: ConflictDialogProps<T>): ReactNode {
  const texts = useText();
  const { client, clock } = useStet();
  const id = useId();
  const dialog = useRef<HTMLDialogElement>(null);
  const [said, setSaid] = useState<string | null>(null);
  const conflict = props.conflict as Conflict | null;
  const identity = conflict === null ? null : identityOf(conflict);
  const { onEnd, noun = 'record' } = props;

  const opened = useRef<Conflict | null>(null);
  opened.current = conflict;
  useEffect(() => {
    const element = dialog.current;
    if (identity === null || element === null) return undefined;
    if (opened.current !== null) client?.conflicts.opened(opened.current);
    setSaid(null);
    if (!element.open) element.showModal();
    element.querySelector<HTMLElement>('h2')?.focus();
    return () => element.close();
  }, [identity, client]);

  /* Whoever leaves the page closes the dialog, too, and hears of it late: that is no way to end it. */
  const here = useRef(true);
  useEffect(() => {
    here.current = true;
    return () => {
      here.current = false;
    };
  }, []);

  useEffect(() => (said === null ? undefined : clock.every(sayingMs, () => setSaid(null))), [said, clock]);

  const end = useCallback(
    (what: ConflictEnd) => {
      setSaid(words(texts, what));
      onEnd(what);
    },
    [texts, onEnd],
  );
  const resolve =
    props.resolve ??
    ((shown: Conflict, resolution: Resolution) => {
      if (client === null) throw new Error('there is no client here: it is made in the browser only');
      return client.conflicts.resolve(shown, resolution);
    });

  return (
    <>
      <dialog
        ref={dialog}
        className="stet-dialog"
        aria-labelledby={`${id}-title`}
        aria-describedby={`${id}-note`}
        onCancel={(event) => {
          event.preventDefault();
          end({ kind: 'postponed' });
        }}
        onClose={(event) => {
          /* A browser lets a second Escape close it whatever the page says. */
          if (here.current && opened.current !== null && !event.currentTarget.open) end({ kind: 'postponed' });
        }}
      >
        {conflict !== null && (
          <ConflictForm
            key={identity}
            conflict={conflict}
            noun={typeof noun === 'string' ? texts.nouns[noun] : noun}
            titleId={`${id}-title`}
            noteId={`${id}-note`}
            labels={props.labels}
            format={props.format}
            edit={props.edit}
            resolve={resolve}
            onEnd={end}
          />
        )}
      </dialog>
      <div className="stet-said" role="status">
        {said !== null && <p>{said}</p>}
      </div>
    </>
  );
}
