import { useVirtualizer } from '@tanstack/react-virtual';
import { useEffect, useMemo, useRef, useState } from 'react';
import { useFormat } from '../../i18n/format';
import { useMessages } from '../../i18n/messages';
import { Button } from '../../ui';
import { ActivityRow } from './activity-row';
import { byDay } from './activity-log';
import type { ChangeEntry, Entry } from './entry';
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

const rowHeight = 44;
const overscan = 10;

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
  const virtual = useVirtualizer({ count: items.length, getScrollElement: () => box.current, estimateSize: () => rowHeight, overscan, getItemKey: (index) => items[index]?.key ?? index });
  const inSight = virtual.getVirtualItems();
  useEffect(() => {
    for (const { index } of inSight) {
      const item = items[index];
      if (item?.kind === 'entry' && item.entry.kind === 'change') onSeen(item.entry);
    }
  }, [inSight, items, onSeen]);
  const now = Date.now();
  const dayWords = (day: string) => (day === format.date(now) ? words.today : day === format.date(now - 86_400_000) ? words.yesterday : day);
  return (
    <div ref={box} className="activity-scroll" tabIndex={0} role="region" aria-label={words.list}>
      <div className="activity-items" role="list" style={{ height: virtual.getTotalSize() }}>
        {inSight.map(({ index, key, start }) => {
          const item = items[index];
          if (item === undefined) return null;
          return (
            <div key={key} ref={virtual.measureElement} data-index={index} className="activity-item" role="listitem" style={{ transform: `translateY(${start}px)` }}>
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
