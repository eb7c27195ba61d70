import type { ReactNode } from 'react';
import { useMessages } from '../../i18n/messages';
import { hrefTo } from '../../routing/use-route';
import { Avatar, plainName, RelativeTime, Tag } from '../../ui';
import { historyMessages } from './messages';
import type { MergedFrom, VersionEntry } from './versions';

/** The versions, newest first: who, when, and how each was merged. Choosing one compares it with the one before. */
export function Timeline(props: {
  readonly entries: readonly VersionEntry[];
  readonly newest: number | null;
  readonly left: number | null;
  readonly right: number | null;
  readonly hrefOf: (entry: VersionEntry) => string;
  readonly labelOf: (pointer: string) => string;
}): ReactNode {
  const words = useMessages(historyMessages);
  return (
    <ol className="history-timeline" role="list">
      {props.entries.map((entry) => {
        const shown = entry.version === props.right ? 'right' : entry.version === props.left ? 'left' : 'none';
        return (
          <li key={entry.version} className="history-entry" data-shown={shown}>
            <Avatar name={entry.by} size="small" quiet />
            <div className="history-entry-words">
              <a href={props.hrefOf(entry)} aria-current={shown === 'right' ? 'true' : undefined}>
                {words.version(entry.version)}
              </a>
              {entry.version === props.newest ? <Tag tone="accent">{words.newest}</Tag> : null}
              {entry.pruned ? <Tag>{words.prunedMark}</Tag> : null}
              <p>
                <strong>{plainName(entry.by)}</strong> {actionOf(entry, words)} · <RelativeTime time={entry.at} />
              </p>
              <Origin entry={entry} labelOf={props.labelOf} />
            </div>
          </li>
        );
      })}
    </ol>
  );
}

interface ActionWords {
  readonly created: string;
  readonly changed: string;
  readonly deleted: string;
  readonly restored: string;
  readonly moved: string;
  readonly revertedTo: (version: number) => string;
}

function actionOf(entry: VersionEntry, words: ActionWords): string {
  if (entry.revertedTo !== undefined) return words.revertedTo(entry.revertedTo);
  switch (entry.op) {
    case 'create':
      return entry.version > 1 ? words.restored : words.created;
    case 'delete':
      return words.deleted;
    case 'move':
      return words.moved;
    default:
      return words.changed;
  }
}

function Origin({ entry, labelOf }: { readonly entry: VersionEntry; readonly labelOf: (pointer: string) => string }): ReactNode {
  const words = useMessages(historyMessages);
  const notes = [
    entry.source === 'expired' ? words.expired : entry.source === 'import' ? words.imported : null,
    entry.operation === undefined ? null : words.byOperation,
    entry.function === undefined ? null : words.byFunction(entry.function),
  ].filter((note) => note !== null);
  const from = (field: MergedFrom): string => {
    switch (field.from) {
      case 'yours':
        return words.fromYours;
      case 'current':
        return words.fromCurrent;
      case 'both':
        return words.fromBoth;
      case 'base':
        return words.fromBase;
      case 'custom':
        return words.fromCustom;
      default:
        return words.fromRule(field.rule ?? field.from);
    }
  };
  return (
    <>
      {notes.length === 0 ? null : <p className="faint">{notes.join(' · ')}</p>}
      {entry.strategy === undefined ? null : (
        <details className="history-merge">
          <summary>{words.mergedBy(entry.strategy)}</summary>
          <ul role="list">
            {entry.merged.map((field) => (
              <li key={field.pointer}>
                <span>{labelOf(field.pointer)}</span> <span className="faint">{from(field)}</span>
              </li>
            ))}
          </ul>
          {entry.conflictId === undefined || entry.conflictId.startsWith('seq-') ? null : <a href={hrefTo(['conflicts', entry.conflictId])}>{words.conflict}</a>}
        </details>
      )}
    </>
  );
}
