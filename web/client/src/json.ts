/** What JSON can say. */
export type Json = null | boolean | number | string | readonly Json[] | JsonObject;
export interface JsonObject {
  readonly [key: string]: Json;
}

/** A JSON pointer (RFC 6901): `/customer/name`. */
export type Pointer = string;

/** Narrows to a list. (`Array.isArray` does not narrow readonly ones.) */
export const isList = (value: Json | undefined): value is readonly Json[] => Array.isArray(value);

/** Narrows to an object. */
export const isMap = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
