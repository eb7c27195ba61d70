import { useClient } from '@stet/react';
import { useMessages } from '../../i18n/messages';
import { CopyButton } from '../../ui';
import { queueMessages } from './messages';
import { agentCommand } from './request';

/** The command with which an agent is started, to be copied. */
export function StartAgent({ lane, agent }: { readonly lane: string; readonly agent: string }) {
  const words = useMessages(queueMessages);
  const client = useClient();
  const command = agentCommand(client.url === '' ? location.origin : client.url, client.space, lane, agent);
  return (
    <div className="queue-command">
      <code tabIndex={0}>{command}</code>
      <CopyButton text={command} label={words.copyCommand} />
    </div>
  );
}
