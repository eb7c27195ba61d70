import { StetError } from '@stet/client';
import { useClient } from '@stet/react';
import { KeyRound, UserRoundCheck, UserRoundX } from 'lucide-react';
import { useState } from 'react';
import { useLanguage } from '../../i18n/language';
import { useMessages } from '../../i18n/messages';
import { useAction } from '../../use-action';
import { Avatar, Button, Checkbox, ConfirmDialog, ErrorNotice, errorSentence, Field, Notice, Panel, showToast, TextInput } from '../../ui';
import { LinkResult } from './link-result';
import { peopleMessages } from './messages';
import { formOf, rolesOf, scopes, userChange, type InviteLink, type User } from './people';
import { changeUser, createLink } from './people-requests';
import { SessionList } from './session-list';

const resetHours = 72;

export interface UserPanelProps {
  readonly user: User;
  readonly isMe: boolean;
  readonly onChanged: () => Promise<void>;
  /** A link was made. */
  readonly onLinked: () => void;
  readonly onClose: () => void;
}

/** One user: what is known of them, what they may do, where they are logged in. */
export function UserPanel({ user, isMe, onChanged, onLinked, onClose }: UserPanelProps) {
  const words = useMessages(peopleMessages);
  return (
    <Panel
      label={words.show(user.name ?? user.id)}
      title={
        <span className="people-who">
          <Avatar name={user.id} quiet /> {user.name ?? user.id}
        </span>
      }
      subtitle={user.name === null ? undefined : user.id}
      onClose={onClose}
    >
      <UserDetails key={user.version} user={user} onChanged={onChanged} />
      <section className="panel-section">
        <SessionList user={isMe ? null : user.id} name={user.name ?? user.id} title={isMe ? words.mySessions : words.sessions} />
      </section>
      <UserAccess user={user} isMe={isMe} onChanged={onChanged} onLinked={onLinked} />
    </Panel>
  );
}

function UserDetails({ user, onChanged }: Pick<UserPanelProps, 'user' | 'onChanged'>) {
  const words = useMessages(peopleMessages);
  const language = useLanguage();
  const client = useClient();
  const action = useAction();
  const [form, setForm] = useState(() => formOf(user));
  const change = userChange(user, form);
  const admin = rolesOf(form.roles).includes('admin');
  const overtaken = action.error instanceof StetError && action.error.code === 'CONCURRENT_MODIFICATION';
  const save = async () => {
    if (change === null) return;
    const kept = await action.run(() => changeUser(client, user, change));
    if (kept) showToast({ tone: 'success', title: words.saved });
    // Also when somebody was faster: then what they wrote is shown.
    await onChanged();
  };
  return (
    <section className="panel-section">
      <form
        className="fields"
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        <h3>{words.details}</h3>
        <Field label={words.shownName}>{(control) => <TextInput {...control} value={form.name} onChange={(event) => setForm({ ...form, name: event.target.value })} />}</Field>
        <Field label={words.email} hint={words.emailHint}>
          {(control) => <TextInput {...control} type="email" value={form.email} onChange={(event) => setForm({ ...form, email: event.target.value })} />}
        </Field>
        <Field label={words.roles} hint={words.rolesHint} error={action.error instanceof StetError && action.error.field?.startsWith('/roles') === true ? errorSentence(action.error, language) : null}>
          {(control) => <TextInput {...control} code spellCheck={false} autoCapitalize="none" value={form.roles} onChange={(event) => setForm({ ...form, roles: event.target.value })} />}
        </Field>
        <ScopeChoice chosen={admin ? scopes : form.scopes} fixed={admin} onChange={(next) => setForm({ ...form, scopes: next })} />
        {overtaken ? <Notice tone="warning" title={words.changedMeanwhile} /> : action.error === null ? null : <ErrorNotice error={action.error} />}
        <div className="row">
          <Button type="submit" variant="primary" size="small" busy={action.busy} disabled={change === null}>
            {words.save}
          </Button>
        </div>
      </form>
    </section>
  );
}

/** Which scopes somebody has. */
export function ScopeChoice({ chosen, fixed = false, onChange }: { readonly chosen: readonly string[]; readonly fixed?: boolean; readonly onChange: (scopes: readonly string[]) => void }) {
  const words = useMessages(peopleMessages);
  return (
    <fieldset className="people-scopes">
      <legend>{words.scopes}</legend>
      {fixed ? <p className="field-hint">{words.scopesAdmin}</p> : null}
      {scopes.map((scope) => (
        <Checkbox
          key={scope}
          label={words[`scope_${scope}`]}
          checked={chosen.includes(scope)}
          disabled={fixed}
          onChange={(event) => onChange(event.target.checked ? [...chosen, scope] : chosen.filter((other) => other !== scope))}
        />
      ))}
    </fieldset>
  );
}

function UserAccess({ user, isMe, onChanged, onLinked }: Omit<UserPanelProps, 'onClose'>) {
  const words = useMessages(peopleMessages);
  const client = useClient();
  const action = useAction();
  const [asked, setAsked] = useState(false);
  const [link, setLink] = useState<InviteLink | null>(null);
  const name = user.name ?? user.id;
  const makeLink = () =>
    action.run(async () => {
      setLink(await createLink(client, { kind: 'reset', user: user.id, name: '', roles: [], hours: resetHours }));
      onLinked();
    });
  const toggle = async () => {
    await changeUser(client, user, { disabled: !user.disabled });
    showToast({ tone: 'success', title: user.disabled ? words.enabledNow(name) : words.disabledNow(name) });
    await onChanged();
  };
  return (
    <section className="panel-section stack">
      <h3>{words.danger}</h3>
      <div className="people-act">
        <div>
          <strong>{words.resetLink}</strong>
          <p>{words.resetDoes}</p>
        </div>
        <Button size="small" icon={KeyRound} busy={action.busy} onClick={() => void makeLink()}>
          {words.makeResetLink}
        </Button>
      </div>
      {link === null ? null : <LinkResult link={link} />}
      {action.error === null ? null : <ErrorNotice error={action.error} />}
      {isMe ? (
        <p className="field-hint">{words.ownAccount}</p>
      ) : (
        <div className="people-act">
          <div>
            <strong>{user.disabled ? words.enable : words.disable}</strong>
            <p>{user.disabled ? words.enableDoes : words.disableDoes}</p>
          </div>
          <Button size="small" variant={user.disabled ? 'secondary' : 'danger'} icon={user.disabled ? UserRoundCheck : UserRoundX} onClick={() => setAsked(true)}>
            {user.disabled ? words.enable : words.disable}
          </Button>
        </div>
      )}
      <ConfirmDialog
        open={asked}
        title={user.disabled ? words.enableTitle(name) : words.disableTitle(name)}
        confirm={user.disabled ? words.enable : words.disable}
        tone={user.disabled ? 'primary' : 'danger'}
        onConfirm={toggle}
        onClose={() => setAsked(false)}
      >
        <p>{user.disabled ? words.enableDoes : words.disableDoes}</p>
      </ConfirmDialog>
    </section>
  );
}
