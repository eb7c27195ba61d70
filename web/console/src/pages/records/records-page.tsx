import type { JsonObject } from '@stet/client';
import { Plus, Rows3 } from 'lucide-react';
import { useState } from 'react';
import { usePageTitle } from '../../app/page-title';
import { useMessages } from '../../i18n/messages';
import { navigate, useRoute } from '../../routing/use-route';
import { useTypes } from '../../types/use-types';
import { Button, Dialog, EmptyState, ErrorNotice, Field, PageHeader, Select, Skeleton, SplitPane, TextInput } from '../../ui';
import { recordsMessages } from './messages';
import { NewRecordPanel } from './new-record-panel';
import { RecordList } from './record-list';
import { RecordPanel } from './record-panel';
import './records.css';
import { viewsType } from './saved-view';
import { TypeList } from './type-list';

/** Types, the records of one, and one of those. */
export function RecordsPage() {
  const words = useMessages(recordsMessages);
  const state = useTypes();
  const { parts, query } = useRoute();
  const type = parts[1] ?? null;
  const id = parts[2] ?? null;
  const [asking, setAsking] = useState(false);
  /** What a new record begins with, when it is a copy. */
  const [copied, setCopied] = useState<JsonObject | null>(null);
  const names = [...new Set([...state.types.keys(), ...state.counts.keys(), ...(type === null ? [] : [type])])].filter((name) => name !== viewsType && !name.startsWith('stet.')).sort();
  usePageTitle(id, type, words.title);
  const definition = type === null ? undefined : state.types.get(type);
  const { new: isNew, ...rest } = query;
  const close = () => type !== null && navigate(['records', type], rest, 'push');
  const panel =
    type === null ? null : isNew === '1' ? (
      <NewRecordPanel key={`new ${type}`} type={type} definition={definition} from={copied} onClose={close} onCreated={(created) => navigate(['records', type, created], rest, 'replace')} />
    ) : id !== null ? (
      <RecordPanel
        key={`${type}/${id}`}
        type={type}
        id={id}
        definition={definition}
        onClose={close}
        onDuplicate={(data) => {
          setCopied(data);
          navigate(['records', type], { ...rest, new: '1' });
        }}
      />
    ) : null;
  const create = () => {
    setCopied(null);
    if (type !== null) navigate(['records', type], { ...rest, new: '1' });
  };
  return (
    <div className="page records">
      {state.status === 'loading' && type === null ? (
        <Skeleton label={words.loading} />
      ) : (
        <SplitPane panel={panel}>
          <div className="records-main">
            {names.length > 0 ? <TypeList state={state} names={names} current={type} onNew={() => setAsking(true)} /> : null}
            <div className="page-fill">
              {names.length > 0 ? (
                <div className="records-choose">
                  <Select aria-label={words.chooseType} value={type ?? ''} options={[...(type === null ? [{ value: '', label: words.pickType }] : []), ...names.map((name) => ({ value: name, label: state.types.get(name)?.title ?? name }))]} onChange={(event) => event.target.value !== '' && navigate(['records', event.target.value])} />
                </div>
              ) : null}
              {type !== null ? (
                <RecordList key={type} type={type} definition={definition} active={id} onCreate={create} />
              ) : (
                <>
                  <PageHeader title={words.title} />
                  {state.error !== null && names.length === 0 ? (
                    <ErrorNotice error={state.error} />
                  ) : names.length === 0 ? (
                    <EmptyState
                      icon={Rows3}
                      title={words.noTypes}
                      action={
                        <Button variant="primary" icon={Plus} onClick={() => setAsking(true)}>
                          {words.newRecord}
                        </Button>
                      }
                    >
                      {words.noTypesHint}
                    </EmptyState>
                  ) : (
                    <EmptyState icon={Rows3} title={words.pickType}>
                      {words.pickTypeHint}
                    </EmptyState>
                  )}
                </>
              )}
            </div>
          </div>
        </SplitPane>
      )}
      <NewTypeDialog open={asking} onClose={() => setAsking(false)} />
    </div>
  );
}

function NewTypeDialog({ open, onClose }: { readonly open: boolean; readonly onClose: () => void }) {
  const words = useMessages(recordsMessages);
  const [name, setName] = useState('');
  return (
    <Dialog open={open} title={words.newType} description={words.newTypeHint} size="small" onClose={onClose}>
      <form
        className="fields"
        onSubmit={(event) => {
          event.preventDefault();
          if (name.trim() === '') return;
          onClose();
          navigate(['records', name.trim()], { new: '1' });
        }}
      >
        <Field label={words.typeName}>{(control) => <TextInput {...control} autoFocus autoCapitalize="none" spellCheck={false} value={name} onChange={(event) => setName(event.target.value)} />}</Field>
        <Button type="submit" variant="primary">
          {words.newRecord}
        </Button>
      </form>
    </Dialog>
  );
}
