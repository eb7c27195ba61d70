/** A server as the queue sees it: versions, keys that take effect once, conflicts by field, and an answer that may get lost. */
import type { Edit, WriteOutcome } from '../edit';
import type { EditSender, Sent } from '../edit-request';
import { StetError } from '../error';
import type { JsonObject } from '../json';
import { sameJson } from '../merge-patch';
import type { Address, MutationId, RecordOf } from '../record';
import { dataAfter } from '../succession';

export interface ModelServer extends EditSender {
  /** Every effect, in order: `tasks/1 v2 {"a":1} by KEY`. */
  readonly effects: readonly { readonly address: Address; readonly key: MutationId; readonly version: number }[];
  read(address: Address): RecordOf | null;
  /** Somebody else changes a record. */
  change(address: Address, data: JsonObject): void;
  /** What becomes of each request: taken and answered, taken and not answered, not taken, refused for a while, kept until released. */
  fate: (unit: readonly Edit[]) => 'answer' | 'lose answer' | 'lose request' | 'busy' | 'refuse' | 'hold';
  /** Answers those that were held. */
  release(): void;
  /** All that arrived, taken or not: ids, a unit's with `+` between. */
  readonly arrived: readonly string[];
}

const lost = (): Sent => ({ kind: 'later', lost: true, error: new StetError({ code: 'NETWORK', detail: 'no answer', retryable: true }) });

/** An empty server. */
export function createModelServer(): ModelServer {
  const records = new Map<Address, RecordOf>();
  const versions = new Map<Address, RecordOf[]>();
  const keys = new Map<MutationId, ReadonlyMap<MutationId, WriteOutcome>>();
  const effects: { address: Address; key: MutationId; version: number }[] = [];
  const arrived: string[] = [];
  const held: (() => void)[] = [];
  let seq = 0;

  const store = (address: Address, data: JsonObject | null, key: MutationId | null): RecordOf => {
    const before = records.get(address);
    const [type = '', id = ''] = address.split('/');
    const record: RecordOf = {
      type, id, address,
      version: (before?.version ?? 0) + 1,
      seq: ++seq,
      createdAt: '', createdBy: '', updatedAt: '', updatedBy: '',
      ...(data === null && { deleted: true }),
      ...(key !== null && { clientMutationId: key }),
      data: data ?? {},
    };
    records.set(address, record);
    versions.set(address, [...(versions.get(address) ?? []), record]);
    if (key !== null) effects.push({ address, key, version: record.version });
    return record;
  };
  const touched = (edit: Edit): readonly string[] | null => (edit.change.op === 'patch' ? Object.keys(edit.change.patch) : null);

  const judge = (edit: Edit): WriteOutcome | null => {
    const head = records.get(edit.address);
    if (edit.change.op === 'create') {
      if (!head || head.deleted) return null;
      return { kind: 'rejected', error: new StetError({ code: 'ALREADY_EXISTS', detail: 'it exists', status: 409 }) };
    }
    if (!head || head.deleted) return { kind: 'rejected', error: new StetError({ code: 'NOT_FOUND', detail: 'none', status: 404 }) };
    if (edit.base === head.version) return null;
    const base = versions.get(edit.address)?.find((one) => one.version === edit.base);
    const mine = touched(edit);
    const clash = !base || mine === null || mine.some((name) => !sameJson(base.data[name], head.data[name]));
    if (!clash) return null;
    return {
      kind: 'conflict',
      conflict: {
        conflictType: 'concurrent_edit', address: edit.address, detail: 'changed', expectedVersion: edit.base, currentVersion: head.version,
        base: base?.data ?? null, current: head.data, yours: dataAfter(edit.baseData, edit.change), merged: head.data, fields: {},
        clean: false, resolutionOptions: ['yours', 'current'], resolutionToken: `token-${edit.id}-${head.version}`, edit: edit.id,
      },
    };
  };
  const take = (unit: readonly Edit[]): ReadonlyMap<MutationId, WriteOutcome> => {
    const key = unit[0]?.transaction ?? unit[0]?.id ?? '';
    const before = keys.get(key);
    if (before) return before;
    const refused = new Map<MutationId, WriteOutcome>();
    for (const edit of unit) {
      const outcome = judge(edit);
      if (outcome) refused.set(edit.id, outcome);
    }
    if (refused.size > 0) return refused;
    const outcomes = new Map<MutationId, WriteOutcome>();
    for (const edit of unit) {
      const head = records.get(edit.address);
      const record = store(edit.address, dataAfter(head?.data ?? null, edit.change), edit.id);
      const merged = head !== undefined && edit.base !== head.version;
      outcomes.set(edit.id, record.deleted ? { kind: 'deleted', version: record.version } : { kind: 'confirmed', record, merged, unchanged: false });
    }
    keys.set(key, outcomes);
    return outcomes;
  };

  const server: ModelServer = {
    effects,
    arrived,
    fate: () => 'answer',
    read: (address) => records.get(address) ?? null,
    change: (address, data) => void store(address, data, null),
    release() {
      for (const go of held.splice(0)) go();
    },
    async send(unit, signal): Promise<Sent> {
      const fate = server.fate(unit);
      arrived.push(unit.map(({ id }) => id).join('+'));
      switch (fate) {
        case 'answer':
          return { kind: 'judged', outcomes: take(unit) };
        case 'lose answer':
          take(unit);
          return lost();
        case 'lose request':
          return lost();
        case 'busy':
          return { kind: 'later', lost: false, error: new StetError({ code: 'BUSY', detail: 'busy', status: 503, retryable: true }) };
        case 'refuse': {
          const error = new StetError({ code: 'INVALID_DATA', detail: 'not valid', status: 422, field: '/a' });
          return { kind: 'judged', outcomes: new Map(unit.map(({ id }) => [id, { kind: 'rejected', error }])) };
        }
        case 'hold':
          await new Promise<void>((resolve) => {
            held.push(resolve);
            signal.addEventListener('abort', () => resolve(), { once: true });
          });
          // Who gave up may have been served all the same.
          return { kind: 'judged', outcomes: take(unit) };
      }
    },
    async lookUp(edit) {
      return keys.get(edit.transaction ?? edit.id)?.get(edit.id) ?? { kind: 'discarded' };
    },
  };
  return server;
}
