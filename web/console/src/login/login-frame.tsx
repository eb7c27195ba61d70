import type { ReactNode } from 'react';
import { Wordmark } from '../app/logo';
import { languages, setLanguage, useLanguage, type Language } from '../i18n/language';
import { useMessages } from '../i18n/messages';
import { loginMessages } from './messages';

const all: readonly Language[] = ['en', 'es'];

/** The page of those who are not in yet. */
export function LoginFrame({ title, lead, children }: { readonly title: string; readonly lead: string; readonly children: ReactNode }) {
  const language = useLanguage();
  const words = useMessages(loginMessages);
  return (
    <div className="login">
      <main className="login-card">
        <Wordmark />
        <div className="login-head">
          <h1>{title}</h1>
          <p className="soft">{lead}</p>
        </div>
        {children}
      </main>
      <footer>
        <div className="login-foot" role="group" aria-label={words.language}>
          {all.map((value) => (
            <button key={value} type="button" className="login-language" lang={value} aria-pressed={value === language} onClick={() => setLanguage(value)}>
              {languages[value]}
            </button>
          ))}
        </div>
      </footer>
    </div>
  );
}
