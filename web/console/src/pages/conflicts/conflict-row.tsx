import { GitCompareArrows, RotateCcw, X } from 'lucide-react';
import type { ReactNode } from 'react';
import { useMessages } from '../../i18n/messages';
import { hrefTo } from '../../routing/use-route';
import { Badge, Button, Checkbox, plainName, RelativeTime, Tag, type Tone } from '../../ui';
import type { InboxItem } from './inbox';
import { Deadline } from './deadline';
import { conflictMessages } from './messages';

export interface ConflictRowProps {
  readonly item: InboxItem;
  readonly self: string | null;
  readonly labelOf: (pointer: string) => string;
  readonly typeTitle: string;
  readonly selected: boolean;
  readonly onSelect: ((selected: boolean) => void) | null;
  readonly onDecide: () => void;
  readonly onReopen: () => void;
  readonly onDismiss: () => void;
}

/** Fields that a line names; the others are counted. */
const fieldsShown = 4;

const tones: Readonly<Record<InboxItem['state'], Tone>> = {
  open: 'warning',
  expired: 'danger',
  resolved: 'success',
  overwritten: 'info',
  settled: 'info',
  merged: 'neutral',
};

/** One conflict or notice: what happened, to which record, and what can be done. */
export function ConflictRow(props: ConflictRowProps): ReactNode {
  const words = useMessages(conflictMessages);
  const { item } = props;
  const name = `${props.typeTitle} ${item.recordId}`;
  const states = {
    open: words.stateOpen,
    expired: words.stateExpired,
    resolved: words.stateResolved,
    overwritten: words.stateOverwritten,
    settled: words.stateSettled,
    merged: words.stateSettled,
  };
  const left = item.fieldsLeftOut + Math.max(0, item.fields.length - fieldsShown);
  return (
    <li className="conflicts-row" data-unread={!item.read}>
      <div className="conflicts-row-select">
        {props.onSelect === null ? null : (
          <Checkbox aria-label={words.select(name)} checked={props.selected} onChange={(event) => props.onSelect?.(event.target.checked)} />
        )}
      </div>
      <div className="conflicts-row-words">
        <div className="conflicts-row-head">
          <a href={hrefTo(['records', item.type, item.recordId])}>{name}</a>
          {item.read ? null : <Badge tone="accent">{words.unreadMark}</Badge>}
          <Tag tone={tones[item.state]}>{states[item.state]}</Tag>
          {item.clean && item.state === 'open' ? <Tag tone="success">{words.ready}</Tag> : null}
        </div>
        <p>
          {sentence(item, props.self, words)} {item.times > 1 ? words.timesLost(item.times) : null}
        </p>
        <p className="conflicts-row-note faint">
          {item.fields.slice(0, fieldsShown).map(props.labelOf).join(', ')}
          {left > 0 ? ` ${words.moreFields(left)}` : null}
          {item.openedAt === undefined ? null : (
            <>
              {item.fields.length > 0 ? ' · ' : null}
              <RelativeTime time={item.openedAt} />
            </>
          )}
        </p>
        {item.explanation === undefined ? null : <p className="soft">{item.explanation}</p>}
        {item.state === 'open' && item.deadline !== undefined ? <Deadline time={item.deadline} fallback={item.fallback} /> : null}
      </div>
      <div className="conflicts-row-actions">
        {item.state === 'open' ? (
          <Button size="small" icon={GitCompareArrows} onClick={props.onDecide} aria-label={`${words.decide}: ${name}`}>
            {words.decide}
          </Button>
        ) : (
          <>
            {item.state === 'resolved' ? null : (
              <Button size="small" icon={RotateCcw} onClick={props.onReopen} aria-label={`${words.retake}: ${name}`}>
                {words.retake}
              </Button>
            )}
            <Button size="small" variant="ghost" icon={X} onClick={props.onDismiss} aria-label={`${words.dismiss}: ${name}`}>
              {words.dismiss}
            </Button>
          </>
        )}
        <a className="conflicts-history" href={hrefTo(['history', item.type, item.recordId])}>
          {words.history}
        </a>
      </div>
    </li>
  );
}

interface Sentences {
  readonly youWrote: string;
  readonly expired: string;
  readonly settledByRule: string;
  readonly wroteOver: (who: string) => string;
  readonly wantedDelete: (who: string) => string;
  readonly resolvedBy: (who: string) => string;
  readonly overwritten: (who: string) => string;
}

function sentence(item: InboxItem, self: string | null, words: Sentences): string {
  const writer = plainName(item.by ?? '?');
  switch (item.state) {
    case 'open':
      if (item.deletes) return words.wantedDelete(writer);
      return item.by === self ? words.youWrote : words.wroteOver(writer);
    case 'expired':
      return words.expired;
    case 'resolved':
      return words.resolvedBy(plainName(item.resolvedBy ?? '?'));
    case 'overwritten':
      return words.overwritten(plainName(item.overwrittenBy ?? '?'));
    case 'settled':
    case 'merged':
      return words.settledByRule;
  }
}
