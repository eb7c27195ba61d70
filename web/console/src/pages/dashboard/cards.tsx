import { useFormat } from '../../i18n/format';
import { useMessages } from '../../i18n/messages';
import { hrefTo } from '../../routing/use-route';
import { useTypes } from '../../types/use-types';
import { Table, Tag } from '../../ui';
import type { Lane } from '../queue/lane';
import { dashboardMessages } from './messages';
import { conflictsByType, type Stats } from './stats';

/** The lanes of the queue: what waits in each, and for how long. */
export function Lanes({ lanes }: { readonly lanes: readonly Lane[] }) {
  const words = useMessages(dashboardMessages);
  const format = useFormat();
  const span = (seconds: number | null) => (seconds === null ? '–' : format.duration(seconds * 1000));
  return (
    <section className="card">
      <div className="card-head">
        <h2>{words.lanes}</h2>
      </div>
      {lanes.length === 0 ? (
        <p className="card-body soft dashboard-small">{words.noLanes}</p>
      ) : (
        <Table stacks caption={words.lanes} head={[words.lane, words.waiting, words.running, words.wait, words.oldest, words.state]}>
          {lanes.map((lane) => (
            <tr key={lane.id}>
              <td>
                <a href={hrefTo(['queue'], { lane: lane.id })}>{lane.id}</a>
              </td>
              <td data-label={words.waiting}>{format.number(lane.waiting)}</td>
              <td data-label={words.running}>
                {format.number(lane.running)} / {format.number(lane.width)}
              </td>
              <td data-label={words.wait}>{span(lane.waitS)}</td>
              <td data-label={words.oldest}>{span(lane.oldestWaitS)}</td>
              <td data-label={words.state}>{lane.paused ? <Tag tone="warning">{words.pausedLane}</Tag> : lane.noWorkerForS !== null ? <Tag tone="danger">{words.noWorker}</Tag> : <Tag tone="success">{words.openLane}</Tag>}</td>
            </tr>
          ))}
        </Table>
      )}
    </section>
  );
}

/** Where people get in each other's way: by type and field, and the records where it happens most. */
export function Conflicts({ stats }: { readonly stats: Stats }) {
  const words = useMessages(dashboardMessages);
  const format = useFormat();
  const { types } = useTypes();
  const byType = conflictsByType(stats.activity?.contended ?? []);
  const most = Math.max(1, ...byType.map(({ conflicts }) => conflicts));
  return (
    <section className="card">
      <div className="card-head">
        <h2>{words.byType}</h2>
        {stats.conflictsOpen === 0 ? null : (
          <a className="dashboard-link" href={hrefTo(['conflicts'])}>
            {words.conflictsOpen(format.number(stats.conflictsOpen), stats.conflictsOpen === 1)}
          </a>
        )}
      </div>
      <div className="card-body dashboard-conflicts">
        {byType.length === 0 ? <p className="soft">{words.noConflicts}</p> : <p className="faint">{words.byTypeHint}</p>}
        {byType.map(({ type, conflicts, fields }) => (
          <div key={type} className="dashboard-bar-row">
            <span className="truncate">{types.get(type)?.title ?? type}</span>
            <meter className="dashboard-meter" min={0} max={most} value={conflicts} aria-label={`${type}: ${format.number(conflicts)}`} />
            <strong>{format.number(conflicts)}</strong>
            <span className="faint dashboard-fields">{fields.slice(0, 3).map(({ field, conflicts: of }) => `${field === '' ? '–' : field} ${format.number(of)}`).join(' · ')}</span>
          </div>
        ))}
        {stats.hotRecords.length === 0 ? null : (
          <>
            <h3>{words.hot}</h3>
            <ol role="list" className="dashboard-hot">
              {stats.hotRecords.map(({ address, conflicts }) => (
                <li key={address}>
                  <a className="mono truncate" href={hrefTo(['records', ...address.split('/').map(decodeURIComponent)])}>
                    {address}
                  </a>
                  <span className="faint">{format.number(conflicts)}</span>
                </li>
              ))}
            </ol>
          </>
        )}
      </div>
    </section>
  );
}

/** How large the space is, and how full. */
export function Storage({ stats }: { readonly stats: Stats }) {
  const words = useMessages(dashboardMessages);
  const format = useFormat();
  const records = stats.types.filter(({ system }) => !system);
  const total = records.every((type) => type.records !== null) ? records.reduce((sum, type) => sum + (type.records ?? 0), 0) : null;
  return (
    <section className="card">
      <div className="card-head">
        <h2>{words.storage}</h2>
      </div>
      <div className="card-body stack">
        <dl className="dashboard-facts">
          <div>
            <dt>{words.bytes}</dt>
            <dd>{format.bytes(stats.bytes)}</dd>
          </div>
          <div>
            <dt>{words.log}</dt>
            <dd>{format.bytes(stats.logBytes)}</dd>
          </div>
          <div>
            <dt>{words.records}</dt>
            <dd>{total === null ? '–' : format.number(total)}</dd>
          </div>
          <div>
            <dt>{words.position}</dt>
            <dd>{format.number(stats.seq)}</dd>
          </div>
        </dl>
        {stats.limits.map(({ name, used, limit }) => {
          const show = name === 'bytes' ? format.bytes : (value: number) => format.number(value);
          const said = words.limitOf(used === null ? words.unknown : show(used), show(limit));
          return (
            <div key={name} className="dashboard-limit">
              <span>{words[`limit_${name}`]}</span>
              <span className="faint">{said}</span>
              <meter className="dashboard-meter" min={0} max={Math.max(1, limit)} high={limit * 0.9} value={used ?? 0} aria-label={`${words[`limit_${name}`]}: ${said}`} />
            </div>
          );
        })}
        {stats.writesPerActor === null ? null : <p className="soft dashboard-small">{words.writesPerActor(format.number(stats.writesPerActor.rate, 2), format.number(stats.writesPerActor.burst))}</p>}
        {stats.limits.length === 0 && stats.writesPerActor === null ? <p className="faint dashboard-small">{words.noLimits}</p> : null}
      </div>
    </section>
  );
}
