import { useClient, useSession } from '@stet/react';
import { useMemo, useSyncExternalStore } from 'react';
import { usePageTitle } from '../../app/page-title';
import { useFormat } from '../../i18n/format';
import { useMessages } from '../../i18n/messages';
import { ErrorNotice, Notice, PageHeader, Skeleton } from '../../ui';
import { Alerts } from './alerts-card';
import { createDashboardStore } from './dashboard-store';
import { Numbers } from './numbers';
import { Conflicts, Lanes, Storage } from './cards';
import { dashboardMessages } from './messages';
import './dashboard.css';

/** How the space is doing: what is written, what collides, what waits, what is wrong. */
export function DashboardPage() {
  const words = useMessages(dashboardMessages);
  const format = useFormat();
  const client = useClient();
  const { state: session } = useSession();
  const who = session.status === 'authenticated' ? session.who : null;
  const serverAdmin = who?.serverAdmin === true;
  const store = useMemo(() => createDashboardStore(client, serverAdmin), [client, serverAdmin]);
  const { status, value, error } = useSyncExternalStore(store.subscribe, store.getSnapshot);
  usePageTitle(words.title);
  const first = value?.points[0];
  const activity = value?.look.stats.activity ?? null;
  return (
    <div className="page">
      <PageHeader title={words.title} note={first === undefined || value === null ? undefined : words.following(format.duration(1000 * Math.max(2, Math.round((value.look.at - first.at) / 1000))))} />
      <div className="page-scroll">
        <div className="page-column dashboard-column">
          {status === 'loading' ? <Skeleton lines={8} label={words.loading} /> : null}
          {error === null ? null : <ErrorNotice error={error} onRetry={() => void store.refresh()} />}
          {activity?.halted === true ? (
            <Notice tone="warning" title={words.halted}>
              {words.haltedHint}
            </Notice>
          ) : null}
          {activity !== null && activity.commitFailures > 0 ? <Notice tone="warning" title={words.commitFailures(format.number(activity.commitFailures))} /> : null}
          {value === null ? null : (
            <>
              <Numbers look={value.look} points={value.points} />
              <div className="dashboard-cards">
                <Alerts alerts={value.alerts} admin={who?.admin === true} />
                <Lanes lanes={value.look.lanes} />
                <Conflicts stats={value.look.stats} />
                <Storage stats={value.look.stats} />
              </div>
              {activity === null ? (
                <Notice tone="info" title={words.onlyAdmins}>
                  {words.onlyAdminsHint}
                </Notice>
              ) : null}
            </>
          )}
        </div>
      </div>
    </div>
  );
}
