/** What the page asks of the server. Definitions come from the answer's text, for names of fields are the application's. */
import type { Client, JsonObject, Seq, Time, Version } from '@stet/client';
import { listOf, numberOf, objectOf, textOf, textsOf } from '../../outside';
import { isJsonObject } from '../../types/type-definition';
import { settingsOf, type Settings } from './settings';
import { jsonOf } from './definition';

const parsed = (text: string): JsonObject => {
  const value = jsonOf(text);
  return isJsonObject(value) ? value : {};
};

export interface PutType {
  readonly name: string;
  readonly definition: JsonObject;
  /** The version it was made from; null for a new one. */
  readonly base: Version | null;
  readonly force: boolean;
  readonly dryRun: boolean;
}
/** Rejects with `INVALID_TYPE` and a pointer, or with `TYPE_VIOLATED` and what does not fit. Records are looked through, which may take a while. */
export async function putType(client: Client, { name, definition, base, force, dryRun }: PutType, signal?: AbortSignal): Promise<void> {
  await client.http.request('PUT', `/types/${encodeURIComponent(name)}`, {
    body: definition,
    timeoutMs: lookingMs,
    query: { ...(force ? { force: 1 } : {}), ...(dryRun ? { dry_run: 1 } : {}) },
    ...(base === null ? {} : { ifMatch: base }),
    ...(signal === undefined ? {} : { signal }),
  });
}
const lookingMs = 600_000;

export async function deleteType(client: Client, name: string, base: Version): Promise<void> {
  await client.http.request('DELETE', `/types/${encodeURIComponent(name)}`, { ifMatch: base });
}

/** A version of a definition, newest first. `data` null: it was deleted by it. */
export interface DefinitionVersion {
  readonly version: Version;
  readonly seq: Seq;
  readonly at: Time;
  readonly by: string;
  readonly op: string;
  readonly data: JsonObject | null;
}
export const readVersions = (kind: 'stet.type' | 'stet.function' | 'stet.handler', name: string) => async (client: Client, signal: AbortSignal): Promise<readonly DefinitionVersion[]> => {
  const { text } = await client.http.request('GET', `/records/${kind}/${encodeURIComponent(name)}/history`, { signal, query: { data: 1, limit: versionsShown } });
  return listOf(parsed(text)['changes']).map((value): DefinitionVersion => {
    const one = objectOf(value);
    const data: unknown = one['data'];
    return {
      version: numberOf(one['version']) ?? 0,
      seq: numberOf(one['seq']) ?? 0,
      at: textOf(one['at']) ?? '',
      by: textOf(one['by']) ?? '',
      op: textOf(one['op']) ?? '',
      data: isJsonObject(data) ? data : null,
    };
  });
};
const versionsShown = 100;

export interface FunctionDefinition {
  readonly name: string;
  readonly version: Version;
  readonly updatedAt: Time;
  readonly updatedBy: string;
  readonly description: string | null;
  /** Null: it is not for everybody to see. */
  readonly source: string | null;
  readonly runAs: string;
  readonly class: string | null;
  readonly roles: readonly string[];
}

export async function readFunctions(client: Client, signal: AbortSignal): Promise<readonly FunctionDefinition[]> {
  const { body } = await client.http.request('GET', '/functions', { signal });
  return listOf(objectOf(body)['functions'])
    .flatMap((value): readonly FunctionDefinition[] => {
      const one = objectOf(value);
      const name = textOf(one['id']);
      if (name === undefined) return [];
      return [
        {
          name,
          version: numberOf(one['version']) ?? 0,
          updatedAt: textOf(one['updatedAt']) ?? '',
          updatedBy: textOf(one['updatedBy']) ?? '',
          description: textOf(one['description']) ?? null,
          source: textOf(one['source']) ?? null,
          runAs: textOf(one['runAs']) ?? 'caller',
          class: textOf(one['class']) ?? null,
          roles: textsOf(one['roles']),
        },
      ];
    })
    .sort((one, other) => one.name.localeCompare(other.name));
}

export interface Handler {
  readonly name: string;
  readonly version: Version;
  readonly description: string | null;
  readonly on: readonly string[];
  readonly type: string | null;
  readonly where: string | null;
  readonly does: { readonly kind: 'function' | 'agent' | 'webhook'; readonly what: string } | null;
  readonly paused: boolean;
  readonly lag: number;
  readonly reactions: number;
  readonly failed: number;
  readonly lastError: string | null;
  readonly lastErrorAt: Time | null;
}

export async function readHandlers(client: Client, signal: AbortSignal): Promise<readonly Handler[]> {
  const { body } = await client.http.request('GET', '/handlers', { signal });
  return listOf(objectOf(body)['handlers'])
    .flatMap((value): readonly Handler[] => {
      const one = objectOf(value);
      const name = textOf(one['id']);
      if (name === undefined) return [];
      const url = textOf(objectOf(one['webhook'])['url']);
      const called = textOf(one['function']);
      const agent = textOf(one['agent']);
      return [
        {
          name,
          version: numberOf(one['version']) ?? 0,
          description: textOf(one['description']) ?? null,
          on: textsOf(one['on']),
          type: textOf(one['type']) ?? null,
          where: textOf(one['where']) ?? null,
          does: called !== undefined ? { kind: 'function', what: called } : agent !== undefined ? { kind: 'agent', what: agent } : url !== undefined ? { kind: 'webhook', what: url } : null,
          paused: one['paused'] === true,
          lag: numberOf(one['lag']) ?? 0,
          reactions: numberOf(one['reactions']) ?? 0,
          failed: numberOf(one['failed']) ?? 0,
          lastError: textOf(one['lastError']) ?? null,
          lastErrorAt: textOf(one['lastErrorAt']) ?? null,
        },
      ];
    })
    .sort((one, other) => one.name.localeCompare(other.name));
}

export async function readSettings(client: Client, signal: AbortSignal): Promise<Settings> {
  return settingsOf(parsed((await client.http.request('GET', '/settings', { signal })).text));
}
/** All of them at once, provided nobody changed them since they were read. */
export async function putSettings(client: Client, definition: JsonObject, base: Version | null): Promise<void> {
  await client.http.request('PUT', '/settings', { body: definition, ...(base === null ? {} : { ifMatch: base }) });
}
