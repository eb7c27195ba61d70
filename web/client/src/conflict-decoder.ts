/** Names conflict documents, in camelCase: of a write that was refused, and of one that waits on the server. */
import type { Conflict, FieldState, ResolutionChoice } from './conflict';
import { Members, array, count, dictionary, flag, json, jsonObject, number, text, type Decoder } from './decode';
import type { MutationId } from './record';

const choices: readonly ResolutionChoice[] = ['yours', 'current', 'merged', 'fields', 'custom'];

const fieldState: Decoder<FieldState> = (value, pointer) => {
  const members = new Members(value, pointer);
  // A side that is absent and one that is null are different things, so `part` (which drops null) would not do.
  const side = (name: 'base' | 'current' | 'yours' | 'merged') =>
    members.has(name) ? { [name]: members.get(name, json) } : {};
  return {
    state: members.get('state', text),
    ...side('base'),
    ...side('current'),
    ...side('yours'),
    ...side('merged'),
    ...members.part('rule', text),
    ...members.part('by', text),
    ...members.part('at', text),
    ...members.part('version', count),
  };
};

const conflictTypes = ['concurrent_edit', 'agent_override', 'version_mismatch'] as const;

/** @param edit the edit of this client that it is about; null for one that waits on the server. */
export const conflict =
  (edit: MutationId | null): Decoder<Conflict> =>
  (value, pointer) => {
    const members = new Members(value, pointer);
    const word = members.find('conflictType', text);
    return {
      conflictType: conflictTypes.find((known) => known === word) ?? 'version_mismatch',
      address: members.get('address', text),
      detail: members.find('detail', text) ?? members.find('explanation', text) ?? '',
      expectedVersion: members.find('expectedVersion', count) ?? null,
      currentVersion: members.find('currentVersion', count) ?? null,
      ...members.part('lastModifiedBy', text),
      ...members.part('lastModifiedAt', text),
      base: members.find('base', jsonObject) ?? null,
      current: members.find('current', jsonObject) ?? null,
      yours: members.find('yours', jsonObject) ?? null,
      merged: members.find('merged', jsonObject) ?? null,
      fields: members.find('fields', dictionary(fieldState)) ?? {},
      clean: members.find('clean', flag) ?? false,
      // Choices that a newer server knows and this client does not are left out.
      resolutionOptions: (members.find('resolutionOptions', array(text)) ?? []).flatMap((option) =>
        choices.filter((known) => known === option),
      ),
      resolutionToken: members.find('resolutionToken', text) ?? '',
      ...members.part('conflictId', text),
      ...members.part('deadline', text),
      ...members.part('autoResolveIn', number),
      ...members.part('fallback', text),
      edit,
    };
  };
