import { useEffect, useRef } from 'react';
import { chordOf, createKeyReader, useAllCommands } from './commands';

const takesText = (target: EventTarget | null): boolean =>
  target instanceof HTMLElement && (target.isContentEditable || target instanceof HTMLTextAreaElement || target instanceof HTMLSelectElement || (target instanceof HTMLInputElement && !['checkbox', 'radio', 'button', 'range'].includes(target.type)));

/** Runs the commands whose keys are pressed; once, in the shell. While one writes, only those with Ctrl or ⌘; none while a dialog is open. */
export function useKeys(): void {
  const commands = useAllCommands();
  const newest = useRef(commands);
  useEffect(() => {
    newest.current = commands;
  });
  useEffect(() => {
    const read = createKeyReader();
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.defaultPrevented || event.isComposing || ['Shift', 'Control', 'Alt', 'Meta'].includes(event.key)) return;
      if (takesText(event.target) && !event.ctrlKey && !event.metaKey) return;
      if (document.querySelector('dialog[open]')) return;
      const command = read(chordOf(event), performance.now(), newest.current);
      if (!command) return;
      event.preventDefault();
      command.run();
    };
    window.addEventListener('keydown', onKeyDown);
    return () => window.removeEventListener('keydown', onKeyDown);
  }, []);
}
