/** Where two texts differ, word by word, for people to read. */

/** A piece of text that both have, or only one. */
export interface DiffPiece {
  readonly kind: 'same' | 'removed' | 'added';
  readonly text: string;
}

/** Words with the space behind them; line ends stand alone. */
const wordsOf = (text: string): readonly string[] => text.match(/\n|[^\s]+[^\S\n]*|[^\S\n]+/g) ?? [];

/** Past this much work (words of one side times edits) the middle is shown as replaced as a whole. */
const stepsMax = 2_000_000;

/** The shortest way from `before` to `after` (Myers, An O(ND) Difference Algorithm, 1986), with what is alike at both ends cut off first. */
export function diffText(before: string, after: string): readonly DiffPiece[] {
  const old = wordsOf(before);
  const young = wordsOf(after);
  let start = 0;
  while (start < old.length && start < young.length && old[start] === young[start]) start++;
  let end = 0;
  while (end < old.length - start && end < young.length - start && old.at(-1 - end) === young.at(-1 - end)) end++;
  return joined([
    ...old.slice(0, start).map((text): DiffPiece => ({ kind: 'same', text })),
    ...middle(old.slice(start, old.length - end), young.slice(start, young.length - end)),
    ...old.slice(old.length - end).map((text): DiffPiece => ({ kind: 'same', text })),
  ]);
}

const replaced = (old: readonly string[], young: readonly string[]): DiffPiece[] => [
  ...old.map((text): DiffPiece => ({ kind: 'removed', text })),
  ...young.map((text): DiffPiece => ({ kind: 'added', text })),
];

function middle(old: readonly string[], young: readonly string[]): DiffPiece[] {
  if (old.length === 0 || young.length === 0) return replaced(old, young);
  const editsMax = Math.min(old.length + young.length, Math.floor(stepsMax / (old.length + young.length)));
  /* reached[k]: how far into `old` the best path on diagonal k (old index minus young index) has come. */
  let reached = new Map<number, number>([[1, 0]]);
  const rounds: Map<number, number>[] = [];
  for (let edits = 0; edits <= editsMax; edits++) {
    rounds.push(reached);
    const next = new Map(reached);
    for (let k = -edits; k <= edits; k += 2) {
      const down = k === -edits || (k !== edits && (reached.get(k - 1) ?? -1) < (reached.get(k + 1) ?? -1));
      let x = down ? (reached.get(k + 1) ?? 0) : (reached.get(k - 1) ?? 0) + 1;
      while (x < old.length && x - k < young.length && old[x] === young[x - k]) x++;
      next.set(k, x);
      if (x >= old.length && x - k >= young.length) return walkBack(old, young, rounds);
    }
    reached = next;
  }
  return replaced(old, young);
}

function walkBack(old: readonly string[], young: readonly string[], rounds: readonly Map<number, number>[]): DiffPiece[] {
  const pieces: DiffPiece[] = [];
  let x = old.length;
  let y = young.length;
  for (let edits = rounds.length - 1; edits >= 0; edits--) {
    const reached = rounds[edits] ?? new Map<number, number>();
    const k = x - y;
    const down = k === -edits || (k !== edits && (reached.get(k - 1) ?? -1) < (reached.get(k + 1) ?? -1));
    const fromK = down ? k + 1 : k - 1;
    const fromX = reached.get(fromK) ?? 0;
    const fromY = fromX - fromK;
    while (x > fromX && y > fromY && x > 0 && y > 0) {
      pieces.push({ kind: 'same', text: old[x - 1] ?? '' });
      x--;
      y--;
    }
    if (edits === 0) break;
    pieces.push(down ? { kind: 'added', text: young[y - 1] ?? '' } : { kind: 'removed', text: old[x - 1] ?? '' });
    x = fromX;
    y = fromY;
  }
  return pieces.reverse();
}

/** Neighbours of one kind become one piece. */
function joined(pieces: readonly DiffPiece[]): readonly DiffPiece[] {
  const result: DiffPiece[] = [];
  for (const piece of pieces) {
    const last = result.at(-1);
    if (last !== undefined && last.kind === piece.kind) result[result.length - 1] = { kind: piece.kind, text: last.text + piece.text };
    else result.push(piece);
  }
  return result;
}
