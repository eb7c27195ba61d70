/** What a resolution makes of a record, where nobody may ask the server for that record alone: its write goes out with others, or not at all. */
import type { Conflict, FieldChoice, FieldState, Resolution } from './conflict';
import type { Change } from './edit';
import { isMap, type Json, type JsonObject, type Pointer } from './json';
import { diffMergePatch } from './merge-patch';

const partsOf = (pointer: Pointer): readonly string[] =>
  pointer.split('/').slice(1).map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'));

/** The object with another value in one place; undefined takes it out. */
const withValue = (data: JsonObject, [part, ...rest]: readonly string[], value: Json | undefined): JsonObject => {
  if (part === undefined) return isMap(value) ? value : data;
  const there = Object.hasOwn(data, part) ? data[part] : undefined;
  const next = rest.length === 0 ? value : withValue(isMap(there) ? there : {}, rest, value);
  const others = Object.entries(data).filter(([name]) => name !== part);
  return Object.fromEntries(next === undefined ? others : [...others, [part, next]]);
};

const chosen = (field: FieldState | undefined, choice: FieldChoice): Json | undefined =>
  typeof choice === 'string' ? field?.[choice] : choice.value;

/** The data that the resolution asks for; null: there is to be no record. */
const resolvedData = (conflict: Conflict, resolution: Resolution): JsonObject | null => {
  const { current, yours, merged, fields } = conflict;
  const from = merged ?? current ?? {};
  const put = (choices: readonly (readonly [Pointer, FieldChoice])[]) =>
    choices.reduce((data, [pointer, choice]) => withValue(data, partsOf(pointer), chosen(fields[pointer], choice)), from);
  switch (resolution.choice) {
    case 'custom':
      return resolution.data;
    case 'yours':
      return yours;
    case 'merged':
      return from;
    case 'discard':
      return current;
    case 'fields':
      return put(Object.entries(resolution.fields));
    case 'apply': {
      const contested = Object.keys(fields).filter((pointer) => fields[pointer]?.state === 'conflict');
      if (yours === null || current === null || (contested.length === 0 && !conflict.clean)) return yours;
      return put(contested.map((pointer) => [pointer, 'yours']));
    }
  }
};

/** The change that leads there from what stands there now. */
export const resolvedChange = (conflict: Conflict, resolution: Resolution): Change => {
  const wanted = resolvedData(conflict, resolution);
  if (wanted === null) return { op: 'delete' };
  if (conflict.current === null) return { op: 'create', data: wanted };
  const patch = diffMergePatch(conflict.current, wanted);
  return patch === null ? { op: 'put', data: wanted } : { op: 'patch', patch };
};
