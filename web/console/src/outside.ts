/** Takes members of what comes from outside, by kind; what is of another kind is as if it were not there. For answers of the program
 *  itself, which are shown as far as they can be read. */

export interface Outside {
  readonly [member: string]: unknown;
}

export function isObject(value: unknown): value is Outside {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** An object; an empty one for anything else. */
export function objectOf(value: unknown): Outside {
  return isObject(value) ? value : {};
}

/** A list; an empty one for anything else. */
export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' ? value : undefined;
}

export function numberOf(value: unknown): number | undefined {
  return typeof value === 'number' && Number.isFinite(value) ? value : undefined;
}

/** The texts of a list; others are left out. */
export function textsOf(value: unknown): readonly string[] {
  return listOf(value).filter((one) => typeof one === 'string');
}

/** Milliseconds since 1970 of a time in UTC, with nanoseconds or without. */
export function instantOf(value: unknown): number | undefined {
  if (typeof value !== 'string') return undefined;
  const instant = Date.parse(value.replace(/(\.\d{3})\d+/, '$1'));
  return Number.isNaN(instant) ? undefined : instant;
}
