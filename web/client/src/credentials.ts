/** Who asks: an API token, or the browser's cookie with the proof that writes need. The session fills it in, requests use it. */
import type { StetError } from './error';

/** What each request takes along, and whom it tells when that was not good. */
export interface Credentials {
  /** A bearer token, or null: the cookie. */
  token: string | null;
  /** Who that is, as far as is known; null: nobody, or not known yet. */
  actor: string | null;
  /** Which data the space has, as the server names them; null while that is not known. */
  spaceId: string | null;
  /** The session's proof that a write was meant (`Stet-CSRF`); null while it is not known. */
  csrf: string | null;
  /** Looks the proof up; set by the session. True when it is known now. Asked when the server demanded it. */
  renew: (() => Promise<boolean>) | null;
  /** Told of every 401: the session looks whether it is over. */
  refused: ((error: StetError) => void) | null;
  /** Told when the space has other data than it had (`spaceId`): nothing that was read before says anything of these. */
  replaced: (() => void) | null;
  /** Told of every answer (true) and of every time there was none (false). */
  reached: ((answered: boolean) => void) | null;
}

/** Nobody yet. */
export const createCredentials = (token: string | null): Credentials => ({
  token,
  actor: null,
  spaceId: null,
  csrf: null,
  renew: null,
  refused: null,
  replaced: null,
  reached: null,
});

/** The headers that say who asks. */
export const credentialHeaders = (credentials: Credentials, write: boolean): Readonly<Record<string, string>> => {
  if (credentials.token !== null) return { Authorization: `Bearer ${credentials.token}` };
  return write && credentials.csrf !== null ? { 'Stet-CSRF': credentials.csrf } : {};
};
