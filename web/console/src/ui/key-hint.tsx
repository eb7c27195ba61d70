/** On a Mac keys have signs of their own. */
const isMac = /Mac|iP(hone|ad)/.test(globalThis.navigator?.platform ?? '');

const signs: Readonly<Record<string, string>> = {
  Mod: isMac ? '⌘' : 'Ctrl',
  Shift: isMac ? '⇧' : 'Shift',
  Alt: isMac ? '⌥' : 'Alt',
  Enter: '↵',
  ArrowUp: '↑',
  ArrowDown: '↓',
  ArrowLeft: '←',
  ArrowRight: '→',
  Escape: 'Esc',
  Delete: 'Del',
  Backspace: '⌫',
};

/** The keys of a command, as they are printed on a keyboard. */
export function KeyHint({ keys }: { readonly keys: string }) {
  return (
    <span className="keys">
      {keys.split(' ').flatMap((chord) => chord.split('+')).map((key, index) => (
        <kbd className="key" key={index}>
          {signs[key] ?? (key.length === 1 ? key.toUpperCase() : key)}
        </kbd>
      ))}
    </span>
  );
}
