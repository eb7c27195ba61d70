/** The two promises of each write that this page made, until the server has spoken. */
import type { EditEvent } from './seams';
import type { WriteOutcome } from './edit';
import type { MutationId } from './record';

export interface WritePromises {
  /** Settles with what the server says of this edit. */
  expect(id: MutationId): Promise<WriteOutcome>;
  settle(id: MutationId, outcome: WriteOutcome): void;
  /** What a queue's event says of edits that are expected. */
  hear(event: EditEvent): void;
}

export const createWritePromises = (): WritePromises => {
  const expected = new Map<MutationId, ((outcome: WriteOutcome) => void)[]>();

  const settle = (id: MutationId, outcome: WriteOutcome) => {
    const waiting = expected.get(id) ?? [];
    expected.delete(id);
    for (const resolve of waiting) resolve(outcome);
  };
  return {
    expect: (id) => new Promise((resolve) => expected.set(id, [...(expected.get(id) ?? []), resolve])),
    settle,
    hear(event) {
      if (event.kind === 'settled') settle(event.edit.id, event.outcome);
      if (event.kind === 'changed') {
        if (event.outcome !== undefined) settle(event.edit.id, event.outcome);
      }
    },
  };
};
