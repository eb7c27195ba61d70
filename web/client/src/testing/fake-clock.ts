/** A clock that stands until the test moves it, with timers that go off in the order of their times. */
import type { Clock } from '../seams';

interface Timer {
  readonly at: number;
  readonly order: number;
  readonly callback: () => void;
}

export interface FakeClock extends Clock {
  /** Moves on, running timers as they come due and letting promises settle after each. */
  advance(ms: number): Promise<void>;
  /** Lets promises settle; no time passes. */
  settle(): Promise<void>;
  /** How many timers are set. */
  readonly timers: number;
  /** The wall clock jumps; what only goes forward does not. */
  jump(ms: number): void;
}

/** @param random what `random` answers, over and over; default 1/2. */
export const createFakeClock = (startMs = 1_760_000_000_000, random: () => number = () => 0.5): FakeClock => {
  let elapsed = 0;
  let jumped = 0;
  let made = 0;
  let timers: Timer[] = [];

  const settle = async () => {
    // Promises of several layers, and those of web streams and Web Locks, need more than one turn.
    for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve));
  };

  return {
    now: () => startMs + elapsed + jumped,
    monotonic: () => elapsed,
    random,
    after(ms, callback) {
      const timer: Timer = { at: elapsed + Math.max(0, ms), order: made++, callback };
      timers.push(timer);
      return () => {
        timers = timers.filter((other) => other !== timer);
      };
    },
    async advance(ms) {
      const end = elapsed + ms;
      await settle();
      for (;;) {
        const [next] = timers.filter((timer) => timer.at <= end).sort((a, b) => a.at - b.at || a.order - b.order);
        if (next === undefined) break;
        timers = timers.filter((timer) => timer !== next);
        elapsed = Math.max(elapsed, next.at);
        next.callback();
        await settle();
      }
      elapsed = end;
    },
    settle,
    get timers() {
      return timers.length;
    },
    jump(ms) {
      jumped += ms;
    },
  };
};
