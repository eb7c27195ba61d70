/** Names operations, in camelCase. Members that are not listed here come along as they are. */
import { Members, array, count, json, number, oneOf, text, type Decoder } from './decode';
import type { JsonObject } from './json';
import { isMap } from './json';
import type { Operation, OperationStatus, Progress } from './operation';

const statuses = ['queued', 'running', 'retrying', 'completed', 'failed', 'rejected', 'cancelled', 'expired'] as const;

const progress: Decoder<Progress> = (value, pointer) => {
  const members = new Members(value, pointer);
  return {
    ...members.part('percent', number),
    ...members.part('message', text),
    ...members.part('agent', text),
    ...members.part('at', text),
    ...members.part('updates', array(progress)),
  };
};

const range: Decoder<readonly [number, number]> = (value, pointer) => {
  const [low, high] = array(number)(value, pointer);
  return [low ?? 0, high ?? low ?? 0];
};

const rest = (value: unknown): JsonObject => {
  const named = json(value, '');
  return isMap(named) ? named : {};
};

/** An operation. */
export const operation: Decoder<Operation> = (value, pointer) => {
  const members = new Members(value, pointer);
  // null means "not known" here, so that what is absent and what is null are one.
  const all = Object.fromEntries(Object.entries(rest(value)).filter(([, member]) => member !== null));
  return {
    ...all,
    id: members.get('id', text),
    version: members.get('version', count),
    lane: members.find('lane', text) ?? 'default',
    class: members.find('class', oneOf('low', 'normal', 'high', 'urgent', 'structural')) ?? 'normal',
    status: members.get('status', oneOf(...statuses)),
    ...members.part('agent', text),
    ...members.part('function', text),
    ...members.part('target', text),
    ...members.part('currentAgent', text),
    ...members.part('agentsInvolved', array(text)),
    ...members.part('position', count),
    ...members.part('ahead', count),
    ...members.part('estimatedWaitS', number),
    ...members.part('estimatedWaitRangeS', range),
    ...members.part('averageProcessingS', number),
    ...members.part('attempts', count),
    ...members.part('retries', count),
    ...members.part('progress', progress),
  };
};

/** The members of a `queue` event's entry: where an operation stands now. */
export const place: Decoder<Partial<Operation> & { readonly id: string }> = (value, pointer) => {
  const members = new Members(value, pointer);
  return {
    id: members.get('id', text),
    ...members.part('status', oneOf(...statuses)),
    ...members.part('position', count),
    ...members.part('ahead', count),
    ...members.part('estimatedWaitS', number),
    ...members.part('estimatedWaitRangeS', range),
  };
};

/** Nothing more will happen to it, unless somebody tries it again by hand. */
export const isOver = (status: OperationStatus): boolean =>
  status !== 'queued' && status !== 'running' && status !== 'retrying';
