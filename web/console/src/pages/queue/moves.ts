/** What happened to an operation, made of the versions of its record. */
import type { OperationStatus } from '@stet/client';
import { instantOf, numberOf, objectOf, textOf } from '../../outside';
import { workOf } from './work';

export interface Move {
  readonly version: number;
  readonly at: number;
  readonly by: string;
  readonly status: OperationStatus;
  /** What was said with it: the progress, the error, the reason. */
  readonly text: string | null;
}

/** The moves among records, the newest first; what cannot be read, or is not kept any more, is left out. */
export function movesOf(records: readonly unknown[]): readonly Move[] {
  return records
    .flatMap((value) => {
      const record = objectOf(value);
      const data = objectOf(record['data']);
      const version = numberOf(record['version']);
      const at = instantOf(record['updatedAt']);
      const work = workOf({ id: 'x', lane: data['lane'], status: data['status'], progress: data['progress'], error: data['error'], reason: data['reason'] });
      if (version === undefined || at === undefined || work === null) return [];
      const progress = [work.percent === null ? null : `${Math.round(work.percent)} %`, work.message].filter((part) => part !== null).join(' · ');
      const text = work.error ?? work.reason ?? (work.status === 'running' && progress !== '' ? progress : null);
      return [{ version, at, by: textOf(record['updatedBy']) ?? '', status: work.status, text }];
    })
    .sort((one, other) => other.version - one.version);
}
