import { useEffect } from 'react';

/** The name in the browser's tab: the page, what it shows, and whose. */
export function usePageTitle(...words: readonly (string | null | undefined)[]): void {
  const title = [...words.filter(Boolean), 'Stet'].join(' · ');
  useEffect(() => {
    document.title = title;
  }, [title]);
}
