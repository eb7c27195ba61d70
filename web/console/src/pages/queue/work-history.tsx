import { useClient } from '@stet/react';
import { useFormat } from '../../i18n/format';
import { useMessages } from '../../i18n/messages';
import { useSource } from '../../use-source';
import { ErrorNotice, Person, Skeleton } from '../../ui';
import { queueMessages } from './messages';
import { movesOf, type Move } from './moves';
import { StatusTag } from './status-tag';

/** So many moves are read, the last ones; progress is told ten times a second. */
const movesMax = 24;

/** What happened to an operation: each is a version of the record that it is. */
export function WorkHistory({ id, version }: { readonly id: string; readonly version: number }) {
  const words = useMessages(queueMessages);
  const format = useFormat();
  const client = useClient();
  const { state } = useSource<readonly Move[]>(`moves ${client.space} ${id} ${version}`, () => ({
    atMostEveryMs: 1000,
    everyMs: null,
    read: async (signal) => {
      const from = Math.max(1, version - movesMax + 1);
      const versions = Array.from({ length: version - from + 1 }, (_, index) => version - index);
      // One after the other: a history is looked at, not waited for.
      const records: unknown[] = [];
      for (const one of versions) records.push(await client.records.get('stet.operation', id, { version: one, signal }).catch(() => null));
      return movesOf(records);
    },
  }));
  return (
    <section>
      <h3>{words.history}</h3>
      {version > movesMax ? <p className="soft">{words.historyMore(movesMax)}</p> : null}
      {state.value === null ? (
        state.status === 'error' ? <ErrorNotice error={state.error} /> : <Skeleton lines={2} label={words.loading} />
      ) : (
        <ol role="list" className="work-moves">
          {state.value.map((move) => (
            <li key={move.version}>
              <StatusTag status={move.status} />
              <span className="work-move-text">{move.text ?? ''}</span>
              <Person name={move.by} />
              <time dateTime={new Date(move.at).toISOString()}>{format.dateTime(move.at)}</time>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}
