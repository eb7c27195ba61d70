import { LogOut } from 'lucide-react';
import { useEffect, useId, useRef } from 'react';
import { useClient } from '@stet/react';
import { useMessages } from '../i18n/messages';
import { Button, plainName } from '../ui';
import { shellMessages } from '../app/messages';
import { LoginForm } from './login-form';
import { loginMessages } from './messages';

/** The session ended while one was at work: the page stays behind it. */
export function LoginDialog({ user }: { readonly user: string }) {
  const words = useMessages(loginMessages);
  const shell = useMessages(shellMessages);
  const client = useClient();
  const id = useId();
  const dialog = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    const shown = dialog.current;
    shown?.showModal();
    shown?.querySelector<HTMLElement>('[data-first-focus]')?.focus();
    return () => shown?.close();
  }, []);
  return (
    <dialog ref={dialog} className="dialog dialog-small" aria-labelledby={id} onCancel={(event) => event.preventDefault()}>
      <div className="dialog-body">
        <header className="dialog-head">
          <div>
            <h2 id={id}>{words.ended}</h2>
            <p className="soft">{words.endedHint}</p>
          </div>
        </header>
        <div className="dialog-content">
          <LoginForm user={plainName(user)} chooseSpace={false} />
        </div>
        <footer className="dialog-foot">
          <Button variant="ghost" icon={LogOut} onClick={() => void client.session.logOut()}>
            {shell.logOut}
          </Button>
        </footer>
      </div>
    </dialog>
  );
}
