import type { Client } from '@stet/client';
import { StetProvider, useClientState, useSession } from '@stet/react';
import { useLayoutEffect, useRef, useState } from 'react';
import { useLanguage } from '../i18n/language';
import { useMessages } from '../i18n/messages';
import { LinkPage } from '../login/link-page';
import { LoginPage } from '../login/login-page';
import { LoginDialog } from '../login/login-dialog';
import { Away } from '../offline/away';
import { linkOf } from '../routing/route';
import { useRoute } from '../routing/use-route';
import { Spinner } from '../ui';
import { shellMessages } from './messages';
import { Shell } from './shell';

/** The console: one client for the space that the address names, and behind the login the shell. */
export function App({ makeClient }: { readonly makeClient: (space: string) => Client }) {
  const route = useRoute();
  const language = useLanguage();
  const link = linkOf(route);
  const wanted = link?.space ?? route.space;
  const client = useClientOf(wanted, makeClient);
  if (!client) return null;
  return (
    <StetProvider client={client} language={language} key={wanted}>
      {link ? <LinkPage secret={link.secret} /> : <Inside />}
    </StetProvider>
  );
}

/** Another space is another client; the one before stops, and keeps what waits. */
function useClientOf(space: string, makeClient: (space: string) => Client): Client | null {
  const [made, setMade] = useState<Client | null>(null);
  // Before the next frame is drawn: an effect would wait for an empty one.
  useLayoutEffect(() => {
    const client = makeClient(space);
    setMade(client);
    return () => {
      setMade(null);
      void client.close();
    };
  }, [space, makeClient]);
  return made?.space === space ? made : null;
}

function Inside() {
  const { state: session } = useSession();
  const words = useMessages(shellMessages);
  const online = useClientState((state) => state.online, true);
  // A tab that is looked at again is hopeful for a moment; what it says stays until the server answered.
  const away = useRef(false);
  away.current = session.status === 'unknown' && (away.current || !online);
  const last = useRef<Parameters<typeof Shell>[0]['who'] | null>(null);
  if (session.status === 'authenticated') last.current = session.who;
  if (session.status === 'authenticated') return <Shell who={session.who} />;
  if (session.status === 'unknown') {
    if (last.current) return <Shell who={last.current} />;
    return !away.current ? (
      <div className="splash">
        <Spinner size="large" label={words.loading} />
      </div>
    ) : (
      <Away />
    );
  }
  // Whose session ended goes on where they were once they are back; who logged out leaves.
  if (session.reason === 'ended' && last.current) {
    return (
      <>
        <Shell who={last.current} />
        <LoginDialog user={last.current.actor} />
      </>
    );
  }
  last.current = null;
  return <LoginPage />;
}
