import { useSyncExternalStore } from 'react';
import { remembered } from '../remembered';

export type Language = 'en' | 'es';
export const languages: Readonly<Record<Language, string>> = { en: 'English', es: 'Español' };

const known = (found: unknown): Language | null => (found === 'en' || found === 'es' ? found : null);

/** The first of these languages that the console speaks; `es-MX` is Spanish. */
export function pickLanguage(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    const language = known(tag.toLowerCase().split('-')[0]);
    if (language !== null) return language;
  }
  return 'en';
}

/** The first of the browser's own tags in that language: times and numbers as they are written where somebody lives. `es-MX` of Spanish. */
export function localeOf(language: Language, wanted: readonly string[] = globalThis.navigator?.languages ?? []): string {
  return wanted.find((tag) => tag.toLowerCase().split('-')[0] === language) ?? language;
}

const choice = remembered<Language>('language', pickLanguage(globalThis.navigator?.languages ?? []), known);

const apply = () => {
  document.documentElement.lang = choice.get();
};
/** Says the page's language to the browser; once, before anything is drawn. */
export function startLanguage(): void {
  apply();
  choice.subscribe(apply);
}
export const getLanguage = choice.get;
export const setLanguage = choice.set;
export const useLanguage = (): Language => useSyncExternalStore(choice.subscribe, choice.get, () => 'en');
