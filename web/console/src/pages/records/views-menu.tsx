import { useClient, useList } from '@stet/react';
import { Bookmark, ChevronDown, PencilLine, Plus, RefreshCw, Trash2 } from 'lucide-react';
import { useMemo, useState, useSyncExternalStore } from 'react';
import { useLanguage } from '../../i18n/language';
import { useMessages } from '../../i18n/messages';
import { Button, Dialog, ErrorNotice, errorWords, Field, Menu, showToast, TextInput, type MenuItem } from '../../ui';
import { recordsMessages } from './messages';
import { decodeView, showsView, viewsOf, viewsType, type SavedView } from './saved-view';
import { deleteView, localViews, saveView } from './views-store';

export interface ViewsMenuProps {
  readonly type: string;
  readonly shown: Pick<SavedView, 'where' | 'sort' | 'columns'>;
  /** The id of the view that was chosen. */
  readonly current: string | null;
  readonly onShow: (view: SavedView | null) => void;
}

const noOne: readonly SavedView[] = [];

/** Ways to look at the records, kept under a name. */
export function ViewsMenu({ type, shown, current, onShow }: ViewsMenuProps) {
  const words = useMessages(recordsMessages);
  const language = useLanguage();
  const client = useClient();
  const shared = useList(viewsType, { limit: 1000 });
  const local = useSyncExternalStore(localViews.subscribe, localViews.get, () => noOne);
  const [naming, setNaming] = useState<'new' | 'rename' | null>(null);
  const views = useMemo(() => viewsOf([...shared.items.flatMap((item) => decodeView(item.id, item.data) ?? []), ...local], type), [shared.items, local, type]);
  const active = views.find((view) => view.id === current) ?? null;
  const fail = (error: unknown) => {
    const { title, detail } = errorWords(error, language);
    showToast({ tone: 'danger', title, ...(detail === null ? {} : { body: detail }) });
  };
  const items: MenuItem[] = [
    { label: words.allRecords, checked: active === null, onSelect: () => onShow(null) },
    ...views.map((view) => ({ label: view.name, ...(view.where === '' ? {} : { hint: view.where }), checked: view.id === current, onSelect: () => onShow(view) })),
    'line',
    ...(active && !showsView(active, shown)
      ? [{ label: words.updateView, icon: RefreshCw, onSelect: () => void saveView(client, active.id, { name: active.name, type, ...shown }).then(() => showToast({ tone: 'success', title: words.viewSaved }), fail) }]
      : []),
    { label: words.saveView, icon: Plus, onSelect: () => setNaming('new') },
    ...(active
      ? [
          { label: words.renameView, icon: PencilLine, onSelect: () => setNaming('rename') },
          { label: words.deleteView, icon: Trash2, danger: true, onSelect: () => void deleteView(client, active.id).then(() => { onShow(null); showToast({ tone: 'success', title: words.viewDeleted }); }, fail) },
        ]
      : []),
  ];
  return (
    <>
      <Menu
        label={words.views}
        items={items}
        trigger={(props) => (
          <button type="button" {...props} className="button button-ghost">
            <Bookmark size={15} aria-hidden />
            <span className="truncate">{active?.name ?? words.views}</span>
            <ChevronDown size={13} aria-hidden />
          </button>
        )}
      />
      {naming !== null ? (
        <NameDialog
          renames={naming === 'rename' ? (active?.name ?? null) : null}
          onClose={() => setNaming(null)}
          onSave={async (name) => {
            // A new name changes nothing else of a view, whatever is shown just now.
            const renamed = naming === 'rename' ? active : null;
            const kept = await (renamed ? saveView(client, renamed.id, { ...renamed, name }) : saveView(client, null, { name, type, ...shown }));
            if (renamed === null) onShow({ id: kept.id, name, type, ...shown });
            showToast({ tone: kept.where === 'shared' ? 'success' : 'info', title: words.viewSaved, ...(kept.where === 'shared' ? {} : { body: words.viewLocal }) });
            setNaming(null);
          }}
        />
      ) : null}
    </>
  );
}

/** Asks for a name. `renames`: the one that a view has by now; null for a new one. */
function NameDialog({ renames, onClose, onSave }: { readonly renames: string | null; readonly onClose: () => void; readonly onSave: (name: string) => Promise<void> }) {
  const words = useMessages(recordsMessages);
  const [name, setName] = useState(renames ?? '');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [tried, setTried] = useState(false);
  const save = async () => {
    setTried(true);
    if (name.trim() === '') return;
    setBusy(true);
    try {
      await onSave(name.trim());
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  return (
    <Dialog open title={renames === null ? words.saveViewTitle : words.renameViewTitle} description={renames === null ? words.saveViewHint : undefined} size="small" onClose={onClose}>
      <form
        className="fields"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        <Field label={words.viewName} error={tried && name.trim() === '' ? words.wrongRequired : null}>
          {(control) => <TextInput {...control} name="view" autoFocus autoComplete="off" value={name} onChange={(event) => setName(event.target.value)} />}
        </Field>
        {error === null ? null : <ErrorNotice error={error} />}
        <Button type="submit" variant="primary" busy={busy}>
          {words.save}
        </Button>
      </form>
    </Dialog>
  );
}
