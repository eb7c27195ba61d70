import { useSyncExternalStore } from 'react';
import { useFormat } from '../i18n/format';

/** One clock for all times on the page; half a minute is near enough. */
const tickMs = 30_000;
let now = Date.now();
let timer: ReturnType<typeof setInterval> | null = null;
const listeners = new Set<() => void>();
const subscribe = (listener: () => void) => {
  listeners.add(listener);
  timer ??= setInterval(() => {
    now = Date.now();
    listeners.forEach((tell) => tell());
  }, tickMs);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0 || timer === null) return;
    clearInterval(timer);
    timer = null;
  };
};

/** "3 minutes ago"; the exact time on hover. It keeps itself up to date. */
export function RelativeTime({ time }: { readonly time: string | number }) {
  const format = useFormat();
  const at = useSyncExternalStore(subscribe, () => now, () => now);
  const shown = new Date(time);
  const valid = !Number.isNaN(shown.getTime());
  return (
    <time dateTime={valid ? shown.toISOString() : undefined} title={format.dateTime(time)}>
      {format.relative(time, Math.max(at, Math.min(shown.getTime(), Date.now())))}
    </time>
  );
}
