import type { ReactNode } from 'react';

export type Tone = 'neutral' | 'accent' | 'success' | 'warning' | 'danger' | 'info';

/** A count, or one word about a state. */
export function Badge({ tone = 'neutral', label, children }: { readonly tone?: Tone; readonly label?: string; readonly children: ReactNode }) {
  return (
    <span className={`badge badge-${tone}`} aria-label={label} role={label === undefined ? undefined : 'img'}>
      {children}
    </span>
  );
}

/** A value of a few: a status, a role. The dot carries the tone, the word the meaning. */
export function Tag({ tone = 'neutral', children }: { readonly tone?: Tone; readonly children: ReactNode }) {
  return (
    <span className={`tag tag-${tone}`}>
      <span className="tag-dot" aria-hidden />
      {children}
    </span>
  );
}
