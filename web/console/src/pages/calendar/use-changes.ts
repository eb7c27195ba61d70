import { StetError, type Client, type JsonObject, type Write, type WriteOutcome } from '@stet/client';
import { useClient } from '@stet/react';
import { useEffect, useRef, useState } from 'react';
import { ownWrite, showInline } from '../../app/own-writes';
import { useLanguage } from '../../i18n/language';
import { useMessages } from '../../i18n/messages';
import { errorWords, showToast } from '../../ui';
import type { CalendarType, Intervals } from './declaration';
import type { Draft } from './draft';
import { calendarMessages } from './messages';
import { isRepeating } from './occurrence';
import type { Shown } from './overlay';
import { deleteInSeries, moveInSeries, patchInSeries, type Scope, type SeriesRequest } from './series';
import { slotTakenOf, type SlotTaken } from './slot-taken';
import { placementPatch } from './times';

/** A booking that was refused because the time is taken, with the way to another one. */
export interface Refused {
  /** The occurrence that is back where it was; null for one that was to be made. */
  readonly one: Shown | null;
  readonly wanted: Draft;
  readonly taken: SlotTaken;
  /** Does the same at another time. */
  readonly take: (start: number, end: number, resource: string | null) => void;
}
/** A change of one of many: which of them it is about is to be said. */
export interface ScopeQuestion {
  readonly one: Shown;
  readonly answer: (scope: Scope | null) => void;
}

export interface Changes {
  /** What is on its way, by key. */
  readonly moves: ReadonlyMap<string, Draft>;
  readonly refused: Refused | null;
  readonly question: ScopeQuestion | null;
  dismiss(): void;
  /** Moves or stretches; `from` is the resource in whose column it was taken. */
  move(one: Shown, to: Draft, from: string | null): void;
  /** Changes something else of it. */
  patch(one: Shown, patch: JsonObject): Promise<boolean>;
  remove(one: Shown): Promise<boolean>;
  create(data: JsonObject, wanted: Draft): Promise<boolean>;
}

interface Options {
  readonly type: CalendarType;
  readonly kind: Intervals;
  readonly zone: string;
  /** The reading that is shown; what was answered is forgotten with a later one. */
  readonly round: () => number;
  readonly reread: () => void;
  readonly say: (text: string) => void;
  readonly spoken: (draft: Draft) => string;
}

/** Writes what was moved, made or deleted, shows it meanwhile, and puts it back with a reason when it is refused. */
export function useChanges(options: Options): Changes {
  const client = useClient();
  const words = useMessages(calendarMessages);
  const language = useLanguage();
  const [moves, setMoves] = useState<ReadonlyMap<string, Draft & { readonly answeredIn?: number }>>(new Map());
  const [refused, setRefused] = useState<Refused | null>(null);
  const [question, setQuestion] = useState<ScopeQuestion | null>(null);
  const newest = useRef(options);
  useEffect(() => {
    newest.current = options;
  });
  const round = options.round();
  useEffect(() => {
    setMoves((before) => {
      const kept = [...before].filter(([, move]) => move.answeredIn === undefined || move.answeredIn >= round);
      return kept.length === before.size ? before : new Map(kept);
    });
  }, [round]);

  const put = (key: string, draft: (Draft & { readonly answeredIn?: number }) | null): void =>
    setMoves((before) => {
      const next = new Map(before);
      if (draft === null) next.delete(key);
      else next.set(key, draft);
      return next;
    });
  const tell = (error: unknown): void => {
    const { title, detail } = errorWords(error, language);
    showToast({ tone: 'danger', title, ...(detail === null ? {} : { body: detail }) });
    newest.current.say(title);
  };
  const ask = (one: Shown): Promise<Scope | null> =>
    new Promise((resolve) => {
      setQuestion({
        one,
        answer: (scope) => {
          setQuestion(null);
          resolve(scope);
        },
      });
    });

  /** Whether it was done; what was refused for its time is shown by itself. */
  const finish = (outcome: WriteOutcome, one: Shown | null, wanted: Draft, again: Refused['take']): boolean => {
    switch (outcome.kind) {
      case 'confirmed':
      case 'deleted':
        newest.current.say(words.saved(newest.current.spoken(wanted)));
        return true;
      case 'rejected': {
        const taken = slotTakenOf(outcome.error);
        if (taken === null) tell(outcome.error);
        else {
          setRefused({ one, wanted, taken, take: again });
          newest.current.say(words.taken);
        }
        return false;
      }
      case 'conflict':
        newest.current.say(words.conflict);
        return false;
      case 'parked':
        showToast({ tone: 'warning', title: words.parked });
        return true;
      case 'dropped':
        showToast({ tone: 'info', title: words.dropped });
        return true;
      case 'discarded':
        return false;
    }
  };

  const inSeries = async (one: Shown, body: SeriesRequest): Promise<WriteOutcome> => {
    try {
      await client.http.request('POST', `/calendar/${encodeURIComponent(newest.current.type.type)}/${encodeURIComponent(one.id)}/series`, { body, key: crypto.randomUUID() });
      return { kind: 'deleted', version: one.version };
    } catch (error) {
      return { kind: 'rejected', error: error instanceof StetError ? error : new StetError({ code: 'INTERNAL', detail: String(error) }) };
    }
  };

  const move = (one: Shown, to: Draft, from: string | null, told?: Scope): void => {
    const { type, kind, zone } = newest.current;
    setRefused(null);
    const placement = { start: to.start, end: to.end, allDay: to.allDay, ...(to.resource !== null && to.resource !== from ? { resource: { from, to: to.resource } } : {}) };
    const again = (scope?: Scope): Refused['take'] => (start, end, resource) => move(one, { ...to, start, end, resource: resource ?? to.resource }, from, scope);
    const run = async (): Promise<void> => {
      put(one.key, to);
      let outcome: WriteOutcome;
      if (isRepeating(one)) {
        const scope = told ?? (await ask(one));
        if (scope === null) {
          put(one.key, null);
          newest.current.say(words.gaveUp);
          return;
        }
        outcome = await inSeries(one, moveInSeries(kind, one, scope, placement, zone));
        settle(finish(outcome, one, to, again(scope)));
      } else {
        const patch = placementPatch(kind, one.data, placement, zone);
        outcome = await write(client, type.type, one, patch);
        settle(finish(outcome, one, to, again()));
      }
    };
    const settle = (done: boolean): void => {
      if (done) put(one.key, { ...to, answeredIn: newest.current.round() });
      else put(one.key, null);
      newest.current.reread();
    };
    void run();
  };

  return {
    moves,
    refused,
    question,
    dismiss: () => setRefused(null),
    move: (one, to, from) => move(one, to, from),
    patch: async (one, patch) => {
      const { type } = newest.current;
      const wanted: Draft = { start: one.start, end: one.end, allDay: one.allDay, resource: null };
      const scope = isRepeating(one) ? await ask(one) : undefined;
      if (scope === null) return false;
      const outcome = scope === undefined ? await write(client, type.type, one, patch) : await inSeries(one, patchInSeries(one, scope, patch));
      const done = finish(outcome, one, wanted, () => undefined);
      newest.current.reread();
      return done;
    },
    remove: async (one) => {
      const { type } = newest.current;
      const wanted: Draft = { start: one.start, end: one.end, allDay: one.allDay, resource: null };
      const scope = isRepeating(one) ? await ask(one) : undefined;
      if (scope === null) return false;
      const outcome = scope === undefined ? await settled(client, client.records.remove(type.type, one.id, { base: one.version })) : await inSeries(one, deleteInSeries(one, scope));
      const done = finish(outcome, one, wanted, () => undefined);
      const back = async (version: number): Promise<void> => {
        try {
          const path = `/records/${encodeURIComponent(type.type)}/${encodeURIComponent(one.id)}/revert`;
          await client.http.request('POST', path, { body: { to: version - 1, base_version: version }, key: crypto.randomUUID() });
          showToast({ tone: 'success', title: words.isBack });
        } catch (error) {
          tell(error);
        }
        newest.current.reread();
      };
      // What was taken out of a series is put back in its record.
      const undo = scope === undefined && outcome.kind === 'deleted' ? { action: { label: words.undo, run: () => void back(outcome.version) } } : {};
      if (done) showToast({ tone: 'success', title: words.deleted, ...undo });
      newest.current.reread();
      return done;
    },
    create: async function create(data, wanted): Promise<boolean> {
      const { type, kind, zone } = newest.current;
      setRefused(null);
      const outcome = await settled(client, client.records.create(type.type, data));
      const done = finish(outcome, null, wanted, (start, end, resource) => {
        const to = { ...wanted, start, end };
        const patch = placementPatch(kind, data, { start, end, allDay: wanted.allDay, ...(resource === null ? {} : { resource: { from: wanted.resource, to: resource } }) }, zone);
        void create({ ...data, ...patch }, { ...to, resource: resource ?? wanted.resource });
      });
      newest.current.reread();
      return done;
    },
  };
}

async function write(client: Client, type: string, one: Shown, patch: JsonObject): Promise<WriteOutcome> {
  return settled(client, client.records.update<JsonObject>(type, one.id, patch, { base: one.version }));
}

/** What became of a write; one that was refused for what it says is taken back, for it is shown and decided here. */
async function settled(client: Client, made: Write): Promise<WriteOutcome> {
  showInline(ownWrite(made).id);
  const outcome = await made.confirmed;
  if (outcome.kind === 'rejected') await client.discard(made.id).catch(() => undefined);
  return outcome;
}
