/** Writes made in this tab. The dialog of a conflict opens where the edit was made; elsewhere somebody is only told. */
import type { MutationId, Write } from '@stet/client';

/** More than anybody has on their way at once; the oldest is forgotten. */
const ownMax = 1000;
const own = new Set<MutationId>();

const remember = (ids: Set<MutationId>, id: MutationId): void => {
  ids.add(id);
  const oldest = ids.size > ownMax ? ids.values().next().value : undefined;
  if (oldest !== undefined) ids.delete(oldest);
};

/** Remembers that a write was made here; answers it. */
export function ownWrite<W extends Pick<Write, 'id'>>(write: W): W {
  remember(own, write.id);
  return write;
}
export const isOwnWrite = (id: MutationId | null): boolean => id !== null && own.has(id);

const inline = new Set<MutationId>();

/** A form waits for this write and shows itself why it was refused. Returns the undo, for a form that is gone before the answer is there. */
export function showInline(id: MutationId): () => void {
  remember(inline, id);
  return () => void inline.delete(id);
}
export const isShownInline = (id: MutationId): boolean => inline.has(id);
