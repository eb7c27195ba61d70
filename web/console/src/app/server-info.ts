import type { Client } from '@stet/client';

/** What `GET /v1` says that the shell shows. */
export interface ServerInfo {
  readonly version: string | null;
  readonly spaces: readonly string[];
}

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Spaces may come as names or as objects with one. */
export function decodeServerInfo(body: unknown): ServerInfo {
  if (!isObject(body)) return { version: null, spaces: [] };
  const spaces = Array.isArray(body['spaces']) ? body['spaces'] : [];
  return {
    version: typeof body['version'] === 'string' ? body['version'] : null,
    spaces: spaces.flatMap((space: unknown) => (typeof space === 'string' ? [space] : isObject(space) && typeof space['name'] === 'string' ? [space['name']] : [])),
  };
}

const reading = new WeakMap<Client, Promise<ServerInfo>>();

/** Reads it; who asks while it is being read gets the same answer. */
export function readServerInfo(client: Client): Promise<ServerInfo> {
  let info = reading.get(client);
  if (info === undefined) {
    info = client.http
      .request('GET', '//v1')
      .then(({ body }) => decodeServerInfo(body))
      .finally(() => reading.delete(client));
    reading.set(client, info);
  }
  return info;
}
