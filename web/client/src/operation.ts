import type { Json, JsonObject } from './json';
import type { Address, Time, Version } from './record';

export type OperationClass = 'low' | 'normal' | 'high' | 'urgent' | 'structural';
export type OperationStatus = 'queued' | 'running' | 'retrying' | 'completed' | 'failed' | 'rejected' | 'cancelled' | 'expired';

export interface OperationRequest {
  readonly lane?: string;
  readonly class?: OperationClass;
  readonly opType?: string;
  readonly agent?: string;
  readonly function?: string;
  readonly input?: JsonObject;
  readonly target?: Address;
  readonly parent?: string;
  readonly dependsOn?: readonly string[];
  readonly notBefore?: Time;
  readonly deadline?: Time;
  readonly timeoutS?: number;
}

/** A request to an agent or a function that waits its turn. */
export interface Operation {
  readonly id: string;
  readonly version: Version;
  readonly lane: string;
  readonly class: OperationClass;
  readonly status: OperationStatus;
  readonly agent?: string;
  readonly function?: string;
  readonly target?: Address;
  readonly input?: Json;
  readonly result?: Json;
  readonly error?: Json;
  readonly progress?: Progress;
  readonly currentAgent?: string;
  readonly agentsInvolved?: readonly string[];
  /** While it waits: 1 is next. */
  readonly position?: number;
  readonly ahead?: number;
  readonly estimatedWaitS?: number;
  readonly estimatedWaitRangeS?: readonly [number, number];
  readonly averageProcessingS?: number;
  readonly attempts?: number;
  readonly retries?: number;
  readonly [member: string]: unknown;
}
export interface Progress {
  readonly percent?: number;
  readonly message?: string;
  readonly agent?: string;
  readonly at?: Time;
  readonly updates?: readonly Progress[];
}
