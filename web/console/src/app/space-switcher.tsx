import { ChevronsUpDown, Database, Plus, ServerCog } from 'lucide-react';
import { useEffect, useState } from 'react';
import { useMessages } from '../i18n/messages';
import { goTo } from '../routing/use-route';
import { Button, Dialog, Field, Menu, TextInput, type MenuItem } from '../ui';
import { useClient, useSession } from '@stet/react';
import { shellMessages } from './messages';
import { readServerInfo } from './server-info';

/** The server's own space, where its administrators are. */
const serverSpace = 'stet';

/** Which space is shown, and the others that one may see. */
export function SpaceSwitcher() {
  const words = useMessages(shellMessages);
  const client = useClient();
  const [spaces, setSpaces] = useState<readonly string[]>([]);
  const [asking, setAsking] = useState(false);
  const [name, setName] = useState('');
  const { state } = useSession();
  // Others are told of no space but the one they are in.
  const mayAsk = state.status === 'authenticated' && state.who.serverAdmin;
  useEffect(() => {
    if (!mayAsk) return undefined;
    let gone = false;
    readServerInfo(client).then(
      (info) => gone || setSpaces(info.spaces),
      () => undefined,
    );
    return () => {
      gone = true;
    };
  }, [client, mayAsk]);
  const open = (space: string) => goTo({ space, parts: [], query: {} });
  const known = [...new Set([client.space, ...spaces])].sort();
  const items: MenuItem[] = [
    { heading: words.space },
    ...known.map((space) => ({
      label: space,
      icon: space === serverSpace ? ServerCog : Database,
      ...(space === serverSpace ? { hint: words.serverSpace } : {}),
      checked: space === client.space,
      onSelect: () => open(space),
    })),
    'line',
    { label: words.otherSpace, icon: Plus, onSelect: () => setAsking(true) },
  ];
  return (
    <>
      <Menu
        label={words.switchSpace}
        items={items}
        trigger={(props) => (
          <button type="button" {...props} className="space-button">
            <span className="visually-hidden">{words.switchSpace}</span>
            <span className="truncate">{client.space}</span>
            <ChevronsUpDown size={14} aria-hidden />
          </button>
        )}
      />
      <Dialog open={asking} title={words.switchSpace} description={words.otherSpaceHint} size="small" onClose={() => setAsking(false)}>
        <form
          className="fields"
          onSubmit={(event) => {
            event.preventDefault();
            if (name.trim() === '') return;
            setAsking(false);
            open(name.trim());
          }}
        >
          <Field label={words.space}>{(control) => <TextInput {...control} value={name} onChange={(event) => setName(event.target.value)} autoCapitalize="none" spellCheck={false} autoFocus />}</Field>
          <Button type="submit" variant="primary">
            {words.go}
          </Button>
        </form>
      </Dialog>
    </>
  );
}
