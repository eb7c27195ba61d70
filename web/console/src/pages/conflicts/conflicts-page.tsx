import type { Conflict } from '@stet/client';
import { ConflictDialog, nounOf, useClient, useConflicts, useSession } from '@stet/react';
import { CheckCheck, GitMerge } from 'lucide-react';
import { useState, type ReactNode } from 'react';
import { useCommands } from '../../app/commands';
import { usePageTitle } from '../../app/page-title';
import { useLanguage } from '../../i18n/language';
import { useMessages } from '../../i18n/messages';
import { hrefTo, navigate, useRoute } from '../../routing/use-route';
import { humanize, pointerParts } from '../../types/type-definition';
import { useTypes } from '../../types/use-types';
import { Button, Checkbox, ConfirmDialog, EmptyState, ErrorNotice, errorWords, Notice, PageHeader, Select, showToast, Skeleton, Tabs } from '../../ui';
import { useSource } from '../../use-source';
import { ConflictRow } from './conflict-row';
import './conflicts.css';
import { readInbox, reopen, settleMany, type InboxItem, type Scope } from './inbox';
import { conflictMessages } from './messages';
import { OwnConflicts } from './own-conflicts';
import { useShownConflict } from './use-shown-conflict';

const step = 100;

/** Conflicts that wait and notices: what happened, until when to decide, and the dialog to decide in. */
export function ConflictsPage(): ReactNode {
  const words = useMessages(conflictMessages);
  const language = useLanguage();
  const client = useClient();
  const { parts, query } = useRoute();
  const { mine } = useConflicts();
  const { state: session } = useSession();
  const types = useTypes();
  const [wanted, setWanted] = useState(step);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [keeping, setKeeping] = useState(false);
  usePageTitle(words.title);

  const scope: Scope = query['show'] === 'all' ? 'all' : 'mine';
  const type = query['type'] ?? '';
  const id = parts[1] ?? null;
  const edit = query['edit'] ?? null;
  const shown = useShownConflict(id, edit);
  const { state, source } = useSource(`inbox ${scope} ${wanted}`, () => ({
    read: (signal) => readInbox(client, scope, wanted, signal),
    atMostEveryMs: 1_000,
    everyMs: null,
    follow: (changed) =>
      client.feed.follow({ events: ['conflict'] }, (event) => {
        if (event.kind === 'conflict' || event.kind === 'ready' || event.kind === 'reset') changed();
      }),
  }));

  const go = (change: Readonly<Record<string, string>>): void => navigate(['conflicts'], { show: scope === 'all' ? 'all' : '', type, ...change }, 'replace');
  const close = (): void => go({});
  const labelOf = (typeName: string) => (pointer: string) =>
    types.types.get(typeName)?.fields.find((field) => field.pointer === pointer)?.title ?? humanize(pointerParts(pointer).at(-1) ?? pointer);
  const titleOf = (typeName: string): string => types.types.get(typeName)?.title ?? humanize(typeName);

  const all = state.value?.items ?? [];
  const items = type === '' ? all : all.filter((item) => item.type === type);
  const open = items.filter((item) => item.state === 'open');
  const notices = items.filter((item) => item.state !== 'open');
  const chosen = open.filter((item) => selected.has(item.id));
  const clean = chosen.filter((item) => item.clean);
  const typesSeen = [...new Set(all.map((item) => item.type))].sort();

  /** Runs an action and says what went wrong; the list is read again either way. */
  const act = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (reason) {
      const { title, detail } = errorWords(reason, language);
      showToast({ tone: 'danger', title, ...(detail === null ? {} : { body: detail }) });
    }
    source.refresh();
  };
  const markRead = (ids: readonly string[] | null): Promise<void> =>
    act(async () => void (await client.http.request('POST', '/inbox/read', { body: ids === null ? { all: true } : { ids } })));
  const decide = (item: InboxItem): void => {
    if (!item.read) void markRead([item.id]);
    navigate(['conflicts', item.id], { show: scope === 'all' ? 'all' : '', type });
  };
  const settle = (ids: readonly string[], choice: 'current' | 'merged'): Promise<void> =>
    act(async () => {
      const outcome = await settleMany(client, ids, choice);
      setSelected(new Set());
      if (outcome.resolved > 0) showToast({ tone: 'success', title: words.settled(outcome.resolved) });
      const first = outcome.refused[0];
      if (first !== undefined) showToast({ tone: 'warning', title: words.notSettled(outcome.refused.length), body: first.why });
    });

  useCommands([{ id: 'conflicts-read', label: words.markRead, icon: CheckCheck, group: words.group, run: () => void markRead(null) }]);

  const list = (part: readonly InboxItem[]): ReactNode => (
    <ul className="conflicts-list" role="list">
      {part.map((item) => (
        <ConflictRow
          key={item.id}
          item={item}
          self={session.status === 'authenticated' ? session.who.actor : null}
          labelOf={labelOf(item.type)}
          typeTitle={titleOf(item.type)}
          selected={selected.has(item.id)}
          onSelect={
            item.state !== 'open'
              ? null
              : (on) => {
                  const next = new Set(selected);
                  if (on) next.add(item.id);
                  else next.delete(item.id);
                  setSelected(next);
                }
          }
          onDecide={() => decide(item)}
          onReopen={() =>
            void act(async () => {
              const again = await reopen(client, item);
              showToast({ tone: 'success', title: words.reopened });
              navigate(['conflicts', again], { type });
            })
          }
          onDismiss={() => void act(async () => void (await client.http.request('DELETE', `/inbox/${encodeURIComponent(item.id)}`)))}
        />
      ))}
    </ul>
  );
  const nothing = items.length === 0 && (scope === 'all' || mine.length === 0);

  return (
    <div className="page">
      <PageHeader
        title={words.title}
        actions={
          <Button icon={CheckCheck} onClick={() => void markRead(null)} aria-disabled={(state.value?.unread ?? 0) === 0}>
            {words.markRead}
          </Button>
        }
      />
      <Tabs
        label={words.views}
        tabs={[
          { id: 'mine', label: words.forMe },
          { id: 'all', label: words.all },
        ]}
        selected={scope}
        onSelect={(next) => go({ show: next === 'all' ? 'all' : '' })}
      >
        <div className="page-column conflicts-column">
          {shown.kind === 'gone' ? (
            <Notice tone="info" title={words.goneTitle}>
              {words.goneText}
            </Notice>
          ) : null}
          {shown.kind === 'failed' ? <ErrorNotice error={shown.error} /> : null}
          {state.error === null ? null : <ErrorNotice error={state.error} onRetry={source.refresh} />}
          {scope === 'mine' && mine.length > 0 ? <OwnConflicts conflicts={mine} titleOf={titleOf} onDecide={(conflict) => go({ edit: conflict.edit ?? '' })} /> : null}
          {state.status === 'loading' && state.value === null ? <Skeleton label={words.loading} /> : null}
          {typesSeen.length > 1 || type !== '' ? (
            <div className="conflicts-filter">
              <Select
                size="small"
                aria-label={words.type}
                value={type}
                onChange={(event) => go({ type: event.target.value })}
                options={[{ value: '', label: words.anyType }, ...[...new Set([...typesSeen, ...(type === '' ? [] : [type])])].map((name) => ({ value: name, label: titleOf(name) }))]}
              />
            </div>
          ) : null}
          {open.length === 0 ? null : (
            <section className="conflicts-part" aria-labelledby="conflicts-open">
              <div className="conflicts-part-head">
                <Checkbox
                  aria-label={words.selectAll}
                  checked={chosen.length === open.length}
                  partly={chosen.length > 0 && chosen.length < open.length}
                  onChange={(event) => setSelected(event.target.checked ? new Set(open.map((item) => item.id)) : new Set())}
                />
                <h2 id="conflicts-open">{words.waiting}</h2>
                {chosen.length === 0 ? null : (
                  <div className="conflicts-bulk">
                    {clean.length === 0 ? null : (
                      <Button size="small" onClick={() => void settle(clean.map((item) => item.id), 'merged')}>
                        {words.takeMerged(clean.length)}
                      </Button>
                    )}
                    <Button size="small" onClick={() => setKeeping(true)}>
                      {words.keepCurrent(chosen.length)}
                    </Button>
                  </div>
                )}
              </div>
              {list(open)}
            </section>
          )}
          {notices.length === 0 ? null : (
            <section className="conflicts-part" aria-labelledby="conflicts-notices">
              <div className="conflicts-part-head">
                <h2 id="conflicts-notices">{words.notices}</h2>
              </div>
              {list(notices)}
            </section>
          )}
          {state.value !== null && nothing ? (
            <>
            <h2 className="visually-hidden">{words.waiting}</h2>
            <EmptyState
              icon={GitMerge}
              title={type !== '' ? words.emptyFiltered : scope === 'all' ? words.emptyAllTitle : words.emptyTitle}
              action={<a className="button button-secondary" href={hrefTo(['records'])}>{words.goRecords}</a>}
            >
              {scope === 'all' ? words.emptyAllText : words.emptyText}
            </EmptyState>
            </>
          ) : null}
          {state.value?.more === true ? <Button onClick={() => setWanted(wanted + step)}>{words.more}</Button> : null}
        </div>
      </Tabs>
      <ConfirmDialog
        open={keeping}
        title={words.keepTitle(chosen.length)}
        confirm={words.keepConfirm}
        tone="primary"
        onConfirm={() => settle(chosen.map((item) => item.id), 'current')}
        onClose={() => setKeeping(false)}
      >
        <p>{words.keepText}</p>
      </ConfirmDialog>
      <ConflictDialog
        conflict={shown.kind === 'conflict' ? shown.conflict : null}
        noun={shown.kind === 'conflict' ? nounOf(typeOf(shown.conflict)) : 'record'}
        labels={shown.kind === 'conflict' ? (pointer) => labelOf(typeOf(shown.conflict))(pointer) : {}}
        onEnd={() => {
          close();
          source.refresh();
        }}
      />
    </div>
  );
}

const typeOf = (conflict: Conflict): string => decodeURIComponent(conflict.address.split('/')[0] ?? '');
