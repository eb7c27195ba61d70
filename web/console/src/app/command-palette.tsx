import { FileText, Search, Shapes } from 'lucide-react';
import { useEffect, useId, useMemo, useRef, useState, type KeyboardEvent } from 'react';
import type { LucideIcon } from 'lucide-react';
import { useMessages } from '../i18n/messages';
import { navigate } from '../routing/use-route';
import { useTypes } from '../types/use-types';
import { KeyHint, Spinner } from '../ui';
import { useClient } from '@stet/react';
import { useAllCommands } from './commands';
import { shellMessages } from './messages';
import { byGroup, matchScore, parseAddress, searchRecords, type FoundRecord } from './palette-search';

interface Entry {
  readonly id: string;
  readonly group: string;
  readonly label: string;
  readonly hint?: string;
  readonly icon?: LucideIcon;
  readonly keys?: string;
  readonly run: () => void;
}

const searchAfterMs = 180;
const entriesMax = 40;

/** Everything by name: pages, types, records, and what can be done here. */
export function CommandPalette({ open, onClose }: { readonly open: boolean; readonly onClose: () => void }) {
  return open ? <OpenPalette onClose={onClose} /> : null;
}

function useFoundRecords(text: string): { readonly searching: boolean; readonly records: readonly FoundRecord[] } {
  const client = useClient();
  const { types, counts } = useTypes();
  const [found, setFound] = useState<{ readonly text: string; readonly records: readonly FoundRecord[] }>({ text: '', records: [] });
  const wanted = text.trim().length >= 2 ? text.trim() : '';
  useEffect(() => {
    if (wanted === '') return undefined;
    const stop = new AbortController();
    const names = [...new Set([...types.keys(), ...counts.keys()])];
    const exact = parseAddress(wanted, names);
    const timer = setTimeout(() => {
      void searchRecords(client, types, exact ? [exact.type] : names, exact ? exact.id : wanted, stop.signal).then((records) => {
        if (!stop.signal.aborted) setFound({ text: wanted, records });
      });
    }, searchAfterMs);
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [client, wanted, types, counts]);
  return { searching: wanted !== '' && found.text !== wanted, records: wanted === '' ? [] : found.records };
}

function OpenPalette({ onClose }: { readonly onClose: () => void }) {
  const words = useMessages(shellMessages);
  const id = useId();
  const dialog = useRef<HTMLDialogElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const [text, setText] = useState('');
  const [at, setAt] = useState(0);
  const commands = useAllCommands();
  const { types, counts } = useTypes();
  const { searching, records } = useFoundRecords(text);
  useEffect(() => {
    const shown = dialog.current;
    const before = document.activeElement;
    shown?.showModal();
    return () => {
      shown?.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  const entries = useMemo((): readonly Entry[] => {
    const score = (entry: Entry) => Math.max(matchScore(entry.label, text), matchScore(entry.hint ?? '', text) * (entry.hint === undefined ? 0 : 0.8));
    const best = (candidates: readonly Entry[]) =>
      candidates.map((entry) => ({ entry, score: score(entry) })).filter((found) => found.score > 0).sort((a, b) => (text.trim() === '' ? 0 : b.score - a.score)).map(({ entry }) => entry);
    const names = [...new Set([...types.keys(), ...counts.keys()])];
    const found = [
      ...best(commands.filter((command) => command.keyOnly !== true).map((command) => ({ ...command, id: `command-${command.id}` }))),
      ...best(names.map((name) => ({ id: `type-${name}`, group: words.searchTypes, label: types.get(name)?.title ?? name, hint: name, icon: Shapes, run: () => navigate(['records', name]) }))),
      ...records.map((record) => ({ id: `record-${record.type}/${record.id}`, group: words.searchRecords, label: record.name ?? record.id, hint: `${record.type}/${record.id}`, icon: FileText, run: () => navigate(['records', record.type, record.id]) })),
    ].slice(0, entriesMax);
    return byGroup(found);
  }, [commands, types, counts, records, text, words]);
  const selected = Math.min(at, entries.length - 1);
  useEffect(() => {
    list.current?.querySelector('[aria-selected="true"]')?.scrollIntoView({ block: 'nearest' });
  }, [selected]);
  const run = (entry: Entry | undefined) => {
    if (!entry) return;
    onClose();
    // After the dialog gave the focus back, so that what runs may move it.
    setTimeout(entry.run, 0);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      if (entries.length > 0) setAt((selected + (event.key === 'ArrowDown' ? 1 : -1) + entries.length) % entries.length);
    } else if (event.key === 'Enter') {
      event.preventDefault();
      run(entries[selected]);
    }
  };
  const groups = [...new Set(entries.map((entry) => entry.group))];
  return (
    <dialog
      ref={dialog}
      className="palette"
      aria-label={words.searchHint}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onMouseDown={(event) => {
        if (event.target === dialog.current) onClose();
      }}
    >
      <div className="palette-head">
        {searching ? <Spinner /> : <Search size={16} aria-hidden />}
        <input
          type="text"
          className="palette-input"
          role="combobox"
          aria-expanded="true"
          aria-controls={`${id}-list`}
          aria-activedescendant={entries[selected] ? `${id}-${selected}` : undefined}
          aria-label={words.searchHint}
          placeholder={words.searchHint}
          value={text}
          onChange={(event) => {
            setText(event.target.value);
            setAt(0);
          }}
          onKeyDown={onKeyDown}
          spellCheck={false}
        />
        <KeyHint keys="Escape" />
      </div>
      <div className="palette-list" role="listbox" id={`${id}-list`} aria-label={words.searchHint} ref={list}>
        {groups.map((group) => (
          <div key={group} role="group" aria-label={group}>
            <div className="menu-heading" aria-hidden>
              {group}
            </div>
            {entries.map((entry, index) =>
              entry.group !== group ? null : (
                <div key={entry.id} id={`${id}-${index}`} role="option" aria-selected={index === selected} className="palette-entry" onPointerMove={() => setAt(index)} onClick={() => run(entry)}>
                  {entry.icon ? <entry.icon size={15} aria-hidden /> : <span className="palette-blank" />}
                  <span className="truncate">{entry.label}</span>
                  {entry.hint === undefined || entry.hint === entry.label ? null : <span className="palette-hint truncate mono">{entry.hint}</span>}
                  {entry.keys === undefined ? null : <KeyHint keys={entry.keys} />}
                </div>
              ),
            )}
          </div>
        ))}
      </div>
      {entries.length === 0 ? (
        <p className="palette-empty" role="status">
          {searching ? words.searching : words.searchEmpty(text)}
        </p>
      ) : null}
    </dialog>
  );
}
