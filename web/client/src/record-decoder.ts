/** Names records as the server writes them. They come in camelCase, as `toCamel` makes them. */
import { Members, array, count, dictionary, flag, jsonObject, nullable, oneOf, text, type Decoder } from './decode';
import type { Merge, MergedField, Presence, RecordOf } from './record';

const mergedField: Decoder<MergedField> = (value, pointer) => {
  const members = new Members(value, pointer);
  return {
    from: members.get('from', oneOf('yours', 'current', 'both', 'base', 'custom', 'rule')),
    ...members.part('rule', text),
    ...members.part('dropped', oneOf('yours', 'current')),
  };
};

/** How a stale write became a version. */
export const merge: Decoder<Merge> = (value, pointer) => {
  const members = new Members(value, pointer);
  return {
    strategy: members.get('strategy', text),
    parents: members.find('parents', array(count)) ?? [],
    ...members.part('conflictId', text),
    ...members.part('fields', dictionary(mergedField)),
  };
};

/** A record. A tombstone may lack its data; then they are empty. */
export const record: Decoder<RecordOf> = (value, pointer) => {
  const members = new Members(value, pointer);
  const deleted = members.find('deleted', flag);
  return {
    type: members.get('type', text),
    id: members.get('id', text),
    address: members.get('address', text),
    version: members.get('version', count),
    seq: members.get('seq', count),
    createdAt: members.get('createdAt', text),
    createdBy: members.get('createdBy', text),
    updatedAt: members.get('updatedAt', text),
    updatedBy: members.get('updatedBy', text),
    ...members.part('parent', text),
    ...(deleted === undefined ? {} : { deleted }),
    ...members.part('clientMutationId', text),
    ...members.part('merge', merge),
    data: deleted === true ? (members.find('data', jsonObject) ?? {}) : members.get('data', jsonObject),
  };
};

/** Somebody who has a record open. */
export const presence: Decoder<Presence> = (value, pointer) => {
  const members = new Members(value, pointer);
  return {
    actor: members.get('actor', text),
    version: members.get('version', nullable(count)),
    since: members.get('since', text),
    self: members.find('self', flag) ?? false,
  };
};
