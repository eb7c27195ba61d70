/** Requests below /v1 go on to Stet: the browser sees one origin, so Stet's cookie is the page's as well. */
const stet = process.env.STET_URL ?? 'http://127.0.0.1:7838';

export default {
  rewrites: async () => [{ source: '/v1/:path*', destination: `${stet}/v1/:path*` }],
};
