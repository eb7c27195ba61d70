/** Users, their sessions, links that wait, and tokens, decoded from the client's camelCase. See docs/people.md. */
import type { Time, Version } from '@stet/client';
import { listOf, numberOf, objectOf, textOf, textsOf } from '../../outside';

export interface User {
  readonly id: string;
  readonly version: Version;
  readonly name: string | null;
  readonly email: string | null;
  readonly roles: readonly string[];
  readonly scopes: readonly string[];
  readonly admin: boolean;
  readonly disabled: boolean;
  readonly hasPassword: boolean;
  readonly createdAt: Time;
}

export interface Session {
  readonly id: string;
  readonly user: string;
  readonly name: string | null;
  readonly address: string | null;
  readonly createdAt: Time;
  readonly usedAt: Time;
  readonly expiresAt: Time;
  /** It is the one that asks. */
  readonly current: boolean;
}

export interface InviteLink {
  readonly id: string;
  readonly kind: 'invite' | 'reset';
  readonly user: string | null;
  readonly name: string | null;
  readonly roles: readonly string[];
  readonly createdAt: Time | null;
  readonly createdBy: string | null;
  readonly expiresAt: Time;
  /** Told once, in the answer that made it. */
  readonly url: string | null;
}

export interface Token {
  readonly id: string;
  readonly actor: string;
  readonly name: string;
  readonly admin: boolean;
  readonly roles: readonly string[];
  readonly scopes: readonly string[];
  readonly createdAt: Time;
  readonly createdBy: string;
  readonly expiresAt: Time | null;
  /** Told once, in the answer that made it. */
  readonly secret: string | null;
}

export const scopes = ['read', 'write', 'work', 'priority', 'operate', 'export'] as const;
export const usualScopes: readonly string[] = ['read', 'write', 'work'];

const orNull = (value: unknown): string | null => textOf(value) ?? null;

export function userOf(value: unknown): User | null {
  const one = objectOf(value);
  const id = textOf(one['id']);
  if (id === undefined) return null;
  return {
    id,
    version: numberOf(one['version']) ?? 0,
    name: orNull(one['name']),
    email: orNull(one['email']),
    roles: textsOf(one['roles']),
    scopes: textsOf(one['scopes']),
    admin: one['admin'] === true,
    disabled: one['disabled'] === true,
    hasPassword: one['hasPassword'] === true,
    createdAt: textOf(one['createdAt']) ?? '',
  };
}

function sessionOf(value: unknown): Session | null {
  const one = objectOf(value);
  const id = textOf(one['id']);
  if (id === undefined) return null;
  return {
    id,
    user: textOf(one['user']) ?? '',
    name: orNull(one['name']),
    address: orNull(one['address']),
    createdAt: textOf(one['createdAt']) ?? '',
    usedAt: textOf(one['usedAt']) ?? '',
    expiresAt: textOf(one['expiresAt']) ?? '',
    current: one['current'] === true,
  };
}

export function linkOf(value: unknown): InviteLink | null {
  const one = objectOf(value);
  const id = textOf(one['id']);
  if (id === undefined) return null;
  return {
    id,
    kind: one['kind'] === 'reset' ? 'reset' : 'invite',
    user: orNull(one['user']),
    name: orNull(one['name']),
    roles: textsOf(one['roles']),
    createdAt: orNull(one['createdAt']),
    createdBy: orNull(one['createdBy']),
    expiresAt: textOf(one['expiresAt']) ?? '',
    url: orNull(one['url']),
  };
}

export function tokenOf(value: unknown): Token | null {
  const one = objectOf(value);
  const id = textOf(one['id']);
  const actor = textOf(one['actor']);
  if (id === undefined || actor === undefined) return null;
  return {
    id,
    actor,
    name: textOf(one['name']) ?? '',
    admin: one['admin'] === true,
    roles: textsOf(one['roles']),
    scopes: textsOf(one['scopes']),
    createdAt: textOf(one['createdAt']) ?? '',
    createdBy: textOf(one['createdBy']) ?? '',
    expiresAt: orNull(one['expiresAt']),
    secret: orNull(one['token']),
  };
}

const present = <T>(values: readonly (T | null)[]): readonly T[] => values.filter((one) => one !== null);

export const usersOf = (body: unknown): readonly User[] => present(listOf(objectOf(body)['users']).map(userOf));
/** The one that asks first, then those used last. */
export const sessionsOf = (body: unknown): readonly Session[] =>
  [...present(listOf(objectOf(body)['sessions']).map(sessionOf))].sort((one, other) => Number(other.current) - Number(one.current) || other.usedAt.localeCompare(one.usedAt));
export const linksOf = (body: unknown): readonly InviteLink[] => present(listOf(objectOf(body)['links']).map(linkOf));
export const tokensOf = (body: unknown): readonly Token[] => present(listOf(objectOf(body)['tokens']).map(tokenOf));

/** Roles as they are typed, blanks or commas between them; each once. */
export const rolesOf = (text: string): readonly string[] => [...new Set(text.split(/[\s,;]+/).filter((role) => role !== ''))];

/** A password has 8 to 1024 bytes. */
export function passwordFits(password: string): boolean {
  const { length } = new TextEncoder().encode(password);
  return length >= 8 && length <= 1024;
}

export interface UserForm {
  readonly name: string;
  readonly email: string;
  readonly roles: string;
  readonly scopes: readonly string[];
}

export const formOf = (user: User): UserForm => ({ name: user.name ?? '', email: user.email ?? '', roles: user.roles.join(' '), scopes: user.scopes });

const sameSet = (one: readonly string[], other: readonly string[]): boolean => one.length === other.length && one.every((value) => other.includes(value));

/** The body of a `PATCH` that makes the user into what the form says: only what differs; null when nothing does. */
export function userChange(user: User, form: UserForm): Readonly<Record<string, string | readonly string[] | null>> | null {
  const change: Record<string, string | readonly string[] | null> = {};
  const text = (member: 'name' | 'email') => {
    const value = form[member].trim();
    if (value !== (user[member] ?? '')) change[member] = value === '' ? null : value;
  };
  text('name');
  text('email');
  const roles = rolesOf(form.roles);
  if (!sameSet(roles, user.roles)) change['roles'] = roles;
  // An administrator has all of them, whatever is ticked.
  if (!roles.includes('admin') && !sameSet(form.scopes, user.scopes)) change['scopes'] = form.scopes;
  return Object.keys(change).length === 0 ? null : change;
}
