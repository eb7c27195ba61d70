import { StetError, type Who } from '@stet/client';
import { useClient } from '@stet/react';
import { useState } from 'react';
import { useLanguage } from '../../i18n/language';
import { useMessages } from '../../i18n/messages';
import { useAction } from '../../use-action';
import { useResource } from '../../use-resource';
import { Avatar, Button, ErrorNotice, errorSentence, Field, Notice, showToast, Skeleton, TextInput } from '../../ui';
import { peopleMessages } from './messages';
import { passwordFits, type User } from './people';
import { changePassword, changeUser, readUser } from './people-requests';
import { SessionList } from './session-list';
import { Roles } from './user-list';

/** One's own account: name, password, sessions. */
export function Account({ who }: { readonly who: Who | null }) {
  const words = useMessages(peopleMessages);
  if (who === null || who.kind !== 'session') return <Notice tone="info" title={words.noAccount} />;
  return <OwnAccount who={who} />;
}

function OwnAccount({ who }: { readonly who: Who }) {
  const words = useMessages(peopleMessages);
  const client = useClient();
  const me = useResource(`user:${client.space}:${who.actor}`, readUser(who.actor));
  // An administrator of the server is no user of this space.
  const elsewhere = me.error instanceof StetError && me.error.code === 'NOT_FOUND';
  return (
    <>
      <section className="card">
        <div className="card-body stack">
          <div className="people-me">
            <Avatar name={who.actor} quiet />
            <div>
              <h2>{me.value?.name ?? who.name ?? who.actor}</h2>
              <p className="soft">
                {words.loginIs} <span className="mono">{who.actor}</span>
              </p>
            </div>
            <Roles user={who} />
          </div>
          {me.status === 'loading' ? <Skeleton lines={2} label={words.loading} /> : null}
          {elsewhere ? <Notice tone="info" title={words.noUserHere} /> : me.error === null ? null : <ErrorNotice error={me.error} onRetry={() => void me.refresh()} />}
          {me.value === null ? null : <OwnName key={me.value.version} user={me.value} onChanged={me.refresh} />}
        </div>
      </section>
      {elsewhere ? null : <PasswordForm user={who.actor} />}
      <section className="card">
        <div className="card-body">
          <SessionList user={null} name={who.actor} title={words.mySessions} />
        </div>
      </section>
    </>
  );
}

function OwnName({ user, onChanged }: { readonly user: User; readonly onChanged: () => Promise<void> }) {
  const words = useMessages(peopleMessages);
  const language = useLanguage();
  const client = useClient();
  const action = useAction();
  const [name, setName] = useState(user.name ?? '');
  const save = async () => {
    if (await action.run(() => changeUser(client, user, { name: name.trim() === '' ? null : name.trim() }))) showToast({ tone: 'success', title: words.saved });
    await onChanged();
  };
  return (
    <form
      className="people-inline"
      onSubmit={(event) => {
        event.preventDefault();
        void save();
      }}
    >
      <Field label={words.shownName} error={action.error === null ? null : errorSentence(action.error, language)}>
        {(control) => <TextInput {...control} autoComplete="name" value={name} onChange={(event) => setName(event.target.value)} />}
      </Field>
      <Button type="submit" busy={action.busy} disabled={name.trim() === (user.name ?? '')}>
        {words.save}
      </Button>
    </form>
  );
}

function PasswordForm({ user }: { readonly user: string }) {
  const words = useMessages(peopleMessages);
  const client = useClient();
  const action = useAction();
  const [form, setForm] = useState({ before: '', after: '' });
  const [tried, setTried] = useState(false);
  const wrong = action.error instanceof StetError && action.error.code === 'LOGIN_FAILED';
  const save = async () => {
    setTried(true);
    if (!passwordFits(form.after)) return;
    if (!(await action.run(() => changePassword(client, form.before, form.after)))) return;
    setForm({ before: '', after: '' });
    setTried(false);
    showToast({ tone: 'success', title: words.passwordChanged });
  };
  return (
    <section className="card">
      <div className="card-head">
        <h2>{words.changePassword}</h2>
      </div>
      <form
        className="card-body fields"
        noValidate
        onSubmit={(event) => {
          event.preventDefault();
          void save();
        }}
      >
        {/* For what keeps passwords: whose it is. */}
        <input type="text" autoComplete="username" value={user} readOnly hidden />
        <Field label={words.oldPassword} required error={wrong ? words.oldPasswordWrong : null}>
          {(control) => <TextInput {...control} type="password" autoComplete="current-password" value={form.before} onChange={(event) => setForm({ ...form, before: event.target.value })} />}
        </Field>
        <Field label={words.newPassword} hint={words.newPasswordHint} required error={tried && !passwordFits(form.after) ? words.passwordShort : null}>
          {(control) => <TextInput {...control} type="password" autoComplete="new-password" value={form.after} onChange={(event) => setForm({ ...form, after: event.target.value })} />}
        </Field>
        {action.error === null || wrong ? null : <ErrorNotice error={action.error} />}
        <div className="row">
          <Button type="submit" busy={action.busy} disabled={form.before === '' || form.after === ''}>
            {words.changePassword}
          </Button>
        </div>
      </form>
    </section>
  );
}
