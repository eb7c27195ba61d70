import { useNow } from '@stet/react';
import { CalendarPlus, ChevronLeft, ChevronRight } from 'lucide-react';
import { useCallback, useMemo, useRef, useState, useSyncExternalStore } from 'react';
import { useCommands } from '../../app/commands';
import { localeOf, useLanguage } from '../../i18n/language';
import { useMessages } from '../../i18n/messages';
import { navigate, useRoute } from '../../routing/use-route';
import { humanize } from '../../types/type-definition';
import { Button, ErrorNotice, IconButton, KeyHint, Menu, Notice, PageHeader, Select, SplitPane, TextInput, type MenuItem } from '../../ui';
import { Agenda } from './agenda';
import { axisOf } from './axis';
import { calendarFormat } from './calendar-format';
import { columnsOf } from './columns';
import { CreateDialog } from './create-dialog';
import { addDays, clockOfDay, dayOfClock, daysFrom, firstWeekdayOf, isDay, isoWeekOf, weekStart, type Day } from './dates';
import type { CalendarType } from './declaration';
import { isLong, type Draft } from './draft';
import { EventPanel } from './event-panel';
import { calendarMessages } from './messages';
import { RefusedPopover } from './refused-popover';
import { ScopeDialog } from './scope-dialog';
import { TimeGrid } from './time-grid';
import { useCalendar } from './use-calendar';
import { useChanges } from './use-changes';
import type { Doing } from './use-grid-drag';
import { resourcesToShow, useBookedResources, useResourceNames } from './use-resources';
import { clockAt, instantAt, isZone, ownZone } from './zone';

type View = 'day' | 'week' | 'agenda';
/** Narrower than this the week does not fit. */
const narrow = '(max-width: 48rem)';
const agendaDays = 14;
/** One day has so many columns at most; more are chosen among. */
const columnsMax = 24;

/** The calendar of one type. */
export function CalendarBoard({ type, types, named }: { readonly type: CalendarType; readonly types: readonly CalendarType[]; readonly named: boolean }) {
  const words = useMessages(calendarMessages);
  const language = useLanguage();
  const route = useRoute();
  const now = useNow(30_000) ?? Date.now();
  const isNarrow = useMedia(narrow);
  const kind = type.kinds.find((one) => one.resource === route.query['field']) ?? type.kinds[0];
  if (kind === undefined) throw new Error(`the type "${type.type}" has no times`);
  const zones = useMemo(() => [...new Set([kind.hours?.zone, kind.zone !== null && 'name' in kind.zone ? kind.zone.name : undefined, ownZone(), 'UTC'].filter((zone) => zone !== undefined && isZone(zone)))].filter((zone) => zone !== undefined), [kind]);
  const asked = route.query['zone'];
  const zone = asked !== undefined && isZone(asked) ? asked : (zones[0] ?? 'UTC');
  const locale = localeOf(language);
  const format = calendarFormat(locale, zone);
  const view: View = route.query['view'] === 'day' ? 'day' : route.query['view'] === 'agenda' ? 'agenda' : route.query['view'] === 'week' || !isNarrow ? 'week' : 'agenda';
  const today = dayOfClock(clockAt(now, zone));
  const day = isDay(route.query['day'] ?? '') ? (route.query['day'] ?? today) : today;
  const first = view === 'week' ? weekStart(day, firstWeekdayOf(locale)) : day;
  const count = view === 'day' ? 1 : view === 'week' ? 7 : agendaDays;
  const days = useMemo(() => daysFrom(first, count), [first, count]);
  const [doing, setDoing] = useState<Doing | null>(null);
  const [making, setMaking] = useState<Draft | null>(null);
  const [said, setSaid] = useState('');
  // The same words twice are said twice.
  const say = useCallback((text: string) => setSaid((before) => (before === text ? `${text}\u200B` : text)), []);
  const spoken = useCallback((draft: Draft) => format.spoken(draft), [format]);
  const round = useRef(0);
  const reread = useRef<() => void>(() => undefined);
  const changes = useChanges({ type, kind, zone, round: () => round.current, reread: () => reread.current(), say, spoken });
  const calendar = useCalendar(type, kind, first, addDays(first, count), zone, changes.moves);
  round.current = calendar.state.value?.round ?? 0;
  reread.current = calendar.source.refresh;

  const names = useResourceNames(named);
  const booked = useBookedResources(type, kind);
  const used = useMemo(() => new Set([...booked, ...calendar.shown.flatMap((one) => one.resources)]), [booked, calendar.shown]);
  const resources = useMemo(() => (kind.resource === null ? [] : resourcesToShow(used, names)), [kind, used, names]);
  const order = useMemo(() => new Map(resources.map((one, index) => [one.id, index] as const)), [resources]);
  const nameOf = useCallback((id: string) => names.get(id)?.name ?? id, [names]);
  const only = useMemo(() => new Set((route.query['only'] ?? '').split(',').filter((id) => id !== '')), [route.query]);
  const shown = useMemo(() => (only.size === 0 ? calendar.shown : calendar.shown.filter((one) => one.resources.some((id) => only.has(id)))), [calendar.shown, only]);
  const byResource = view === 'day' && kind.resource !== null ? resources.map((one) => one.id).filter((id) => only.size === 0 || only.has(id)) : null;
  const columns = useMemo(() => columnsOf(days, byResource === null ? null : byResource.slice(0, columnsMax)), [days, byResource?.join('\u0000')]);
  const axis = useMemo(() => axisOf(days, zone), [days, zone]);
  const openKey = route.query['open'] ?? null;
  const open = openKey === null ? null : (calendar.shown.find((one) => one.key === openKey) ?? null);

  const go = (query: Readonly<Record<string, string>>, how: 'push' | 'replace' = 'push') => navigate(['calendar', type.type], { ...route.query, ...query }, how);
  const page = (direction: 1 | -1) => go({ day: addDays(view === 'week' ? first : day, direction * count) }, 'replace');
  const create = () => {
    const start = day === today ? Math.ceil(now / 1_800_000) * 1_800_000 : instantAt(clockOfDay(day) + 9 * 3_600_000, zone);
    setMaking({ start, end: start + 3_600_000, allDay: false, resource: only.size === 1 ? ([...only][0] ?? null) : null });
  };
  const done = (what: Doing) => {
    if (what.one === null) setMaking({ ...what.draft, resource: what.draft.resource ?? (only.size === 1 ? ([...only][0] ?? null) : null) });
    else changes.move(what.one, what.draft, what.from);
  };
  useCommands([
    { id: 'calendar-new', label: words.create, keys: 'n', group: words.title, icon: CalendarPlus, run: create },
    { id: 'calendar-today', label: words.today, keys: 't', group: words.title, run: () => go({ day: '' }, 'replace') },
    { id: 'calendar-after', label: words.after, keys: 'j', group: words.title, run: () => page(1) },
    { id: 'calendar-before', label: words.before, keys: 'k', group: words.title, run: () => page(-1) },
    { id: 'calendar-day', label: words.day, keys: 'd', group: words.title, run: () => go({ view: 'day' }) },
    { id: 'calendar-week', label: words.week, keys: 'w', group: words.title, run: () => go({ view: 'week' }) },
    { id: 'calendar-agenda', label: words.agenda, keys: 'a', group: words.title, run: () => go({ view: 'agenda' }) },
  ]);
  const week = isoWeekOf(addDays(first, 3));
  const filter: MenuItem[] = [
    { label: words.allResources, checked: only.size === 0, onSelect: () => go({ only: '' }, 'replace') },
    'line',
    ...resources.map((one) => ({
      label: one.name,
      checked: only.has(one.id),
      onSelect: () => go({ only: [...(only.has(one.id) ? [...only].filter((id) => id !== one.id) : [...only, one.id])].join(',') }, 'replace'),
    })),
  ];
  return (
    <div className="page calendar">
      <PageHeader
        title={words.title}
        note={format.days(first, addDays(first, count - 1))}
        actions={
          <Button variant="primary" icon={CalendarPlus} onClick={create}>
            {words.create}
          </Button>
        }
      >
        <div className="calendar-bar" role="group" aria-label={words.view}>
          <span className="calendar-steps">
            <IconButton icon={ChevronLeft} size="small" label={words.before} keys="k" onClick={() => page(-1)} />
            <Button size="small" onClick={() => go({ day: '' }, 'replace')}>
              {words.today}
            </Button>
            <IconButton icon={ChevronRight} size="small" label={words.after} keys="j" onClick={() => page(1)} />
          </span>
          <div className="calendar-choices">
            <TextInput size="small" type="date" aria-label={words.goTo} value={day} onChange={(event) => isDay(event.target.value) && go({ day: event.target.value }, 'replace')} />
            {view === 'week' ? <span className="faint calendar-week">{words.weekNumber(week.week)}</span> : null}
            <span className="page-space" />
            {types.length < 2 ? null : (
              <Select size="small" aria-label={words.type} value={type.type} onChange={(event) => navigate(['calendar', event.target.value], { view, day })} options={types.map((one) => ({ value: one.type, label: one.title }))} />
            )}
            {type.kinds.length < 2 ? null : (
              <Select
                size="small"
                aria-label={words.kind}
                value={kind.resource ?? ''}
                onChange={(event) => go({ field: event.target.value, only: '' }, 'replace')}
                options={type.kinds.map((one) => ({ value: one.resource ?? '', label: one.resource === null ? words.noResource : humanize(one.resource.split('/').pop() ?? '') }))}
              />
            )}
            {resources.length < 2 ? null : (
              <Menu
                label={words.resources}
                stays
                align="end"
                items={filter}
                trigger={(props) => (
                  <Button {...props} size="small">
                    {only.size === 0 ? words.resources : only.size === 1 ? nameOf([...only][0] ?? '') : words.someResources(only.size)}
                  </Button>
                )}
              />
            )}
            <Select
              size="small"
              aria-label={words.zone}
              value={zone}
              onChange={(event) => go({ zone: event.target.value }, 'replace')}
              options={[...new Set([...zones, zone])].map((one) => ({ value: one, label: calendarFormat(locale, one).zoneName(clockOfDay(day)) }))}
            />
          </div>
          <span className="calendar-views" role="group" aria-label={words.view}>
            {(['day', 'week', 'agenda'] as const).map((one) => (
              <button key={one} type="button" aria-pressed={view === one} onClick={() => go({ view: one })}>
                {words[one]}
              </button>
            ))}
          </span>
        </div>
      </PageHeader>
      <SplitPane
        panel={
          open === null ? null : (
            <EventPanel
              key={open.key}
              type={type}
              kind={kind}
              one={open}
              zone={zone}
              format={format}
              resources={resources}
              nameOf={nameOf}
              onMove={(to, from) => changes.move(open, to, from)}
              onPatch={(patch) => changes.patch(open, patch)}
              onRemove={() => changes.remove(open)}
              onClose={() => go({ open: '' })}
            />
          )
        }
      >
        <div className="calendar-main">
          {calendar.state.status === 'error' ? <ErrorNotice error={calendar.state.error} onRetry={calendar.source.refresh} /> : null}
          {kind.exclusive ? null : <Notice tone="info" title={words.notOwn} />}
          {byResource !== null && byResource.length > columnsMax ? <Notice tone="info" title={words.noFit} /> : null}
          {view === 'agenda' ? (
            <Agenda type={type} kind={kind} days={days} shown={shown} order={order} nameOf={nameOf} format={format} zone={zone} now={now} openKey={openKey} onOpen={(one) => go({ open: one.key })} />
          ) : (
            <TimeGrid
              key={view}
              type={type}
              kind={kind}
              axis={axis}
              columns={columns}
              shown={shown}
              order={order}
              nameOf={nameOf}
              format={format}
              now={now}
              openKey={openKey}
              doing={doing ?? (making === null ? null : doingOf(making))}
              onDoing={setDoing}
              onDone={done}
              onOpen={(one) => go({ open: one.key })}
              onDay={(target: Day) => go({ view: 'day', day: target })}
              say={say}
            />
          )}
          {calendar.state.status === 'ready' && shown.length === 0 ? (
            <div className="calendar-empty" role="status">
              <strong>{words.emptyTitle}</strong> {words.emptyText} <KeyHint keys="n" />
            </div>
          ) : null}
        </div>
      </SplitPane>
      <div className="visually-hidden" role="status" aria-live="polite" data-said>
        {said}
      </div>
      {making === null ? null : (
        <CreateDialog
          type={type}
          kind={kind}
          draft={making}
          zone={zone}
          resources={resources}
          onClose={() => setMaking(null)}
          onCreate={(data, draft) => void changes.create(data, draft)}
        />
      )}
      {changes.question === null ? null : <ScopeDialog question={changes.question} />}
      {changes.refused === null ? null : <RefusedPopover key={`${changes.refused.wanted.start} ${changes.refused.wanted.end}`} refused={changes.refused} type={type} format={format} nameOf={nameOf} onClose={changes.dismiss} />}
    </div>
  );
}

/** What is being made is seen where it will be while its form is open. */
function doingOf(draft: Draft): Doing | null {
  return isLong(draft) ? null : { how: 'create', by: 'pointer', one: null, from: null, draft };
}

function useMedia(query: string): boolean {
  const list = useMemo(() => window.matchMedia(query), [query]);
  return useSyncExternalStore(
    (listener) => {
      list.addEventListener('change', listener);
      return () => list.removeEventListener('change', listener);
    },
    () => list.matches,
  );
}
