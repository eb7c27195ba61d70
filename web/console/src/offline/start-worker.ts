/** It begins so long after the page is there, in milliseconds: it fetches every file of the console, over the same few connections. */
const quietMs = 2000;

/**
 * Has the browser keep the console's own files for when the server is away; where it does not (a plain address of another machine, a private
 * window), the console works as ever while the server is there. It waits until the first page is there, and takes nothing from it.
 */
export function startWorker(base: string): void {
  if (process.env['NODE_ENV'] !== 'production' || !('serviceWorker' in navigator)) return;
  const start = () => {
    navigator.serviceWorker.register(`${base}/assets/console-worker.js`, { scope: `${base}/`, updateViaCache: 'none' }).catch(() => {});
  };
  const later = () => void setTimeout(start, quietMs);
  if (document.readyState === 'complete') later();
  else addEventListener('load', later, { once: true });
}
