/** Requests below /v1 go on to Stet, the live connection too: the browser sees one origin. `fallback`: only what no file here answers,
 *  for what logs in and out goes by way of app/v1/[space]/session. At /healthz the client learns Stet's version. */
const stet = process.env.STET_URL ?? 'http://127.0.0.1:7838';

export default {
  rewrites: async () => ({ fallback: ['/v1/:path*', '/healthz'].map((source) => ({ source, destination: stet + source })) }),
};
