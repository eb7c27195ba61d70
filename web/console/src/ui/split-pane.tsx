import { X } from 'lucide-react';
import { useEffect, useRef, useState, useSyncExternalStore, type ReactNode } from 'react';
import { useMessages } from '../i18n/messages';
import { remembered } from '../remembered';
import { IconButton } from './icon-button';
import { uiMessages } from './messages';

/** Pixels; remembered for all pages. */
const width = remembered('panel', 440, (found) => (typeof found === 'number' && found >= 300 && found <= 1200 ? found : null));
const clamp = (value: number) => Math.round(Math.max(320, Math.min(value, globalThis.innerWidth * 0.7)));

/** What is looked at, and beside it, when there is one, a {@link Panel}. On narrow screens the panel covers the rest. */
export function SplitPane({ children, panel }: { readonly children: ReactNode; readonly panel: ReactNode }) {
  const words = useMessages(uiMessages);
  const kept = useSyncExternalStore(width.subscribe, width.get, width.get);
  const [dragged, setDragged] = useState<number | null>(null);
  const shown = dragged ?? kept;
  const open = panel !== null && panel !== undefined && panel !== false;
  return (
    <div className="split">
      <div className="split-main">{children}</div>
      {open ? (
        <>
          <div
            className="split-handle"
            role="separator"
            aria-orientation="vertical"
            aria-label={words.resize}
            aria-valuenow={shown}
            aria-valuemin={320}
            tabIndex={0}
            onPointerDown={(event) => event.currentTarget.setPointerCapture(event.pointerId)}
            onPointerMove={(event) => {
              if (event.currentTarget.hasPointerCapture(event.pointerId)) setDragged(clamp(innerWidth - event.clientX));
            }}
            onPointerUp={() => {
              if (dragged !== null) width.set(dragged);
              setDragged(null);
            }}
            onKeyDown={(event) => {
              const step = event.key === 'ArrowLeft' ? 24 : event.key === 'ArrowRight' ? -24 : 0;
              if (step === 0) return;
              event.preventDefault();
              width.set(clamp(kept + step));
            }}
          />
          <div className="split-panel" style={{ width: shown }}>
            {panel}
          </div>
        </>
      ) : null}
    </div>
  );
}

export interface PanelProps {
  readonly label: string;
  readonly title: ReactNode;
  readonly subtitle?: ReactNode;
  readonly actions?: ReactNode;
  readonly onClose: () => void;
  /** Stays below while the content scrolls. */
  readonly footer?: ReactNode;
  readonly children: ReactNode;
}

/** One thing in detail, beside the list it is from. Escape closes it. */
export function Panel({ label, title, subtitle, actions, onClose, footer, children }: PanelProps) {
  const words = useMessages(uiMessages);
  const close = useRef(onClose);
  useEffect(() => {
    close.current = onClose;
  });
  return (
    <section
      className="panel"
      aria-label={label}
      onKeyDown={(event) => {
        if (event.key !== 'Escape' || event.defaultPrevented) return;
        event.preventDefault();
        close.current();
      }}
    >
      <header className="panel-head">
        <div className="panel-title">
          <h2 className="truncate">{title}</h2>
          {subtitle === undefined ? null : <div className="panel-subtitle">{subtitle}</div>}
        </div>
        <div className="panel-actions">
          {actions}
          <IconButton icon={X} label={words.close} keys="Escape" size="small" onClick={onClose} />
        </div>
      </header>
      <div className="panel-content">{children}</div>
      {footer === undefined || footer === null ? null : <footer className="panel-foot">{footer}</footer>}
    </section>
  );
}
