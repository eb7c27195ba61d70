import { CircleAlert, CircleCheck, Info, TriangleAlert, X } from 'lucide-react';
import { useEffect, useRef, useSyncExternalStore } from 'react';
import { useMessages } from '../i18n/messages';
import { Button } from './button';
import { IconButton } from './icon-button';
import { uiMessages } from './messages';

export interface Toast {
  readonly tone?: 'success' | 'info' | 'warning' | 'danger';
  readonly title: string;
  readonly body?: string;
  readonly action?: { readonly label: string; readonly run: () => void };
  /** Default 6,000; with an action 10,000; 0: until it is dismissed. */
  readonly forMs?: number;
}
interface Shown extends Toast {
  readonly id: number;
}

/** More are not read; the oldest goes. */
const toastsMax = 4;
let shown: readonly Shown[] = [];
let next = 1;
const listeners = new Set<() => void>();
const set = (value: readonly Shown[]) => {
  shown = value;
  listeners.forEach((listener) => listener());
};

/** Says something in a corner; returns its undo. For what came of an action, never for what must be decided. */
export function showToast(toast: Toast): () => void {
  const id = next++;
  set([...shown, { ...toast, id }].slice(-toastsMax));
  return () => set(shown.filter((other) => other.id !== id));
}

const icons = { success: CircleCheck, info: Info, warning: TriangleAlert, danger: CircleAlert };

function ToastCard({ toast }: { readonly toast: Shown }) {
  const words = useMessages(uiMessages);
  const held = useRef(false);
  const close = () => set(shown.filter((other) => other.id !== toast.id));
  const forMs = toast.forMs ?? (toast.action ? 10_000 : 6_000);
  useEffect(() => {
    if (forMs === 0) return undefined;
    // Whoever reads it, or has the focus in it, is given time.
    const timer = setInterval(() => {
      if (!held.current) close();
    }, forMs);
    return () => clearInterval(timer);
  }, [forMs]);
  const tone = toast.tone ?? 'info';
  const Icon = icons[tone];
  const hold = (value: boolean) => () => {
    held.current = value;
  };
  return (
    <li className={`toast toast-${tone}`} onPointerEnter={hold(true)} onPointerLeave={hold(false)} onFocus={hold(true)} onBlur={hold(false)}>
      <Icon size={17} aria-hidden />
      <div className="toast-words">
        <strong>{toast.title}</strong>
        {toast.body === undefined ? null : <p>{toast.body}</p>}
      </div>
      {toast.action ? (
        <Button
          size="small"
          onClick={() => {
            toast.action?.run();
            close();
          }}
        >
          {toast.action.label}
        </Button>
      ) : null}
      <IconButton icon={X} size="small" label={words.dismiss} onClick={close} />
    </li>
  );
}

/** Where toasts appear; once, in the shell. */
export function Toasts() {
  const words = useMessages(uiMessages);
  const toasts = useSyncExternalStore(
    (listener) => {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
    () => shown,
  );
  return (
    <div className="toasts" role="region" aria-label={words.notifications} aria-live="polite">
      <ol role="list">
        {toasts.map((toast) => (
          <ToastCard key={toast.id} toast={toast} />
        ))}
      </ol>
    </div>
  );
}
