/** Requests by the platform's own `fetch`. */
import { networkError } from './problem';
import type { Transport } from './seams';

/** @param url the server's address with its base path, without a slash at its end; '' for where the page came from. */
export const createFetchTransport = (url: string, fetcher: typeof fetch = (...given) => fetch(...given)): Transport =>
  async (request) => {
    let answer: Response;
    try {
      answer = await fetcher(url + request.path, {
        method: request.method,
        headers: { ...request.headers },
        // Another origin of the same site may use the cookie when the server names it.
        credentials: 'include',
        cache: 'no-store',
        redirect: 'error',
        ...(request.body === undefined ? {} : { body: request.body }),
        ...(request.signal === undefined ? {} : { signal: request.signal }),
      });
    } catch (cause) {
      throw networkError(cause);
    }
    return {
      status: answer.status,
      header: (name) => answer.headers.get(name),
      text: () => answer.text(),
      stream: answer.body,
    };
  };

/** The address to talk to, without a slash at its end. Throws a TypeError when it is none. */
export const serverUrl = (given: string | undefined): string => {
  if (given === undefined || given === '') return typeof location === 'undefined' ? '' : location.origin;
  const url = new URL(given, typeof location === 'undefined' ? undefined : location.href);
  if (url.protocol !== 'http:' && url.protocol !== 'https:') throw new TypeError(`"${given}" is not an http address`);
  return (url.origin + url.pathname).replace(/\/+$/, '');
};
