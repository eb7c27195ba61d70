import { StetError } from '@stet/client';
import { useClient } from '@stet/react';
import { useState } from 'react';
import { useLanguage } from '../../i18n/language';
import { useMessages } from '../../i18n/messages';
import { useAction } from '../../use-action';
import { Button, Dialog, ErrorNotice, errorSentence, Field, TextInput } from '../../ui';
import { peopleMessages } from './messages';
import { passwordFits, rolesOf } from './people';
import { createUser } from './people-requests';

/** Adds a user with a password that somebody else chose. */
export function UserDialog({ open, onClose, onMade }: { readonly open: boolean; readonly onClose: () => void; readonly onMade: (id: string) => void }) {
  return open ? <OpenUser onClose={onClose} onMade={onMade} /> : null;
}

function OpenUser({ onClose, onMade }: { readonly onClose: () => void; readonly onMade: (id: string) => void }) {
  const words = useMessages(peopleMessages);
  const language = useLanguage();
  const client = useClient();
  const action = useAction();
  const [form, setForm] = useState({ id: '', name: '', roles: '', password: '' });
  const [tried, setTried] = useState(false);
  const id = form.id.trim();
  const taken = action.error instanceof StetError && action.error.code === 'ALREADY_EXISTS';
  const make = async () => {
    setTried(true);
    if (id === '' || !passwordFits(form.password)) return;
    if (await action.run(() => createUser(client, { id, name: form.name.trim(), roles: rolesOf(form.roles), password: form.password }))) onMade(id.toLowerCase());
  };
  return (
    <Dialog
      open
      title={words.addTitle}
      description={words.addHint}
      onClose={onClose}
      footer={
        <>
          <Button onClick={onClose}>{words.cancel}</Button>
          <Button type="submit" form="people-add" variant="primary" busy={action.busy}>
            {words.create}
          </Button>
        </>
      }
    >
      <form
        id="people-add"
        className="fields"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          void make();
        }}
      >
        <Field label={words.loginName} hint={words.loginNameFixed} required error={tried && id === '' ? words.required : taken ? errorSentence(action.error, language) : null}>
          {(control) => <TextInput {...control} code autoFocus autoCapitalize="none" spellCheck={false} autoComplete="off" value={form.id} onChange={(event) => setForm({ ...form, id: event.target.value })} />}
        </Field>
        <Field label={words.shownName}>{(control) => <TextInput {...control} autoComplete="off" value={form.name} onChange={(event) => setForm({ ...form, name: event.target.value })} />}</Field>
        <Field label={words.roles} hint={words.rolesHint}>
          {(control) => <TextInput {...control} code autoCapitalize="none" spellCheck={false} value={form.roles} onChange={(event) => setForm({ ...form, roles: event.target.value })} />}
        </Field>
        <Field label={words.password} hint={words.passwordHint} required error={tried && !passwordFits(form.password) ? words.passwordShort : null}>
          {(control) => <TextInput {...control} type="password" autoComplete="new-password" value={form.password} onChange={(event) => setForm({ ...form, password: event.target.value })} />}
        </Field>
        {action.error === null || taken ? null : <ErrorNotice error={action.error} />}
      </form>
    </Dialog>
  );
}
