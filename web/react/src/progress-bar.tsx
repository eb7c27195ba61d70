import type { ReactNode } from 'react';

/** A bar from 0 to 100; null: how far it is nobody knows. */
export function ProgressBar(props: { readonly percent: number | null; readonly label: string; readonly text?: string }): ReactNode {
  const percent = props.percent === null ? null : Math.min(100, Math.max(0, props.percent));
  return (
    <div
      className="stet-bar"
      role="progressbar"
      aria-label={props.label}
      aria-valuemin={0}
      aria-valuemax={100}
      data-unknown={percent === null}
      {...(percent === null ? {} : { 'aria-valuenow': Math.round(percent) })}
      {...(props.text === undefined ? {} : { 'aria-valuetext': props.text })}
    >
      <div style={{ inlineSize: `${percent ?? 100}%` }} />
    </div>
  );
}
