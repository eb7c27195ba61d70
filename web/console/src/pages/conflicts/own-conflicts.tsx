import type { Conflict } from '@stet/client';
import { GitCompareArrows } from 'lucide-react';
import type { ReactNode } from 'react';
import { useMessages } from '../../i18n/messages';
import { hrefTo } from '../../routing/use-route';
import { Button, plainName, RelativeTime, Tag } from '../../ui';
import { conflictMessages } from './messages';

/** Conflicts of edits that are kept on this device; no server knows of them. */
export function OwnConflicts({ conflicts, titleOf, onDecide }: { readonly conflicts: readonly Conflict[]; readonly titleOf: (type: string) => string; readonly onDecide: (conflict: Conflict) => void }): ReactNode {
  const words = useMessages(conflictMessages);
  return (
    <section className="conflicts-part" aria-labelledby="conflicts-own">
      <div className="conflicts-part-head">
        <h2 id="conflicts-own">{words.onThisDevice}</h2>
      </div>
      <p className="conflicts-part-note faint">{words.onThisDeviceHint}</p>
      <ul className="conflicts-list" role="list">
        {conflicts.map((conflict) => {
          const [type = '', id = ''] = conflict.address.split('/').map(decodeURIComponent);
          const name = `${titleOf(type)} ${id}`;
          return (
            <li className="conflicts-row" key={conflict.edit ?? conflict.resolutionToken}>
              <div className="conflicts-row-select" />
              <div className="conflicts-row-words">
                <div className="conflicts-row-head">
                  <a href={hrefTo(['records', type, id])}>{name}</a>
                  <Tag tone="warning">{words.stateOpen}</Tag>
                </div>
                <p className="faint">
                  {conflict.lastModifiedBy === undefined ? null : plainName(conflict.lastModifiedBy)}
                  {conflict.lastModifiedAt === undefined ? null : (
                    <>
                      {' · '}
                      <RelativeTime time={conflict.lastModifiedAt} />
                    </>
                  )}
                </p>
              </div>
              <div className="conflicts-row-actions">
                <Button size="small" variant="primary" icon={GitCompareArrows} onClick={() => onDecide(conflict)} aria-label={`${words.decide}: ${name}`}>
                  {words.decide}
                </Button>
                <a className="conflicts-history" href={hrefTo(['history', type, id])}>
                  {words.history}
                </a>
              </div>
            </li>
          );
        })}
      </ul>
    </section>
  );
}
