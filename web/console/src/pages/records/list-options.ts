import type { ListOptions } from '@stet/client';

/** Records read at once; more when the end comes near. Four screens of them: reading and decoding what nobody sees yet would hold
 *  up the first one. */
const pageSize = 100;

/** How the list is asked for that an address names. The same options are the same list: it may be read before it is shown. */
export function listOptions(query: Readonly<Record<string, string>>): ListOptions {
  const where = query['where'] ?? '';
  const sort = query['sort'] ?? '';
  return { limit: pageSize, total: true, ...(where === '' ? {} : { where }), ...(sort === '' ? {} : { sort }) };
}
