import type { LucideIcon } from 'lucide-react';
import { useEffect, useId, useRef, useState, type KeyboardEvent, type ReactNode, type Ref } from 'react';
import { classNames } from './class-names';
import { KeyHint } from './key-hint';

export type MenuItem =
  | {
      readonly label: string;
      readonly icon?: LucideIcon;
      readonly keys?: string;
      readonly hint?: string;
      readonly danger?: boolean;
      readonly disabled?: boolean;
      /** One of several choices, or a switch: whether it is on. */
      readonly checked?: boolean;
      readonly onSelect: () => void;
    }
  | { readonly heading: string }
  | 'line';

/** What the button of a {@link Menu} must be given. */
export interface MenuTrigger {
  readonly ref: Ref<HTMLButtonElement>;
  readonly 'aria-haspopup': 'menu';
  readonly 'aria-expanded': boolean;
  readonly 'aria-controls': string;
  readonly onClick: () => void;
  readonly onKeyDown: (event: KeyboardEvent) => void;
}

export interface MenuProps {
  readonly label: string;
  readonly items: readonly MenuItem[];
  readonly trigger: (props: MenuTrigger) => ReactNode;
  readonly align?: 'start' | 'end';
  readonly side?: 'bottom' | 'top';
  /** It stays open when something in it is chosen: for lists of switches. */
  readonly stays?: boolean;
}

/** A list of actions behind a button: arrows, Home, End, first letters, Escape. */
export function Menu({ label, items, trigger, align = 'start', side = 'bottom', stays = false }: MenuProps) {
  const [open, setOpen] = useState(false);
  const id = useId();
  const button = useRef<HTMLButtonElement>(null);
  const list = useRef<HTMLDivElement>(null);
  const close = (refocus: boolean) => {
    setOpen(false);
    if (refocus) button.current?.focus();
  };
  const entries = () => [...(list.current?.querySelectorAll<HTMLButtonElement>('[role^="menuitem"]:not(:disabled)') ?? [])];
  useEffect(() => {
    if (!open) return undefined;
    const shown = list.current;
    if (shown && button.current) place(shown, button.current, align, side);
    (shown?.querySelector<HTMLButtonElement>('[aria-checked="true"]') ?? entries()[0])?.focus();
    const outside = (event: Event) => {
      if (event.target instanceof Node && !shown?.contains(event.target) && !button.current?.contains(event.target)) setOpen(false);
    };
    const gone = () => setOpen(false);
    document.addEventListener('pointerdown', outside);
    window.addEventListener('resize', gone);
    return () => {
      document.removeEventListener('pointerdown', outside);
      window.removeEventListener('resize', gone);
    };
  }, [open, align, side]);
  const move = (event: KeyboardEvent) => {
    const all = entries();
    const at = all.findIndex((entry) => entry === document.activeElement);
    const go = (index: number) => {
      event.preventDefault();
      all[(index + all.length) % all.length]?.focus();
    };
    if (event.key === 'ArrowDown') go(at + 1);
    else if (event.key === 'ArrowUp') go(at - 1);
    else if (event.key === 'Home') go(0);
    else if (event.key === 'End') go(all.length - 1);
    else if (event.key === 'Escape') {
      event.preventDefault();
      event.stopPropagation();
      close(true);
    } else if (event.key === 'Tab') setOpen(false);
    else if (event.key.length === 1 && !event.ctrlKey && !event.metaKey) {
      const letter = event.key.toLowerCase();
      const order = [...all.slice(at + 1), ...all.slice(0, at + 1)];
      order.find((entry) => entry.textContent?.trim().toLowerCase().startsWith(letter) === true)?.focus();
      event.stopPropagation();
    }
  };
  return (
    <span className="menu">
      {trigger({
        ref: button,
        'aria-haspopup': 'menu',
        'aria-expanded': open,
        'aria-controls': id,
        onClick: () => setOpen(!open),
        onKeyDown: (event) => {
          if (event.key === 'ArrowDown' && !open) {
            event.preventDefault();
            setOpen(true);
          }
        },
      })}
      {open ? (
        <div className="menu-list" role="menu" id={id} aria-label={label} ref={list} onKeyDown={move} popover="manual">
          {items.map((item, index) =>
            item === 'line' ? (
              <hr key={index} />
            ) : 'heading' in item ? (
              <div key={index} className="menu-heading" role="presentation">
                {item.heading}
              </div>
            ) : (
              <button
                key={index}
                type="button"
                tabIndex={-1}
                role={item.checked === undefined ? 'menuitem' : 'menuitemcheckbox'}
                aria-checked={item.checked}
                disabled={item.disabled}
                className={classNames('menu-item', item.danger === true && 'menu-item-danger')}
                onClick={() => {
                  if (!stays) close(true);
                  item.onSelect();
                }}
              >
                {item.icon ? <item.icon size={15} aria-hidden /> : null}
                <span className="menu-label">
                  {item.label}
                  {item.hint === undefined ? null : <span className="menu-hint">{item.hint}</span>}
                </span>
                {item.checked === true ? <span className="menu-tick" aria-hidden /> : null}
                {item.keys === undefined ? null : <KeyHint keys={item.keys} />}
              </button>
            ),
          )}
        </div>
      ) : null}
    </span>
  );
}

/** In the top layer, so that nothing that scrolls cuts it off; turned round where there is no room. */
function place(list: HTMLElement, button: HTMLElement, align: 'start' | 'end', side: 'bottom' | 'top') {
  list.showPopover();
  const anchor = button.getBoundingClientRect();
  const { width, height } = list.getBoundingClientRect();
  const gap = 4;
  const below = anchor.bottom + gap + height <= innerHeight;
  const above = anchor.top - gap - height >= 0;
  const top = (side === 'bottom' && (below || !above)) || !above ? anchor.bottom + gap : anchor.top - gap - height;
  const left = align === 'start' ? anchor.left : anchor.right - width;
  list.style.top = `${Math.max(gap, Math.min(top, innerHeight - height - gap))}px`;
  list.style.left = `${Math.max(gap, Math.min(left, innerWidth - width - gap))}px`;
}
