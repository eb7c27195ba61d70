/** What tabs post to each other: text of one part of the client, so that nothing comes through that JSON cannot say. */
import { DecodeError, Members, parseJson } from './decode';

/** What was posted by `part`, or null: of another part, or one that cannot be understood, such as that of another version. */
export const tabMessage = <T>(part: string, posted: unknown, read: (from: Members) => T): T | null => {
  if (typeof posted !== 'string' || !posted.startsWith(`{"part":"${part}"`)) return null;
  try {
    return read(new Members(parseJson(posted)));
  } catch (error) {
    if (error instanceof DecodeError) return null;
    throw error;
  }
};
