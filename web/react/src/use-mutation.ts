import type { JsonObject, Records, Write, WriteOptions, WriteOutcome } from '@stet/client';
import { useCallback, useMemo, useRef, useState } from 'react';
import { useStet } from './provider';

/** The last write of a component. */
export interface MutationState {
  readonly phase: 'idle' | 'saving' | 'saved' | 'deleted' | 'conflict' | 'parked' | 'dropped' | 'rejected' | 'discarded';
  /** It is kept on this machine and survives a reload. */
  readonly kept: boolean;
  readonly write: Write<unknown> | null;
  readonly outcome: WriteOutcome<unknown> | null;
  /** Why it was refused, or cannot be kept here. */
  readonly error: Error | null;
}

/** Writes of a component, and what became of the last one. */
export interface Mutation {
  readonly last: MutationState;
  readonly create: Records['create'];
  readonly update: Records['update'];
  readonly remove: Records['remove'];
  /** Forgets the last write's state, not the write. */
  readonly reset: () => void;
}

const idle: MutationState = { phase: 'idle', kept: false, write: null, outcome: null, error: null };

const phaseOf = (outcome: WriteOutcome<unknown>): MutationState['phase'] =>
  outcome.kind === 'confirmed' ? 'saved' : outcome.kind;

/** Writes, and the state of the last one. A write goes on when its component goes. The functions stay the same ones, so that effects may
 *  depend on them. */
export function useMutation(): Mutation {
  const { client } = useStet();
  const [last, setLast] = useState<MutationState>(idle);
  const newest = useRef<string | null>(null);

  const follow = useCallback(<T>(write: Write<T>): Write<T> => {
    newest.current = write.id;
    setLast({ ...idle, phase: 'saving', write });
    const change = (next: (state: MutationState) => MutationState): void => {
      if (newest.current === write.id) setLast(next);
    };
    write.local.then(
      () => change((state) => ({ ...state, kept: true })),
      (reason: unknown) => change((state) => ({ ...state, error: reason instanceof Error ? reason : new Error(String(reason)) })),
    );
    void write.confirmed.then((outcome) =>
      change((state) => ({
        ...state,
        phase: phaseOf(outcome),
        outcome,
        error: outcome.kind === 'rejected' ? outcome.error : state.error,
      })),
    );
    return write;
  }, []);

  const writes = useMemo(() => {
    const records = (): Records => {
      if (client === null) throw new Error('there is no client here: it is made in the browser only');
      return client.records;
    };
    return {
      create: <T = JsonObject>(type: string, data: T, options?: WriteOptions & { readonly id?: string; readonly parent?: string }) =>
        follow(records().create<T>(type, data, options)),
      update: <T = JsonObject>(type: string, id: string, change: Partial<T> | ((data: T) => T), options?: WriteOptions) =>
        follow(records().update<T>(type, id, change, options)),
      remove: (type: string, id: string, options?: WriteOptions) => follow(records().remove(type, id, options)),
      reset: () => {
        newest.current = null;
        setLast(idle);
      },
    };
  }, [client, follow]);
  return useMemo(() => ({ last, ...writes }), [last, writes]);
}

