/** A small document for the tests of components. What a DOM in memory cannot say (focus, layout) is tested in a real browser. */
import { Window } from 'happy-dom';
import { act, type ReactNode } from 'react';
import type { Root } from 'react-dom/client';
import type { ViewClock } from '../provider';

export interface Screen {
  /** Renders and lets effects and promises settle. */
  show(node: ReactNode): Promise<void>;
  /** Does something and lets React and promises settle. */
  run(work: () => void | Promise<void>): Promise<void>;
  /** What a person would read, blanks as one. */
  text(selector?: string): string;
  find(selector: string): HTMLElement;
  all(selector: string): readonly HTMLElement[];
  click(selector: string): Promise<void>;
  /** Clicks the button with this text. */
  press(text: string): Promise<void>;
  /** Writes into a field, as typing does. */
  type(selector: string, text: string): Promise<void>;
  close(): Promise<void>;
}

/** Opens an empty screen. Only one at a time in a process. */
export async function openScreen(): Promise<Screen> {
  const window = new Window({ url: 'http://localhost/' });
  const names = ['window', 'document', 'navigator', 'HTMLElement', 'HTMLInputElement', 'HTMLTextAreaElement', 'Node', 'Event'] as const;
  for (const name of names) {
    Object.defineProperty(globalThis, name, { value: name === 'window' ? window : window[name], configurable: true, writable: true });
  }
  Object.defineProperty(globalThis, 'IS_REACT_ACT_ENVIRONMENT', { value: true, configurable: true });
  /* React's `act` yields through a channel when it is bundled, and an open channel keeps the process alive. */
  class ImmediateChannel {
    readonly port1: { onmessage: (() => void) | null } = { onmessage: null };
    readonly port2 = { postMessage: () => void setImmediate(() => this.port1.onmessage?.()) };
  }
  Object.defineProperty(globalThis, 'MessageChannel', { value: ImmediateChannel, configurable: true, writable: true });
  /* React looks for a document when it is loaded. */
  const { createRoot } = await import('react-dom/client');
  const place = document.createElement('div');
  document.body.append(place);
  const root: Root = createRoot(place);

  const run = (work: () => void | Promise<void>): Promise<void> =>
    act(async () => {
      await work();
      for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve));
    });
  const find = (selector: string): HTMLElement => {
    const element = place.querySelector<HTMLElement>(selector);
    if (element === null) throw new Error(`nothing on the screen is ${selector}: ${place.innerHTML}`);
    return element;
  };
  return {
    show: (node) => run(() => root.render(node)),
    run,
    find,
    all: (selector) => [...place.querySelectorAll<HTMLElement>(selector)],
    text: (selector) => ((selector === undefined ? place : find(selector)).textContent ?? '').replaceAll(/\s+/g, ' ').trim(),
    click: (selector) => run(() => find(selector).click()),
    press: (text) =>
      run(() => {
        const button = [...place.querySelectorAll<HTMLElement>('button')].find((one) => one.textContent?.trim() === text);
        if (button === undefined) throw new Error(`no button says ${text}`);
        button.click();
      }),
    type: (selector, text) =>
      run(() => {
        const field = find(selector);
        const kind = field.tagName === 'TEXTAREA' ? HTMLTextAreaElement : HTMLInputElement;
        /* React listens to the setter of the element itself; the prototype's is what typing calls. */
        Object.getOwnPropertyDescriptor(kind.prototype, 'value')?.set?.call(field, text);
        field.dispatchEvent(new Event('input', { bubbles: true }));
      }),
    async close() {
      await run(() => root.unmount());
      await window.happyDOM.close();
    },
  };
}

/** A clock for countdowns that the test moves. */
export function createViewClock(startMs = Date.UTC(2026, 0, 1)): ViewClock & { advance(ms: number): void; readonly timers: number } {
  let now = startMs;
  let timers: { readonly every: number; next: number; readonly callback: () => void }[] = [];
  return {
    now: () => now,
    every(ms, callback) {
      const timer = { every: ms, next: now + ms, callback };
      timers.push(timer);
      return () => void (timers = timers.filter((other) => other !== timer));
    },
    advance(ms) {
      const end = now + ms;
      for (;;) {
        const due = timers.filter(({ next }) => next <= end).sort((a, b) => a.next - b.next)[0];
        if (due === undefined) break;
        now = due.next;
        due.next += due.every;
        due.callback();
      }
      now = end;
    },
    get timers() {
      return timers.length;
    },
  };
}
