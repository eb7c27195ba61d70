const stet = process.env['STET_URL'] ?? 'http://127.0.0.1:7838';

/** What a login needs of the request. `origin`: Stet refuses pages that it was not told of (`--allow-origin`). */
const passedOn = ['accept', 'content-type', 'cookie', 'origin', 'stet-csrf'];

/**
 * Hands a login or logout on to Stet. Stet's cookie is for requests below /v1 alone, so the pages that are rendered here would never see
 * it: it is handed out for all of this origin instead. It stays HttpOnly and SameSite as Stet made it.
 */
const handOn = async (request: Request): Promise<Response> => {
  const { pathname, search } = new URL(request.url);
  const headers = new Headers();
  for (const name of passedOn) {
    const value = request.headers.get(name);
    if (value !== null) headers.set(name, value);
  }
  const body = request.method === 'GET' ? '' : await request.text();
  const answer = await fetch(stet + pathname + search, {
    method: request.method,
    headers,
    cache: 'no-store',
    ...(body === '' ? {} : { body }),
  });
  const handed = new Headers({ 'cache-control': 'no-store' });
  for (const name of ['content-type', 'retry-after']) {
    const value = answer.headers.get(name);
    if (value !== null) handed.set(name, value);
  }
  for (const cookie of answer.headers.getSetCookie()) handed.append('set-cookie', cookie.replace(/; *Path=[^;]*/i, '; Path=/'));
  return new Response(await answer.text(), { status: answer.status, headers: handed });
};

export { handOn as DELETE, handOn as GET, handOn as POST };
