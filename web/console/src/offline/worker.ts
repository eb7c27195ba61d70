/** The service worker's entry: it runs apart from every page, and is built apart from the console. */
import { keepFiles, type Caches } from './kept-files';

interface LifeEvent extends Event {
  waitUntil(done: Promise<void>): void;
}
interface AskedEvent extends Event {
  readonly request: Request;
  respondWith(answer: Promise<Response>): void;
}
/** The compiler knows a page's world alone; of the worker's this is used. */
interface WorkerWorld {
  readonly location: { readonly href: string };
  readonly caches: Caches;
  addEventListener(type: 'install' | 'activate', heard: (event: LifeEvent) => void): void;
  addEventListener(type: 'fetch', heard: (event: AskedEvent) => void): void;
}
declare const self: WorkerWorld;
/** Put in by the build. */
declare const STET_FILES: readonly string[];
declare const STET_BUILD: string;

const kept = keepFiles({
  base: new URL('..', self.location.href).href,
  files: STET_FILES,
  build: STET_BUILD,
  caches: self.caches,
  fetch: (request) => fetch(request),
});

self.addEventListener('install', (event) => event.waitUntil(kept.install()));
// A build waits until no page uses the one before: that one's late parts are still here when they are needed.
self.addEventListener('activate', (event) => event.waitUntil(kept.activate()));
self.addEventListener('fetch', (event) => {
  const answer = kept.answer(event.request);
  if (answer) event.respondWith(answer);
});
