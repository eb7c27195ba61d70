import { useState } from 'react';
import { useMessages } from '../../i18n/messages';
import { Button, Dialog } from '../../ui';
import { calendarMessages } from './messages';
import type { Scope } from './series';
import type { ScopeQuestion } from './use-changes';

/** One of many was changed: which of them is it about? */
export function ScopeDialog({ question }: { readonly question: ScopeQuestion }) {
  const words = useMessages(calendarMessages);
  const [scope, setScope] = useState<Scope>('one');
  const choices: readonly (readonly [Scope, string, string])[] = [
    ['one', words.seriesOne, words.seriesOneHint],
    ['following', words.seriesFollowing, words.seriesFollowingHint],
    ['all', words.seriesAll, words.seriesAllHint],
  ];
  return (
    <Dialog
      open
      size="small"
      title={words.seriesTitle}
      onClose={() => question.answer(null)}
      footer={
        <>
          <Button onClick={() => question.answer(null)}>{words.cancel}</Button>
          <Button variant="primary" type="submit" form="calendar-scope">
            {words.seriesGo}
          </Button>
        </>
      }
    >
      <form
        id="calendar-scope"
        className="calendar-scopes"
        onSubmit={(event) => {
          event.preventDefault();
          question.answer(scope);
        }}
      >
        {choices.map(([value, label, hint]) => (
          <label key={value} className="calendar-scope">
            <input type="radio" name="scope" value={value} checked={scope === value} onChange={() => setScope(value)} />
            <span>
              <strong>{label}</strong>
              <span className="soft">{hint}</span>
            </span>
          </label>
        ))}
      </form>
    </Dialog>
  );
}
