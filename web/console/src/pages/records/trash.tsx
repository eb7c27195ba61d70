import { useClient } from '@stet/react';
import { ArchiveRestore, Trash2 } from 'lucide-react';
import { useMemo, useSyncExternalStore } from 'react';
import { useLanguage } from '../../i18n/language';
import { useMessages } from '../../i18n/messages';
import { navigate } from '../../routing/use-route';
import { recordName } from '../../types/type-definition';
import { Button, EmptyState, ErrorNotice, errorWords, Person, RelativeTime, showToast, Skeleton, VirtualTable, type Column } from '../../ui';
import { recordsMessages } from './messages';
import { createTrash, type DeletedRecord } from './trash-store';

const keyOf = (record: DeletedRecord): string => record.id;

/** What was deleted of a type, and the way back. */
export function Trash({ type }: { readonly type: string }) {
  const words = useMessages(recordsMessages);
  const language = useLanguage();
  const client = useClient();
  const trash = useMemo(() => createTrash(client, type), [client, type]);
  const state = useSyncExternalStore(trash.subscribe, trash.getSnapshot);
  const columns = useMemo((): readonly Column<DeletedRecord>[] => {
    const restore = (record: DeletedRecord) =>
      void trash.restore(record).then(
        () => showToast({ tone: 'success', title: words.undeleted(recordName(record.data) ?? record.id), action: { label: words.actions, run: () => navigate(['records', type, record.id]) } }),
        (error: unknown) => {
          const why = errorWords(error, language);
          showToast({ tone: 'danger', title: why.title, ...(why.detail === null ? {} : { body: why.detail }) });
        },
      );
    return [
      { id: 'name', label: words.name, width: 300, cell: (record) => <span className="truncate">{recordName(record.data) ?? record.id}</span> },
      { id: 'id', label: words.id, width: 160, cell: (record) => <span className="truncate mono soft">{record.id}</span> },
      { id: 'by', label: words.deletedBy, width: 160, cell: (record) => <Person name={record.deletedBy} /> },
      { id: 'at', label: words.deletedAt, width: 150, cell: (record) => <span className="soft"><RelativeTime time={record.deletedAt} /></span> },
      {
        id: 'back',
        label: words.actions,
        width: 160,
        cell: (record) => (
          <Button size="small" icon={ArchiveRestore} aria-label={`${words.undelete}: ${recordName(record.data) ?? record.id}`} onClick={() => restore(record)}>
            {words.undelete}
          </Button>
        ),
      },
    ];
  }, [trash, type, words, language]);
  if (state.status === 'loading') return <Skeleton label={words.loading} />;
  if (state.status === 'error') {
    return (
      <div className="panel-section">
        <ErrorNotice error={state.error} onRetry={trash.refresh} />
      </div>
    );
  }
  if (state.records.length === 0) {
    return (
      <EmptyState icon={Trash2} title={words.trashEmpty} action={<Button onClick={() => navigate(['records', type])}>{words.backToRecords}</Button>}>
        {words.trashEmptyHint}
      </EmptyState>
    );
  }
  return (
    <div className="records-table">
      <VirtualTable label={words.trashOf(type)} rows={state.records} keyOf={keyOf} columns={columns} onEnd={trash.more} />
    </div>
  );
}
