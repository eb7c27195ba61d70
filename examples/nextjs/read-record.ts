import { createClient, StetError, type JsonObject, type RecordOf } from '@stet/client';
import { headers } from 'next/headers';

const url = process.env['STET_URL'] ?? 'http://127.0.0.1:7838';

/** Reads a record for whoever asked for the page, with their cookie, so that they see what they may see. Null: there is none for them, or
 *  they are not logged in: then the page reads it in the browser, and says so there. */
export async function readRecord<T = JsonObject>(type: string, id: string): Promise<RecordOf<T> | null> {
  const cookie = (await headers()).get('cookie') ?? '';
  const client = createClient({
    url,
    transport: async ({ method, path, headers: own, body, signal }) => {
      const answer = await fetch(url + path, {
        method,
        headers: { ...own, cookie },
        cache: 'no-store',
        ...(body === undefined ? {} : { body }),
        ...(signal === undefined ? {} : { signal }),
      });
      return { status: answer.status, header: (name) => answer.headers.get(name), text: () => answer.text(), stream: answer.body };
    },
    socket: null,
  });
  try {
    return await client.records.get<T>(type, id);
  } catch (reason) {
    if (reason instanceof StetError && ['NOT_FOUND', 'DELETED', 'UNAUTHENTICATED', 'SESSION_ENDED'].includes(reason.code)) return null;
    throw reason;
  } finally {
    await client.close();
  }
}
