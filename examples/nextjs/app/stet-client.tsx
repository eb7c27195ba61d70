'use client';

import { createClient, type Client } from '@stet/client';
import { OfflineBanner, StetProvider, type Language } from '@stet/react';
import { useState, type ReactNode } from 'react';

let made: Client | null = null;

/** One client for the page. On the server there is none: hooks show what they are given, and nothing is followed. */
const clientOfPage = (): Client | null => {
  if (typeof window === 'undefined') return null;
  made ??= createClient();
  return made;
};

/** Gives the client to all that is below, and says when it is offline. */
export function StetClient({ language, children }: { readonly language: Language; readonly children: ReactNode }) {
  const [client] = useState(clientOfPage);
  return (
    <StetProvider client={client} language={language}>
      <OfflineBanner />
      {children}
    </StetProvider>
  );
}
