import type { RecordState } from '@stet/client';
import { useClient, useList } from '@stet/react';
import { Columns3, Download, Ellipsis, FilterX, Inbox, Pencil, Plus, Trash2, X } from 'lucide-react';
import { useCallback, useEffect, useMemo, useState, useSyncExternalStore } from 'react';
import { useCommands } from '../../app/commands';
import { useFormat } from '../../i18n/format';
import { useLanguage } from '../../i18n/language';
import { useMessages } from '../../i18n/messages';
import { navigate, useRoute } from '../../routing/use-route';
import type { TypeDefinition } from '../../types/type-definition';
import { typesOf } from '../../types/types-store';
import { Button, EmptyState, ErrorNotice, errorWords, IconButton, Menu, PageHeader, showToast, Skeleton } from '../../ui';
import { BulkDialog } from './bulk-dialog';
import { asAtFirst, chooseColumns, columnChoices, type ColumnChoice } from './column-choice';
import { columnsAtFirst, columnsOf, columnValue, nextSort, type RecordColumn } from './columns';
import { exportCsv } from './csv';
import { FilterBar } from './filter-bar';
import { listOptions } from './list-options';
import { recordsMessages } from './messages';
import { RecordTable } from './record-table';
import { Trash } from './trash';
import { ViewsMenu } from './views-menu';

export interface RecordListProps {
  readonly type: string;
  readonly definition: TypeDefinition | undefined;
  /** The id of the record that is open. */
  readonly active: string | null;
  readonly onCreate: () => void;
}

/** Texts offered for a field that has no enum. */
const valuesMax = 40;
/** How a filter is written. */
const examples = ['status = "open" && priority > 2', 'owner in ["ana", "ben"]', 'tags contains "urgent"', 'title starts_with "Of"', '$updated_at >= "2026-01-01"'];
const noChoices: Readonly<Record<string, ColumnChoice>> = {};

/** The records of one type: filtered, sorted, chosen. Filter, order and view are in the address. */
export function RecordList({ type, definition, active, onCreate }: RecordListProps) {
  const words = useMessages(recordsMessages);
  const language = useLanguage();
  const format = useFormat();
  const client = useClient();
  const { parts, query } = useRoute();
  const where = query['where'] ?? '';
  const sort = query['sort'] ?? '';
  const inTrash = query['trash'] === '1';
  const list = useList(inTrash ? null : type, listOptions(query));
  const total = where === '' && list.status === 'ready' ? list.total : null;
  useEffect(() => {
    if (total !== null) typesOf(client).counted(type, total);
  }, [client, type, total]);
  const choice = useSyncExternalStore(columnChoices.subscribe, columnChoices.get, () => noChoices)[type] ?? asAtFirst;
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const [bulk, setBulk] = useState<'edit' | 'delete' | null>(null);
  const [exporting, setExporting] = useState<{ readonly count: number; readonly stop: () => void } | null>(null);

  // What is not declared is taken from the first page; more pages change no columns.
  const firstIds = list.items.slice(0, 50).map((item) => item.id).join('\n');
  const sample = useMemo(() => list.items.slice(0, 200), [firstIds, list.status]);
  const all = useMemo(
    () => columnsOf(definition, sample, { id: words.id, version: words.version, createdAt: words.createdAt, createdBy: words.createdBy, updatedAt: words.updatedAt, updatedBy: words.updatedBy }),
    [definition, sample, words],
  );
  const shownIds = choice.shown ?? columnsAtFirst(all);
  const shownKey = shownIds.join('\n');
  const columns = useMemo(
    () => shownKey.split('\n').flatMap((id): readonly RecordColumn[] => {
      const column = all.find((candidate) => candidate.id === id);
      return column ? [{ ...column, width: choice.widths[id] ?? column.width }] : [];
    }),
    [all, shownKey, choice.widths],
  );
  const change = (next: Readonly<Record<string, string>>, how: 'push' | 'replace' = 'push') => navigate(parts, { ...query, ...next }, how);
  const items = list.items;
  const values = useCallback(
    (path: string): readonly string[] => {
      const id = all.find((column) => column.path === path)?.id;
      if (id === undefined) return [];
      const seen = new Set<string>();
      for (const item of items) {
        const value = columnValue(item, id);
        if (typeof value === 'string' && value.length <= 60) seen.add(value);
        if (seen.size >= valuesMax) break;
      }
      return [...seen].sort();
    },
    [all, items],
  );
  const chosen = useMemo(() => items.filter((item) => selected.has(item.id)), [items, selected]);
  const open = useCallback((record: RecordState) => navigate(['records', type, record.id], query), [type, query]);
  const download = async () => {
    const stop = new AbortController();
    setExporting({ count: 0, stop: () => stop.abort() });
    try {
      let count = 0;
      const csv = await exportCsv(client, type, columns.map((column) => ({ label: column.id === '$id' ? 'id' : column.path.replace(/^\$/, ''), value: (record) => columnValue({ id: record.id, data: record.data, record }, column.id) })), {
        where,
        sort,
        signal: stop.signal,
        onProgress: (records) => {
          count = records;
          setExporting((now) => (now ? { ...now, count: records } : now));
        },
      });
      const link = document.createElement('a');
      link.href = URL.createObjectURL(csv);
      link.download = `${type}.csv`;
      link.click();
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
      showToast({ tone: 'success', title: words.exported(format.number(count)) });
    } catch (error) {
      if (!stop.signal.aborted) showToast({ tone: 'danger', title: words.exportFailed, body: errorWords(error, language).title });
    } finally {
      setExporting(null);
    }
  };
  useCommands([
    { id: 'records-new', label: words.newRecord, icon: Plus, keys: 'n', group: words.title, run: onCreate },
    { id: 'records-export', label: words.exportCsv, icon: Download, group: words.title, run: () => void download() },
    { id: 'records-trash', label: inTrash ? words.backToRecords : words.trash, icon: Trash2, group: words.title, run: () => navigate(['records', type], inTrash ? {} : { trash: '1' }) },
    ...(selected.size > 0
      ? [
          { id: 'records-bulk-edit', label: words.editSelected, icon: Pencil, keys: 'e', group: words.title, run: () => setBulk('edit') },
          { id: 'records-bulk-delete', label: words.deleteSelected, icon: Trash2, keys: 'Shift+Delete', group: words.title, run: () => setBulk('delete') },
        ]
      : []),
  ]);
  const title = definition?.title ?? type;
  const isFilterError = where !== '' && list.error !== null && (list.error.field === 'where' || list.error.code === 'BAD_REQUEST');
  const index = list.error?.problem['index'];
  return (
    <>
      <PageHeader
        title={inTrash ? words.trashOf(title) : title}
        note={inTrash || list.total === null ? undefined : words.records(list.total, format.number(list.total))}
        actions={
          inTrash ? (
            <Button onClick={() => navigate(['records', type])}>{words.backToRecords}</Button>
          ) : (
            <>
              <ViewsMenu
                type={type}
                current={query['view'] ?? null}
                shown={{ where, sort, columns: shownIds }}
                onShow={(view) => {
                  chooseColumns(type, { shown: view && view.columns.length > 0 ? view.columns : null });
                  navigate(['records', type], { where: view?.where ?? '', sort: view?.sort ?? '', view: view?.id ?? '' });
                }}
              />
              <Menu
                label={words.columns}
                align="end"
                stays
                items={[
                  ...all.map((column) => ({
                    label: column.label,
                    checked: shownIds.includes(column.id),
                    onSelect: () => chooseColumns(type, { shown: shownIds.includes(column.id) ? shownIds.filter((id) => id !== column.id) : [...shownIds, column.id] }),
                  })),
                  'line' as const,
                  { label: words.columnsReset, onSelect: () => chooseColumns(type, asAtFirst) },
                ]}
                trigger={(props) => <IconButton {...props} icon={Columns3} label={words.columns} />}
              />
              <Menu
                label={words.actions}
                align="end"
                items={[
                  { label: words.exportCsv, icon: Download, disabled: exporting !== null, onSelect: () => void download() },
                  { label: words.trash, icon: Trash2, onSelect: () => navigate(['records', type], { trash: '1' }) },
                ]}
                trigger={(props) => <IconButton {...props} icon={Ellipsis} label={words.actions} />}
              />
              <Button variant="primary" icon={Plus} onClick={onCreate}>
                {words.newRecord}
              </Button>
            </>
          )
        }
      >
        {inTrash ? null : (
          <FilterBar where={where} fields={definition?.fields ?? all.filter((column) => !column.id.startsWith('$')).map(asField)} values={values} error={isFilterError && list.error ? (errorWords(list.error, language).detail ?? errorWords(list.error, language).title) : null} onApply={(next) => change({ where: next })} />
        )}
      </PageHeader>
      {exporting ? (
        <div className="records-bar" role="status">
          <span>{words.exporting(format.number(exporting.count))}</span>
          <Button size="small" onClick={exporting.stop}>
            {words.cancel}
          </Button>
        </div>
      ) : null}
      {selected.size > 0 && !inTrash ? (
        <div className="records-bar" role="toolbar" aria-label={words.selected(format.number(selected.size))}>
          <strong>{words.selected(format.number(selected.size))}</strong>
          <Button size="small" icon={Pencil} onClick={() => setBulk('edit')}>
            {words.editSelected}
          </Button>
          <Button size="small" variant="danger" icon={Trash2} onClick={() => setBulk('delete')}>
            {words.deleteSelected}
          </Button>
          <span className="page-space" />
          <IconButton icon={X} size="small" label={words.clearSelection} onClick={() => setSelected(new Set())} />
        </div>
      ) : null}
      {inTrash ? (
        <Trash type={type} />
      ) : list.status === 'loading' && items.length === 0 ? (
        <Skeleton label={words.loading} lines={10} />
      ) : list.status === 'error' && !isFilterError ? (
        <div className="panel-section stack">
          <ErrorNotice error={list.error} onRetry={() => void list.refresh()} />
          {Array.isArray(index) ? <p className="soft">{words.indexHint(index.join(', '))}</p> : null}
        </div>
      ) : items.length === 0 ? (
        isFilterError ? (
          <EmptyState icon={FilterX} title={words.filterWrong} action={<Button onClick={() => change({ where: '' })}>{words.clearFilter}</Button>}>
            <p>{words.filterWrongHint}</p>
            <ul className="records-examples" role="list">
              {examples.map((example) => (
                <li key={example}>
                  <code>{example}</code>
                </li>
              ))}
            </ul>
          </EmptyState>
        ) : where !== '' ? (
          <EmptyState icon={FilterX} title={words.noMatch} action={<Button onClick={() => change({ where: '' })}>{words.clearFilter}</Button>}>
            {words.noMatchHint}
          </EmptyState>
        ) : (
          <EmptyState
            icon={Inbox}
            title={words.none(title)}
            action={
              <Button variant="primary" icon={Plus} onClick={onCreate}>
                {words.newRecord}
              </Button>
            }
          >
            {words.noneHint}
          </EmptyState>
        )
      ) : (
        <div className="records-table">
          <RecordTable
            label={title}
            records={items}
            columns={columns}
            all={all}
            sort={sort}
            onSort={(column) => change({ sort: nextSort(sort, column) }, 'replace')}
            onResize={(id, width) => chooseColumns(type, { widths: { ...choice.widths, [id]: width } })}
            onOpen={open}
            active={active}
            selected={selected}
            onSelect={setSelected}
            onEnd={() => {
              if (list.hasMore && !list.loadingMore) void list.more();
            }}
            total={list.total}
          />
        </div>
      )}
      {bulk ? (
        <BulkDialog
          kind={bulk}
          type={type}
          definition={definition}
          records={chosen}
          onClose={(done) => {
            setBulk(null);
            setSelected(new Set([...selected].filter((id) => !done.has(id))));
          }}
        />
      ) : null}
    </>
  );
}

/** A column of data that is not declared, as the filter's completion takes fields. */
const asField = (column: RecordColumn) => ({
  pointer: column.id,
  kinds: column.kind === 'number' ? (['number'] as const) : column.kind === 'boolean' ? (['boolean'] as const) : [],
  required: false,
  title: null,
  description: null,
  fallback: undefined,
  choices: null,
  minimum: null,
  maximum: null,
  minBytes: null,
  maxBytes: null,
  merge: null,
  immutable: false,
});
