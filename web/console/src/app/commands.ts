import type { LucideIcon } from 'lucide-react';
import { useEffect, useRef, useSyncExternalStore } from 'react';

/** Something one can do by a key, from the command palette, or both. */
export interface Command {
  readonly id: string;
  readonly label: string;
  readonly icon?: LucideIcon;
  /** `n`, `/`, `g r` (one after the other), `Mod+k` (Ctrl, on a Mac ⌘), `Shift+Delete`. */
  readonly keys?: string;
  /** The heading in the palette and the list of keys. */
  readonly group: string;
  /** Not in the palette: a key alone. */
  readonly keyOnly?: boolean;
  run(): void;
}

const registered = new Map<symbol, readonly Command[]>();
const listeners = new Set<() => void>();
let all: readonly Command[] = [];
const changed = () => {
  all = [...registered.values()].flat();
  listeners.forEach((listener) => listener());
};

/** All that can be done just now, of the page and of the shell. */
export const useAllCommands = (): readonly Command[] =>
  useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    () => all,
  );

/** Offers commands as long as the component is there. Labels, keys and icons may change; `run` is always the newest. */
export function useCommands(commands: readonly Command[]): void {
  const newest = useRef(commands);
  useEffect(() => {
    newest.current = commands;
  });
  const shape = commands.map((command) => [command.id, command.label, command.keys, command.group, command.keyOnly].join('\u0000')).join('\u0001');
  useEffect(() => {
    const token = Symbol('commands');
    registered.set(
      token,
      newest.current.map((command) => ({ ...command, run: () => newest.current.find((other) => other.id === command.id)?.run() })),
    );
    changed();
    return () => {
      registered.delete(token);
      changed();
    };
  }, [shape]);
}

/** What was pressed, written as commands write it. */
export function chordOf(event: Pick<KeyboardEvent, 'key' | 'ctrlKey' | 'metaKey' | 'altKey' | 'shiftKey'>): string {
  const key = event.key === ' ' ? 'Space' : event.key.length === 1 ? event.key.toLowerCase() : event.key;
  const parts: string[] = [];
  if (event.ctrlKey || event.metaKey) parts.push('Mod');
  if (event.altKey) parts.push('Alt');
  // What a printable sign needed Shift for is in the sign already: "?" is "?".
  if (event.shiftKey && event.key.length > 1) parts.push('Shift');
  return [...parts, key].join('+');
}

/** Follows keys and tells which command was meant. A sequence must be typed within `patienceMs`. */
export function createKeyReader(patienceMs = 1200) {
  let pending = '';
  let pendingAt = 0;
  return (chord: string, now: number, commands: readonly Command[]): Command | null => {
    const sequence = pending !== '' && now - pendingAt < patienceMs ? `${pending} ${chord}` : chord;
    pending = '';
    // What was offered last is nearest to what one looks at.
    const found = commands.findLast((command) => command.keys === sequence) ?? commands.findLast((command) => command.keys === chord);
    if (found) return found;
    if (commands.some((command) => command.keys?.startsWith(`${chord} `) === true)) {
      pending = chord;
      pendingAt = now;
    }
    return null;
  };
}
