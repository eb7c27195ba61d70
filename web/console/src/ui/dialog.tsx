import { X } from 'lucide-react';
import { useEffect, useId, useRef, type ReactNode } from 'react';
import { useMessages } from '../i18n/messages';
import { classNames } from './class-names';
import { IconButton } from './icon-button';
import { uiMessages } from './messages';

export interface DialogProps {
  readonly open: boolean;
  readonly title: ReactNode;
  readonly description?: ReactNode;
  /** Escape, the cross, or a click beside it. */
  readonly onClose: () => void;
  readonly size?: 'small' | 'medium' | 'large';
  /** From the side instead of in the middle. */
  readonly place?: 'middle' | 'left' | 'right';
  /** The buttons below. */
  readonly footer?: ReactNode;
  readonly children?: ReactNode;
}

const firstWanted = ['input:not([type=hidden]):not(:disabled)', 'select:not(:disabled)', 'textarea:not(:disabled)'].map((control) => `.dialog-content ${control}`).join(', ');

/** The browser's own modal dialog: what lies behind is out of reach, and the focus goes back to where it was. */
export function Dialog({ open, ...rest }: DialogProps) {
  return open ? <OpenDialog {...rest} /> : null;
}

function OpenDialog({ title, description, onClose, size = 'medium', place = 'middle', footer, children }: Omit<DialogProps, 'open'>) {
  const dialog = useRef<HTMLDialogElement>(null);
  const id = useId();
  const words = useMessages(uiMessages);
  useEffect(() => {
    const shown = dialog.current;
    const before = document.activeElement;
    if (!shown) return undefined;
    shown.showModal();
    // The browser would take the cross, which comes first; where there is something to fill in that is wanted, unless a control says it is.
    (shown.querySelector<HTMLElement>('[data-first-focus]') ?? shown.querySelector<HTMLElement>(firstWanted))?.focus();
    return () => {
      shown.close();
      if (before instanceof HTMLElement && before.isConnected) before.focus();
    };
  }, []);
  return (
    <dialog
      ref={dialog}
      className={classNames('dialog', `dialog-${size}`, `dialog-${place}`)}
      aria-labelledby={`${id}-title`}
      aria-describedby={description === undefined ? undefined : `${id}-description`}
      onCancel={(event) => {
        event.preventDefault();
        onClose();
      }}
      onMouseDown={(event) => {
        if (event.target === dialog.current) onClose();
      }}
    >
      <div className="dialog-body">
        <header className="dialog-head">
          <div>
            <h2 id={`${id}-title`}>{title}</h2>
            {description === undefined ? null : (
              <p id={`${id}-description`} className="soft">
                {description}
              </p>
            )}
          </div>
          <IconButton icon={X} label={words.close} size="small" onClick={onClose} />
        </header>
        {children === undefined ? null : <div className="dialog-content">{children}</div>}
        {footer === undefined ? null : <footer className="dialog-foot">{footer}</footer>}
      </div>
    </dialog>
  );
}
