import { StetError } from '@stet/client';
import { useClient, useClientState } from '@stet/react';
import { Activity, Pause, Play, X } from 'lucide-react';
import { useEffect, useMemo, useState, useSyncExternalStore } from 'react';
import { useCommands } from '../../app/commands';
import { usePageTitle } from '../../app/page-title';
import { useFormat } from '../../i18n/format';
import { useMessages } from '../../i18n/messages';
import { navigate, useRoute } from '../../routing/use-route';
import { useTypes } from '../../types/use-types';
import { Badge, Button, EmptyState, ErrorNotice, PageHeader, Select, Skeleton, TextInput } from '../../ui';
import { ActivityList } from './activity-list';
import { createActivityLog, ofPerson, peopleIn } from './activity-log';
import { createActivitySource } from './activity-source';
import type { Entry } from './entry';
import { activityMessages } from './messages';
import './activity.css';

const kinds = ['all', 'change', 'conflict', 'operation'] as const;
const clock = {
  after: (ms: number, callback: () => void) => {
    const timer = setTimeout(callback, ms);
    return () => clearTimeout(timer);
  },
};

/** All that happens in the space, as it happens: who did what, when, and to which record. */
export function ActivityPage() {
  const words = useMessages(activityMessages);
  const format = useFormat();
  const client = useClient();
  const { query } = useRoute();
  const { types } = useTypes();
  const feed = useClientState((state) => state.feed, 'idle');
  const type = query['type'] ?? '';
  const where = query['where'] ?? '';
  const person = query['person'] ?? '';
  const kind = kinds.find((one) => one === query['kind']) ?? 'all';
  const [log] = useState(() => createActivityLog({ clock }));
  const source = useMemo(() => createActivitySource(client, log, { type: type === '' ? null : type, where }), [client, log, type, where]);
  useEffect(() => {
    source.start();
    return source.stop;
  }, [source]);
  const { entries, paused, waiting, cut } = useSyncExternalStore(log.subscribe, log.getSnapshot);
  const state = useSyncExternalStore(source.subscribe, source.getSnapshot);
  const shown = useMemo(() => ofPerson(entries, person === '' ? null : person).filter((entry: Entry) => kind === 'all' || entry.kind === kind || entry.kind === 'gap'), [entries, person, kind]);
  const people = useMemo(() => peopleIn(entries), [entries]);
  const filter = (change: Readonly<Record<string, string>>) => navigate(['activity'], { type, where, person, kind: kind === 'all' ? '' : kind, ...change }, 'replace');
  const filtered = type !== '' || where !== '' || person !== '' || kind !== 'all';
  const toggle = () => (paused ? log.resume() : log.pause());
  usePageTitle(words.title);
  useCommands([{ id: 'activity-pause', label: paused ? words.resume : words.pause, icon: paused ? Play : Pause, keys: 'p', group: words.title, run: toggle }]);
  const wrongWhere = where !== '' && state.error instanceof StetError && state.error.code === 'BAD_REQUEST' ? state.error : null;
  const names = [...types.keys()].filter((name) => !name.startsWith('stet.')).sort((one, other) => one.localeCompare(other));
  return (
    <div className="page">
      <PageHeader
        title={words.title}
        note={feed === 'waiting' ? words.away : undefined}
        actions={
          <Button icon={paused ? Play : Pause} onClick={toggle} aria-pressed={paused}>
            {paused ? words.resume : words.pause}
            {waiting === 0 ? null : (
              <>
                {' '}
                <Badge tone="accent">{words.waiting(format.number(waiting))}</Badge>
              </>
            )}
          </Button>
        }
      >
        <div className="activity-filters">
          <Select size="small" aria-label={words.kind} value={kind} onChange={(event) => filter({ kind: event.target.value === 'all' ? '' : event.target.value })} options={kinds.map((one) => ({ value: one, label: words[`kind_${one}`] }))} />
          <Select
            size="small"
            aria-label={words.type}
            value={type}
            onChange={(event) => filter({ type: event.target.value })}
            options={[{ value: '', label: words.allTypes }, ...[...new Set([...names, ...(type === '' ? [] : [type])])].map((name) => ({ value: name, label: types.get(name)?.title ?? name }))]}
          />
          <Select
            size="small"
            aria-label={words.person}
            value={person}
            onChange={(event) => filter({ person: event.target.value })}
            options={[{ value: '', label: words.everybody }, ...[...new Set([...people, ...(person === '' ? [] : [person])])].map((name) => ({ value: name, label: name }))]}
          />
          <WhereInput key={where} where={where} wrong={wrongWhere?.message ?? null} onWhere={(next) => filter({ where: next })} />
          {filtered ? (
            <Button size="small" variant="ghost" icon={X} onClick={() => navigate(['activity'], {}, 'replace')}>
              {words.clear}
            </Button>
          ) : null}
        </div>
      </PageHeader>
      {paused ? (
        <p className="activity-paused" role="status">
          {words.paused}
        </p>
      ) : null}
      {state.error === null || wrongWhere !== null ? null : (
        <div className="activity-error">
          <ErrorNotice error={state.error} onRetry={() => source.start()} />
        </div>
      )}
      {state.status === 'loading' && shown.length === 0 ? (
        <div className="activity-column">
          <Skeleton lines={10} label={words.loading} />
        </div>
      ) : shown.length === 0 && wrongWhere === null ? (
        <EmptyState
          icon={Activity}
          title={filtered ? words.emptyFiltered : words.empty}
          action={state.hasOlder ? <Button busy={state.readingOlder} onClick={() => void source.older()}>{words.older}</Button> : undefined}
        >
          {filtered ? words.emptyFilteredHint : words.emptyHint}
        </EmptyState>
      ) : (
        <ActivityList entries={shown} cut={cut} hasOlder={state.hasOlder} readingOlder={state.readingOlder} onOlder={() => void source.older()} onSeen={source.explain} onDetails={() => log.pause()} />
      )}
    </div>
  );
}

function WhereInput({ where, wrong, onWhere }: { readonly where: string; readonly wrong: string | null; readonly onWhere: (where: string) => void }) {
  const words = useMessages(activityMessages);
  const [text, setText] = useState(where);
  return (
    <form
      className="activity-where"
      onSubmit={(event) => {
        event.preventDefault();
        onWhere(text.trim());
      }}
    >
      <TextInput
        size="small"
        code
        type="search"
        aria-label={words.where}
        aria-invalid={wrong !== null || undefined}
        aria-describedby={wrong === null ? undefined : 'activity-where-wrong'}
        placeholder={words.whereHint}
        spellCheck={false}
        autoCapitalize="none"
        value={text}
        onChange={(event) => setText(event.target.value)}
        onBlur={() => {
          if (text.trim() !== where) onWhere(text.trim());
        }}
      />
      {wrong === null ? null : (
        <p className="field-error" id="activity-where-wrong" role="alert">
          {words.whereWrong}: {wrong}
        </p>
      )}
    </form>
  );
}
