import { useClient } from '@stet/react';
import { useState } from 'react';
import { useMessages } from '../../i18n/messages';
import { useAction } from '../../use-action';
import { Button, Checkbox, Dialog, ErrorNotice, Field, Select, TextInput } from '../../ui';
import { peopleMessages } from './messages';
import { rolesOf, scopes, usualScopes, type Token } from './people';
import { createToken } from './people-requests';
import { Secret } from './secret';
import { ScopeChoice } from './user-panel';

const spans = [7, 30, 90, 365] as const;

/** Makes a token, and shows it. */
export function TokenDialog({ open, onClose, onMade }: { readonly open: boolean; readonly onClose: () => void; readonly onMade: () => void }) {
  return open ? <OpenToken onClose={onClose} onMade={onMade} /> : null;
}

function OpenToken({ onClose, onMade }: { readonly onClose: () => void; readonly onMade: () => void }) {
  const words = useMessages(peopleMessages);
  const client = useClient();
  const action = useAction();
  const [form, setForm] = useState({ actor: '', name: '', roles: '', admin: false, scopes: usualScopes, days: '90' });
  const [tried, setTried] = useState(false);
  const [token, setToken] = useState<Token | null>(null);
  const actor = form.actor.trim();
  const make = async () => {
    setTried(true);
    if (actor === '') return;
    await action.run(async () => {
      setToken(await createToken(client, { actor, name: form.name.trim(), admin: form.admin, roles: rolesOf(form.roles), scopes: form.scopes, days: form.days === '' ? null : Number(form.days) }, Date.now()));
      onMade();
    });
  };
  return (
    <Dialog
      open
      title={words.tokenTitle}
      description={words.tokenHint}
      onClose={onClose}
      footer={
        token === null ? (
          <>
            <Button onClick={onClose}>{words.cancel}</Button>
            <Button type="submit" form="people-token" variant="primary" busy={action.busy}>
              {words.create}
            </Button>
          </>
        ) : (
          <Button variant="primary" onClick={onClose}>
            {words.done}
          </Button>
        )
      }
    >
      {token === null ? (
        <form
          id="people-token"
          className="fields"
          noValidate
          onSubmit={(event) => {
            event.preventDefault();
            void make();
          }}
        >
          <Field label={words.actor} hint={words.actorHint} required error={tried && actor === '' ? words.required : null}>
            {(control) => <TextInput {...control} code autoFocus autoCapitalize="none" spellCheck={false} value={form.actor} onChange={(event) => setForm({ ...form, actor: event.target.value })} />}
          </Field>
          <Field label={words.tokenName}>{(control) => <TextInput {...control} value={form.name} onChange={(event) => setForm({ ...form, name: event.target.value })} />}</Field>
          <Field label={words.expires}>
            {(control) => (
              <Select
                {...control}
                value={form.days}
                onChange={(event) => setForm({ ...form, days: event.target.value })}
                options={[...spans.map((days) => ({ value: String(days), label: words.days(days) })), { value: '', label: words.never }]}
              />
            )}
          </Field>
          <Checkbox label={words.tokenAdmin} checked={form.admin} onChange={(event) => setForm({ ...form, admin: event.target.checked })} />
          {form.admin ? null : (
            <Field label={words.roles} hint={words.rolesHint}>
              {(control) => <TextInput {...control} code autoCapitalize="none" spellCheck={false} value={form.roles} onChange={(event) => setForm({ ...form, roles: event.target.value })} />}
            </Field>
          )}
          <ScopeChoice chosen={form.admin ? scopes : form.scopes} fixed={form.admin} onChange={(next) => setForm({ ...form, scopes: next })} />
          {action.error === null ? null : <ErrorNotice error={action.error} />}
        </form>
      ) : (
        <Secret title={words.tokenReady} hint={words.tokenReadyHint} text={token.secret ?? ''} copy={words.copyToken} />
      )}
    </Dialog>
  );
}
