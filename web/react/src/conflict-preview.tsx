import type { JsonObject } from '@stet/client';
import type { ReactNode } from 'react';
import { labelOf, type Labels } from './field-label';
import { pointerOf, sameJson } from './pointer';
import { useText } from './provider';
import { ValueView, type FormatValue } from './value-view';

/** What will be saved: each field as it will be, those marked that are not as they are now. Of a record with many fields only those. */
export function ConflictPreview(props: {
  readonly result: JsonObject | null;
  readonly current: JsonObject | null;
  readonly labels?: Labels | undefined;
  readonly format?: FormatValue | undefined;
}): ReactNode {
  const texts = useText();
  const { result, current } = props;
  if (result === null) return <p className="stet-preview-deleted">{texts.previewDeleted}</p>;
  const names = [...new Set([...Object.keys(result), ...Object.keys(current ?? {})])];
  const changed = new Set(names.filter((name) => !sameJson(result[name], current?.[name])));
  const shown = names.length > 12 ? names.filter((name) => changed.has(name)) : names;
  return (
    <dl className="stet-preview">
      {shown.map((name) => {
        const pointer = pointerOf([name]);
        return (
          <div key={name} data-changed={changed.has(name)}>
            <dt>{labelOf(pointer, props.labels, texts.wholeRecord)}</dt>
            <dd>
              <ValueView value={result[name]} against={current?.[name]} pointer={pointer} format={props.format} />
            </dd>
          </div>
        );
      })}
    </dl>
  );
}
