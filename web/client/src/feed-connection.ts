/**
 * Keeps the leading tab connected as long as somebody listens and somebody is logged in.
 *
 *   idle ──wanted──▶ connecting ──▶ open ──broke──▶ waiting ──time, network back──▶ connecting
 *                        └─nobody is logged in──▶ unauthenticated ──login──▶ connecting
 *
 * A WebSocket first. When it fails to open twice in a row event streams are tried; only if those open is it the WebSocket that does not come
 * through, and then it is tried again after a while.
 */
import type { FeedHub } from './feed-hub';
import { backoffMs } from './schedule';
import type { Clock, Connectivity, FeedState } from './seams';
import type { Wire, WireEvents } from './wire';

/** A connection that nobody needs is kept so long: the next page may want it. */
const lingerMs = 5_000;
const socketFailuresMax = 2;
const socketAgainMs = 300_000;
/** Who broke off within this time of opening has not been well. */
const wellMs = 10_000;

export interface FeedConnectionOptions {
  readonly clock: Clock;
  readonly hub: FeedHub;
  readonly connectivity: Connectivity;
  /** Whose session it is; null: nobody's. */
  readonly actor: () => string | null;
  /** Absent where there are no WebSockets. */
  readonly socket: ((events: WireEvents) => Promise<Wire>) | null;
  readonly streams: (events: WireEvents) => Wire;
  readonly state: (state: FeedState) => void;
  /** The session may be over: to be looked at. */
  readonly doubt: () => void;
  /** It is open: what waits may go. */
  readonly opened: () => void;
}

export interface FeedConnection {
  /** Something changed: what is wanted, who is logged in. */
  review(): void;
  close(): void;
}

/** Makes it; it connects when `review` finds that it should. */
export function createFeedConnection(options: FeedConnectionOptions): FeedConnection {
  const { clock, hub } = options;
  let wire: Wire | null = null;
  /** Whose connection it is. */
  let actor: string | null = null;
  /** Counts connections: what an old one says is not heard. */
  let turn = 0;
  let busy = false;
  let open = false;
  let openedAt = 0;
  let failures = 0;
  let socketFailures = 0;
  let onStreams = false;
  /** When the WebSocket is tried again, whatever becomes of the streams until then. */
  let socketAgainAt: number | null = null;
  let closed = false;
  let state: FeedState = 'idle';
  let undoWait: (() => void) | null = null;
  let undoLinger: (() => void) | null = null;
  let undoSocket = () => {};

  const become = (next: FeedState) => {
    if (state === next) return;
    state = next;
    options.state(next);
  };
  const disconnect = () => {
    turn += 1;
    busy = false;
    open = false;
    undoWait?.();
    undoWait = null;
    undoSocket();
    wire?.close();
    wire = null;
    hub.connect(null);
  };
  const wait = (ms: number) => {
    become('waiting');
    undoWait?.();
    undoWait = clock.after(ms, () => {
      undoWait = null;
      review();
    });
  };

  const giveSocketAChance = () => {
    onStreams = false;
    socketAgainAt = null;
    socketFailures = socketFailuresMax - 1;
  };
  const broke = () => {
    const wasOpen = open;
    const short = clock.monotonic() - openedAt < wellMs;
    const streams = onStreams;
    disconnect();
    if (!wasOpen) {
      if (streams) {
        // It is the network, not the WebSocket.
        onStreams = false;
        socketFailures = socketFailuresMax - 1;
      } else if (++socketFailures >= socketFailuresMax) onStreams = true;
    }
    failures = wasOpen && !short ? 1 : failures + 1;
    wait(backoffMs(failures, clock.random()));
  };

  const connect = () => {
    turn += 1;
    const mine = turn;
    busy = true;
    actor = options.actor();
    become('connecting');
    if (socketAgainAt !== null && clock.monotonic() >= socketAgainAt) giveSocketAChance();
    const streams = onStreams || options.socket === null;
    const events: WireEvents = {
      open() {
        if (mine !== turn) return;
        open = true;
        openedAt = clock.monotonic();
        if (!streams) socketFailures = 0;
        else if (options.socket !== null) {
          socketAgainAt ??= openedAt + socketAgainMs;
          undoSocket = clock.after(socketAgainAt - openedAt, trySocket);
        }
        if (!streams && wire !== null) hub.connect(wire);
        options.connectivity.reached();
        become('open');
        options.opened();
      },
      event(sub, event, id) {
        if (mine !== turn) return;
        if (event.kind === 'auth') {
          disconnect();
          if (!event.changed) options.doubt();
          // Under the new rights, or as nobody: whatever the session says by then.
          wait(event.changed ? 0 : backoffMs(1, clock.random()));
        } else if (event.kind === 'end') broke();
        else hub.event(sub, event, id);
      },
      refused(sub, error) {
        if (mine === turn) hub.refused(sub, error);
      },
      close() {
        if (mine === turn) broke();
      },
    };
    if (streams || options.socket === null) {
      onStreams = options.socket !== null;
      wire = options.streams(events);
      // Streams open by being asked for something.
      hub.connect(wire);
      if (!hub.wanted) disconnect();
      return;
    }
    options.socket(events).then(
      (opened) => {
        if (mine !== turn) return opened.close();
        wire = opened;
        if (open) hub.connect(opened);
      },
      () => {
        if (mine === turn) broke();
      },
    );
  };
  const trySocket = () => {
    giveSocketAChance();
    disconnect();
    review();
  };

  function review(): void {
    if (closed) return;
    const who = options.actor();
    if (busy && who !== actor) disconnect();
    if (!hub.wanted) {
      if (!busy) {
        undoWait?.();
        undoWait = null;
        return become('idle');
      }
      undoLinger ??= clock.after(lingerMs, () => {
        undoLinger = null;
        if (hub.wanted || closed) return;
        disconnect();
        become('idle');
      });
      return;
    }
    undoLinger?.();
    undoLinger = null;
    if (who === null) return become('unauthenticated');
    if (busy || undoWait !== null) return;
    connect();
  }
  const undoNetwork = options.connectivity.subscribe((online) => {
    if (!online || undoWait === null) return;
    undoWait();
    undoWait = null;
    review();
  });

  return {
    review,
    close() {
      closed = true;
      undoNetwork();
      undoLinger?.();
      disconnect();
      become('closed');
    },
  };
}
