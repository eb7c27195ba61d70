/**
 * The one place where the application's word is taken for the type of its data, `T`; the server's schema is what holds it to that.
 * Inside the client data are a {@link JsonObject}.
 */
import type { Live, LiveList, Page, RecordState } from './client';
import type { Conflict, Resolution, ResolutionOutcome } from './conflict';
import type { Write } from './edit';
import type { JsonObject } from './json';
import type { RecordOf } from './record';

interface Shapes<T> {
  readonly record: RecordOf<T>;
  readonly page: Page<T>;
  readonly list: LiveList<T>;
  readonly write: Write<T>;
  readonly live: Live<RecordState<T>>;
  readonly resolutionOutcome: ResolutionOutcome<T>;
}
interface Given<T> {
  readonly conflict: Conflict<T>;
  readonly resolution: Resolution<T>;
}

/** Out of the client: the same value with the application's type in the place of {@link JsonObject}. */
export const claim = <T, K extends keyof Shapes<T>>(value: Shapes<JsonObject>[K]): Shapes<T>[K] => value as unknown as Shapes<T>[K];

/** Into the client: the same value, its data as JSON. */
export const unclaim = <T, K extends keyof Given<T>>(value: Given<T>[K]): Given<JsonObject>[K] => value as unknown as Given<JsonObject>[K];
