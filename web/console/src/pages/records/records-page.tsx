import { Rows3 } from 'lucide-react';
import { usePageTitle } from '../../app/page-title';
import { useMessages } from '../../i18n/messages';
import { useRoute } from '../../routing/use-route';
import { useTypes } from '../../types/use-types';
import { EmptyState, ErrorNotice, PageHeader, Skeleton } from '../../ui';
import { recordsMessages } from './messages';
import './records.css';
import { TypeList } from './type-list';

/** Types, and the records of one. */
export function RecordsPage() {
  const words = useMessages(recordsMessages);
  const state = useTypes();
  const type = useRoute().parts[1] ?? null;
  const names = [...new Set([...state.types.keys(), ...state.counts.keys()])].sort();
  usePageTitle(type, words.title);
  return (
    <div className="page">
      <PageHeader title={words.title} />
      {state.status === 'loading' ? (
        <Skeleton label={words.loading} />
      ) : state.error !== null && names.length === 0 ? (
        <ErrorNotice error={state.error} />
      ) : names.length === 0 ? (
        <EmptyState icon={Rows3} title={words.noTypes}>
          {words.noTypesHint}
        </EmptyState>
      ) : (
        <TypeList state={state} names={names} current={type} />
      )}
    </div>
  );
}
