/** A space's settings: thresholds that raise alerts, and limits. See docs/alerts.md and docs/limits.md. */
import type { JsonObject, Version } from '@stet/client';
import { isObject, numberOf, objectOf, textOf } from '../../outside';

export const measures = ['queue_depth', 'queue_wait_s', 'oldest_wait_s', 'processing_s', 'conflict_rate', 'rejections'] as const;
export type Measure = (typeof measures)[number];
export const severities = ['warning', 'critical'] as const;

/** A space's settings as they are kept; null version: none were ever put. Members of a later server stay as they are. */
export interface Settings {
  readonly version: Version | null;
  readonly definition: JsonObject;
}

const isJsonObject = (value: unknown): value is JsonObject => isObject(value);

const recordMembers = new Set(['id', 'version', 'seq', 'created_at', 'created_by', 'updated_at', 'updated_by', 'last_modified', 'unchanged', 'deleted', 'dry_run']);

/** From the parsed answer of `GET …/settings`, in the server's own spelling. */
export function settingsOf(body: unknown): Settings {
  if (!isJsonObject(body)) return { version: null, definition: {} };
  const version = numberOf(body['version']) ?? 0;
  return { version: version === 0 ? null : version, definition: Object.fromEntries(Object.entries(body).filter(([name]) => !recordMembers.has(name))) };
}

/** A threshold as a form holds it: numbers as they are typed. */
export interface ThresholdForm {
  readonly name: string;
  readonly measure: string;
  readonly lane: string;
  readonly above: string;
  readonly forS: string;
  readonly clearBelow: string;
  readonly severity: string;
}

export const emptyThreshold: ThresholdForm = { name: '', measure: 'conflict_rate', lane: '', above: '', forS: '', clearBelow: '', severity: 'warning' };

/** Whether the server takes it as the name of a threshold. */
export const isThresholdName = (name: string): boolean => /^[\w.-]+$/.test(name);

/** The thresholds of settings, by name. */
export function thresholdsOf(settings: Settings): readonly { readonly form: ThresholdForm; readonly webhook: boolean }[] {
  return Object.entries(objectOf(settings.definition['alerts']))
    .map(([name, value]) => {
      const one = objectOf(value);
      const number = (member: string) => {
        const found = numberOf(one[member]);
        return found === undefined ? '' : String(found);
      };
      return {
        form: { name, measure: textOf(one['measure']) ?? '', lane: textOf(one['lane']) ?? '', above: number('above'), forS: number('for_s'), clearBelow: number('clear_below'), severity: textOf(one['severity']) ?? 'warning' },
        webhook: isObject(one['webhook']),
      };
    })
    .sort((a, b) => a.form.name.localeCompare(b.form.name));
}

/** The settings with a threshold put in, or taken out for null. What a form does not show of it (a webhook) stays. */
export function withThreshold(settings: Settings, name: string, form: ThresholdForm | null): JsonObject {
  const alerts = settings.definition['alerts'];
  const before = isJsonObject(alerts) ? alerts : {};
  const rest = Object.fromEntries(Object.entries(before).filter(([other]) => other !== name));
  if (form === null) return { ...settings.definition, alerts: rest };
  const kept = before[name];
  const { lane: _lane, for_s: _forS, clear_below: _clearBelow, ...others } = isJsonObject(kept) ? kept : {};
  const number = (text: string) => Number(text.trim().replace(',', '.'));
  const made: JsonObject = {
    ...others,
    measure: form.measure,
    above: number(form.above),
    severity: form.severity,
    ...(form.lane.trim() === '' || form.measure === 'conflict_rate' ? {} : { lane: form.lane.trim() }),
    ...(form.forS.trim() === '' ? {} : { for_s: number(form.forS) }),
    ...(form.clearBelow.trim() === '' ? {} : { clear_below: number(form.clearBelow) }),
  };
  return { ...settings.definition, alerts: { ...rest, [form.name.trim()]: made } };
}

/** The settings with other limits; an empty text takes a limit away. */
export function withLimits(settings: Settings, limits: { readonly records: string; readonly bytes: string; readonly rate: string; readonly burst: string }): JsonObject {
  const number = (text: string) => Number(text.trim().replace(',', '.'));
  const made: JsonObject = {
    ...(limits.records.trim() === '' ? {} : { records: number(limits.records) }),
    ...(limits.bytes.trim() === '' ? {} : { bytes: number(limits.bytes) }),
    ...(limits.rate.trim() === '' ? {} : { writes_per_actor: { rate: number(limits.rate), ...(limits.burst.trim() === '' ? {} : { burst: number(limits.burst) }) } }),
  };
  const { limits: _before, ...rest } = settings.definition;
  return Object.keys(made).length === 0 ? rest : { ...rest, limits: made };
}
