import { ListPlus, ListTodo, SearchX } from 'lucide-react';
import { useMemo, useState } from 'react';
import { useClient, useSession } from '@stet/react';
import { useCommands } from '../../app/commands';
import { usePageTitle } from '../../app/page-title';
import { useMessages } from '../../i18n/messages';
import { navigate, useRoute } from '../../routing/use-route';
import { Button, Checkbox, EmptyState, ErrorNotice, PageHeader, Select, showToast, Skeleton, SplitPane, TextInput, errorWords } from '../../ui';
import { useLanguage } from '../../i18n/language';
import type { Lane } from './lane';
import { LaneCard, type LaneAction } from './lane-card';
import { LaneSettingsDialog } from './lane-settings';
import { queueMessages } from './messages';
import './queue.css';
import { StartAgent } from './start-agent';
import { statusWords } from './status-tag';
import { SubmitDialog } from './submit-dialog';
import { useLanes, useWork } from './use-queue';
import { agentsOf, inOrder } from './work';
import { WorkPanel } from './work-panel';
import { WorkTable } from './work-table';

/** So many are read at first, and so many more each time one asks for more. */
const portion = 500;
const statuses = ['queued', 'running', 'retrying', 'completed', 'failed', 'rejected', 'cancelled', 'expired'] as const;

/** `#/queue/LANE/OPERATION?status=…&agent=…&mine=1`; a lane that is `*` is all of them. */
export function QueuePage() {
  const words = useMessages(queueMessages);
  usePageTitle(words.title);
  const language = useLanguage();
  const client = useClient();
  const session = useSession().state;
  const route = useRoute();
  const [, laneName = '*', shown] = route.parts;
  const lane = laneName === '*' ? '' : laneName;
  const who = session.status === 'authenticated' ? session.who : null;
  const mine = route.query['mine'] === '1';
  const status = route.query['status'] ?? 'open';
  const agent = route.query['agent'] ?? '';
  const [most, setMost] = useState(portion);
  const [submitting, setSubmitting] = useState(false);
  const [settingsOf, setSettingsOf] = useState<Lane | null>(null);
  const lanes = useLanes();
  const list = useWork({ lane, status, agent, by: mine ? (who?.actor ?? '') : '', parent: '' }, most);
  const work = useMemo(() => inOrder(list.state.value?.work ?? []), [list.state.value]);
  const agents = useMemo(() => agentsOf(work), [work]);
  const maySteer = who === null || who.admin || who.scopes.includes('operate');
  const go = (to: { readonly lane?: string; readonly id?: string | null; readonly query?: Readonly<Record<string, string>> }, how: 'push' | 'replace' = 'push') => {
    const nextLane = to.lane ?? lane;
    const id = to.id === undefined ? (shown ?? null) : to.id;
    navigate(['queue', ...(id === null && nextLane === '' ? [] : [nextLane === '' ? '*' : nextLane]), ...(id === null ? [] : [id])], { ...route.query, ...to.query }, how);
  };
  const act = async (name: string, action: LaneAction) => {
    try {
      await client.http.request('POST', `/lanes/${encodeURIComponent(name)}/${action}`, { body: {} });
      showToast({ tone: 'success', title: words.laneChanged(name) });
    } catch (error) {
      const { title, detail } = errorWords(error, language);
      showToast({ tone: 'danger', title, ...(detail === null ? {} : { body: detail }) });
    }
    lanes.source.refresh();
    list.source.refresh();
  };
  useCommands([{ id: 'queue-submit', label: words.submit, keys: 'n', group: words.title, icon: ListPlus, run: () => setSubmitting(true) }]);
  const filtered = lane !== '' || status !== 'open' || agent !== '' || mine;
  const all = lanes.state.value ?? [];
  return (
    <div className="page queue">
      <PageHeader
        title={words.title}
        actions={
          <Button variant="primary" icon={ListPlus} onClick={() => setSubmitting(true)}>
            {words.submit}
          </Button>
        }
      />
      <SplitPane panel={shown === undefined ? null : <WorkPanel key={shown} id={shown} onClose={() => go({ id: null })} />}>
        <div className="queue-main">
          {lanes.state.status === 'error' && lanes.state.value === null ? <ErrorNotice error={lanes.state.error} onRetry={lanes.source.refresh} /> : null}
          {all.length === 0 ? null : (
            <section aria-label={words.lanes}>
              <ul role="list" className="lanes">
                {all.map((one) => (
                  <LaneCard
                    key={one.id}
                    lane={one}
                    selected={one.id === lane}
                    onSelect={() => go({ lane: one.id === lane ? '' : one.id, id: null })}
                    {...(maySteer ? { onAct: (action: LaneAction) => void act(one.id, action), onSettings: () => setSettingsOf(one) } : {})}
                  />
                ))}
              </ul>
            </section>
          )}
          <div className="queue-filter" role="group" aria-label={words.filterBar}>
            <Select
              size="small"
              aria-label={words.lane}
              value={lane}
              onChange={(event) => go({ lane: event.target.value, id: null }, 'replace')}
              options={[{ value: '', label: words.allLanes }, ...[...new Set([...all.map((one) => one.id), ...(lane === '' ? [] : [lane])])].map((name) => ({ value: name, label: name }))]}
            />
            <Select
              size="small"
              aria-label={words.status}
              value={status}
              onChange={(event) => go({ query: { status: event.target.value } }, 'replace')}
              options={[{ value: 'open', label: words.statusOpen }, ...statuses.map((name) => ({ value: name, label: statusWords(words, name) })), { value: 'all', label: words.statusAll }]}
            />
            <TextInput size="small" aria-label={words.find} placeholder={words.agentFilter} list="queue-agents-seen" value={agent} onChange={(event) => go({ query: { agent: event.target.value } }, 'replace')} />
            <datalist id="queue-agents-seen">
              {agents.map(({ name }) => (
                <option key={name} value={name} />
              ))}
            </datalist>
            {who === null ? null : <Checkbox label={words.mine} checked={mine} onChange={(event) => go({ query: { mine: event.target.checked ? '1' : '' } }, 'replace')} />}
            {agents.length === 0 ? null : (
              <ul role="list" className="queue-agents" aria-label={words.agents}>
                {agents.slice(0, 8).map(({ name, running, waiting }) => (
                  <li key={name} title={words.agentState(running, waiting)}>
                    <span className={running > 0 ? 'agent-dot agent-dot-on' : 'agent-dot'} aria-hidden />
                    <button type="button" aria-label={`${name}: ${words.agentState(running, waiting)}`} aria-pressed={agent === name} onClick={() => go({ query: { agent: agent === name ? '' : name } }, 'replace')}>
                      {name}
                    </button>
                  </li>
                ))}
              </ul>
            )}
          </div>
          <h2 className="visually-hidden">{words.operations}</h2>
          {list.state.status === 'error' ? <ErrorNotice error={list.state.error} onRetry={list.source.refresh} /> : null}
          {list.state.value === null ? (
            list.state.status === 'loading' ? <Skeleton label={words.loading} /> : null
          ) : work.length > 0 ? (
            <>
              <WorkTable work={work} active={shown ?? null} withLane={lane === ''} onOpen={(one) => go({ id: one.id })} />
              {list.state.value.more ? (
                <p className="queue-more">
                  {words.more(work.length)}{' '}
                  <Button size="small" onClick={() => setMost(most + portion)}>
                    {words.showMore}
                  </Button>
                </p>
              ) : null}
            </>
          ) : filtered ? (
            <EmptyState icon={SearchX} title={words.emptyFilterTitle} action={<Button onClick={() => navigate(['queue'])}>{words.showAll}</Button>}>
              {words.emptyFilterText}
            </EmptyState>
          ) : (
            <EmptyState
              icon={ListTodo}
              title={words.emptyTitle}
              action={
                <Button icon={ListPlus} onClick={() => setSubmitting(true)}>
                  {words.submit}
                </Button>
              }
            >
              <p>{words.emptyText}</p>
              <StartAgent lane={all[0]?.id ?? 'default'} agent="" />
            </EmptyState>
          )}
          {work.length > 0 && all.some((one) => one.waiting > 0 && one.running === 0 && one.waitingClaims === 0 && (lane === '' || one.id === lane)) ? (
            <div className="queue-hint">
              <strong>{words.command}</strong>
              <StartAgent lane={unattendedLane(all, lane)} agent={work.find((one) => one.agent !== null)?.agent ?? ''} />
            </div>
          ) : null}
        </div>
      </SplitPane>
      {submitting ? (
        <SubmitDialog
          lanes={all.map((one) => one.id)}
          agents={agents.map(({ name }) => name)}
          start={lane === '' ? {} : { lane }}
          onClose={() => setSubmitting(false)}
          onSubmitted={(id) => {
            lanes.source.refresh();
            list.source.refresh();
            go({ id });
          }}
        />
      ) : null}
      {settingsOf === null ? null : <LaneSettingsDialog lane={settingsOf} onClose={() => setSettingsOf(null)} onSaved={lanes.source.refresh} />}
    </div>
  );
}

function unattendedLane(lanes: readonly Lane[], lane: string): string {
  return lanes.find((one) => one.waiting > 0 && one.running === 0 && (lane === '' || one.id === lane))?.id ?? (lane === '' ? 'default' : lane);
}
