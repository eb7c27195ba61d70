/** Writes made in this tab. The dialog of a conflict opens where the edit was made; elsewhere somebody is only told. */
import type { MutationId, Write } from '@stet/client';

/** More than anybody has on their way at once; the oldest is forgotten. */
const ownMax = 1000;
const own = new Set<MutationId>();

/** Remembers that a write was made here; answers it. */
export function ownWrite<W extends Pick<Write, 'id'>>(write: W): W {
  own.add(write.id);
  const oldest = own.size > ownMax ? own.values().next().value : undefined;
  if (oldest !== undefined) own.delete(oldest);
  return write;
}
export const isOwnWrite = (id: MutationId | null): boolean => id !== null && own.has(id);

const inline = new Set<MutationId>();

/** A form waits for this write and shows itself why it was refused; returns its undo. */
export function showInline(id: MutationId): () => void {
  inline.add(id);
  return () => void setTimeout(() => inline.delete(id), 0);
}
export const isShownInline = (id: MutationId): boolean => inline.has(id);
