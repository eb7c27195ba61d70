import { useEffect, useMemo, useRef, useState } from 'react';
import { useFormat } from '../../i18n/format';
import { useMessages } from '../../i18n/messages';
import { Button } from '../../ui';
import { ActivityRow } from './activity-row';
import { byDay } from './activity-log';
import type { ChangeEntry, Entry } from './entry';
import { useWindow } from './use-window';
import { activityMessages } from './messages';

export interface ActivityListProps {
  /** Newest first. */
  readonly entries: readonly Entry[];
  readonly cut: boolean;
  readonly hasOlder: boolean;
  readonly readingOlder: boolean;
  readonly onOlder: () => void;
  /** A change came into sight of which nobody knows what it changed. */
  readonly onSeen: (entry: ChangeEntry) => void;
  /** Somebody begins to read details. */
  readonly onDetails: () => void;
}

type Item = { readonly kind: 'day'; readonly key: string; readonly day: string } | { readonly kind: 'entry'; readonly key: string; readonly entry: Entry } | { readonly kind: 'end'; readonly key: string };

/** Pixels, until it is measured. */
const rowHeight = 44;

/** Entries by day, of which only those in sight are drawn. */
export function ActivityList({ entries, cut, hasOlder, readingOlder, onOlder, onSeen, onDetails }: ActivityListProps) {
  const words = useMessages(activityMessages);
  const format = useFormat();
  const box = useRef<HTMLDivElement>(null);
  const [opened, setOpened] = useState<string | null>(null);
  const items = useMemo(() => {
    const list: Item[] = [];
    for (const { day, entries: of } of byDay(entries, format.date)) {
      list.push({ kind: 'day', key: `day ${day}`, day });
      for (const entry of of) list.push({ kind: 'entry', key: entry.key, entry });
    }
    list.push({ kind: 'end', key: 'end' });
    return list;
  }, [entries, format]);
  const { inSight, height, measure } = useWindow(box, items, rowHeight);
  useEffect(() => {
    for (const { item } of inSight) {
      if (item.kind === 'entry' && item.entry.kind === 'change') onSeen(item.entry);
    }
  }, [inSight, onSeen]);
  const now = Date.now();
  const dayWords = (day: string) => (day === format.date(now) ? words.today : day === format.date(now - 86_400_000) ? words.yesterday : day);
  return (
    <div ref={box} className="activity-scroll" tabIndex={0} role="region" aria-label={words.list}>
      <div className="activity-items" role="list" style={{ height }}>
        {inSight.map(({ item, start }) => {
          return (
            <div key={item.key} ref={measure} data-key={item.key} className="activity-item" role="listitem" style={{ transform: `translateY(${start}px)` }}>
              {item.kind === 'day' ? (
                <h2 className="activity-day">{dayWords(item.day)}</h2>
              ) : item.kind === 'end' ? (
                <div className="activity-end">
                  {cut ? words.cut : hasOlder ? (
                    <Button size="small" busy={readingOlder} onClick={onOlder}>
                      {words.older}
                    </Button>
                  ) : (
                    words.begin
                  )}
                </div>
              ) : (
                <ActivityRow
                  entry={item.entry}
                  open={opened === item.key}
                  onOpen={(open) => {
                    setOpened(open ? item.key : null);
                    if (open) onDetails();
                  }}
                />
              )}
            </div>
          );
        })}
      </div>
    </div>
  );
}
