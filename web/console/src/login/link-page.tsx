import { useState, type FormEvent } from 'react';
import { useClient } from '@stet/react';
import { usePageTitle } from '../app/page-title';
import { useFormat } from '../i18n/format';
import { useMessages } from '../i18n/messages';
import { goTo } from '../routing/use-route';
import { Button, ErrorNotice, Field, TextInput } from '../ui';
import { LoginFrame } from './login-frame';
import { loginWords } from './login-words';
import { deviceName } from './device-name';
import { loginMessages } from './messages';

/** In UTF-8 bytes, as the server counts; there are never more characters than bytes. */
const passwordBytesMin = 8;

/** An invitation or a reset. Its secret leaves the address bar as soon as it is used. */
export function LinkPage({ secret }: { readonly secret: string }) {
  const words = useMessages(loginMessages);
  const format = useFormat();
  const client = useClient();
  const [user, setUser] = useState('');
  const [password, setPassword] = useState('');
  const [again, setAgain] = useState('');
  const [busy, setBusy] = useState(false);
  const [tried, setTried] = useState(false);
  const [error, setError] = useState<unknown>(null);
  usePageTitle(words.linkTitle);
  const short = new TextEncoder().encode(password).length < passwordBytesMin;
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    setTried(true);
    if (short || password !== again) return;
    setBusy(true);
    setError(null);
    try {
      const device = deviceName(navigator.userAgent, words.deviceOn);
      await client.session.redeem({ link: secret, password, ...(device !== null && { device }), ...(user.trim() === '' ? {} : { user: user.trim() }) });
      goTo({ space: client.space, parts: [], query: {} }, 'replace');
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  const said = error === null ? null : loginWords(error, words, format);
  return (
    <LoginFrame title={words.linkTitle} lead={words.linkLead}>
      <form className="fields" onSubmit={(event) => void submit(event)} noValidate>
        <Field label={words.linkUser} hint={words.linkUserHint}>
          {(control) => <TextInput {...control} name="user" autoComplete="username" autoCapitalize="none" spellCheck={false} autoFocus value={user} onChange={(event) => setUser(event.target.value)} />}
        </Field>
        <Field label={words.linkPassword} hint={words.linkPasswordHint} error={tried && short ? words.linkShort : null} required>
          {(control) => <TextInput {...control} name="password" type="password" autoComplete="new-password" value={password} onChange={(event) => setPassword(event.target.value)} />}
        </Field>
        <Field label={words.linkAgain} error={tried && password !== again ? words.linkDiffers : null} required>
          {(control) => <TextInput {...control} name="again" type="password" autoComplete="new-password" value={again} onChange={(event) => setAgain(event.target.value)} />}
        </Field>
        {error === null ? null : said === null ? <ErrorNotice error={error} /> : <p className="field-error" role="alert">{said}</p>}
        <Button type="submit" variant="primary" busy={busy} wide>
          {words.linkGo}
        </Button>
      </form>
    </LoginFrame>
  );
}
