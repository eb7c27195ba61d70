/** The service worker's entry: it runs apart from every page, and is built apart from the console. */
import { keepFiles, type Caches } from './kept-files';

interface LifeEvent extends Event {
  waitUntil(done: Promise<void>): void;
  /** Newer browsers: requests that need not wait for this worker. */
  addRoutes?(rules: readonly Readonly<Record<string, unknown>>[]): Promise<void>;
}
interface AskedEvent extends Event {
  readonly request: Request;
  /** What the browser has asked for already, while it was waking this worker up. */
  readonly preloadResponse?: Promise<Response | undefined>;
  respondWith(answer: Promise<Response>): void;
}
/** The compiler knows a page's world alone; of the worker's this is used. */
interface WorkerWorld {
  readonly location: { readonly href: string };
  readonly caches: Caches;
  readonly registration: { readonly navigationPreload?: { enable(): Promise<void> } };
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

// The server's answers never come through here, so nobody has to wake this worker up for them.
const past = async (event: LifeEvent): Promise<void> => {
  const { pathname } = new URL('..', self.location.href);
  const rules = ['v1/*', 'healthz'].map((path) => ({ condition: { urlPattern: { pathname: pathname + path } }, source: 'network' }));
  await event.addRoutes?.(rules).catch(() => {});
};
self.addEventListener('install', (event) => event.waitUntil(Promise.all([kept.install(), past(event)]).then(() => {})));
// A build waits until no page uses the one before: that one's late parts are still here when they are needed.
self.addEventListener('activate', (event) => event.waitUntil(Promise.all([kept.activate(), self.registration.navigationPreload?.enable()]).then(() => {})));
self.addEventListener('fetch', (event) => {
  const answer = kept.answer(event.request, event.preloadResponse);
  if (answer) event.respondWith(answer);
});
