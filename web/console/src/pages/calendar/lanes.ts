/** Puts what overlaps beside each other. */

export interface Span {
  readonly start: number;
  readonly end: number;
}
/** `lane` of `lanes`, from 0; it may be drawn `width` lanes wide, because nothing is beside it there. */
export interface Lane {
  readonly lane: number;
  readonly lanes: number;
  readonly width: number;
}

/** The lanes of spans, in their order. Those that touch do not overlap; one of no length takes the room of a moment. Whatever hangs
 *  together through overlaps shares one count of lanes. */
export function lanesOf(spans: readonly Span[]): readonly Lane[] {
  const order = spans.map((_, index) => index).sort((one, other) => compare(spans, one, other));
  const result: Lane[] = spans.map(() => ({ lane: 0, lanes: 1, width: 1 }));
  let group: number[] = [];
  let groupEnd = Number.NEGATIVE_INFINITY;
  const close = (): void => {
    placeGroup(spans, group, result);
    group = [];
  };
  for (const index of order) {
    const span = spans[index];
    if (span === undefined) continue;
    if (span.start >= groupEnd) close();
    group.push(index);
    groupEnd = Math.max(group.length === 1 ? Number.NEGATIVE_INFINITY : groupEnd, endOf(span));
  }
  close();
  return result;
}

function endOf(span: Span): number {
  return Math.max(span.end, span.start + 1);
}

/** By start; of those that start together the longer first, and else in their own order. */
function compare(spans: readonly Span[], one: number, other: number): number {
  const left = spans[one];
  const right = spans[other];
  if (left === undefined || right === undefined) return 0;
  return left.start - right.start || right.end - left.end || one - other;
}

function placeGroup(spans: readonly Span[], group: readonly number[], result: Lane[]): void {
  const ends: number[] = [];
  const laneOf = new Map<number, number>();
  for (const index of group) {
    const span = spans[index];
    if (span === undefined) continue;
    let lane = ends.findIndex((end) => end <= span.start);
    if (lane < 0) lane = ends.length;
    ends[lane] = endOf(span);
    laneOf.set(index, lane);
  }
  for (const index of group) {
    const span = spans[index];
    const lane = laneOf.get(index) ?? 0;
    if (span === undefined) continue;
    let width = ends.length - lane;
    for (const other of group) {
      const beside = spans[other];
      const otherLane = laneOf.get(other) ?? 0;
      if (beside === undefined || otherLane <= lane || beside.start >= endOf(span) || endOf(beside) <= span.start) continue;
      width = Math.min(width, otherLane - lane);
    }
    result[index] = { lane, lanes: ends.length, width };
  }
}
