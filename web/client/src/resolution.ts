/** From how somebody settles a conflict to what the server is asked. */
import type { Conflict, Resolution } from './conflict';
import type { Json } from './json';

/** The body of `…/resolve`; in the server's names. */
export const resolutionBody = (conflict: Conflict, resolution: Resolution): { readonly [name: string]: Json } => {
  const token = { resolution_token: conflict.resolutionToken };
  // What waits on the server is kept there; of a refused write only this client knows what was written.
  const yours = conflict.conflictId === undefined ? { yours: conflict.yours } : {};
  switch (resolution.choice) {
    case 'apply':
      return { ...token, ...yours, ...applied(conflict) };
    case 'discard':
      return { ...token, ...yours, choice: 'current' };
    case 'merged':
    case 'yours':
      return { ...token, ...yours, choice: resolution.choice };
    case 'fields':
      return { ...token, ...yours, choice: 'fields', fields: resolution.fields };
    case 'custom':
      return { ...token, ...yours, choice: 'custom', data: resolution.data };
  }
};

/** What was changed here, put onto what is there now: fields in conflict as they were written, the rest as it was merged. */
const applied = (conflict: Conflict): { readonly [name: string]: Json } => {
  const contested = Object.entries(conflict.fields).filter(([, field]) => field.state === 'conflict');
  if (contested.length > 0 && conflict.resolutionOptions.includes('fields')) {
    return { choice: 'fields', fields: Object.fromEntries(contested.map(([pointer]) => [pointer, 'yours'])) };
  }
  // A deletion on either side has no fields: then it is the whole that was written.
  return { choice: conflict.clean && conflict.resolutionOptions.includes('merged') ? 'merged' : 'yours' };
};
