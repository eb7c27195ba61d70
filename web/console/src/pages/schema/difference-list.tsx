import type { Json, JsonObject } from '@stet/client';
import { differencesOf } from '../../differences';
import { useMessages } from '../../i18n/messages';
import { schemaMessages } from './messages';

const shown = (value: Json | undefined): string => (typeof value === 'string' ? value : JSON.stringify(value));

/** What two definitions differ in, line by line: what was, and what is. */
export function DifferenceList({ before, after }: { readonly before: JsonObject; readonly after: JsonObject }) {
  const words = useMessages(schemaMessages);
  const differences = differencesOf(before, after);
  if (differences.length === 0) return <p className="soft">{words.unchangedVersion}</p>;
  return (
    <ul role="list" className="schema-differences">
      {differences.map(({ pointer, from, to }) => (
        <li key={pointer}>
          <code className="schema-pointer">{pointer}</code>
          {from === undefined ? <span className="schema-mark">{words.added}</span> : <del className="mono">{shown(from)}</del>}
          {to === undefined ? <span className="schema-mark">{words.gone}</span> : <ins className="mono">{shown(to)}</ins>}
        </li>
      ))}
    </ul>
  );
}
