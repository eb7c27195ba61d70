import { useState, type ReactNode } from 'react';
import { useMessages } from '../i18n/messages';
import { Button } from './button';
import { Dialog } from './dialog';
import { ErrorNotice } from './error-notice';
import { uiMessages } from './messages';

export interface ConfirmDialogProps {
  readonly open: boolean;
  readonly title: ReactNode;
  /** What it does, and whether it can be taken back. */
  readonly children: ReactNode;
  /** The verb: "Delete 3 records". */
  readonly confirm: string;
  readonly tone?: 'danger' | 'primary';
  /** It closes when the promise is kept, and shows why not when it is broken. */
  readonly onConfirm: () => Promise<void> | void;
  readonly onClose: () => void;
}

/** Asks before something that cannot be taken back easily. */
export function ConfirmDialog({ open, title, children, confirm, tone = 'danger', onConfirm, onClose }: ConfirmDialogProps) {
  const words = useMessages(uiMessages);
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>(null);
  const run = async () => {
    setBusy(true);
    setError(null);
    try {
      await onConfirm();
      onClose();
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  return (
    <Dialog
      open={open}
      title={title}
      onClose={onClose}
      size="small"
      footer={
        <>
          <Button onClick={onClose} autoFocus>
            {words.cancel}
          </Button>
          <Button variant={tone} busy={busy} onClick={() => void run()}>
            {confirm}
          </Button>
        </>
      }
    >
      <div className="confirm">
        {children}
        {error === null ? null : <ErrorNotice error={error} />}
      </div>
    </Dialog>
  );
}
