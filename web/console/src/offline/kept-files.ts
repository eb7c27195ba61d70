/**
 * What the service worker does: it keeps the console's own files, so that a reload while the server is away shows the console, which knows
 * what waits to be sent. Nothing else is kept, and nothing of anybody: answers of the interface never come through here.
 */

/** The browser's own caches, as far as they are used. */
export interface Caches {
  open(name: string): Promise<Pick<Cache, 'match' | 'addAll'>>;
  keys(): Promise<readonly string[]>;
  delete(name: string): Promise<boolean>;
}

/** What it needs of the browser. */
export interface KeptFilesOptions {
  /** Where the console is, with a slash at its end. */
  readonly base: string;
  /** The files of this build below `base`, '' for the page itself. */
  readonly files: readonly string[];
  /** Says which build they are of. */
  readonly build: string;
  readonly caches: Caches;
  readonly fetch: (request: Request) => Promise<Response>;
}

export interface KeptFiles {
  /** Fetches all of this build; rejects when one cannot be had: then the browser tries again another time. */
  install(): Promise<void>;
  /** Forgets the builds before; no page uses them any more. */
  activate(): Promise<void>;
  /** The answer to what a page of the console asks for; null: it is none of ours, and goes to the network as ever.
   *  `asked`: what the browser has asked the server for already, if it has; rejects when nobody answers. */
  answer(request: Request, asked?: Promise<Response | undefined>): Promise<Response> | null;
}

/** A proxy says these in the place of a server that is not there. */
const awayStatuses: readonly number[] = [502, 503, 504];
/** Compressed forms differ in their headers alone once they are here. */
const anyForm = { ignoreVary: true };

export function keepFiles({ base, files, build, caches, fetch }: KeptFilesOptions): KeptFiles {
  // Several consoles may share an origin, each below its own path.
  const prefix = `stet-console ${base} `;
  const name = prefix + build;
  const kept = async (url: string): Promise<Response | undefined> => (await caches.open(name)).match(url, anyForm);

  /** The newest page when the server is there: it names the files of its own build. */
  const page = async (original: Request, asked: Promise<Response | undefined> | undefined): Promise<Response> => {
    let answered: Response;
    try {
      answered = (await asked) ?? (await fetch(original));
    } catch (error) {
      const found = await kept(base);
      if (found) return found;
      throw error;
    }
    return (awayStatuses.includes(answered.status) ? await kept(base) : undefined) ?? answered;
  };
  /** Names hold a hash of the bytes, so what is here is what is there. */
  const asset = async (original: Request): Promise<Response> => (await kept(original.url)) ?? fetch(original);

  return {
    async install() {
      const cache = await caches.open(name);
      await cache.addAll(files.map((file) => new Request(base + file, { cache: file === '' ? 'no-cache' : 'default' })));
    },
    async activate() {
      const names = await caches.keys();
      await Promise.all(names.filter((other) => other.startsWith(prefix) && other !== name).map((other) => caches.delete(other)));
    },
    answer(request, asked) {
      if (request.method !== 'GET') return null;
      const url = request.url.replace(/#.*$/, '');
      if (request.mode === 'navigate') return url === base ? page(request, asked) : null;
      return url.startsWith(base) && files.includes(url.slice(base.length)) && url !== base ? asset(request) : null;
    },
  };
}
