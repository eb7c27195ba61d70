import { useMessages } from '../i18n/messages';
import { Dialog, KeyHint } from '../ui';
import { useAllCommands } from './commands';
import { shellMessages } from './messages';

/** All keys that do something just now. */
export function ShortcutHelp({ open, onClose }: { readonly open: boolean; readonly onClose: () => void }) {
  const words = useMessages(shellMessages);
  const commands = useAllCommands().filter((command) => command.keys !== undefined);
  const groups = [...new Set(commands.map((command) => command.group))];
  return (
    <Dialog open={open} title={words.shortcuts} description={words.shortcutsHint} onClose={onClose}>
      <div className="shortcuts">
        {groups.map((group) => (
          <section key={group}>
            <h3>{group}</h3>
            <dl>
              {commands.filter((command) => command.group === group).map((command) => (
                <div key={command.id}>
                  <dt>{command.label}</dt>
                  <dd>
                    <KeyHint keys={command.keys ?? ''} />
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}
