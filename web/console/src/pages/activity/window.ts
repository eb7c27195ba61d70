/** Which of many rows of unlike heights are in sight. */

export interface Sight<I> {
  readonly item: I;
  /** Pixels from the top of all rows. */
  readonly start: number;
}

/** Rows drawn beyond what is seen, so that a fast scroll finds them. Pixels. */
const beyond = 440;

/** Those that reach into the part from `top` on, so many pixels high; `heightOf` is asked of each once. */
export function rowsInSight<I>(items: readonly I[], heightOf: (item: I) => number, top: number, height: number): { readonly inSight: readonly Sight<I>[]; readonly height: number } {
  const inSight: Sight<I>[] = [];
  let start = 0;
  for (const item of items) {
    const end = start + heightOf(item);
    if (end > top - beyond && start < top + height + beyond) inSight.push({ item, start });
    start = end;
  }
  return { inSight, height: start };
}
