import type { LucideIcon } from 'lucide-react';
import { forwardRef, type ButtonHTMLAttributes } from 'react';
import { classNames } from './class-names';
import { Tooltip } from './tooltip';
import { firstFocus, useElement } from './use-element';

export interface IconButtonProps extends Omit<ButtonHTMLAttributes<HTMLButtonElement>, 'className' | 'style' | 'children' | 'title'> {
  readonly icon: LucideIcon;
  /** What it does, in words: read out, and shown on hover. */
  readonly label: string;
  readonly keys?: string;
  readonly size?: 'medium' | 'small';
  readonly tone?: 'plain' | 'danger';
}

/** A button without words on it. */
export const IconButton = forwardRef<HTMLButtonElement, IconButtonProps>(function IconButton(
  { icon: Icon, label, keys, size = 'medium', tone = 'plain', autoFocus, ...rest },
  ref,
) {
  const element = useElement(ref, autoFocus);
  return (
    <Tooltip text={label} {...(keys === undefined ? {} : { keys })}>
      <button type="button" {...rest} {...firstFocus(autoFocus)} ref={element} aria-label={label} className={classNames('icon-button', size === 'small' && 'icon-button-small', tone === 'danger' && 'icon-button-danger')}>
        <Icon size={size === 'small' ? 15 : 17} aria-hidden />
      </button>
    </Tooltip>
  );
});
