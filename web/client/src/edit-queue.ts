/**
 * The queue of edits as every tab has it: the same list everywhere. A tab that makes an edit writes it to storage and tells the leader; all
 * else is done by the leader, which tells every change, numbered. Who misses a number asks for the whole again. Messages may be lost: what
 * was not answered is said again.
 *
 *   1. An edit is in storage before any tab hears of it, and before the network does.
 *   2. Only the leader changes or removes what is there.
 *   3. All tabs hear the same changes in the same order.
 */
import { createDispatch, type Dispatch, type Settled } from './dispatch';
import type { Edit, WriteOutcome } from './edit';
import { createEditList } from './edit-list';
import type { EditSender } from './edit-request';
import { createEditWriter } from './edit-writer';
import { StetError } from './error';
import { closedError } from './problem';
import { queueMessageFromText, queueMessageToText, type Command, type QueueChange, type QueueMessage } from './queue-message';
import type { MutationId } from './record';
import { lastOf } from './schedule';
import type { Clock, Connectivity, EditEvent, EditQueue, EditStorage, KeptEdit, Leadership, TabLink } from './seams';

/** Edits that wait at a time, of all tabs. */
export const waitingMax = 10_000;
/** What was not answered is said again after this. */
const repeatMs = 2_000;
/** The leader says how far it is so long after its last change, then ever later, up to a minute: whoever missed something hears of it. */
const beaconMs = 1_000;
const beaconMsMax = 60_000;
/** A storage that cannot be read is tried again. */
const loadPauseMs = 1_000;
const loadTries = 5;

export interface EditQueueOptions {
  readonly storage: EditStorage;
  readonly tabs: TabLink;
  readonly leader: Leadership;
  readonly sender: EditSender;
  readonly clock: Clock;
  readonly connectivity: Connectivity;
  readonly actor: () => string | null;
}

/** The queue with what puts it to work. */
export interface RunningQueue extends EditQueue {
  /** Something may go now that could not before. */
  wake(): void;
  /** Resolves when what was kept here before has been read. */
  readonly loaded: Promise<void>;
  close(): void;
}

interface Asked {
  readonly message: QueueMessage;
  readonly resolve: () => void;
  readonly reject: (error: StetError) => void;
}

/** Puts the queue of this tab together. */
export function createEditQueue(options: EditQueueOptions): RunningQueue {
  const { storage, tabs, leader, clock } = options;
  const list = createEditList();
  const listeners = new Set<(event: EditEvent) => void>();
  /** Told to the leader, and not heard back yet. */
  const unheard = new Set<MutationId>();
  const commands = new Map<number, Asked>();
  let snapshot: readonly Edit[] | null = null;
  /** The leader's part, once it has read what is kept; before that, `candidate`. */
  let dispatch: Dispatch | null = null;
  let candidate: Dispatch | null = null;
  let term = '';
  let told = 0;
  let terms = 0;
  let commandNumber = 0;
  let closed = false;
  let undoRepeat: (() => void) | null = null;
  let undoBeacon = () => {};
  let undoLoad = () => {};

  const emit = (event: EditEvent) => {
    for (const listener of [...listeners]) listener(event);
  };
  const post = (message: QueueMessage) => tabs.post(queueMessageToText(message));

  /** The list has changed already, or does so here; this tab's listeners hear of it. */
  const apply = (change: QueueChange) => {
    snapshot = null;
    switch (change.kind) {
      case 'added': {
        const fresh = change.kept.filter((kept) => !list.find(kept.edit.id));
        for (const kept of change.kept) unheard.delete(kept.edit.id);
        for (const kept of fresh) list.put(kept);
        if (fresh.length > 0) emit({ kind: 'added', edits: fresh.map(({ edit }) => edit) });
        return;
      }
      case 'changed':
        list.put(change.kept);
        emit({ kind: 'changed', edit: change.kept.edit, ...(change.outcome && { outcome: change.outcome }) });
        return;
      case 'settled':
        list.remove(change.kept.edit.id);
        unheard.delete(change.kept.edit.id);
        emit({ kind: 'settled', edit: change.kept.edit, outcome: change.outcome });
    }
  };
  const tell = (change: QueueChange) => {
    told += 1;
    post({ kind: 'change', term, number: told, change });
    beacon(beaconMs);
    if (change.kind !== 'added') return apply(change);
    snapshot = null;
    emit({ kind: 'added', edits: change.kept.map(({ edit }) => edit) });
  };
  const beacon = (ms: number) => {
    undoBeacon();
    undoBeacon = clock.after(ms, () => {
      post({ kind: 'lead', term, number: told });
      if (ms < beaconMsMax) beacon(ms * 2);
    });
  };

  /** Says again what nobody has answered. */
  const repeat = () => {
    if (undoRepeat !== null || closed || (unheard.size === 0 && commands.size === 0)) return;
    undoRepeat = clock.after(repeatMs, () => {
      undoRepeat = null;
      sayAgain();
      repeat();
    });
  };
  const sayAgain = () => {
    if (dispatch) return;
    const kept = [...unheard].flatMap((id) => list.find(id) ?? []);
    unheard.clear();
    for (const one of kept) unheard.add(one.edit.id);
    if (kept.length > 0) post({ kind: 'added', kept, again: true });
    for (const { message } of commands.values()) post(message);
  };

  const receive = (found: readonly KeptEdit[]) => {
    const fresh = found.filter((kept) => !list.find(kept.edit.id));
    if (found.length === 0) return;
    if (fresh.length < found.length) {
      // Known already: whoever says it again has not heard so.
      post({ kind: 'change', term, number: ++told, change: { kind: 'added', kept: found.filter((kept) => !fresh.includes(kept)) } });
    }
    if (fresh.length === 0) return;
    for (const kept of fresh) list.put(kept);
    dispatch?.arrived(fresh.map(({ edit }) => edit.id));
    tell({ kind: 'added', kept: fresh });
  };

  /** Something was not heard. What storage has is the truth: what it does not have any more was settled, by another leader perhaps, and
   *  must not be sent as if it were new; what nobody has told of is there as well, and comes before what was made on top of it. */
  const receiveAgain = async (found: readonly KeptEdit[]) => {
    const mine = dispatch;
    const stored = await load();
    // Not heard: whoever said it says it again.
    if (!mine || dispatch !== mine || stored === null) return;
    const over = new Set(mine.settled().map(({ edit }) => edit.id));
    const there = new Set(stored.map(({ edit }) => edit.id));
    receive([
      ...stored.filter(({ edit }) => !over.has(edit.id) && !list.find(edit.id)),
      ...found.filter(({ edit }) => there.has(edit.id) && list.find(edit.id)),
    ]);
    const lost = found.filter(({ edit }) => !there.has(edit.id) && !over.has(edit.id) && !list.find(edit.id));
    if (lost.length === 0) return;
    for (const kept of lost) list.put(kept);
    mine.gone(lost.map(({ edit }) => edit.id));
    tell({ kind: 'added', kept: lost });
  };

  /** Takes over what the leader says there is. Edits that it does not know were settled unheard, or are still on their way to it. */
  const adopt = (kept: readonly KeptEdit[], settled: ReadonlyMap<MutationId, WriteOutcome>) => {
    const there = new Set(kept.map(({ edit }) => edit.id));
    for (const one of list.all()) {
      const outcome = settled.get(one.edit.id);
      if (outcome) apply({ kind: 'settled', kept: one, outcome });
      else if (!there.has(one.edit.id)) unheard.add(one.edit.id);
    }
    for (const one of kept) {
      const known = list.find(one.edit.id);
      if (!known) apply({ kind: 'added', kept: [one] });
      else if (JSON.stringify(known.edit) !== JSON.stringify(one.edit)) apply({ kind: 'changed', kept: one });
      unheard.delete(one.edit.id);
    }
    repeat();
  };

  const hear = (message: QueueMessage) => {
    switch (message.kind) {
      case 'added': {
        if (!dispatch) return;
        const settled = new Map(dispatch.settled().map((one) => [one.edit.id, one]));
        const late = message.kept.flatMap(({ edit }) => settled.get(edit.id) ?? []);
        for (const { edit, outcome } of late) tellAgain(edit, outcome);
        const rest = message.kept.filter(({ edit }) => !settled.has(edit.id));
        const missing = rest.some(({ edit }) => edit.after != null && !list.find(edit.after) && !settled.has(edit.after));
        if ((message.again || missing) && storage.state === 'durable') return void receiveAgain(rest);
        return receive(rest);
      }
      case 'command':
        return obey(message.from, message.number, message.command);
      case 'ask':
        if (dispatch) {
          const settled = dispatch.settled().map(({ edit, outcome }: Settled) => ({ id: edit.id, outcome }));
          post({ kind: 'snapshot', to: message.from, term, number: told, kept: list.all(), settled });
        }
        return;
      case 'change':
        if (dispatch || (message.term === term && message.number <= told)) return;
        if (message.term !== term || message.number !== told + 1) return post({ kind: 'ask', from: tabs.id });
        told = message.number;
        return apply(message.change);
      case 'done': {
        const asked = message.to === tabs.id ? commands.get(message.number) : undefined;
        if (!asked) return;
        commands.delete(message.number);
        if (message.error) asked.reject(message.error);
        else asked.resolve();
        return;
      }
      case 'lead':
        if (dispatch || (message.term === term && message.number <= told)) return;
        post({ kind: 'ask', from: tabs.id });
        return sayAgain();
      case 'snapshot':
        if (dispatch || message.to !== tabs.id) return;
        term = message.term;
        told = message.number;
        return adopt(message.kept, new Map(message.settled.map(({ id, outcome }) => [id, outcome])));
    }
  };
  /** It was settled, and somebody has not heard. */
  const tellAgain = (edit: Edit, outcome: WriteOutcome) => {
    told += 1;
    post({ kind: 'change', term, number: told, change: { kind: 'settled', kept: { order: 0, edit }, outcome } });
    beacon(beaconMs);
  };
  const obey = (from: string, number: number, command: Command) => {
    if (!dispatch) return;
    dispatch.command(command).then(
      () => post({ kind: 'done', to: from, number, error: null }),
      (error: unknown) => {
        // Whoever leads next is asked again.
        if (!(error instanceof StetError) || error.code === 'ABORTED') return;
        post({ kind: 'done', to: from, number, error });
      },
    );
  };

  /** Null when it cannot be read: then nobody can say what is not there. */
  const load = async (): Promise<readonly KeptEdit[] | null> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await storage.load();
      } catch {
        if (attempt >= loadTries || closed) return null;
        await new Promise<void>((resolve) => (undoLoad = clock.after(loadPauseMs * attempt, resolve)));
      }
    }
  };
  /** What could not be read when the page was opened, as soon as it can be. */
  const readLate = () => {
    undoLoad = clock.after(beaconMsMax, () => {
      void load().then((kept) => {
        if (closed) return;
        if (kept === null) return readLate();
        const fresh = kept.filter(({ edit }) => !list.find(edit.id));
        if (dispatch) receive(fresh);
        else if (fresh.length > 0) apply({ kind: 'added', kept: fresh });
      });
    });
  };
  const loaded = load().then((found) => {
    if (closed) return;
    if (found === null) readLate();
    const kept = found ?? [];
    const fresh = kept.filter(({ edit }) => !list.find(edit.id));
    for (const one of fresh) list.put(one);
    snapshot = null;
    emit({ kind: 'loaded', edits: fresh.map(({ edit }) => edit) });
    if (!dispatch && !leader.leading) post({ kind: 'ask', from: tabs.id });
  });

  const lead = async () => {
    const mine = createDispatch({ ...options, list, tell });
    candidate = mine;
    await loaded;
    // What storage does not have was settled by the leader before; a storage of this page alone knows nothing of others' edits.
    const durable = storage.state === 'durable';
    const found = durable ? await load() : null;
    if (candidate !== mine) return;
    term = `${tabs.id}:${++terms}`;
    told = 0;
    dispatch = mine;
    await mine.begin(found).catch(() => {});
    if (candidate !== mine) return;
    // What this tab made while nobody led.
    const own = [...unheard].filter((id) => list.find(id));
    unheard.clear();
    mine.arrived(own);
    post({ kind: 'lead', term, number: told });
    beacon(beaconMs);
    for (const [number, { message, resolve, reject }] of [...commands]) {
      if (message.kind !== 'command') continue;
      commands.delete(number);
      mine.command(message.command).then(resolve, reject);
    }
  };
  const follow = () => {
    candidate?.end();
    candidate = null;
    dispatch = null;
    undoBeacon();
  };
  const undoLeader = leader.subscribe((leading) => {
    if (leading) void lead();
    else follow();
  });
  const undoTabs = tabs.subscribe((message) => {
    const found = queueMessageFromText(message);
    if (found) hear(found);
  });
  const undoNetwork = options.connectivity.subscribe((online) => {
    if (online) dispatch?.wake();
  });
  const undoStorage = storage.subscribe((state) => emit({ kind: 'storage', state }));
  if (leader.leading) void lead();

  const written = (kept: readonly KeptEdit[]) => {
    if (closed) return;
    if (dispatch) {
      // Its own record of it may have been read from storage before this line was reached.
      const fresh = kept.filter(({ edit }) => !list.find(edit.id));
      for (const one of fresh) list.put(one);
      dispatch.arrived(fresh.map(({ edit }) => edit.id));
      if (fresh.length > 0) tell({ kind: 'added', kept: fresh });
      return;
    }
    apply({ kind: 'added', kept });
    for (const { edit } of kept) unheard.add(edit.id);
    post({ kind: 'added', kept, again: false });
    repeat();
  };
  /** What is made on top of an edit that is being written names it. */
  const writer = createEditWriter(storage, written);

  const ask = (command: Command): Promise<void> => {
    if (closed) return Promise.reject(closedError());
    if (dispatch) return dispatch.command(command);
    return new Promise((resolve, reject) => {
      const number = ++commandNumber;
      const message: QueueMessage = { kind: 'command', from: tabs.id, number, command };
      commands.set(number, { message, resolve, reject });
      post(message);
      repeat();
    });
  };

  return {
    loaded,
    get storage() {
      return storage.state;
    },
    async add(edits) {
      if (closed) throw closedError();
      if (list.size + writer.size + edits.length > waitingMax)
        throw new StetError({ code: 'BUSY', detail: `more than ${waitingMax} edits would wait`, retryable: true });
      const made = edits.map((edit) => {
        if (edit.after !== undefined) return edit;
        const earlier = [...writer.writing()].findLast((other) => other.address === edit.address && other.actor === edit.actor)?.id ?? lastOf(list, edit.address, edit.actor);
        return { ...edit, after: earlier };
      });
      await writer.add(made);
    },
    list() {
      snapshot ??= list.all().map(({ edit }) => edit);
      return snapshot;
    },
    retry: (id, change) => ask({ op: 'retry', id, change: change ?? null }),
    discard: (id) => ask({ op: 'discard', id }),
    settle: (id, outcome) => ask({ op: 'settle', id, outcome }),
    update: (edit) => ask({ op: 'update', edit }),
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    wake: () => dispatch?.wake(),
    close() {
      closed = true;
      follow();
      undoRepeat?.();
      undoLoad();
      undoLeader();
      undoTabs();
      undoNetwork();
      undoStorage();
      for (const { reject } of commands.values()) reject(closedError());
      commands.clear();
      listeners.clear();
    },
  };
}
