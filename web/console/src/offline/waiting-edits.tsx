import type { Edit } from '@stet/client';
import { shellMessages } from '../app/messages';
import { useMessages } from '../i18n/messages';
import { humanize } from '../types/type-definition';
import { editWords } from './edit-words';

/** More than these are counted. */
const shownMax = 6;
const fieldsMax = 4;

/** What was written and waits, so that nobody has to wonder whether it is still there. */
export function WaitingEdits({ edits }: { readonly edits: readonly Edit[] }) {
  const words = useMessages(shellMessages);
  return (
    <ul role="list" className="away-edits">
      {edits.slice(0, shownMax).map((edit) => {
        const { name, op, fields } = editWords(edit);
        return (
          <li key={edit.id}>
            <strong>{name}</strong>
            {op === 'change' ? null : <span className="faint"> {op === 'create' ? words.awayCreated : words.awayDeleted}</span>}
            {op === 'change' ? (
              <dl>
                {fields.slice(0, fieldsMax).map(([field, value]) => (
                  <div key={field}>
                    <dt>{humanize(field)}</dt>
                    <dd>{value}</dd>
                  </div>
                ))}
              </dl>
            ) : null}
          </li>
        );
      })}
      {edits.length > shownMax ? <li className="faint">{words.awayMore(edits.length - shownMax)}</li> : null}
    </ul>
  );
}
