/** Asks the shell for the dialog of a record's conflict, from wherever its sign is. */
import { useEffect, useRef } from 'react';
import type { Address } from '@stet/client';

const listeners = new Set<(address: Address) => void>();

export const showConflict = (address: Address): void => listeners.forEach((listener) => listener(address));

export function useConflictRequests(listener: (address: Address) => void): void {
  const newest = useRef(listener);
  useEffect(() => {
    newest.current = listener;
  });
  useEffect(() => {
    const tell = (address: Address) => newest.current(address);
    listeners.add(tell);
    return () => void listeners.delete(tell);
  }, []);
}
