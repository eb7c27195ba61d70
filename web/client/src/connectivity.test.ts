import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createConnectivity } from './connectivity';

const page = () => {
  let changed = () => {};
  const state = { onLine: true, visible: true, listening: false };
  return {
    signals: {
      onLine: () => state.onLine,
      visible: () => state.visible,
      listen: (listener: () => void) => {
        changed = listener;
        state.listening = true;
        return () => (state.listening = false);
      },
    },
    state,
    set(next: Partial<typeof state>) {
      Object.assign(state, next);
      changed();
    },
  };
};

test('what requests say counts', () => {
  const heard: boolean[] = [];
  const connectivity = createConnectivity('stet.example.org', page().signals);
  connectivity.subscribe((online) => heard.push(online));
  connectivity.reached();
  connectivity.lost();
  connectivity.lost();
  connectivity.reached();
  assert.deepEqual(heard, [false, true]);
  assert.equal(connectivity.hopeless, false);
});

test('no network at all is hopeless, but for a server on this machine', () => {
  for (const [host, hopeless] of [['stet.example.org', true], ['127.0.0.1', false], ['[::1]', false], ['localhost', false]] as const) {
    const { signals, set } = page();
    const connectivity = createConnectivity(host, signals);
    set({ onLine: false });
    assert.equal(connectivity.hopeless, hopeless, host);
    assert.equal(connectivity.online, !hopeless, host);
  }
});

test('coming back into view is worth a try, and told although nothing changed', () => {
  const { signals, set } = page();
  const heard: boolean[] = [];
  const connectivity = createConnectivity('stet.example.org', signals);
  connectivity.subscribe((online) => heard.push(online));
  set({ visible: false });
  set({ visible: true });
  assert.deepEqual(heard, [true]);
});

test('closing stops listening', () => {
  const { signals, state } = page();
  createConnectivity(null, signals).close();
  assert.equal(state.listening, false);
});
