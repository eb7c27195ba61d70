import { Filter, X } from 'lucide-react';
import { useEffect, useId, useLayoutEffect, useRef, useState, type KeyboardEvent } from 'react';
import { useCommands } from '../../app/commands';
import { useMessages } from '../../i18n/messages';
import type { FieldDefinition } from '../../types/type-definition';
import { classNames, IconButton } from '../../ui';
import { applySuggestion, completeFilter, errorPlace, filterExample, type Suggestion } from './filter-completion';
import { recordsMessages } from './messages';

export interface FilterBarProps {
  readonly where: string;
  readonly fields: readonly FieldDefinition[];
  readonly values: (path: string) => readonly string[];
  /** What the server said of the filter, in words; null: nothing. */
  readonly error: string | null;
  readonly onApply: (where: string) => void;
}

/** The filter as an expression, with what may stand where one writes. It is applied by Enter, so that half an expression is no error. */
export function FilterBar({ where, fields, values, error, onApply }: FilterBarProps) {
  const words = useMessages(recordsMessages);
  const id = useId();
  const input = useRef<HTMLInputElement>(null);
  const [text, setText] = useState(where);
  const [caret, setCaret] = useState(0);
  const [open, setOpen] = useState(false);
  const [at, setAt] = useState(-1);
  // A suggestion was taken: the caret goes behind it as soon as it stands there, before the next key is pressed.
  const wanted = useRef<number | null>(null);
  useLayoutEffect(() => {
    if (wanted.current !== null) input.current?.setSelectionRange(wanted.current, wanted.current);
    wanted.current = null;
  }, [text]);
  useEffect(() => setText(where), [where]);
  useCommands([{ id: 'records-filter', label: words.filter, icon: Filter, keys: '/', group: words.title, run: () => input.current?.focus() }]);
  const completion = completeFilter(text, caret, fields, values);
  const shown = open && completion.suggestions.length > 0;
  const place = error === null || text !== where ? null : errorPlace(where, error);
  const apply = (next: string) => {
    setOpen(false);
    setAt(-1);
    onApply(next.trim());
  };
  const take = (suggestion: Suggestion | undefined) => {
    if (!suggestion) return;
    const next = applySuggestion(text, completion, suggestion);
    setText(next.text);
    setCaret(next.caret);
    setAt(-1);
    wanted.current = next.caret;
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const count = completion.suggestions.length;
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      setOpen(true);
      if (count > 0) setAt((at + (event.key === 'ArrowDown' ? 1 : at < 0 ? count : count - 1)) % count);
    } else if (event.key === 'Enter') {
      event.preventDefault();
      if (shown && at >= 0) take(completion.suggestions[at]);
      else apply(text);
    } else if (event.key === 'Tab' && shown && !event.shiftKey && (at >= 0 || text.trim() !== '')) {
      event.preventDefault();
      take(completion.suggestions[Math.max(at, 0)]);
    } else if (event.key === 'Escape' && (shown || text !== where)) {
      event.preventDefault();
      if (shown) setOpen(false);
      else setText(where);
    }
  };
  return (
    <div className={classNames('filter', error !== null && 'filter-wrong')}>
      <Filter size={14} aria-hidden />
      <div className="filter-box">
        <input
          ref={input}
          className="filter-input mono"
          type="text"
          role="combobox"
          aria-label={words.filter}
          aria-description={words.filterKeys}
          aria-expanded={shown}
          aria-controls={`${id}-list`}
          aria-autocomplete="list"
          aria-activedescendant={shown && at >= 0 ? `${id}-${at}` : undefined}
          aria-invalid={error !== null || undefined}
          aria-errormessage={error === null ? undefined : `${id}-error`}
          placeholder={filterExample(fields) || words.filterHint}
          spellCheck={false}
          autoComplete="off"
          autoCapitalize="none"
          value={text}
          onChange={(event) => {
            setText(event.target.value);
            setCaret(event.target.selectionStart ?? event.target.value.length);
            setOpen(true);
            setAt(-1);
          }}
          onSelect={(event) => setCaret(event.currentTarget.selectionStart ?? 0)}
          onFocus={() => setOpen(true)}
          onBlur={() => setOpen(false)}
          onKeyDown={onKeyDown}
        />
        {place === null ? null : (
          <span className="filter-place mono" aria-hidden>
            <span>{where.slice(0, place)}</span>
            <mark>{where.slice(place, place + 1) || ' '}</mark>
          </span>
        )}
        <ul className="filter-list" role="listbox" id={`${id}-list`} aria-label={words.suggestions} hidden={!shown}>
          {completion.suggestions.map((suggestion, index) => (
            <li
              key={suggestion.text}
              id={`${id}-${index}`}
              role="option"
              aria-selected={index === at}
              className="filter-option"
              onPointerDown={(event) => {
                event.preventDefault();
                take(suggestion);
              }}
            >
              <span className="mono">{suggestion.text}</span>
              <span className="filter-hint">{suggestion.hint}</span>
            </li>
          ))}
        </ul>
        {error === null ? null : (
          <p className="filter-error" id={`${id}-error`} role="alert">
            {error}
          </p>
        )}
      </div>
      {text === '' ? null : (
        <IconButton
          icon={X}
          size="small"
          label={words.clearFilter}
          onClick={() => {
            setText('');
            apply('');
            input.current?.focus();
          }}
        />
      )}
    </div>
  );
}
