/** The machine's own time and chance. */
import type { Clock } from './seams';

/** Timers longer than this run out at once in browsers; they are set again in pieces. */
const TIMER_MS_MAX = 2_147_483_647;

/** The clock that is used when no other is given. */
export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, callback) {
    const end = performance.now() + ms;
    let timer: ReturnType<typeof setTimeout>;
    const wait = (left: number) => {
      timer = setTimeout(() => {
        const rest = end - performance.now();
        if (ms > TIMER_MS_MAX && rest > 1) wait(rest);
        else callback();
      }, Math.min(Math.max(0, left), TIMER_MS_MAX));
    };
    wait(ms);
    return () => clearTimeout(timer);
  },
  random: () => Math.random(),
};
