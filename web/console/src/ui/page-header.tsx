import type { ReactNode } from 'react';

/** The top of a page. It has the page's only `h1`, which gets the focus when one comes to the page. */
export function PageHeader({ title, note, actions, children }: { readonly title: ReactNode; readonly note?: ReactNode; readonly actions?: ReactNode; readonly children?: ReactNode }) {
  return (
    <header className="page-head">
      <div className="page-head-line">
        <h1 className="truncate" tabIndex={-1}>
          {title}
        </h1>
        {note === undefined ? null : <span className="page-note truncate">{note}</span>}
        <span className="page-space" />
        {actions === undefined ? null : <div className="page-actions">{actions}</div>}
      </div>
      {children}
    </header>
  );
}
