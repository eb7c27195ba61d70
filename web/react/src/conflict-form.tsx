import type { Conflict, FieldState, RecordOf, Resolution, ResolutionOutcome } from '@stet/client';
import { useEffect, useId, useRef, useState, type ReactNode } from 'react';
import { choose, isReady, meetAgain, previewOf, resolutionOf, startDraft, write, type Draft } from './conflict-draft';
import { ConflictField } from './conflict-field';
import { ConflictPreview } from './conflict-preview';
import { labelOf, type Labels } from './field-label';
import { useLanguage, useText } from './provider';
import type { Noun, Texts } from './texts';
import { agoText, spanText } from './time-text';
import { useNow } from './use-now';
import type { EditField } from './value-editor';
import { ValueView, type FormatValue } from './value-view';

/** How a dialog ended. `postponed`: nothing was decided, and the edit waits. `record`: as it is now; null when it is deleted. */
export type ConflictEnd =
  | { readonly kind: 'applied' | 'discarded'; readonly record: RecordOf | null }
  | { readonly kind: 'already_resolved'; readonly by?: string }
  | { readonly kind: 'postponed' };

/** What is shown of a conflict, and how. */
export interface ConflictFormProps {
  readonly conflict: Conflict;
  readonly noun: Noun;
  readonly titleId: string;
  readonly noteId: string;
  readonly labels?: Labels | undefined;
  readonly format?: FormatValue | undefined;
  readonly edit?: EditField | undefined;
  readonly resolve: (conflict: Conflict, resolution: Resolution) => Promise<ResolutionOutcome>;
  readonly onEnd: (end: ConflictEnd) => void;
}

type Progress = { readonly kind: 'deciding' } | { readonly kind: 'applying' } | { readonly kind: 'failed'; readonly why: string };

/** Merged fields up to this many are shown at once; more wait behind a line. */
const mergedShown = 3;

const titleOf = (texts: Texts, draft: Draft, noun: Noun): string =>
  draft.kind === 'restore'
    ? texts.conflictTitleDeleted(noun)
    : draft.kind === 'delete'
      ? texts.conflictTitleDeletedHere(noun)
      : texts.conflictTitle(noun);

/** The inside of the dialog: the choices and the ways out. */
export function ConflictForm(props: ConflictFormProps): ReactNode {
  const texts = useText();
  const language = useLanguage();
  const now = useNow(1_000);
  const id = useId();
  const [draft, setDraft] = useState(() => startDraft(props.conflict));
  const [given, setGiven] = useState(props.conflict);
  const [progress, setProgress] = useState<Progress>({ kind: 'deciding' });
  const news = useRef<HTMLParagraphElement>(null);

  /* It moved on while it was open. The same state that an answer brought already does not count twice. */
  if (props.conflict !== given) {
    setGiven(props.conflict);
    if (props.conflict.resolutionToken !== draft.conflict.resolutionToken) setDraft(meetAgain(draft, props.conflict));
  }
  const { round } = draft;
  useEffect(() => {
    if (round > 0) news.current?.focus();
  }, [round]);

  const { conflict } = draft;
  const busy = progress.kind === 'applying';
  const ready = isReady(draft);

  const settle = async (resolution: Resolution, end: 'applied' | 'discarded'): Promise<void> => {
    if (busy) return;
    setProgress({ kind: 'applying' });
    try {
      const outcome = await props.resolve(conflict, resolution);
      setProgress({ kind: 'deciding' });
      if (outcome.kind === 'conflict') setDraft((before) => meetAgain(before, outcome.conflict));
      else if (outcome.kind === 'resolved') props.onEnd({ kind: end, record: outcome.record });
      else props.onEnd(outcome);
    } catch (reason) {
      setProgress({ kind: 'failed', why: reason instanceof Error ? reason.message : String(reason) });
    }
  };

  const who = conflict.lastModifiedBy ?? texts.somebody;
  const when = conflict.lastModifiedAt === undefined || now === null ? '' : agoText(language, now, conflict.lastModifiedAt);
  const [apply, discard] =
    draft.kind === 'restore'
      ? [texts.applyRestore, texts.discardRestore]
      : draft.kind === 'delete'
        ? [texts.applyDelete, texts.discardDelete]
        : [texts.apply, texts.discard];

  return (
    <form
      className="stet-conflict"
      aria-busy={busy}
      onSubmit={(event) => {
        event.preventDefault();
        if (ready) void settle(resolutionOf(draft), 'applied');
      }}
    >
      <header>
        <h2 id={props.titleId} tabIndex={-1}>
          {titleOf(texts, draft, props.noun)}
        </h2>
        <p id={props.noteId}>
          {(draft.kind === 'restore' ? texts.deletedBy : texts.changedBy)(who, when)}
          <Deadline conflict={conflict} now={now} />
        </p>
        {round > 0 && (
          <p ref={news} className="stet-news" role="alert" tabIndex={-1}>
            {texts.changedAgain}
          </p>
        )}
      </header>

      <div className="stet-conflict-body">
        {draft.kind === 'fields' && (
          <section aria-labelledby={`${id}-decide`}>
            <h3 id={`${id}-decide`}>
              {draft.fields.length === 0 ? texts.nothingToDecide : texts.decideTitle(draft.fields.length)}
            </h3>
            {draft.fields.map((field) => (
              <ConflictField
                key={field.pointer}
                field={field}
                label={labelOf(field.pointer, props.labels, texts.wholeRecord)}
                disabled={busy}
                format={props.format}
                edit={props.edit}
                onPick={(pick) => setDraft(choose(draft, field.pointer, pick))}
                onWrite={(value) => setDraft(write(draft, field.pointer, value))}
              />
            ))}
          </section>
        )}
        {draft.merged.length > 0 && (
          <details className="stet-merged" open={draft.merged.length <= mergedShown}>
            <summary>{texts.mergedTitle(draft.merged.length)}</summary>
            <dl>
              {draft.merged.map(({ pointer, field }) => (
                <div key={pointer}>
                  <dt>{labelOf(pointer, props.labels, texts.wholeRecord)}</dt>
                  <dd>
                    <ValueView value={mergedValue(field)} against={field.base} pointer={pointer} format={props.format} />
                    <span className="stet-origin">{originOf(texts, field, who)}</span>
                  </dd>
                </div>
              ))}
            </dl>
          </details>
        )}
        <section aria-labelledby={`${id}-preview`}>
          <h3 id={`${id}-preview`}>{texts.preview}</h3>
          <ConflictPreview result={previewOf(draft)} current={conflict.current} labels={props.labels} format={props.format} />
        </section>
      </div>

      <footer>
        {progress.kind === 'failed' && (
          <p className="stet-wrong" role="alert">
            {texts.couldNotApply(progress.why)}
          </p>
        )}
        {!ready && <p className="stet-wrong">{texts.correctFirst}</p>}
        <div className="stet-buttons">
          <button type="submit" className="stet-button stet-button-primary" aria-disabled={busy || !ready}>
            {busy ? texts.applying : apply}
          </button>
          <button
            type="button"
            className="stet-button"
            aria-disabled={busy}
            onClick={() => void settle({ choice: 'discard' }, 'discarded')}
          >
            {discard}
          </button>
          <button type="button" className="stet-button stet-button-quiet" onClick={() => props.onEnd({ kind: 'postponed' })}>
            {texts.decideLater}
          </button>
        </div>
        <p className="stet-hint">{texts.laterHint}</p>
      </footer>
    </form>
  );
}

const mergedValue = (field: FieldState): FieldState['merged'] =>
  field.state === 'clean_yours' ? field.yours : field.state === 'merged' ? field.merged : field.current;

const originOf = (texts: Texts, field: FieldState, who: string): string => {
  switch (field.state) {
    case 'clean_yours':
      return texts.fromYou;
    case 'same':
      return texts.fromBoth;
    case 'merged':
      return texts.byRule;
    default:
      return texts.fromThem(field.by ?? who);
  }
};

function Deadline(props: { readonly conflict: Conflict; readonly now: number | null }): ReactNode {
  const texts = useText();
  const { deadline, fallback } = props.conflict;
  if (deadline === undefined || props.now === null) return null;
  const left = (Date.parse(deadline) - props.now) / 1000;
  return (
    <span className="stet-deadline">
      {' '}
      {left > 0 ? texts.deadline(spanText(left)) : texts.deadlinePassed} {fallback !== undefined && texts.fallback(fallback)}
    </span>
  );
}
