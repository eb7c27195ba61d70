import { useNow } from '@stet/react';
import { useState } from 'react';
import { useLanguage } from '../../i18n/language';
import { useMessages } from '../../i18n/messages';
import { durationText, leftOf } from './durations';
import { queueMessages } from './messages';
import type { Work } from './work';

/** How far one operation is: its wait counts down, its work shows a bar with what the agent last said. */
export function WorkProgress({ work }: { readonly work: Work }) {
  const words = useMessages(queueMessages);
  if (work.status === 'running') {
    const percent = work.percent ?? 0;
    return (
      <span className="work-progress">
        <span
          className={work.percent === null ? 'work-bar work-bar-unknown' : 'work-bar'}
          role="progressbar"
          aria-label={words.progressOf(work.opType ?? work.id)}
          {...(work.percent === null ? {} : { 'aria-valuenow': Math.round(percent), 'aria-valuemin': 0, 'aria-valuemax': 100 })}
        >
          <span style={{ width: `${work.percent === null ? 40 : percent}%` }} />
        </span>
        <span className="truncate">{[work.percent === null ? null : `${Math.round(percent)} %`, work.message].filter((part) => part !== null).join(' · ')}</span>
      </span>
    );
  }
  if (work.status === 'queued' || work.status === 'retrying') return <Wait work={work} />;
  return <span className="truncate soft">{work.error ?? work.reason ?? ''}</span>;
}

function Wait({ work }: { readonly work: Work }) {
  const words = useMessages(queueMessages);
  const language = useLanguage();
  const now = useNow(1000);
  // When this estimate was told; an equal one that is told again does not begin anew.
  const told = `${work.version} ${work.position} ${work.waitS}`;
  const [since, setSince] = useState({ told, at: now });
  if (since.told !== told || since.at === null) {
    if (since.told !== told || now !== null) setSince({ told, at: now });
  }
  if (work.delayed) return <span className="truncate soft">{words.waitsLater}</span>;
  if (work.waitS === null) return <span className="truncate soft">{words.waitUnknown}</span>;
  const elapsedS = now === null || since.at === null ? 0 : (now - since.at) / 1000;
  return <span className="truncate">{words.waitsFor(durationText(leftOf(work.waitS, elapsedS), language))}</span>;
}
