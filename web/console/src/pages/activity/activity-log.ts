/**
 * What happened, newest first, in bounded memory. While it is paused what comes is counted and kept behind, so that whoever reads is not pushed
 * about; a burst is told of once in a while, not once for each event.
 */
import type { Clock, JsonObject, Live, Seq, Time } from '@stet/client';
import { differencesOf, type FieldDifference } from '../../differences';
import type { Entry, Heard } from './entry';

export interface ActivityState {
  /** Newest first. */
  readonly entries: readonly Entry[];
  readonly paused: boolean;
  /** That came during the pause; `more` when some of them were let go. */
  readonly waiting: number;
  /** The oldest entries gave way to newer ones. */
  readonly cut: boolean;
}

export interface ActivityLog extends Live<ActivityState> {
  /** In any order; what is there already is left out. */
  add(heard: readonly Heard[]): void;
  /** What a change turned out to have changed. */
  explain(key: string, differences: readonly FieldDifference[]): void;
  pause(): void;
  resume(): void;
  clear(): void;
}

export interface ActivityLogOptions {
  readonly clock: Pick<Clock, 'after'>;
  /** Default 2,000. */
  readonly entriesMax?: number;
  /** The shortest time between two notifications. Default 100. */
  readonly tellMs?: number;
}

/** Of so many records the last data are remembered, to say what the next change changes. */
const remembered = 300;
/** Larger data are not: they would make the memory that this takes anybody's. */
const rememberedBytes = 20_000;

const newestFirst = (one: Entry, other: Entry): number => other.seq - one.seq || (one.key < other.key ? 1 : -1);

export function createActivityLog({ clock, entriesMax = 2000, tellMs = 100 }: ActivityLogOptions): ActivityLog {
  let entries: readonly Entry[] = [];
  let behind: readonly Entry[] = [];
  let missed = 0;
  let paused = false;
  let cut = false;
  let keys = new Set<string>();
  let last = new Map<string, { readonly seq: Seq; readonly version: number; readonly data: JsonObject }>();
  let state: ActivityState = { entries, paused, waiting: 0, cut };
  let undo: (() => void) | null = null;
  const listeners = new Set<() => void>();

  const show = () => {
    undo?.();
    undo = null;
    state = { entries, paused, waiting: behind.length + missed, cut };
    listeners.forEach((listener) => listener());
  };
  const showSoon = () => {
    undo ??= clock.after(tellMs, () => {
      undo = null;
      show();
    });
  };

  const bounded = (all: readonly Entry[]): readonly Entry[] => {
    if (all.length <= entriesMax) return all;
    for (const gone of all.slice(entriesMax)) keys.delete(gone.key);
    return all.slice(0, entriesMax);
  };

  /** The change with what it changed, when the version before is remembered. */
  const explained = (heard: Heard): Entry => {
    if (heard.data === null) return heard.entry;
    const { entry, data } = heard;
    const address = entry.address ?? entry.key;
    const before = last.get(address);
    if (before === undefined || before.seq < entry.seq) {
      last.delete(address);
      if (JSON.stringify(data).length <= rememberedBytes) last.set(address, { seq: entry.seq, version: entry.version, data });
      if (last.size > remembered) {
        const [oldest] = last.keys();
        if (oldest !== undefined) last.delete(oldest);
      }
    }
    return entry.differences === null && before?.version === entry.version - 1 ? { ...entry, differences: differencesOf(before.data, data) } : entry;
  };

  return {
    subscribe: (listener) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    getSnapshot: () => state,
    add: (heard) => {
      const found: Entry[] = [];
      for (const one of [...heard].sort((a, b) => a.entry.seq - b.entry.seq)) {
        if (keys.has(one.entry.key)) continue;
        keys.add(one.entry.key);
        found.push(explained(one));
      }
      if (found.length === 0) return;
      if (paused) {
        const all = [...behind, ...found].sort(newestFirst);
        behind = bounded(all);
        missed += all.length - behind.length;
      } else {
        const all = [...entries, ...found].sort(newestFirst);
        entries = bounded(all);
        cut ||= all.length > entries.length;
      }
      showSoon();
    },
    explain: (key, differences) => {
      const put = (entry: Entry): Entry => (entry.key === key && entry.kind === 'change' ? { ...entry, differences } : entry);
      entries = entries.map(put);
      behind = behind.map(put);
      showSoon();
    },
    pause: () => {
      paused = true;
      show();
    },
    resume: () => {
      paused = false;
      const all = [...entries, ...behind].sort(newestFirst);
      entries = bounded(all);
      cut ||= missed > 0 || all.length > entries.length;
      behind = [];
      missed = 0;
      show();
    },
    clear: () => {
      entries = [];
      behind = [];
      missed = 0;
      cut = false;
      keys = new Set();
      last = new Map();
      show();
    },
  };
}

/** A person's entries; all of them for null. */
export const ofPerson = (entries: readonly Entry[], actor: string | null): readonly Entry[] => (actor === null ? entries : entries.filter((entry) => entry.actor === actor));

/** Who is named in them, by name. */
export const peopleIn = (entries: readonly Entry[]): readonly string[] =>
  [...new Set(entries.flatMap(({ actor }) => (actor === null ? [] : [actor])))].sort((one, other) => one.localeCompare(other));

/** The entries by day as the person's clock has it, in their order. */
export function byDay(entries: readonly Entry[], dayOf: (at: Time) => string): readonly { readonly day: string; readonly entries: readonly Entry[] }[] {
  const days: { readonly day: string; readonly entries: Entry[] }[] = [];
  for (const entry of entries) {
    const day = dayOf(entry.at);
    const current = days.at(-1);
    if (current?.day === day) current.entries.push(entry);
    else days.push({ day, entries: [entry] });
  }
  return days;
}
