import { ChevronDown, ChevronRight, CircleAlert, FilePenLine, FilePlus2, FileX2, Flame, ListOrdered, Unplug, type LucideIcon } from 'lucide-react';
import { useFormat } from '../../i18n/format';
import { useLanguage } from '../../i18n/language';
import { useMessages } from '../../i18n/messages';
import { hrefTo } from '../../routing/use-route';
import { useTypes } from '../../types/use-types';
import { Avatar, classNames } from '../../ui';
import { fieldName } from '../../differences';
import type { Entry } from './entry';
import { activityMessages } from './messages';
import { sentenceOf, sentenceText, valueWords } from './sentence';

const changeIcons: Readonly<Record<string, LucideIcon>> = { create: FilePlus2, update: FilePenLine, delete: FileX2, purge: Flame };

function iconOf(entry: Entry): LucideIcon {
  switch (entry.kind) {
    case 'change':
      return changeIcons[entry.op] ?? FilePenLine;
    case 'conflict':
      return CircleAlert;
    case 'operation':
      return ListOrdered;
    case 'gap':
      return Unplug;
  }
}

/** One thing that happened; opened, all of what it changed and where to go on. */
export function ActivityRow({ entry, open, onOpen }: { readonly entry: Entry; readonly open: boolean; readonly onOpen: (open: boolean) => void }) {
  const words = useMessages(activityMessages);
  const language = useLanguage();
  const format = useFormat();
  const { types } = useTypes();
  const pieces = sentenceOf(entry, language);
  const Icon = iconOf(entry);
  const Chevron = open ? ChevronDown : ChevronRight;
  if (entry.kind === 'gap') {
    return (
      <p className="activity-gap">
        <Icon size={15} aria-hidden /> {sentenceText(pieces)}
      </p>
    );
  }
  return (
    <div className={classNames('activity-row', `activity-${entry.kind}`, open && 'activity-open')}>
      <button type="button" className="activity-line" aria-expanded={open} onClick={() => onOpen(!open)}>
        <span className={classNames('activity-icon', entry.kind === 'change' && `activity-icon-${entry.op}`)}>
          <Icon size={15} aria-hidden />
        </span>
        <Avatar name={entry.actor ?? '?'} size="small" quiet />
        <span className="activity-words">
          {pieces.map((piece, index) => (
            <span key={index} className={piece.look === 'plain' ? undefined : `activity-${piece.look}-word`}>
              {piece.text}
            </span>
          ))}
        </span>
        {entry.kind === 'change' ? <span className="activity-type">{types.get(entry.type)?.title ?? entry.type}</span> : null}
        <time className="activity-time" dateTime={entry.at} title={format.dateTime(entry.at)}>
          {format.time(entry.at)}
        </time>
        <Chevron size={14} aria-hidden className="activity-chevron" />
      </button>
      {open ? <Details entry={entry} words={words} language={language} /> : null}
    </div>
  );
}

interface DetailsProps {
  readonly entry: Entry;
  readonly words: ReturnType<typeof useMessages<(typeof activityMessages)['en']>>;
  readonly language: ReturnType<typeof useLanguage>;
}

function Details({ entry, words, language }: DetailsProps) {
  const target = entry.address?.split('/').map(decodeURIComponent) ?? null;
  return (
    <div className="activity-details">
      {entry.kind === 'change' && entry.differences !== null && entry.differences.length > 0 ? (
        <table className="activity-differences">
          <thead>
            <tr>
              <th scope="col">{words.field}</th>
              <th scope="col">{words.before}</th>
              <th scope="col">{words.after}</th>
            </tr>
          </thead>
          <tbody>
            {entry.differences.map(({ pointer, from, to }) => (
              <tr key={pointer}>
                <th scope="row">{fieldName(pointer)}</th>
                <td>
                  <del>{valueWords(from, language)}</del>
                </td>
                <td>
                  <ins>{valueWords(to, language)}</ins>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      ) : null}
      <p className="activity-links">
        {target === null ? null : <a href={hrefTo(['records', ...target])}>{words.open}</a>}
        {target === null ? null : <a href={hrefTo(['history', ...target])}>{words.history}</a>}
        {entry.kind === 'operation' ? <a href={hrefTo(['queue', entry.operationId])}>{words.openOperation}</a> : null}
        {entry.kind === 'conflict' ? <a href={hrefTo(['conflicts'])}>{words.openConflicts}</a> : null}
        {entry.address === null ? null : <span className="mono faint">{entry.address}</span>}
        {entry.kind === 'change' ? <span className="faint">{words.version(entry.version)}</span> : null}
      </p>
    </div>
  );
}
