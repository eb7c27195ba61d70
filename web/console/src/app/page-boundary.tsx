import { RotateCcw, TriangleAlert } from 'lucide-react';
import { Component, type ReactNode } from 'react';
import { useMessages } from '../i18n/messages';
import { Button, EmptyState } from '../ui';
import { shellMessages } from './messages';

function Crashed() {
  const words = useMessages(shellMessages);
  return (
    <EmptyState
      icon={TriangleAlert}
      title={words.pageCrashed}
      action={
        <Button icon={RotateCcw} onClick={() => location.reload()}>
          {words.reload}
        </Button>
      }
    >
      {words.pageCrashedHint}
    </EmptyState>
  );
}

/** A mistake in one page takes only that page with it. */
export class PageBoundary extends Component<{ readonly children: ReactNode }, { readonly crashed: boolean }> {
  override state = { crashed: false };
  static getDerivedStateFromError() {
    return { crashed: true };
  }
  override render() {
    return this.state.crashed ? <Crashed /> : this.props.children;
  }
}
