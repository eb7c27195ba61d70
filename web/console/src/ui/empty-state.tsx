import type { LucideIcon } from 'lucide-react';
import type { ReactNode } from 'react';

/** Nothing is here: why, and what to do next. */
export function EmptyState({ icon: Icon, title, children, action }: { readonly icon: LucideIcon; readonly title: string; readonly children?: ReactNode; readonly action?: ReactNode }) {
  return (
    <div className="empty">
      <span className="empty-icon">
        <Icon size={20} aria-hidden />
      </span>
      <h2>{title}</h2>
      {children === undefined ? null : <div className="empty-words">{children}</div>}
      {action === undefined ? null : <div className="empty-action">{action}</div>}
    </div>
  );
}
