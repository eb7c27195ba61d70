import { StetError } from '@stet/client';
import { CircleAlert } from 'lucide-react';
import { useLanguage } from '../i18n/language';
import { useMessages } from '../i18n/messages';
import { Button } from './button';
import { errorWords } from './error-words';
import { uiMessages } from './messages';

export interface ErrorNoticeProps {
  readonly error: unknown;
  /** Shown when trying again can help. */
  readonly onRetry?: () => void;
}

/** What went wrong, in words, with what helps whoever is asked about it. */
export function ErrorNotice({ error, onRetry }: ErrorNoticeProps) {
  const words = useMessages(uiMessages);
  const { title, detail } = errorWords(error, useLanguage());
  const id = error instanceof StetError ? error.problem['requestId'] : undefined;
  return (
    <div className="notice notice-danger" role="alert">
      <CircleAlert size={17} aria-hidden />
      <div className="notice-words">
        <strong>{title}</strong>
        {detail === null ? null : <p>{detail}</p>}
        {typeof id === 'string' ? <p className="notice-id mono">{words.requestId(id)}</p> : null}
      </div>
      {onRetry ? (
        <Button size="small" onClick={onRetry}>
          {words.tryAgain}
        </Button>
      ) : null}
    </div>
  );
}
