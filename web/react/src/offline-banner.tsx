import type { Edit } from '@stet/client';
import type { ReactNode } from 'react';
import { useText } from './provider';
import { useClientState } from './use-live';

const noEdits: readonly Edit[] = [];

/** Says what a person should know about the network and this machine: that they are offline, how many changes wait, that changes cannot
 *  be kept, that page and server do not fit, that changes of another person wait. Nothing when all is well. */
export function OfflineBanner(props: { readonly onReload?: () => void }): ReactNode {
  const texts = useText();
  const online = useClientState((state) => state.online, true);
  const edits = useClientState((state) => state.edits, noEdits);
  const storage = useClientState((state) => state.storage, 'durable');
  const session = useClientState((state) => state.session, null);
  const versions = useClientState((state) => state.versions, null);

  const others = useClientState((state) => state.otherEdits, 0);

  const own = edits.filter((edit) => edit.state === 'pending');
  const lines: ReactNode[] = [];
  if (!online) {
    lines.push(
      <p key="offline">
        {texts.offline} {own.length > 0 && texts.changesWait(own.length)}
      </p>,
    );
  } else if (session?.status === 'anonymous' && own.length > 0) {
    lines.push(<p key="login">{texts.loggedOutEditsWait(own.length)}</p>);
  }
  if (storage === 'failed') lines.push(<p key="storage">{texts.storageFailed}</p>);
  if (storage === 'memory' && own.length > 0) lines.push(<p key="storage">{texts.storageMemory}</p>);
  if (versions !== null && !versions.fit) {
    lines.push(
      <p key="versions">
        {texts.versionsDoNotFit(versions.client, versions.server ?? '?')}{' '}
        <button type="button" className="stet-button" onClick={() => (props.onReload ?? reload)()}>
          {texts.reload}
        </button>
      </p>,
    );
  }
  if (others > 0) lines.push(<p key="others">{texts.othersEditsWait(others)}</p>);
  return (
    <div className="stet-banner" role="status" data-empty={lines.length === 0}>
      {lines}
    </div>
  );
}

const reload = (): void => globalThis.location.reload();
