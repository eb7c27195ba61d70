import { BellPlus, CircleCheck } from 'lucide-react';
import { useFormat } from '../../i18n/format';
import { useMessages } from '../../i18n/messages';
import { hrefTo } from '../../routing/use-route';
import { RelativeTime, Tag } from '../../ui';
import type { Alert } from './alerts';
import { dashboardMessages } from './messages';

/** What is wrong, and what was. */
export function Alerts({ alerts, admin }: { readonly alerts: readonly Alert[]; readonly admin: boolean }) {
  const words = useMessages(dashboardMessages);
  const firing = alerts.filter(({ state }) => state === 'firing');
  const ordered = [...firing, ...alerts.filter(({ state }) => state !== 'firing')];
  return (
    <section className="card">
      <div className="card-head">
        <h2>{words.alerts}</h2>
        {admin ? (
          <a className="dashboard-link" href={hrefTo(['schema', 'settings'])}>
            <BellPlus size={15} aria-hidden /> {words.watch}
          </a>
        ) : null}
      </div>
      <div className="card-body">
        {firing.length === 0 ? (
          <p className="dashboard-well">
            <CircleCheck size={16} aria-hidden /> {alerts.length === 0 ? words.noAlerts : words.allWell}
          </p>
        ) : null}
        {ordered.length === 0 ? null : (
          <ul role="list" className="dashboard-alerts">
            {ordered.map((alert) => (
              <Row key={alert.id} alert={alert} />
            ))}
          </ul>
        )}
      </div>
    </section>
  );
}

function Row({ alert }: { readonly alert: Alert }) {
  const words = useMessages(dashboardMessages);
  const format = useFormat();
  const firing = alert.state === 'firing';
  return (
    <li>
      <div>
        <strong>{alert.name}</strong>
        <span className="soft">
          {[alert.lane, alert.class].filter((one) => one !== null).join(' · ')}
          {alert.value === null || alert.threshold === null ? null : <> {words.alertValue(format.number(alert.value, 2), format.number(alert.threshold, 2))}</>}
          {alert.operation === null ? null : (
            <>
              {' '}
              <a href={hrefTo(['queue', alert.operation])}>{words.operation}</a>
            </>
          )}
        </span>
      </div>
      <span className="faint">
        {firing ? words.since : words.until} <RelativeTime time={firing ? alert.since : (alert.resolvedAt ?? alert.since)} />
      </span>
      <Tag tone={firing ? (alert.severity === 'critical' ? 'danger' : 'warning') : 'neutral'}>{firing ? words.firing : words.resolved}</Tag>
    </li>
  );
}
