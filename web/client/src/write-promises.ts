/** The two promises of each write that this page made, until the server has spoken. */
import type { EditEvent } from './seams';
import type { WriteOutcome } from './edit';
import { closedError } from './problem';
import type { MutationId } from './record';

export interface WritePromises {
  /** Settles with what the server says of this edit. */
  expect(id: MutationId): Promise<WriteOutcome>;
  settle(id: MutationId, outcome: WriteOutcome): void;
  /** What a queue's event says of edits that are expected. */
  hear(event: EditEvent): void;
  /** Nobody here learns any more what becomes of those that are expected. */
  close(): void;
}

/** The edit itself stays where it is kept. */
const unlearned = (): WriteOutcome => ({ kind: 'rejected', error: closedError() });

export const createWritePromises = (): WritePromises => {
  let closed = false;
  const expected = new Map<MutationId, ((outcome: WriteOutcome) => void)[]>();

  const settle = (id: MutationId, outcome: WriteOutcome) => {
    const waiting = expected.get(id) ?? [];
    expected.delete(id);
    for (const resolve of waiting) resolve(outcome);
  };
  return {
    expect: (id) =>
      closed ? Promise.resolve(unlearned()) : new Promise((resolve) => expected.set(id, [...(expected.get(id) ?? []), resolve])),
    settle,
    hear(event) {
      if (event.kind === 'settled') settle(event.edit.id, event.outcome);
      if (event.kind === 'changed') {
        if (event.outcome !== undefined) settle(event.edit.id, event.outcome);
      }
    },
    close() {
      closed = true;
      for (const id of [...expected.keys()]) settle(id, unlearned());
    },
  };
};
