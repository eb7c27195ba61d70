/** What the page asks of the server. Paths of tokens begin at the root: they are the server's, not the space's. */
import type { Client } from '@stet/client';
import { linkOf, linksOf, sessionsOf, tokenOf, tokensOf, userOf, usersOf, type InviteLink, type Session, type Token, type User } from './people';

const userPath = (id: string): string => `/users/${encodeURIComponent(id)}`;

/** All users, page by page. */
export async function readUsers(client: Client, signal: AbortSignal): Promise<readonly User[]> {
  const all: User[] = [];
  for (let after: string | undefined; ; ) {
    const { body } = await client.http.request('GET', '/users', { signal, query: { limit: usersPage, ...(after === undefined ? {} : { after }) } });
    const page = usersOf(body);
    all.push(...page);
    if (page.length < usersPage) return all;
    after = page.at(-1)?.id;
  }
}
const usersPage = 500;

export const readUser = (id: string) => async (client: Client, signal: AbortSignal): Promise<User | null> => userOf((await client.http.request('GET', userPath(id), { signal })).body);
/** Of oneself, or as an administrator of somebody else. */
export const readSessions = (user: string | null) => async (client: Client, signal: AbortSignal): Promise<readonly Session[]> =>
  sessionsOf((await client.http.request('GET', '/sessions', { signal, ...(user === null ? {} : { query: { user } }) })).body);
export const readLinks = async (client: Client, signal: AbortSignal): Promise<readonly InviteLink[]> => linksOf((await client.http.request('GET', '/links', { signal })).body);
export const readTokens = async (client: Client, signal: AbortSignal): Promise<readonly Token[]> => tokensOf((await client.http.request('GET', '//v1/stet/tokens', { signal })).body);

/** Provided nobody changed the user since that version. */
export async function changeUser(client: Client, user: User, change: Readonly<Record<string, unknown>>): Promise<void> {
  await client.http.request('PATCH', userPath(user.id), { body: change, ifMatch: user.version });
}

export interface NewUser {
  readonly id: string;
  readonly name: string;
  readonly roles: readonly string[];
  readonly password: string;
}
export async function createUser(client: Client, user: NewUser): Promise<void> {
  await client.http.request('POST', '/users', { body: { id: user.id, password: user.password, roles: user.roles, ...(user.name === '' ? {} : { name: user.name }) } });
}

export interface NewLink {
  readonly kind: 'invite' | 'reset';
  readonly user: string;
  readonly name: string;
  readonly roles: readonly string[];
  readonly hours: number;
}
/** The link with its address, which nobody is told again. Older ones for the same user stop working. */
export async function createLink(client: Client, link: NewLink): Promise<InviteLink | null> {
  const { body } = await client.http.request('POST', '/links', {
    body: {
      kind: link.kind,
      ttl_s: link.hours * 3600,
      ...(link.user === '' ? {} : { user: link.user, replace: true }),
      ...(link.name === '' ? {} : { name: link.name }),
      ...(link.kind === 'reset' || link.roles.length === 0 ? {} : { roles: link.roles }),
    },
  });
  return linkOf(body);
}
export async function withdrawLink(client: Client, id: string): Promise<void> {
  await client.http.request('DELETE', `/links/${encodeURIComponent(id)}`);
}

export async function nameSession(client: Client, id: string, name: string): Promise<void> {
  await client.http.request('PATCH', `/sessions/${encodeURIComponent(id)}`, { body: { name } });
}
export async function endSession(client: Client, id: string): Promise<void> {
  await client.http.request('DELETE', `/sessions/${encodeURIComponent(id)}`);
}
/** All sessions of oneself but this one; of somebody else all. */
export async function endSessions(client: Client, user: string | null): Promise<void> {
  await client.http.request('DELETE', '/sessions', user === null ? {} : { query: { user } });
}
export async function changePassword(client: Client, before: string, after: string): Promise<void> {
  await client.http.request('POST', '/session/password', { body: { old: before, new: after } });
}

export interface NewToken {
  readonly actor: string;
  readonly name: string;
  readonly admin: boolean;
  readonly roles: readonly string[];
  readonly scopes: readonly string[];
  /** Null: it stays good. */
  readonly days: number | null;
}
/** The token with its secret, which nobody is told again. */
export async function createToken(client: Client, token: NewToken, now: number): Promise<Token | null> {
  const { body } = await client.http.request('POST', '//v1/stet/tokens', {
    body: {
      actor: token.actor,
      ...(token.name === '' ? {} : { name: token.name }),
      ...(token.admin ? { admin: true } : { scopes: token.scopes, ...(token.roles.length === 0 ? {} : { roles: token.roles }) }),
      ...(token.days === null ? {} : { expires_at: new Date(now + token.days * 86_400_000).toISOString() }),
    },
  });
  return tokenOf(body);
}
export async function revokeToken(client: Client, id: string): Promise<void> {
  await client.http.request('DELETE', `//v1/stet/tokens/${encodeURIComponent(id)}`);
}
