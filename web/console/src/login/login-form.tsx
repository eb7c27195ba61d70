import { useState, type FormEvent } from 'react';
import { useClient } from '@stet/react';
import { useFormat } from '../i18n/format';
import { useMessages } from '../i18n/messages';
import { goTo, useRoute } from '../routing/use-route';
import { Button, ErrorNotice, Field, TextInput } from '../ui';
import { deviceName } from './device-name';
import { loginMessages } from './messages';
import { loginWords } from './login-words';

/** Name and password; with `chooseSpace` also where to. What failed stays in the form. */
export function LoginForm({ user = '', chooseSpace }: { readonly user?: string; readonly chooseSpace: boolean }) {
  const words = useMessages(loginMessages);
  const format = useFormat();
  const client = useClient();
  const route = useRoute();
  const [name, setName] = useState(user);
  const [password, setPassword] = useState('');
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const [tried, setTried] = useState(false);
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (name.trim() === '' || password === '') return;
    setBusy(true);
    setError(null);
    try {
      const device = deviceName(navigator.userAgent, words.deviceOn);
      await client.session.logIn({ user: name.trim(), password, ...(device !== null && { device }) });
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  const said = error === null ? null : loginWords(error, words, format);
  return (
    <form className="fields" onSubmit={(event) => void submit(event)} noValidate>
      {chooseSpace ? <SpaceField key={route.space} space={route.space} onChange={(space) => goTo({ ...route, space }, 'replace')} /> : null}
      <Field label={words.user} error={tried && name.trim() === '' ? words.needed : null}>
        {(control) => (
          <TextInput {...control} name="user" autoComplete="username" autoCapitalize="none" spellCheck={false} autoFocus={user === ''} value={name} onChange={(event) => setName(event.target.value)} />
        )}
      </Field>
      <Field label={words.password} error={tried && password === '' ? words.needed : said}>
        {(control) => (
          <TextInput {...control} name="password" type="password" autoComplete="current-password" autoFocus={user !== ''} value={password} onChange={(event) => setPassword(event.target.value)} />
        )}
      </Field>
      {error !== null && said === null ? <ErrorNotice error={error} /> : null}
      <Button type="submit" variant="primary" busy={busy} wide>
        {words.logIn}
      </Button>
    </form>
  );
}

/** Another space is another client, so it is taken when one leaves the field. */
function SpaceField({ space, onChange }: { readonly space: string; readonly onChange: (space: string) => void }) {
  const words = useMessages(loginMessages);
  const [text, setText] = useState(space);
  const commit = () => {
    if (text.trim() !== '' && text.trim() !== space) onChange(text.trim());
  };
  return (
    <Field label={words.space} hint={words.spaceHint}>
      {(control) => (
        <TextInput
          {...control}
          name="space"
          autoComplete="off"
          autoCapitalize="none"
          spellCheck={false}
          value={text}
          onChange={(event) => setText(event.target.value)}
          onBlur={commit}
          onKeyDown={(event) => {
            if (event.key === 'Enter') commit();
          }}
        />
      )}
    </Field>
  );
}
