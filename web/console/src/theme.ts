import { useSyncExternalStore } from 'react';
import { remembered } from './remembered';

export type Theme = 'system' | 'light' | 'dark';

const choice = remembered<Theme>('theme', 'system', (found) => (found === 'light' || found === 'dark' || found === 'system' ? found : null));

const apply = () => {
  const theme = choice.get();
  if (theme === 'system') delete document.documentElement.dataset['theme'];
  else document.documentElement.dataset['theme'] = theme;
};

/** Puts the remembered theme on the page; once, before anything is drawn. */
export function startTheme(): void {
  apply();
  choice.subscribe(apply);
}

export const setTheme = choice.set;
export const useTheme = (): Theme => useSyncExternalStore(choice.subscribe, choice.get);
