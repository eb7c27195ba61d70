import { Info, TriangleAlert } from 'lucide-react';
import type { ReactNode } from 'react';

/** Something to know before going on. */
export function Notice({ tone, title, children, action }: { readonly tone: 'info' | 'warning'; readonly title: ReactNode; readonly children?: ReactNode; readonly action?: ReactNode }) {
  const Icon = tone === 'info' ? Info : TriangleAlert;
  return (
    <div className={`notice notice-${tone}`} role="note">
      <Icon size={17} aria-hidden />
      <div className="notice-words">
        <strong>{title}</strong>
        {children === undefined ? null : <p>{children}</p>}
      </div>
      {action}
    </div>
  );
}
