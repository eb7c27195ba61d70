'use client';

import { useSession } from '@stet/react';
import { useState } from 'react';

/** Asks for name and password where nobody is logged in. All tabs are logged in by it, and read again what they show. */
export function LogIn() {
  const { logIn } = useSession();
  const [refusal, setRefusal] = useState<string | null>(null);
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        const form = new FormData(event.currentTarget);
        setRefusal(null);
        logIn({ user: String(form.get('user')), password: String(form.get('password')) }).catch((reason: unknown) =>
          setRefusal(reason instanceof Error ? reason.message : 'it did not work'),
        );
      }}
    >
      <label>
        Name <input name="user" autoComplete="username" required />
      </label>{' '}
      <label>
        Password <input name="password" type="password" autoComplete="current-password" required />
      </label>{' '}
      <button type="submit">Log in</button>
      <p role="alert">{refusal}</p>
    </form>
  );
}
