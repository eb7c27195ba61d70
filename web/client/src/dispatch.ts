/**
 * What the leading tab does with the queue: it alone changes edits that wait, in storage first, then in its list, then told to all tabs.
 * Everything that changes the queue runs one after the other (`serially`), so that an edit that arrives while its predecessor is being
 * settled finds out.
 */
import type { Edit, WriteOutcome } from './edit';
import type { EditList } from './edit-list';
import { isOfOtherData, type EditSender, type Sent } from './edit-request';
import { StetError } from './error';
import type { Command, QueueChange } from './queue-message';
import type { MutationId } from './record';
import { backoffMs, due } from './schedule';
import type { Clock, Connectivity, EditStorage, KeptEdit } from './seams';
import { succeed } from './succession';

/** Settled edits that are remembered for those made on top of them that arrive late. */
const settledMax = 256;
/** How often the server is asked what became of a write that waits there for a person. */
const parkedMs = 60_000;
/** A failing storage is tried this often before the queue goes on without it. */
const saveTries = 3;
const savePauseMs = 200;

/** What a settled edit leaves behind for those made on top of it. */
export interface Settled {
  readonly edit: Edit;
  readonly outcome: WriteOutcome;
}

export interface DispatchOptions {
  readonly list: EditList;
  readonly storage: EditStorage;
  readonly sender: EditSender;
  readonly clock: Clock;
  readonly connectivity: Connectivity;
  /** Whose session it is; null: nobody's, as far as is known. */
  readonly actor: () => string | null;
  /** The list has changed: to the listeners of this tab and to the other tabs. */
  readonly tell: (change: QueueChange) => void;
}

export interface Dispatch {
  /** Waits for what is kept: `fromStorage` is what this tab finds there as it begins to lead. */
  begin(fromStorage: readonly KeptEdit[] | null): Promise<void>;
  /** New edits are in the list. */
  arrived(ids: readonly MutationId[]): void;
  /** Edits in the list that storage does not have: they were settled while nobody listened. */
  gone(ids: readonly MutationId[]): void;
  command(command: Command): Promise<void>;
  /** Something may go now that could not before: somebody logged in, the network is back. */
  wake(): void;
  /** Newest last. */
  settled(): readonly Settled[];
  /** Gives up what is on its way; the next leader sends it again. */
  end(): void;
}

/** The edit with an outcome that does not end it, or null when the outcome ends it. */
const judged = (edit: Edit, outcome: WriteOutcome): Edit | null => {
  const { error: _error, conflict: _conflict, unsure: _unsure, parked: _parked, ...rest } = edit;
  switch (outcome.kind) {
    case 'conflict':
      return { ...rest, state: 'conflict', conflict: outcome.conflict };
    case 'rejected':
      // Its type lets the newer win, which takes the time at which it was made.
      if (outcome.error.field?.includes('modified_at') === true && edit.onConflict === undefined)
        return { ...rest, state: 'pending', onConflict: 'newest' };
      return { ...rest, state: 'rejected', error: outcome.error };
    case 'parked': {
      const { kind: _kind, ...parked } = outcome;
      return { ...rest, state: 'parked', parked };
    }
    case 'confirmed':
    case 'deleted':
    case 'dropped':
    case 'discarded':
      return null;
  }
};

const certain = (edit: Edit, sure: boolean): Edit => {
  const { unsure: _unsure, ...rest } = edit;
  return sure ? rest : edit;
};

const noLonger = () => new StetError({ code: 'NOT_FOUND', detail: 'it does not wait any more' });
const perhapsSaved = () =>
  new StetError({ code: 'COMMIT_UNKNOWN', detail: 'it may have been saved already; that will be known when the server answers' });

/** Makes the leader's part; it does nothing before `begin`. */
export function createDispatch(options: DispatchOptions): Dispatch {
  const { list, storage, sender, clock, connectivity } = options;
  const ended = new AbortController();
  const inFlight = new Set<MutationId>();
  /** In the list, but its place among the others is not settled yet. */
  const held = new Set<MutationId>();
  const notBefore = new Map<MutationId, number>();
  /** Those whose pause the server asked for: nothing shortens it. */
  const asked = new Set<MutationId>();
  const failures = new Map<MutationId, number>();
  const settled = new Map<MutationId, Settled>();
  let lostUntil: number | null = null;
  let losses = 0;
  let begun = false;
  let undoTimer = () => {};
  let undoParked: (() => void) | null = null;
  let turn: Promise<unknown> = Promise.resolve();

  const serially = <R>(work: () => Promise<R>): Promise<R> => {
    const result = turn.then(() => {
      if (ended.signal.aborted) throw new StetError({ code: 'ABORTED', detail: 'this tab does not lead any more' });
      return work();
    });
    turn = result.catch(() => {});
    return result;
  };
  const pause = (ms: number) =>
    new Promise<void>((resolve) => {
      const undo = clock.after(ms, resolve);
      ended.signal.addEventListener('abort', () => { undo(); resolve(); }, { once: true });
    });

  /** Storage first. One that goes on failing keeps nothing up: what the server said is true whether it can be written down or not. */
  const save = async (changed: readonly KeptEdit[], removed: readonly MutationId[]): Promise<readonly MutationId[]> => {
    for (let attempt = 1; attempt <= saveTries && !ended.signal.aborted; attempt++) {
      try {
        const missing = await storage.save(changed, removed);
        return storage.state === 'durable' ? missing : [];
      } catch {
        if (attempt < saveTries) await pause(savePauseMs * attempt);
      }
    }
    return [];
  };

  const remember = (edit: Edit, outcome: WriteOutcome) => {
    settled.delete(edit.id);
    settled.set(edit.id, { edit, outcome });
    for (const id of settled.keys()) {
      if (settled.size <= settledMax) break;
      settled.delete(id);
    }
  };
  const forget = (id: MutationId) => {
    notBefore.delete(id);
    asked.delete(id);
    failures.delete(id);
  };
  /** Tells of edits whether their authors saw the edit `id` waiting. What was found out is remembered: hundreds may be made one on top
   *  of the other, and each way down is gone once. */
  const witnesses = (id: MutationId): ((edit: Edit) => boolean) => {
    const known = new Map<MutationId, boolean>([[id, true]]);
    return (edit) => {
      const passed: MutationId[] = [];
      let at = edit.after;
      while (at !== undefined && at !== null && !known.has(at)) {
        known.set(at, false);
        passed.push(at);
        at = (list.find(at)?.edit ?? settled.get(at)?.edit)?.after;
      }
      const saw = at !== undefined && at !== null && known.get(at) === true;
      if (saw) for (const one of passed) known.set(one, true);
      return saw;
    };
  };
  const movable = (edit: Edit) => edit.state === 'pending' && edit.unsure !== true && !inFlight.has(edit.id);

  /** Writes outcomes down, with what they mean for the edits behind them, and tells them. */
  const conclude = async (outcomes: ReadonlyMap<MutationId, WriteOutcome>): Promise<void> => {
    const over: { readonly kept: KeptEdit; readonly outcome: WriteOutcome }[] = [];
    const changed = new Map<MutationId, { readonly kept: KeptEdit; readonly outcome?: WriteOutcome }>();
    for (const [id, outcome] of outcomes) {
      const kept = list.find(id);
      if (!kept) continue;
      const edit = judged(kept.edit, outcome);
      if (edit === null) over.push({ kept, outcome });
      else changed.set(id, { kept: { ...kept, edit }, outcome });
    }
    for (const { kept, outcome } of over) {
      remember(kept.edit, outcome);
      const saw = witnesses(kept.edit.id);
      for (const other of list.of(kept.edit.address)) {
        if (other.order <= kept.order || outcomes.has(other.edit.id) || !movable(other.edit)) continue;
        const before = changed.get(other.edit.id)?.kept.edit ?? other.edit;
        const edit = succeed(kept.edit, outcome, before, saw(other.edit));
        if (edit !== before) changed.set(other.edit.id, { kept: { ...other, edit } });
      }
    }
    await save([...changed.values()].map(({ kept }) => kept), over.map(({ kept }) => kept.edit.id));
    if (ended.signal.aborted) return;
    for (const { kept, outcome } of over) {
      list.remove(kept.edit.id);
      forget(kept.edit.id);
      options.tell({ kind: 'settled', kept, outcome });
    }
    for (const { kept, outcome } of changed.values()) {
      if (!list.find(kept.edit.id)) continue;
      list.put(kept);
      options.tell({ kind: 'changed', kept, ...(outcome && { outcome }) });
    }
  };

  /** Answers which of them storage does not have any more. */
  const replace = async (edits: readonly Edit[]): Promise<readonly MutationId[]> => {
    const kept = edits.flatMap((edit) => {
      const old = list.find(edit.id);
      return old ? [{ order: old.order, edit }] : [];
    });
    const missing = await save(kept, []);
    if (ended.signal.aborted) return missing;
    for (const one of kept) {
      if (!list.find(one.edit.id) || missing.includes(one.edit.id)) continue;
      list.put(one);
      options.tell({ kind: 'changed', kept: one });
    }
    return missing;
  };

  const failed = (unit: readonly Edit[], sent: Extract<Sent, { kind: 'later' }>) => {
    const now = clock.monotonic();
    if (sent.lost) {
      losses += 1;
      lostUntil = now + backoffMs(losses, clock.random());
    } else {
      losses = 0;
      lostUntil = null;
    }
    const [first] = unit;
    if (!first) return;
    const count = (failures.get(first.id) ?? 0) + 1;
    failures.set(first.id, count);
    const wish = sent.error.retryAfterMs;
    if (wish === null) asked.delete(first.id);
    else asked.add(first.id);
    if (!sent.lost || wish !== null) notBefore.set(first.id, now + (wish ?? 0) + backoffMs(count, clock.random()));
  };

  /** A refusal may come before the server looks at the key: then what it knows of the key counts. */
  const lookBack = async (unit: readonly Edit[], before: ReadonlySet<MutationId>, sent: Sent): Promise<Sent> => {
    if (sent.kind !== 'judged') return sent;
    const outcomes = new Map(sent.outcomes);
    for (const edit of unit) {
      if (!before.has(edit.id) || outcomes.get(edit.id)?.kind !== 'rejected' || ended.signal.aborted) continue;
      const found = await sender.lookUp(edit, ended.signal);
      const refusal = outcomes.get(edit.id);
      // Nobody can say yet: the refusal does not count before that is known.
      if (found === null && refusal?.kind === 'rejected') return { kind: 'later', error: refusal.error, lost: false };
      if (found !== null && found.kind !== 'discarded' && found.kind !== 'rejected') outcomes.set(edit.id, found);
    }
    return { kind: 'judged', outcomes };
  };

  const deliver = async (unit: readonly Edit[]): Promise<void> => {
    const ids = unit.map((edit) => edit.id);
    /** Those that may have been taken the time before: that this time was refused says nothing of it. */
    const before = new Set<MutationId>();
    try {
      const current = await serially(async () => {
        const waiting = ids.flatMap((id) => list.find(id)?.edit ?? []);
        for (const edit of waiting) if (edit.unsure === true) before.add(edit.id);
        const ready = waiting.map((edit) => ({ ...edit, attempts: edit.attempts + 1, unsure: true }));
        // From here on nobody can say that it was not sent, not even after a crash.
        const missing = await replace(ready);
        return missing.length === 0 ? ready : null;
      });
      if (current === null) {
        // Another tab that leads, too (where there are no locks), has settled it: it may have been taken back there.
        dispatch.gone(ids);
        return;
      }
      const sent = await lookBack(current, before, await sender.send(current, ended.signal));
      if (ended.signal.aborted) return;
      await serially(async () => {
        if (sent.kind === 'judged') {
          losses = 0;
          lostUntil = null;
          // A conflict of one says that none of them was taken, this time or before: else the answer were what it was then.
          const none = [...sent.outcomes.values()].some(({ kind }) => kind === 'conflict');
          const rest = current.filter((edit) => !sent.outcomes.has(edit.id)).map((edit) => certain(edit, none || !before.has(edit.id)));
          if (rest.length > 0) await replace(rest);
          await conclude(sent.outcomes);
        } else {
          failed(current, sent);
          const unsure = sent.lost || sent.error.code === 'COMMIT_UNKNOWN';
          await replace(current.map((edit) => ({ ...certain(edit, !unsure && !before.has(edit.id)), error: sent.error })));
        }
      });
    } catch (error) {
      if (!ended.signal.aborted) throw error;
    } finally {
      for (const id of ids) inFlight.delete(id);
      tick();
    }
  };

  function tick(): void {
    undoTimer();
    undoTimer = () => {};
    const actor = options.actor();
    if (!begun || ended.signal.aborted || actor === null || connectivity.hopeless) return;
    const now = clock.monotonic();
    const { units, againAt } = due(list, { inFlight, held, notBefore, lostUntil }, actor, now);
    for (const unit of units) for (const edit of unit) inFlight.add(edit.id);
    for (const unit of units) void deliver(unit);
    if (againAt !== null) undoTimer = clock.after(againAt - now, tick);
    askLater();
  }

  /** Asks about those that wait on the server for a person, as long as there are any. */
  function askLater(): void {
    if (undoParked !== null || !list.all().some(({ edit }) => edit.state === 'parked')) return;
    undoParked = clock.after(parkedMs, () => {
      undoParked = null;
      void askParked().finally(() => {
        if (!ended.signal.aborted) askLater();
      });
    });
  }
  async function askParked(): Promise<void> {
    for (const { edit } of list.all()) {
      if (edit.state !== 'parked' || edit.actor !== options.actor() || ended.signal.aborted) continue;
      const outcome = await sender.lookUp(edit, ended.signal);
      if (outcome === null || ended.signal.aborted) continue;
      await serially(() => conclude(new Map([[edit.id, outcome]]))).catch(() => {});
    }
    tick();
  }

  /** Finds out what became of those that the leader before had taken off when it died. */
  const clarify = async (ids: readonly MutationId[]): Promise<void> => {
    for (let failed = 0; ids.length > 0 && !ended.signal.aborted; ) {
      const open: MutationId[] = [];
      for (const id of ids) {
        const kept = list.find(id);
        if (!kept) continue;
        const outcome = kept.edit.actor === options.actor() ? await sender.lookUp(kept.edit, ended.signal) : null;
        if (ended.signal.aborted) return;
        if (outcome === null) open.push(id);
        else await serially(() => conclude(new Map([[id, outcome]]))).catch(() => {});
        if (outcome !== null) held.delete(id);
      }
      ids = open;
      if (open.length > 0) await pause(backoffMs(++failed, clock.random()) + 1_000);
    }
  };

  const unitOf = (id: MutationId): readonly Edit[] => {
    const kept = list.find(id);
    return kept ? list.unit(kept.edit).map((one) => one.edit) : [];
  };
  /** Whoever gives an edit other words must not believe that they were sent when those before them were. */
  const mayReword = (id: MutationId, change: Edit['change']): void => {
    const edit = list.find(id)?.edit;
    // Asked twice, or asked for what it says anyway.
    if (JSON.stringify((edit ?? settled.get(id)?.edit)?.change) === JSON.stringify(change)) return;
    if (edit === undefined) throw noLonger();
    if (!movable(edit) && edit.state !== 'rejected' && edit.state !== 'conflict') throw perhapsSaved();
  };
  const carryOut = async (command: Command): Promise<void> => {
    switch (command.op) {
      case 'retry': {
        if (command.change !== null) mayReword(command.id, command.change);
        const unit = unitOf(command.id).filter((edit) => edit.state === 'rejected' || edit.state === 'conflict' || edit.state === 'pending');
        for (const edit of unit) forget(edit.id);
        await replace(
          unit.map((edit) => {
            const change = edit.id === command.id && command.change !== null ? { change: command.change } : {};
            if (edit.state === 'pending') return { ...edit, ...change };
            const { error, conflict: _conflict, space, ...rest } = edit;
            // Whoever has been told that the server has other data now, and sends it all the same, means those.
            const kept = space === undefined || (error !== undefined && isOfOtherData(error)) ? {} : { space };
            return { ...rest, ...kept, state: 'pending', ...change };
          }),
        );
        return;
      }
      case 'discard': {
        const unit = unitOf(command.id);
        if (unit.length === 0) {
          if (settled.get(command.id)?.outcome.kind === 'discarded') return;
          throw noLonger();
        }
        if (unit.some((edit) => edit.unsure === true || inFlight.has(edit.id))) throw perhapsSaved();
        return conclude(new Map(unit.map((edit) => [edit.id, { kind: 'discarded' }])));
      }
      case 'settle':
        return conclude(new Map([[command.id, command.outcome]]));
      case 'update':
        // The tab that asks may be behind: what went on meanwhile stands.
        if (list.find(command.edit.id)?.edit.state === 'conflict' && !inFlight.has(command.edit.id)) await replace([command.edit]);
        return;
    }
  };

  const dispatch: Dispatch = {
    async begin(fromStorage) {
      await serially(async () => {
        const found = new Map((fromStorage ?? []).map((kept) => [kept.edit.id, kept]));
        const gone = fromStorage === null ? [] : list.all().filter(({ edit }) => !found.has(edit.id)).map(({ edit }) => edit.id);
        for (const kept of found.values()) {
          const known = list.find(kept.edit.id);
          list.put(kept);
          if (!known) options.tell({ kind: 'added', kept: [kept] });
          else if (JSON.stringify(known.edit) !== JSON.stringify(kept.edit)) options.tell({ kind: 'changed', kept });
        }
        dispatch.gone(gone);
      });
      begun = true;
      tick();
    },
    arrived(ids) {
      for (const id of ids) held.add(id);
      void serially(async () => {
        const changed: Edit[] = [];
        const earlier = [...settled.values()].map((one) => ({ one, saw: witnesses(one.edit.id) }));
        for (const id of ids) {
          const edit = list.find(id)?.edit;
          if (!edit || !movable(edit)) continue;
          // Oldest first: what was settled while this one was on its way here.
          let moved = edit;
          for (const { one, saw } of earlier) if (one.edit.address === edit.address && saw(edit)) moved = succeed(one.edit, one.outcome, moved, true);
          if (moved !== edit) changed.push(moved);
        }
        if (changed.length > 0) await replace(changed);
      })
        .catch(() => {})
        .finally(() => {
          for (const id of ids) held.delete(id);
          tick();
        });
    },
    gone(ids) {
      for (const id of ids) held.add(id);
      void clarify(ids);
    },
    async command(command) {
      await serially(() => carryOut(command));
      tick();
    },
    wake() {
      lostUntil = null;
      for (const id of notBefore.keys()) if (!asked.has(id)) notBefore.delete(id);
      tick();
      if (list.all().some(({ edit }) => edit.state === 'parked')) void askParked();
    },
    settled: () => [...settled.values()],
    end() {
      ended.abort();
      undoTimer();
      undoParked?.();
    },
  };
  return dispatch;
}
