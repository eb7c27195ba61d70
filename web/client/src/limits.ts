/** Every bound of the client in one place (invariant 5). */

/** Records nobody looks at any more that are remembered, unless `idleRecordsMax` says otherwise. */
export const IDLE_RECORDS_DEFAULT = 2000;
/** Earlier versions of a record that are kept for edits that name one as their base. */
export const VERSIONS_KEPT = 8;
/** Records of one type that are followed one by one; past it the whole type is, and nobody is said to be reading them. */
export const FOLLOWED_SINGLY_MAX = 16;
/** The shortest time between two notifications, so that a fast feed costs a screen what a screen can show. */
export const NOTIFY_MS = 16;
/** What asks for a list to be read anew is gathered for so long. */
export const REFRESH_MS = 250;
/** Records behind the end of a list's pages whose changes are remembered; past it the list is read anew. */
export const BEHIND_MAX = 5000;
/** A live list holds no more records than this. */
export const LIST_RECORDS_MAX = 50_000;
/** Times that a distribution remembers; a new one takes the place of a random old one. */
export const SAMPLES_MAX = 512;
/** Starts of writes and of dialogs that wait for their ends. */
export const STARTS_MAX = 10_000;
/** How often metrics are reported. */
export const REPORT_MS = 60_000;
/** Operations whose last state is remembered while nobody watches them. */
export const OPERATIONS_IDLE_MAX = 200;
