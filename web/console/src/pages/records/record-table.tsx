import type { RecordState } from '@stet/client';
import { useMemo } from 'react';
import { useLanguage } from '../../i18n/language';
import { useMessages } from '../../i18n/messages';
import { recordName } from '../../types/type-definition';
import { VirtualTable, type Column } from '../../ui';
import { Cell } from './cell';
import { parseSort, type RecordColumn } from './columns';
import { recordsMessages } from './messages';

export interface RecordTableProps {
  readonly label: string;
  readonly records: readonly RecordState[];
  readonly columns: readonly RecordColumn[];
  readonly all: readonly RecordColumn[];
  readonly sort: string;
  readonly onSort: (column: RecordColumn) => void;
  readonly onResize: (id: string, width: number) => void;
  readonly onOpen: (record: RecordState) => void;
  readonly active: string | null;
  readonly selected: ReadonlySet<string>;
  readonly onSelect: (ids: ReadonlySet<string>) => void;
  readonly onEnd: () => void;
  readonly total: number | null;
}

const keyOf = (record: RecordState): string => record.id;
const nameOf = (record: RecordState): string => recordName(record.data ?? undefined) ?? record.id;

/** The records of a type, one a row. */
export function RecordTable({ label, records, columns, all, sort, onSort, onResize, onOpen, active, selected, onSelect, onEnd, total }: RecordTableProps) {
  const words = useMessages(recordsMessages);
  const language = useLanguage();
  const shown = useMemo(
    (): readonly Column<RecordState>[] =>
      columns.map((column) => ({
        id: column.id,
        label: column.label,
        width: column.width,
        sortable: true,
        align: column.kind === 'number' ? 'end' : 'start',
        cell: (record) => <Cell record={record} column={column} language={language} />,
      })),
    [columns, language],
  );
  return (
    <VirtualTable
      label={label}
      rows={records}
      keyOf={keyOf}
      nameOf={nameOf}
      columns={shown}
      sort={parseSort(sort, all)}
      onSort={(id) => {
        const column = all.find((candidate) => candidate.id === id);
        if (column) onSort(column);
      }}
      onResize={onResize}
      onOpen={onOpen}
      activeKey={active}
      selected={selected}
      onSelect={onSelect}
      selectLabel={{ all: words.selectAll, row: words.selectRow }}
      onEnd={onEnd}
      total={total}
    />
  );
}
