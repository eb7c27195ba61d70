import type { ReactNode } from 'react';
import { useFormat } from '../../i18n/format';
import { useMessages } from '../../i18n/messages';
import type { Look, Point } from './dashboard-history';
import { LineChart, type Line } from './line-chart';
import { dashboardMessages } from './messages';

/** A number, what it is made of, and its line. */
function Figure({ title, value, unit, note, children }: { readonly title: string; readonly value: string; readonly unit?: string; readonly note?: ReactNode; readonly children: ReactNode }) {
  return (
    <section className="card dashboard-figure">
      <h2>{title}</h2>
      <p className="dashboard-value">
        <strong>{value}</strong> {unit === undefined ? null : <span>{unit}</span>}
      </p>
      <p className="dashboard-note faint">{note}</p>
      {children}
    </section>
  );
}

/** The numbers that move, each with its last minutes. What somebody may not know is not shown. */
export function Numbers({ look, points }: { readonly look: Look; readonly points: readonly Point[] }) {
  const words = useMessages(dashboardMessages);
  const format = useFormat();
  const now = points.at(-1);
  const times = points.map(({ at }) => at);
  const line = (name: string, color: Line['color'], pick: (point: Point) => number | null): Line => ({ name, color, values: points.map(pick) });
  const rate = (value: number) => format.number(value, value < 10 ? 1 : 0);
  // What happens now and then keeps its last number; the line says when.
  const last = (pick: (point: Point) => number | null): number | null => points.reduce<number | null>((found, point) => pick(point) ?? found, null);
  const conflictShare = last((point) => point.conflictShare);
  const cacheShare = last((point) => point.cacheShare);
  const [commitP50, commitP99] = [last(({ commitP50Ms }) => commitP50Ms), last(({ commitP99Ms }) => commitP99Ms)];
  const [requestP50, requestP99] = [last(({ requestP50Ms }) => requestP50Ms), last(({ requestP99Ms }) => requestP99Ms)];
  const { activity } = look.stats;
  const has = (pick: (point: Point) => number | null) => points.some((point) => pick(point) !== null);
  const known = (value: number | null | undefined, show: (value: number) => string): string => (value === null || value === undefined ? '–' : show(value));
  return (
    <div className="dashboard-figures">
      <Figure title={words.writes} value={known(now?.writesPerS, rate)} unit={words.perSecond} note={activity === null ? null : words.sinceOpen(format.number(activity.changes))}>
        <LineChart name={words.writes} times={times} lines={[line(words.writesName, 1, ({ writesPerS }) => writesPerS)]} show={rate} />
      </Figure>
      {activity === null ? null : (
        <Figure
          title={words.conflicts}
          value={known(conflictShare, format.percent)}
          note={activity.stale > 0 ? words.mergedOf(format.number(activity.merged), format.number(activity.stale)) : conflictShare === null ? words.noWrites : null}
        >
          <LineChart name={words.conflicts} times={times} lines={[line(words.conflictsName, 2, ({ conflictShare }) => conflictShare)]} show={format.percent} />
        </Figure>
      )}
      {activity === null ? null : (
        <Figure
          title={words.commits}
          value={known(commitP50, format.duration)}
          note={commitP99 === null ? words.noCommits : `${words.p99}: ${format.duration(commitP99)}`}
        >
          <LineChart name={words.commits} times={times} lines={[line(words.p50, 3, ({ commitP50Ms }) => commitP50Ms), line(words.p99, 4, ({ commitP99Ms }) => commitP99Ms)]} show={format.duration} />
        </Figure>
      )}
      <Figure
        title={words.queue}
        value={format.number(now?.queued ?? 0)}
        unit={words.queuedName}
        note={now === undefined || now.queued === 0 ? words.queueNoWait : now.waitS === null ? null : words.queueWait(format.duration(now.waitS * 1000))}
      >
        <LineChart name={words.queue} times={times} lines={[line(words.queuedName, 2, ({ queued }) => queued), line(words.runningName, 3, ({ running }) => running)]} show={(value) => format.number(value)} />
      </Figure>
      {activity === null ? null : (
        <Figure title={words.cache} value={known(cacheShare, format.percent)} note={cacheShare === null ? words.noReads : words.cacheName}>
          <LineChart name={words.cache} times={times} lines={[line(words.cacheName, 1, ({ cacheShare }) => cacheShare)]} show={format.percent} />
        </Figure>
      )}
      {has(({ requestsPerS }) => requestsPerS) ? (
        <Figure title={words.requests} value={known(now?.requestsPerS, rate)} unit={words.perSecond}>
          <LineChart name={words.requests} times={times} lines={[line(words.requestsName, 3, ({ requestsPerS }) => requestsPerS)]} show={rate} />
        </Figure>
      ) : null}
      {has(({ requestsPerS }) => requestsPerS) ? (
        <Figure title={words.latency} value={known(requestP50, format.duration)} note={requestP99 === null ? words.noRequests : `${words.p99}: ${format.duration(requestP99)}`}>
          <LineChart name={words.latency} times={times} lines={[line(words.p50, 3, ({ requestP50Ms }) => requestP50Ms), line(words.p99, 4, ({ requestP99Ms }) => requestP99Ms)]} show={format.duration} />
        </Figure>
      ) : null}
      {now?.connections === null || now === undefined ? (
        activity === null ? null : (
          <Figure title={words.subscribers} value={format.number(activity.subscribers)} note={words.subscribersName}>
            <LineChart name={words.subscribers} times={times} lines={[line(words.subscribersName, 6, ({ subscribers }) => subscribers)]} show={(value) => format.number(value)} />
          </Figure>
        )
      ) : (
        <Figure title={words.connections} value={format.number(now.connections)} note={`${format.number(now.streams ?? 0)} ${words.streamsName}`}>
          <LineChart
            name={words.connections}
            times={times}
            lines={[line(words.connectionsName, 6, ({ connections }) => connections), line(words.streamsName, 3, ({ streams }) => streams)]}
            show={(value) => format.number(value)}
          />
        </Figure>
      )}
    </div>
  );
}
