/** Who is at work on an operation, and how far each is. */
import type { Operation, OperationStatus } from '@stet/client';

/** One agent's share. `percent` null: it has not said. */
export interface AgentShare {
  readonly agent: string | null;
  readonly percent: number | null;
  readonly message: string | null;
  readonly status: OperationStatus;
  /** The operation that it is doing. */
  readonly operation: string;
}

const percentOf = (operation: Operation): number | null =>
  operation.status === 'completed' ? 100 : (operation.progress?.percent ?? null);

/** One line for each agent: of the parts where there are parts, each with its newest one, else of the operation itself, where an earlier
 *  agent that handed it on keeps the last it said. */
export function agentShares(operation: Operation, parts: readonly Operation[]): readonly AgentShare[] {
  const shares = new Map<string, AgentShare>();
  const put = (share: AgentShare): void => {
    shares.set(share.agent ?? ` ${share.operation}`, share);
  };
  for (const update of operation.progress?.updates ?? []) {
    if (update.agent === undefined || update.agent === operation.currentAgent) continue;
    put({
      agent: update.agent,
      percent: update.percent ?? null,
      message: update.message ?? null,
      status: operation.status,
      operation: operation.id,
    });
  }
  const own = operation.currentAgent ?? operation.progress?.agent ?? operation.agent ?? operation.function ?? null;
  if (parts.length === 0 || operation.progress !== undefined) {
    put({
      agent: own,
      percent: percentOf(operation),
      message: operation.progress?.message ?? null,
      status: operation.status,
      operation: operation.id,
    });
  }
  for (const part of parts) {
    const share: AgentShare = {
      agent: part.currentAgent ?? part.progress?.agent ?? part.agent ?? part.function ?? null,
      percent: percentOf(part),
      message: part.progress?.message ?? null,
      status: part.status,
      operation: part.id,
    };
    const before = share.agent === null ? undefined : shares.get(share.agent);
    /* Of two parts of one agent the one that it has in hand is shown. */
    if (before === undefined || before.operation === operation.id || before.status !== 'running' || share.status === 'running') put(share);
  }
  return [...shares.values()];
}
