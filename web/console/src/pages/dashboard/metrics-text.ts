/** Reads Prometheus' text format, as `GET /metrics` answers it. What is no sample is passed over. */

export interface Sample {
  readonly name: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly value: number;
}

const line = /^([A-Za-z_:][\w:]*)(?:\{((?:[^"}]|"(?:\\.|[^"\\])*")*)\})?\s+(\S+)/;
const label = /([A-Za-z_]\w*)="((?:\\.|[^"\\])*)"/g;

function numberOfText(text: string): number {
  if (text === '+Inf' || text === 'Inf') return Infinity;
  if (text === '-Inf') return -Infinity;
  return text === 'NaN' ? NaN : Number(text);
}

const unescaped = (text: string): string => text.replace(/\\(.)/g, (_, sign: string) => (sign === 'n' ? '\n' : sign));

/** All samples, in their order. Lines whose value is no number are left out; NaN is one. */
export function parseMetrics(text: string): readonly Sample[] {
  const samples: Sample[] = [];
  for (const one of text.split('\n')) {
    if (one.startsWith('#')) continue;
    const found = line.exec(one.trim());
    const name = found?.[1];
    const shown = found?.[3];
    if (name === undefined || shown === undefined) continue;
    const value = numberOfText(shown);
    if (Number.isNaN(value) && shown !== 'NaN') continue;
    const labels: Record<string, string> = {};
    for (const [, key, raw] of (found?.[2] ?? '').matchAll(label)) if (key !== undefined && raw !== undefined) labels[key] = unescaped(raw);
    samples.push({ name, labels, value });
  }
  return samples;
}

const fits = (sample: Sample, name: string, labels: Readonly<Record<string, string>>): boolean =>
  sample.name === name && Object.entries(labels).every(([key, value]) => sample.labels[key] === value);

/** The sum of all samples of a name with these labels; null when there is none. */
export function sumOf(samples: readonly Sample[], name: string, labels: Readonly<Record<string, string>> = {}): number | null {
  let sum: number | null = null;
  for (const sample of samples) if (fits(sample, name, labels)) sum = (sum ?? 0) + sample.value;
  return sum;
}

/** A histogram's buckets put together over all its other labels: how many observations there were up to each bound, bounds ascending. */
export function bucketsOf(samples: readonly Sample[], name: string, labels: Readonly<Record<string, string>> = {}): readonly Bucket[] {
  const sums = new Map<number, number>();
  for (const sample of samples) {
    const bound = sample.labels['le'];
    if (bound === undefined || !fits(sample, `${name}_bucket`, labels)) continue;
    const upTo = numberOfText(bound);
    sums.set(upTo, (sums.get(upTo) ?? 0) + sample.value);
  }
  return [...sums].sort(([one], [other]) => one - other).map(([upTo, count]) => ({ upTo, count }));
}

/** `count` observations were `upTo` or less; the last bound is Infinity. */
export interface Bucket {
  readonly upTo: number;
  readonly count: number;
}
