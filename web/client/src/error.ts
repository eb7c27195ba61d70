import type { Json } from './json';
import type { Code } from './status';

/** A refusal or a failure. What is expected (conflicts, refusals of a write) comes as a value that holds one; it is thrown only when a promise is broken. */
export class StetError extends Error {
  readonly code: Code;
  /** The HTTP status; 0 when there was no answer. */
  readonly status: number;
  /** Sending the same again can help. */
  readonly retryable: boolean;
  readonly retryAfterMs: number | null;
  /** What of the request was wrong: a JSON pointer, a parameter or a header. */
  readonly field: string | null;
  /** The whole problem document, in camelCase. */
  readonly problem: { readonly [key: string]: Json };

  constructor(options: {
    code: Code;
    detail: string;
    status?: number;
    retryable?: boolean;
    retryAfterMs?: number | null;
    field?: string | null;
    problem?: { readonly [key: string]: Json };
    cause?: unknown;
  }) {
    super(options.detail, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'StetError';
    this.code = options.code;
    this.status = options.status ?? 0;
    this.retryable = options.retryable ?? false;
    this.retryAfterMs = options.retryAfterMs ?? null;
    this.field = options.field ?? null;
    this.problem = options.problem ?? {};
  }
}
