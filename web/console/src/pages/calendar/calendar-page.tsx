import { useClient } from '@stet/react';
import { CalendarDays } from 'lucide-react';
import { usePageTitle } from '../../app/page-title';
import { useMessages } from '../../i18n/messages';
import { hrefTo, useRoute } from '../../routing/use-route';
import { useTypes } from '../../types/use-types';
import { CopyButton, EmptyState, ErrorNotice, PageHeader, Skeleton } from '../../ui';
import { useMemo } from 'react';
import { CalendarBoard } from './calendar-board';
import { calendarTypesOf } from './declaration';
import { calendarMessages } from './messages';
import './calendar.css';

const command = `stet types put meetings '{"fields": {"/title": {"type": "string", "required": true}}, "exclusive": {"resource": "/room", "start": "/start", "end": "/end", "tz": "/tz"}}'`;

/** `#/calendar/TYPE?view=week&day=2026-11-16&field=/room&zone=…&only=a,b&open=KEY` */
export function CalendarPage() {
  const words = useMessages(calendarMessages);
  const client = useClient();
  const route = useRoute();
  const state = useTypes();
  const types = useMemo(() => calendarTypesOf({ types: [...state.types.values()].map((type) => type.raw) }), [state.types]);
  const [, name] = route.parts;
  const type = types.find((one) => one.type === name) ?? types.find((one) => one.kinds.some((kind) => kind.exclusive)) ?? types[0];
  usePageTitle(words.title, type?.title);
  if (type !== undefined) return <CalendarBoard key={`${client.space} ${type.type}`} type={type} types={types} named={state.types.has('resources')} />;
  return (
    <div className="page">
      <PageHeader title={words.title} />
      {state.status === 'loading' ? (
        <Skeleton label={words.loading} />
      ) : state.status === 'error' ? (
        <ErrorNotice error={state.error} />
      ) : (
        <EmptyState icon={CalendarDays} title={words.noCalendarTitle} action={<a className="button button-secondary" href={hrefTo(['schema'])}>{words.openSchema}</a>}>
          <p>{words.noCalendarText}</p>
          <div className="queue-command">
            <code tabIndex={0}>{command}</code>
            <CopyButton text={command} label={words.copy} />
          </div>
        </EmptyState>
      )}
    </div>
  );
}
