import type { Client } from '@stet/client';
import { createContext, useContext, useMemo, useSyncExternalStore, type ReactNode } from 'react';
import { dictionaries, languageOf, type Language, type Texts } from './texts';

/** Time, as countdowns see it; given in tests. */
export interface ViewClock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Calls back every so many milliseconds; returns its undo. */
  every(ms: number, callback: () => void): () => void;
}

/** What a provider hands down. */
export interface StetContext {
  /** Null on a server that renders: hooks then show what they were given. */
  readonly client: Client | null;
  readonly language: Language;
  readonly texts: Texts;
  readonly clock: ViewClock;
}

/** Changes to the dictionaries, by language. */
export type Messages = Readonly<Partial<Record<Language, Partial<Texts>>>>;

const browserClock: ViewClock = {
  now: () => Date.now(),
  every(ms, callback) {
    const timer = setInterval(callback, ms);
    return () => clearInterval(timer);
  },
};

const Context = createContext<StetContext | null>(null);

const subscribeToLanguage = (listener: () => void): (() => void) => {
  globalThis.addEventListener?.('languagechange', listener);
  return () => globalThis.removeEventListener?.('languagechange', listener);
};
const browserLanguage = (): Language =>
  languageOf(typeof navigator === 'undefined' ? [] : (navigator.languages ?? [navigator.language]));

/** Gives a client, a language and the words to what is below. Where no `language` is given it is the browser's; a server
 *  that renders then speaks English, and the page changes to the browser's after it came alive. */
export function StetProvider(props: {
  readonly client: Client | null;
  readonly language?: Language;
  readonly messages?: Messages;
  readonly clock?: ViewClock;
  readonly children?: ReactNode;
}): ReactNode {
  const found = useSyncExternalStore(subscribeToLanguage, browserLanguage, () => 'en' as const);
  const language = props.language ?? found;
  const { client, messages, clock = browserClock } = props;
  const value = useMemo(
    () => ({ client, language, texts: { ...dictionaries[language], ...messages?.[language] }, clock }),
    [client, language, messages, clock],
  );
  return <Context.Provider value={value}>{props.children}</Context.Provider>;
}

/** What the nearest provider hands down; throws where there is none. */
export function useStet(): StetContext {
  const value = useContext(Context);
  if (value === null) throw new Error('a hook of @stet/react was used outside of a StetProvider');
  return value;
}

/** The client; throws on a server that renders without one. */
export function useClient(): Client {
  const { client } = useStet();
  if (client === null) throw new Error('there is no client here: it is made in the browser only');
  return client;
}

/** The words of the language that is spoken here. */
export function useText(): Texts {
  return useStet().texts;
}

/** The language that is spoken here. */
export function useLanguage(): Language {
  return useStet().language;
}
