import { useMemo } from 'react';
import { useMessages } from '../../i18n/messages';
import { Person, RelativeTime, VirtualTable, type Column } from '../../ui';
import { queueMessages } from './messages';
import { StatusTag } from './status-tag';
import type { Work } from './work';
import { WorkProgress } from './work-progress';

export interface WorkTableProps {
  readonly work: readonly Work[];
  readonly active: string | null;
  readonly onOpen: (work: Work) => void;
  readonly withLane: boolean;
}

/** Operations in the order in which they are done. */
export function WorkTable({ work, active, onOpen, withLane }: WorkTableProps) {
  const words = useMessages(queueMessages);
  const columns = useMemo((): readonly Column<Work>[] => {
    const all: readonly Column<Work>[] = [
      { id: 'place', label: words.place, width: 72, align: 'end', cell: (one) => <Place work={one} /> },
      { id: 'status', label: words.status, width: 148, cell: (one) => <StatusTag status={one.status} /> },
      { id: 'what', label: words.what, width: 200, cell: (one) => <What work={one} /> },
      { id: 'progress', label: words.progress, width: 260, cell: (one) => <WorkProgress work={one} /> },
      { id: 'agent', label: words.forWhom, width: 130, cell: (one) => <span className="truncate">{one.currentAgent ?? one.agent ?? one.function ?? words.anyAgent}</span> },
      { id: 'lane', label: words.lane, width: 110, cell: (one) => <span className="truncate">{one.lane}</span> },
      { id: 'by', label: words.by, width: 130, cell: (one) => (one.by === null ? null : <Person name={one.by} />) },
      { id: 'since', label: words.since, width: 130, cell: (one) => (one.queuedAt === null ? null : <RelativeTime time={one.queuedAt} />) },
    ];
    return withLane ? all : all.filter((column) => column.id !== 'lane');
  }, [words, withLane]);
  return (
    <VirtualTable
      label={words.operations}
      rows={work}
      keyOf={(one) => one.id}
      nameOf={(one) => one.opType ?? one.id}
      columns={columns}
      activeKey={active}
      onOpen={onOpen}
    />
  );
}

function Place({ work }: { readonly work: Work }) {
  const words = useMessages(queueMessages);
  if (work.position === null) return null;
  return (
    <span className="work-place" data-position={work.position} aria-label={words.positionText(work.position)} role="img">
      {work.position}
    </span>
  );
}

function What({ work }: { readonly work: Work }) {
  return (
    <span className="work-what truncate">
      {work.opType ?? work.function ?? work.agent ?? work.id}
      {work.target === null ? null : <span className="faint"> {work.target}</span>}
    </span>
  );
}
