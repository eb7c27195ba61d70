/** Where a value stands in a small chart: time from left to right, zero at the bottom. */

export interface ChartPlace {
  readonly width: number;
  readonly height: number;
  /** The value at the upper edge. */
  readonly top: number;
}

/** A little above the greatest value, so that its line is seen whole; 1 where all are zero. */
export function chartTop(lines: readonly (readonly (number | null)[])[]): number {
  const most = lines.reduce((most, values) => values.reduce<number>((greatest, value) => Math.max(greatest, value ?? 0), most), 0);
  return most > 0 ? most * 1.08 : 1;
}

/** A point for each time; no height where nothing is known. The line keeps off the edges by a unit. */
export function chartPoints(times: readonly number[], values: readonly (number | null)[], { width, height, top }: ChartPlace): readonly (readonly [number, number | null])[] {
  const first = times[0] ?? 0;
  const span = Math.max(1, (times.at(-1) ?? 0) - first);
  return times.map((time, index) => {
    const value = values[index] ?? null;
    return [((time - first) / span) * width, value === null ? null : height - 1 - (value / top) * (height - 2)] as const;
  });
}
