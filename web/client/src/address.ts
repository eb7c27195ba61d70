/** Names of records: `type/id`, each part percent-encoded as in a path. */
import type { Address } from './record';

const plain = /^[\w.~-]*$/;

/** encodeURIComponent leaves a few characters alone that are not unreserved in RFC 3986; the server writes those encoded. */
const part = (text: string): string =>
  // Most names have nothing to encode.
  plain.test(text) ? text : encodeURIComponent(text).replace(/[!'()*]/g, (one) => `%${one.charCodeAt(0).toString(16).toUpperCase()}`);

/** The address of a record. */
export const addressOf = (type: string, id: string): Address => `${part(type)}/${part(id)}`;

/** What an address names, or null when it is none. */
export const parseAddress = (address: Address): { readonly type: string; readonly id: string } | null => {
  const slash = address.indexOf('/');
  if (slash <= 0 || slash === address.length - 1 || address.indexOf('/', slash + 1) !== -1) return null;
  try {
    return { type: decodeURIComponent(address.slice(0, slash)), id: decodeURIComponent(address.slice(slash + 1)) };
  } catch {
    return null;
  }
};

/** Where a record stands below its space: `/records/tasks/1`. */
export const recordPath = (type: string, id: string): string => `/records/${part(type)}/${part(id)}`;

/** One part of a path. */
export const pathPart = part;
