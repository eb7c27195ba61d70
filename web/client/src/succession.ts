/**
 * What an edit is made from once the one before it was taken.
 *
 * It was made from a version and from what its author saw waiting on top of it. When one of those is taken, it may say the new version as
 * its base if every value that it touches is what its author expected to find there; then nobody's change is lost by it. Where somebody
 * else changed such a value it keeps its old base, and the server judges it. Numbers that were counted together and lists that were
 * appended to (the type's own rules say so) are carried over: what the author added is added to what stands there now.
 */
import type { Edit, WriteOutcome } from './edit';
import { isList, isMap, type Json, type JsonObject } from './json';
import { applyMergePatch, sameJson } from './merge-patch';
import type { MergedField, RecordOf } from './record';

const escaped = (name: string) => name.replaceAll('~', '~0').replaceAll('/', '~1');

const member = (value: Json | undefined, name: string): Json | undefined =>
  isMap(value) && Object.hasOwn(value, name) ? value[name] : undefined;

/** The data after a change; null when there is no record then. */
export const dataAfter = (data: JsonObject | null, change: Edit['change']): JsonObject | null => {
  switch (change.op) {
    case 'create':
    case 'put':
      return change.data;
    case 'patch':
      return applyMergePatch(data ?? {}, change.patch);
    case 'delete':
      return null;
  }
};

/** The values of a patch that can be carried over, or null when one cannot. */
const carried = (
  patch: JsonObject,
  expected: Json | undefined,
  found: Json | undefined,
  fields: Readonly<Record<string, MergedField>>,
  pointer: string,
): JsonObject | null => {
  const result: [string, Json][] = [];
  for (const [name, change] of Object.entries(patch)) {
    const at = `${pointer}/${escaped(name)}`;
    const [before, now] = [member(expected, name), member(found, name)];
    if (sameJson(before, now)) result.push([name, change]);
    else if (isMap(change) && (isMap(before) || before === undefined) && (isMap(now) || now === undefined)) {
      const inner = carried(change, before, now, fields, at);
      if (inner === null) return null;
      result.push([name, inner]);
    } else {
      const rule = fields[at]?.rule;
      if (rule === 'delta' && typeof change === 'number' && typeof before === 'number' && typeof now === 'number')
        result.push([name, now + (change - before)]);
      else if (
        rule === 'append' && isList(change) && isList(before) && isList(now) && change.length >= before.length &&
        before.every((item, index) => sameJson(item, change[index]))
      )
        result.push([name, [...now, ...change.slice(before.length)]]);
      else return null;
    }
  }
  return Object.fromEntries(result);
};

/** The record that an outcome leaves there: null when it is gone, undefined when the outcome changed nothing. */
const standing = (outcome: WriteOutcome): RecordOf | null | undefined => {
  switch (outcome.kind) {
    case 'confirmed':
    case 'dropped':
      return outcome.record;
    case 'deleted':
      return null;
    case 'conflict':
    case 'parked':
    case 'rejected':
    case 'discarded':
      return undefined;
  }
};

/**
 * The later edit as it has to be sent after the earlier one was settled; the same object when nothing changes.
 *
 * @param sawIt  whether its author saw the earlier one waiting
 */
export const succeed = (settled: Edit, outcome: WriteOutcome, later: Edit, sawIt: boolean): Edit => {
  const record = standing(outcome);
  if (record === undefined || later.change.op === 'create') return later;
  if (record === null) return later;
  if (later.base !== null && later.base >= record.version) return later;
  const expected = sawIt ? dataAfter(later.baseData, settled.change) : later.baseData;
  const advanced = { base: record.version, baseData: record.data };
  if (later.change.op !== 'patch') return sameJson(expected, record.data) ? { ...later, ...advanced } : later;
  const patch = carried(later.change.patch, expected ?? undefined, record.data, record.merge?.fields ?? {}, '');
  return patch === null ? later : { ...later, ...advanced, change: { op: 'patch', patch } };
};
