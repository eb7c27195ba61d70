import '@stet/react/stet.css';
import { headers } from 'next/headers';
import type { ReactNode } from 'react';
import { StetClient } from './stet-client';

/** The document, in the language that the browser asks for. */
export default async function Layout({ children }: { readonly children: ReactNode }) {
  const wanted = (await headers()).get('accept-language') ?? '';
  /* Not `languageOf` of @stet/react: what has hooks is for client components alone. */
  const language = /^es\b/i.test(wanted) ? 'es' : 'en';
  return (
    <html lang={language}>
      <body>
        <StetClient language={language}>{children}</StetClient>
      </body>
    </html>
  );
}
