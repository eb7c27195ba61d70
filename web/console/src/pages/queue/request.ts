/** The form with which work is asked for: from its texts to a request, or to what is wrong with them. */
import type { JsonObject, OperationClass, OperationRequest } from '@stet/client';
import { isObject } from '../../outside';

export interface RequestForm {
  readonly lane: string;
  readonly class: OperationClass;
  readonly doer: 'any' | 'agent' | 'function';
  readonly agent: string;
  readonly function: string;
  readonly opType: string;
  readonly target: string;
  readonly input: string;
  /** As an input of kind `datetime-local` has it, by the viewer's clock; empty for none. */
  readonly deadline: string;
}

export const emptyForm: RequestForm = {
  lane: 'default',
  class: 'normal',
  doer: 'agent',
  agent: '',
  function: '',
  opType: '',
  target: '',
  input: '{\n  \n}',
  deadline: '',
};

/** What can be wrong, by field. */
export type FormFault = 'required' | 'too_long' | 'not_json' | 'not_object' | 'not_address' | 'past';
export type FormFaults = Partial<Record<keyof RequestForm, FormFault>>;

export type FormResult =
  | { readonly kind: 'ready'; readonly request: OperationRequest }
  | { readonly kind: 'faults'; readonly faults: FormFaults; readonly jsonError: string | null };

/** `now` in milliseconds since 1970. */
export function requestOf(form: RequestForm, now: number): FormResult {
  const faults: FormFaults = {};
  const lane = form.lane.trim();
  if (lane === '') faults.lane = 'required';
  else if (new TextEncoder().encode(lane).length > 64) faults.lane = 'too_long';
  const agent = form.agent.trim();
  const name = form.function.trim();
  if (form.doer === 'agent' && agent === '') faults.agent = 'required';
  if (form.doer === 'function' && name === '') faults.function = 'required';
  const target = form.target.trim();
  if (target !== '' && !/^[^/\s]+\/[^/\s]+$/.test(target)) faults.target = 'not_address';
  const opType = form.opType.trim();
  if (new TextEncoder().encode(opType).length > 128) faults.opType = 'too_long';
  const deadline = form.deadline === '' ? null : Date.parse(form.deadline);
  if (deadline !== null && (Number.isNaN(deadline) || deadline <= now)) faults.deadline = 'past';
  const { input, fault, jsonError } = inputOf(form.input);
  if (fault !== null) faults.input = fault;
  if (Object.keys(faults).length > 0) return { kind: 'faults', faults, jsonError };
  return {
    kind: 'ready',
    request: {
      lane,
      class: form.class,
      ...(form.doer === 'agent' ? { agent } : {}),
      ...(form.doer === 'function' ? { function: name } : {}),
      ...(opType === '' ? {} : { opType }),
      ...(target === '' ? {} : { target }),
      ...(deadline === null ? {} : { deadline: new Date(deadline).toISOString() }),
      ...(input === null ? {} : { input }),
    },
  };
}

function inputOf(text: string): { input: JsonObject | null; fault: FormFault | null; jsonError: string | null } {
  if (text.trim() === '') return { input: null, fault: null, jsonError: null };
  try {
    const value: unknown = JSON.parse(text);
    if (isObjectOfJson(value)) return { input: value, fault: null, jsonError: null };
    return { input: null, fault: 'not_object', jsonError: null };
  } catch (error) {
    return { input: null, fault: 'not_json', jsonError: error instanceof Error ? error.message : null };
  }
}

/** What `JSON.parse` gives is JSON; only its kind is in question. */
function isObjectOfJson(value: unknown): value is JsonObject {
  return isObject(value);
}

/** The command that starts an agent for this lane, ready to be pasted into a shell. */
export function agentCommand(url: string, space: string, lane: string, agent: string): string {
  const quoted = (text: string): string => (/^[A-Za-z0-9_./:@-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`);
  const options = [`--url ${quoted(url)}`, ...(space === 'main' ? [] : [`--space ${quoted(space)}`]), ...(lane === 'default' ? [] : [`--lane ${quoted(lane)}`])];
  return `stet agent ${quoted(agent === '' ? 'planner' : agent)} ${options.join(' ')} -- ./work`;
}
