import { ExternalLink, History, Trash2 } from 'lucide-react';
import { useState } from 'react';
import { useLanguage } from '../../i18n/language';
import { useMessages } from '../../i18n/messages';
import { useFormat } from '../../i18n/format';
import { hrefTo } from '../../routing/use-route';
import { Button, ConfirmDialog, Panel, Tag } from '../../ui';
import type { JsonObject } from '@stet/client';
import { textOf } from '../../outside';
import type { CalendarFormat } from './calendar-format';
import type { CalendarType, Intervals } from './declaration';
import { sameDraft, type Draft } from './draft';
import { EventFields } from './event-fields';
import { draftOf, formOf, isDraft, titlePatch, type EventFaults } from './event-form';
import { lookOf, titleOf } from './event-look';
import { calendarMessages } from './messages';
import type { Shown } from './overlay';
import { valueAt } from './pointer';
import { ruleWords } from './series';
import { durationText } from './spans';
import type { Resource } from './use-resources';

export interface EventPanelProps {
  readonly type: CalendarType;
  readonly kind: Intervals;
  readonly one: Shown;
  readonly zone: string;
  readonly format: CalendarFormat;
  readonly resources: readonly Resource[];
  readonly nameOf: (resource: string) => string;
  readonly onMove: (to: Draft, from: string | null) => void;
  readonly onPatch: (patch: JsonObject) => Promise<boolean>;
  readonly onRemove: () => Promise<boolean>;
  readonly onClose: () => void;
}

/** One occurrence in detail; its title, times and resource can be changed here too. */
export function EventPanel({ type, kind, one, zone, format, resources, nameOf, onMove, onPatch, onRemove, onClose }: EventPanelProps) {
  const words = useMessages(calendarMessages);
  const language = useLanguage();
  const dates = useFormat();
  const title = titleOf(type, one.data, one.id);
  const before: Draft = { start: one.start, end: one.end, allDay: one.allDay, resource: one.resources[0] ?? null };
  const kept = formOf(before, title, zone);
  // What one writes stays until it is saved; what comes from elsewhere is shown as long as one writes nothing.
  const [changed, setChanged] = useState<typeof kept | null>(null);
  const [faults, setFaults] = useState<EventFaults>({});
  const [asking, setAsking] = useState(false);
  const form = changed ?? kept;
  const look = lookOf(type, kind, one, new Map());
  const rule = kind.recurrence === null ? undefined : textOf(valueAt(one.data, kind.recurrence.rrule));
  const save = async () => {
    const draft = draftOf(form, zone);
    if (!isDraft(draft)) return setFaults(draft);
    const patch = titlePatch(type, one.data, form);
    setChanged(null);
    if (!sameDraft(draft, before)) onMove(draft, before.resource);
    if (patch !== null) await onPatch(patch);
  };
  return (
    <Panel
      label={words.details}
      title={title}
      subtitle={format.spoken(one)}
      onClose={onClose}
      footer={
        <>
          <Button variant="primary" aria-disabled={changed === null} onClick={() => void save()}>
            {words.save}
          </Button>
          {changed === null ? null : <Button onClick={() => { setChanged(null); setFaults({}); }}>{words.cancel}</Button>}
          <span className="panel-foot-space" />
          <Button variant="danger" icon={Trash2} onClick={() => setAsking(true)}>
            {words.delete}
          </Button>
        </>
      }
    >
      <div className="panel-section calendar-facts">
        <div className="row">
          {one.pending ? <Tag tone="info">{words.pending}</Tag> : null}
          {look.tentative ? <Tag tone="warning">{words.tentative}</Tag> : null}
          {one.heldUntil === null ? null : <Tag tone="warning">{words.held(dates.dateTime(one.heldUntil))}</Tag>}
          {kind.capacity > 1 ? <Tag>{words.capacity(kind.capacity)}</Tag> : null}
        </div>
        {one.resources.length === 0 ? null : (
          <p>
            <span className="faint">{words.people}:</span> {one.resources.map(nameOf).join(', ')}
          </p>
        )}
        {rule === undefined ? null : <p><span className="faint">{words.every}:</span> <RuleText rule={rule} /></p>}
        {kind.bufferBeforeS + kind.bufferAfterS === 0 ? null : <p className="faint">{words.buffer(durationText(kind.bufferBeforeS, language), durationText(kind.bufferAfterS, language))}</p>}
        <p className="row">
          <a href={hrefTo(['records', type.type, one.id])}>
            <ExternalLink size={13} aria-hidden /> {words.openRecord}
          </a>
          <a href={hrefTo(['history', type.type, one.id])}>
            <History size={13} aria-hidden /> {words.history}
          </a>
        </p>
      </div>
      <form
        className="panel-section"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        <EventFields type={type} kind={kind} form={form} faults={faults} resources={resources} isNew={false} onChange={(next) => { setChanged(next); setFaults({}); }} />
        <button type="submit" className="visually-hidden" tabIndex={-1} aria-hidden>
          {words.save}
        </button>
      </form>
      <ConfirmDialog
        open={asking}
        title={words.deleteTitle(title)}
        confirm={words.delete}
        onConfirm={() => {
          // The question which of them, where there is one, comes after this one is closed.
          setAsking(false);
          void onRemove().then((done) => {
            if (done) onClose();
          });
        }}
        onClose={() => setAsking(false)}
      >
        <p>{words.deleteText}</p>
      </ConfirmDialog>
    </Panel>
  );
}

/** A recurrence rule in words, as far as they are short. */
function RuleText({ rule }: { readonly rule: string }) {
  const words = useMessages(calendarMessages);
  const language = useLanguage();
  const dates = useFormat();
  const known = ruleWords(rule);
  if (known === null) return <code>{rule}</code>;
  const every = known.interval > 1 ? words.everySome(known.interval, words.units(known.every)) : { DAILY: words.daily, WEEKLY: words.weekly, MONTHLY: words.monthly, YEARLY: words.yearly }[known.every];
  const weekday = new Intl.DateTimeFormat(language, { weekday: 'long', timeZone: 'UTC' });
  // 5 January 1970 was a Monday.
  const days = known.weekdays.map((number) => weekday.format((3 + number) * 86_400_000));
  const parts = [every, days.length === 0 ? null : words.on(dates.list(days)), known.count === null ? null : words.count(known.count), known.until === null ? null : words.until(dates.date(known.until))];
  return <>{parts.filter((part) => part !== null).join(', ')}</>;
}
