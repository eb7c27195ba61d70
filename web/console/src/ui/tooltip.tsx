import type { ReactNode } from 'react';
import { KeyHint } from './key-hint';

/** Words that appear over something on hover or focus. They repeat its label, so nothing is only there. */
export function Tooltip({ text, keys, side = 'bottom', children }: { readonly text: string; readonly keys?: string; readonly side?: 'bottom' | 'right'; readonly children: ReactNode }) {
  return (
    <span className={`tooltip tooltip-${side}`}>
      {children}
      <span className="tooltip-text" aria-hidden>
        {text}
        {keys === undefined ? null : <KeyHint keys={keys} />}
      </span>
    </span>
  );
}
