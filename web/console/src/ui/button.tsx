import type { LucideIcon } from 'lucide-react';
import { forwardRef, type ButtonHTMLAttributes, type ReactNode } from 'react';
import { classNames } from './class-names';
import { Spinner } from './spinner';
import { firstFocus, useElement } from './use-element';

export interface ButtonProps extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, 'className' | 'style'> {
  readonly variant?: 'primary' | 'secondary' | 'ghost' | 'danger';
  readonly size?: 'medium' | 'small';
  readonly icon?: LucideIcon;
  /** It is at work: shown, and not to be pressed again; it keeps the focus. */
  readonly busy?: boolean;
  readonly wide?: boolean;
  readonly children: ReactNode;
}

/** A button with words. One `primary` in a view at most. */
export const Button = forwardRef<HTMLButtonElement, ButtonProps>(function Button(
  { variant = 'secondary', size = 'medium', icon: Icon, busy = false, wide = false, children, onClick, autoFocus, ...rest },
  ref,
) {
  const element = useElement(ref, autoFocus);
  return (
    <button
      type="button"
      {...rest}
      {...firstFocus(autoFocus)}
      ref={element}
      className={classNames('button', `button-${variant}`, size === 'small' && 'button-small', wide && 'button-wide')}
      aria-busy={busy || undefined}
      aria-disabled={busy || rest['aria-disabled']}
      onClick={busy ? (event) => event.preventDefault() : onClick}
    >
      {busy ? <Spinner /> : Icon ? <Icon size={15} aria-hidden /> : null}
      <span>{children}</span>
    </button>
  );
});
