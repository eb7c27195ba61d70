import { en } from './texts-en';
import { es } from './texts-es';

/** Languages in which the components speak. */
export type Language = 'en' | 'es';

/** What is being edited, in one language: "This task changed …" needs its word, and in Spanish its gender. */
export interface Noun {
  readonly one: string;
  readonly feminine?: boolean;
}

/** Nouns that the dictionaries know. */
export type NounName = 'record' | 'task' | 'booking' | 'contact' | 'company' | 'deal' | 'note' | 'document' | 'order' | 'event';

/** Everything the components say. A dictionary that lacks a key does not compile. */
export interface Texts {
  readonly nouns: Readonly<Record<NounName, Noun>>;

  /* The state of a record's edits. */
  readonly updating: string;
  readonly saved: string;
  readonly conflictDetected: string;
  readonly notSaved: string;
  readonly savedHere: string;
  readonly waitsForDecision: string;

  /* The queue. */
  readonly positionInQueue: (position: number) => string;
  readonly nextInQueue: string;
  readonly estimatedWait: (time: string) => string;
  readonly waitUnknown: string;
  readonly nobodyWorks: string;
  readonly running: string;
  readonly retrying: string;
  readonly completed: string;
  readonly failed: string;
  readonly rejected: string;
  readonly cancelled: string;
  readonly expired: string;
  readonly queueProgress: string;
  readonly queued: string;
  readonly agentProgress: (agent: string) => string;
  readonly anyAgent: string;
  readonly noAgents: string;

  /* The network and this machine. */
  readonly offline: string;
  readonly changesWait: (count: number) => string;
  readonly othersEditsWait: (count: number) => string;
  readonly storageFailed: string;
  readonly storageMemory: string;
  readonly versionsDoNotFit: (client: string, server: string) => string;
  readonly reload: string;
  readonly loggedOutEditsWait: (count: number) => string;

  /* The conflict dialog. */
  readonly conflictTitle: (noun: Noun) => string;
  readonly conflictTitleDeleted: (noun: Noun) => string;
  readonly conflictTitleDeletedHere: (noun: Noun) => string;
  readonly changedBy: (who: string, when: string) => string;
  readonly deletedBy: (who: string, when: string) => string;
  readonly somebody: string;
  readonly changedAgain: string;
  readonly fieldChangedAgain: string;
  readonly decideTitle: (count: number) => string;
  readonly nothingToDecide: string;
  readonly before: string;
  readonly now: string;
  readonly mine: string;
  readonly useThis: (which: string) => string;
  readonly yourValue: (field: string) => string;
  readonly absent: string;
  readonly emptyText: string;
  readonly yes: string;
  readonly no: string;
  readonly notANumber: string;
  readonly notJson: string;
  readonly mergedTitle: (count: number) => string;
  readonly fromYou: string;
  readonly fromThem: (who: string) => string;
  readonly fromBoth: string;
  readonly byRule: string;
  readonly preview: string;
  readonly previewDeleted: string;
  readonly wholeRecord: string;
  readonly apply: string;
  readonly discard: string;
  readonly applyDelete: string;
  readonly discardDelete: string;
  readonly applyRestore: string;
  readonly discardRestore: string;
  readonly decideLater: string;
  readonly close: string;
  readonly laterHint: string;
  readonly postponed: string;
  readonly applied: string;
  readonly discarded: string;
  readonly alreadyResolved: (who: string) => string;
  readonly applying: string;
  readonly couldNotApply: (why: string) => string;
  readonly deadline: (left: string) => string;
  readonly deadlinePassed: string;
  readonly fallback: (fallback: string) => string;
  readonly added: string;
  readonly removed: string;
  readonly correctFirst: string;
}

/** The dictionaries. */
export const dictionaries: Readonly<Record<Language, Texts>> = { en, es };

/** The first of the wanted languages (`es-MX`, `en`) that there is a dictionary for; else English. */
export function languageOf(wanted: readonly string[]): Language {
  for (const tag of wanted) {
    const language = tag.toLowerCase().split('-')[0];
    if (language === 'en' || language === 'es') return language;
  }
  return 'en';
}
