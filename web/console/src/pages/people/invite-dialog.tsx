import { useClient } from '@stet/react';
import { useState } from 'react';
import { useMessages } from '../../i18n/messages';
import { useAction } from '../../use-action';
import { Button, Dialog, ErrorNotice, Field, Select, TextInput } from '../../ui';
import { LinkResult } from './link-result';
import { peopleMessages } from './messages';
import { rolesOf, type InviteLink } from './people';
import { createLink } from './people-requests';

const spans = [24, 72, 168, 720] as const;

/** Makes an invitation, and shows it. */
export function InviteDialog({ open, onClose, onMade }: { readonly open: boolean; readonly onClose: () => void; readonly onMade: () => void }) {
  return open ? <OpenInvite onClose={onClose} onMade={onMade} /> : null;
}

function OpenInvite({ onClose, onMade }: { readonly onClose: () => void; readonly onMade: () => void }) {
  const words = useMessages(peopleMessages);
  const client = useClient();
  const action = useAction();
  const [form, setForm] = useState({ user: '', name: '', roles: '', hours: 72 });
  const [link, setLink] = useState<InviteLink | null>(null);
  const make = () =>
    action.run(async () => {
      setLink(await createLink(client, { kind: 'invite', user: form.user.trim(), name: form.name.trim(), roles: rolesOf(form.roles), hours: form.hours }));
      onMade();
    });
  const spanWords = (hours: number) => (hours < 48 ? words.hours(hours) : words.days(hours / 24));
  return (
    <Dialog
      open
      title={words.inviteTitle}
      description={words.inviteHint}
      onClose={onClose}
      footer={
        link === null ? (
          <>
            <Button onClick={onClose}>{words.cancel}</Button>
            <Button type="submit" form="people-invite" variant="primary" busy={action.busy}>
              {words.makeLink}
            </Button>
          </>
        ) : (
          <Button variant="primary" onClick={onClose}>
            {words.done}
          </Button>
        )
      }
    >
      {link === null ? (
        <form
          id="people-invite"
          className="fields"
          onSubmit={(event) => {
            event.preventDefault();
            void make();
          }}
        >
          <Field label={words.shownName} hint={words.shownNameHint}>
            {(control) => <TextInput {...control} autoFocus value={form.name} onChange={(event) => setForm({ ...form, name: event.target.value })} />}
          </Field>
          <Field label={words.loginName} hint={words.loginNameHint}>
            {(control) => <TextInput {...control} code autoCapitalize="none" spellCheck={false} autoComplete="off" value={form.user} onChange={(event) => setForm({ ...form, user: event.target.value })} />}
          </Field>
          <Field label={words.roles} hint={words.rolesHint}>
            {(control) => <TextInput {...control} code autoCapitalize="none" spellCheck={false} value={form.roles} onChange={(event) => setForm({ ...form, roles: event.target.value })} />}
          </Field>
          <Field label={words.worksFor}>
            {(control) => (
              <Select {...control} value={String(form.hours)} onChange={(event) => setForm({ ...form, hours: Number(event.target.value) })} options={spans.map((hours) => ({ value: String(hours), label: spanWords(hours) }))} />
            )}
          </Field>
          {action.error === null ? null : <ErrorNotice error={action.error} />}
        </form>
      ) : (
        <LinkResult link={link} />
      )}
    </Dialog>
  );
}
