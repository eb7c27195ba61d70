import type { Operation } from '@stet/client';
import type { ReactNode } from 'react';
import { agentShares } from './agents';
import { ProgressBar } from './progress-bar';
import { useText } from './provider';
import { statusText } from './queue-position-indicator';

/** One bar for each agent that works on an operation, with its name and what it last said. `parts`: the operations that it was split into
 *  ({@link useOperationParts}). */
export function AgentProgressTracker(props: { readonly operation: Operation | null; readonly parts?: readonly Operation[] }): ReactNode {
  const texts = useText();
  const { operation, parts = [] } = props;
  if (operation === null) return null;
  const shares = agentShares(operation, parts);
  return (
    <ul className="stet-agents">
      {shares.map((share) => {
        const name = share.agent ?? texts.anyAgent;
        const status = statusText(texts, share.status);
        return (
          <li key={share.agent ?? share.operation} data-state={share.status}>
            <span className="stet-agent-name">{name}</span>
            <span className="stet-agent-percent">{share.percent === null ? status : `${Math.round(share.percent)} %`}</span>
            <ProgressBar percent={share.percent ?? (share.status === 'running' ? null : 0)} label={texts.agentProgress(name)} text={status} />
            <span className="stet-agent-message" role="status">
              {share.message ?? (share.status === 'queued' ? texts.noAgents : '')}
            </span>
          </li>
        );
      })}
    </ul>
  );
}
