// The console while one works on it: built in memory at each change, served with the same Content-Security-Policy as by the program;
// all other requests, WebSockets too, go on to a server.
import { context } from 'esbuild';
import { readFileSync } from 'node:fs';
import { createServer, request as ask } from 'node:http';
import { connect } from 'node:net';
import { basename } from 'node:path';
import { at, consoleOptions, version } from './places.mjs';
import { fillPage, importedStyles, joinStyles } from './styles.mjs';

const PORT = 7839;
export const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; " +
  "frame-ancestors 'none'; base-uri 'none'; form-action 'self'";
const TYPES = { js: 'text/javascript', css: 'text/css', svg: 'image/svg+xml', woff2: 'font/woff2', map: 'application/json' };

export const serveConsole = async (url) => {
  const target = new URL(url);
  let files = new Map();
  const keep = {
    name: 'keep',
    setup: (build) =>
      build.onEnd(async ({ errors, metafile, outputFiles }) => {
        if (errors.length > 0) return;
        const next = new Map(outputFiles.filter(({ path }) => !path.endsWith('.css')).map(({ path, contents }) => [basename(path), contents]));
        next.set('console.css', Buffer.from(await joinStyles(importedStyles(metafile.inputs, consoleOptions.entryPoints[0].in), false)));
        files = next;
        console.log(`built at ${new Date().toLocaleTimeString()}`);
      }),
  };
  const building = await context({
    ...consoleOptions,
    sourcemap: true,
    define: { 'process.env.NODE_ENV': '"development"', STET_VERSION: JSON.stringify(version()) },
    outdir: at('console/dist/assets'),
    metafile: true,
    write: false,
    plugins: [keep],
  });
  await building.watch();

  // The server knows itself by its own name only.
  const headersFor = (headers) => ({ ...headers, host: target.host, ...(headers.origin === undefined ? {} : { origin: target.origin }) });
  const server = createServer((request, answer) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const head = { 'cache-control': 'no-store', 'content-security-policy': POLICY };
    if (pathname === '/') {
      const page = fillPage(at('console/index.html'), { icon: 'icon.svg', styles: ['console.css'], first: 'console.js', shared: [] });
      answer.writeHead(200, { ...head, 'content-type': 'text/html; charset=utf-8' }).end(page);
    } else if (pathname.startsWith('/assets/')) {
      const bytes = pathname === '/assets/icon.svg' ? readFileSync(at('console/icon.svg')) : files.get(basename(pathname));
      if (bytes === undefined) answer.writeHead(404, head).end();
      else answer.writeHead(200, { ...head, 'content-type': TYPES[pathname.split('.').pop() ?? ''] ?? 'text/plain' }).end(bytes);
    } else {
      const onward = ask(
        { host: target.hostname, port: target.port, path: request.url, method: request.method, headers: headersFor(request.headers) },
        (reply) => {
          answer.writeHead(reply.statusCode ?? 502, reply.headers);
          reply.pipe(answer);
        },
      );
      onward.on('error', () => answer.writeHead(502).end());
      answer.on('close', () => onward.destroy());
      request.pipe(onward);
    }
  });
  server.on('upgrade', (request, socket, head) => {
    const onward = connect(Number(target.port), target.hostname, () => {
      const lines = Object.entries(headersFor(request.headers)).map(([name, value]) => `${name}: ${value}`);
      onward.write(`${request.method} ${request.url} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`);
      onward.write(head);
      onward.pipe(socket);
      socket.pipe(onward);
    });
    const end = () => {
      onward.destroy();
      socket.destroy();
    };
    onward.on('error', end);
    socket.on('error', end);
  });
  server.listen(PORT, '127.0.0.1', () => console.log(`http://127.0.0.1:${PORT}, with the data of ${url}`));
};
