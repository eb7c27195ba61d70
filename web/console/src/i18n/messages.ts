import { useLanguage } from './language';

type Message = string | ((...values: never[]) => string);
type Like<M> = { readonly [K in keyof M]: M[K] extends string ? string : M[K] };

/** The words of one page, in every language: what is missing in Spanish does not compile. */
export interface Messages<M> {
  readonly en: M;
  readonly es: Like<M>;
}

export function defineMessages<const M extends Readonly<Record<string, Message>>>(messages: Messages<M>): Messages<M> {
  return messages;
}

/** The words of the language that is on. */
export function useMessages<M>(messages: Messages<M>): M | Like<M> {
  return messages[useLanguage()];
}
