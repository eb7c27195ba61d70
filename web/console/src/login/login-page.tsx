import { useClientState } from '@stet/react';
import { usePageTitle } from '../app/page-title';
import { useMessages } from '../i18n/messages';
import { LoginForm } from './login-form';
import { LoginFrame } from './login-frame';
import { loginMessages } from './messages';

/** The way in. The route stays, so whoever followed a link arrives where it led. */
export function LoginPage() {
  const words = useMessages(loginMessages);
  const waiting = useClientState((state) => state.edits.length + state.otherEdits, 0);
  usePageTitle(words.title);
  return (
    <LoginFrame title={words.title} lead={words.lead}>
      <LoginForm chooseSpace />
      {waiting === 0 ? null : (
        <p className="soft login-waiting" role="note">
          {words.waiting(waiting)}
        </p>
      )}
    </LoginFrame>
  );
}
