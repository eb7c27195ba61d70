import { EllipsisVertical, Pause, Play, Settings2, TriangleAlert, Waves } from 'lucide-react';
import { useLanguage } from '../../i18n/language';
import { useMessages } from '../../i18n/messages';
import { useFormat } from '../../i18n/format';
import { classNames, IconButton, Menu, Tag, type MenuItem } from '../../ui';
import { durationText, rangeText } from './durations';
import type { Lane } from './lane';
import { queueMessages } from './messages';

/** What may be done to a lane by those who may. */
export type LaneAction = 'pause' | 'resume' | 'drain';

export interface LaneCardProps {
  readonly lane: Lane;
  readonly selected: boolean;
  readonly onSelect: () => void;
  /** Absent for those who may not steer lanes. */
  readonly onAct?: (action: LaneAction) => void;
  readonly onSettings?: () => void;
}

/** How long nobody asked for work before it is worth saying, in seconds. */
const noWorkerAfterS = 10;

/** One lane: how many wait and are at work, how long one would wait now, and whether anything is wrong. */
export function LaneCard({ lane, selected, onSelect, onAct, onSettings }: LaneCardProps) {
  const words = useMessages(queueMessages);
  const language = useLanguage();
  const format = useFormat();
  const unattended = lane.waiting > 0 && lane.running === 0 && lane.noWorkerForS !== null && lane.noWorkerForS > noWorkerAfterS;
  const items: MenuItem[] = [];
  if (onAct) {
    if (lane.paused || lane.draining) items.push({ label: words.resume, icon: Play, onSelect: () => onAct('resume') });
    if (!lane.paused) items.push({ label: words.pause, hint: words.pauseHint, icon: Pause, onSelect: () => onAct('pause') });
    if (!lane.draining) items.push({ label: words.drain, hint: words.drainHint, icon: Waves, onSelect: () => onAct('drain') });
  }
  if (onSettings) items.push('line', { label: words.settings, icon: Settings2, onSelect: onSettings });
  const places = Math.min(lane.width, 24);
  return (
    <li className={classNames('lane', selected && 'lane-selected')}>
      <button type="button" className="lane-choose" aria-pressed={selected} aria-label={words.chooseLane(lane.id)} onClick={onSelect} />
      <div className="lane-head">
        <h2 className="truncate">{lane.id}</h2>
        {lane.paused ? <Tag tone="warning">{words.paused}</Tag> : null}
        {lane.draining ? <Tag tone="warning">{words.draining}</Tag> : null}
        {unattended && !lane.paused ? <Tag tone="danger">{words.noWorker}</Tag> : null}
        {items.length === 0 ? null : (
          <span className="lane-menu">
            <Menu
              label={words.laneActions(lane.id)}
              align="end"
              items={items}
              trigger={(props) => <IconButton {...props} icon={EllipsisVertical} size="small" label={words.laneActions(lane.id)} />}
            />
          </span>
        )}
      </div>
      <dl className="lane-figures">
        <div>
          <dd>{format.number(lane.waiting)}</dd>
          <dt>{words.waiting}</dt>
        </div>
        <div>
          <dd>{lane.waitS === null ? '–' : durationText(lane.waitS, language)}</dd>
          <dt title={words.wait}>{words.waitShort}</dt>
        </div>
      </dl>
      <div className="lane-places" aria-hidden>
        {Array.from({ length: places }, (_, index) => (
          <span key={index} className={index < Math.ceil((lane.running / lane.width) * places) ? 'lane-place lane-place-taken' : 'lane-place'} />
        ))}
      </div>
      <p className="lane-note">
        {words.atWork(lane.running, lane.width)}
        {lane.waitRangeS === null ? null : <> · {words.range(rangeText(lane.waitRangeS, language))}</>}
      </p>
      {unattended && lane.noWorkerForS !== null ? (
        <p className="lane-note lane-alarm">
          <TriangleAlert size={13} aria-hidden /> {words.noWorkerSince(durationText(lane.noWorkerForS, language))}
        </p>
      ) : lane.delayed > 0 ? (
        <p className="lane-note">{words.delayed(lane.delayed)}</p>
      ) : lane.waitingClaims > 0 ? (
        <p className="lane-note">{words.agentsWait(lane.waitingClaims)}</p>
      ) : null}
    </li>
  );
}
