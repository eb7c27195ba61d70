import { TextDifference, ValueView } from '@stet/react';
import { useState, type ReactNode } from 'react';
import { useMessages } from '../../i18n/messages';
import { Checkbox, ErrorNotice, Skeleton, Table } from '../../ui';
import type { ResourceState } from '../../resource';
import { historyMessages } from './messages';
import { compare, type ComparedField, type Snapshot } from './versions';

export interface Pair {
  readonly left: Snapshot;
  readonly right: Snapshot;
}

/** Two versions side by side, field by field. */
export function CompareVersions(props: {
  readonly pair: ResourceState<Pair>;
  readonly labelOf: (pointer: string) => string;
  readonly onRetry: () => void;
}): ReactNode {
  const words = useMessages(historyMessages);
  const [onlyChanged, setOnlyChanged] = useState(true);
  const { pair } = props;
  if (pair.value === null) return pair.status === 'error' ? <ErrorNotice error={pair.error} onRetry={props.onRetry} /> : <Skeleton label={words.loading} />;
  const { left, right } = pair.value;
  const fields = compare(left.data, right.data);
  const shown = onlyChanged ? fields.filter((field) => field.changed) : fields;
  const gone = (snapshot: Snapshot): string | null =>
    snapshot.gone === null ? null : { deleted: words.goneDeleted, pruned: words.gonePruned, missing: words.goneMissing }[snapshot.gone];
  const head = (title: string, snapshot: Snapshot): ReactNode => (
    <span className="history-column">
      {title}: {words.version(snapshot.version)}
      {gone(snapshot) === null ? null : <span className="faint">{gone(snapshot)}</span>}
    </span>
  );
  return (
    <>
      <div className="history-compare-tools">
        <Checkbox label={words.onlyChanged} checked={onlyChanged} onChange={(event) => setOnlyChanged(event.target.checked)} />
      </div>
      {shown.length === 0 ? (
        <p className="soft">{words.same}</p>
      ) : (
        <Table caption={words.compareTitle(left.version, right.version)} head={[words.field, head(words.left, left), head(words.right, right)]}>
          {shown.map((field) => (
            <tr key={field.name} className="history-compared" data-changed={field.changed}>
              <th scope="row">{props.labelOf(`/${field.name.replaceAll('~', '~0').replaceAll('/', '~1')}`)}</th>
              <td data-side="left" data-absent={field.left === undefined}>
                <ValueView value={field.left} pointer={field.name} />
              </td>
              <td data-side="right" data-absent={field.right === undefined} className="stet-diff">
                <Newer field={field} />
              </td>
            </tr>
          ))}
        </Table>
      )}
    </>
  );
}

/** Texts show what came and went; other values stand for themselves. */
function Newer({ field }: { readonly field: ComparedField }): ReactNode {
  const { left, right } = field;
  if (field.changed && typeof left === 'string' && typeof right === 'string' && left.trim() !== '' && right.trim() !== '' && Math.max(left.length, right.length) > 24) {
    return <TextDifference before={left} after={right} />;
  }
  return <ValueView value={right} pointer={field.name} />;
}
