/*
 * Every bound on what comes from outside, in one place. A bound is reached with a problem document
 * that names it. Unit, then bound, in the name.
 *
 * scripts/generate makes the table in docs/operating.md of this file: each bound has a comment that
 * says what it bounds, for people who never saw the code; "; past it:" goes before the answer, a
 * status or words. A comment after an empty line is a heading.
 */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

/* Names. */
#define SPACE_NAME_BYTES_MAX 64 /* A space's name, [a-z][a-z0-9_-]*; past it: BAD_REQUEST. */
/* A type's name: any UTF-8 without control characters; "stet." is the system's; past it:
   BAD_REQUEST. */
#define TYPE_BYTES_MAX 128
/* An id: any UTF-8 without control characters; slashes are percent-encoded in paths; past it:
   BAD_REQUEST. */
#define ID_BYTES_MAX 512
#define ACTOR_BYTES_MAX 256 /* An actor's name; past it: BAD_REQUEST. */
/* A record's address, percent-encoded, with a version. */
#define ADDRESS_BYTES_MAX (3 * (TYPE_BYTES_MAX + ID_BYTES_MAX) + 32)
#define PURGE_REASON_BYTES_MAX 1000 /* Why a record is erased; past it: BAD_REQUEST. */
/* Records of the system that one purge makes say nothing of a record; past it: TOO_LARGE. */
#define PURGE_CONCERNED_MAX 10000
#define PURGE_KEPT_MAX 100             /* Places its answer names; the others are counted. */
#define MUTATION_KEY_BYTES_MAX 128     /* A mutation key; past it: TOO_LARGE. */
#define RESOLUTION_TOKEN_BYTES_MAX 120 /* A resolution token, as the server makes it. */

/* Documents. */
/* One record's data, and one body that is not a transaction or an import; past it: TOO_LARGE. */
#define DATA_BYTES_MAX (1024u * 1024u)
#define JSON_DEPTH_MAX 128 /* Lists and objects inside one another; past it: TOO_LARGE. */
#define JSON_NODES_MAX (256u * 1024u) /* Values in one document; past it: TOO_LARGE. */
/* Digits of a number that a rule counts with; past it: a conflict. */
#define DECIMAL_DIGITS_MAX 100
#define DECIMAL_EXPONENT_MAX 1000 /* Its exponent, either way; past it: a conflict. */
#define PATCH_OPS_MAX 10000       /* Operations of a JSON Patch; past it: TOO_LARGE. */
#define PATCH_STEPS_MAX 50000000 /* Members one JSON Patch looks at or moves; past it: TOO_LARGE. */
/* Operations times values of a JSON Patch that is applied while the whole space waits; past it:
   TOO_LARGE. */
#define PATCH_INLINE_STEPS_MAX 1000000

/* Rules of a type. */
#define TYPE_FIELDS_MAX 1000      /* Fields of a definition; past it: TOO_LARGE. */
#define TYPE_UNITS_MAX 100        /* Units of a definition; past it: TOO_LARGE. */
#define TYPE_ENUM_VALUES_MAX 1000 /* Values of one enum; past it: INVALID_TYPE. */
/* Indexes of one type; as many unique ones besides; past it: INVALID_TYPE. */
#define TYPE_INDEXES_MAX 32
#define ACCESS_FIELDS_MAX 100    /* Fields with access rules in a definition; past it: TOO_LARGE. */
#define TYPE_ALL_INDEXES_MAX 64  /* And both with its exclusive intervals; past it: INVALID_TYPE. */
#define TYPE_TAGS_MAX 16         /* Tags of a definition; past it: INVALID_TYPE. */
#define TYPE_TAG_BYTES_MAX 256   /* One tag; past it: INVALID_TYPE. */
#define TYPE_TITLE_BYTES_MAX 256 /* A title in a definition; past it: INVALID_TYPE. */
#define TYPE_DESCRIPTION_BYTES_MAX 4096 /* A description in a definition; past it: INVALID_TYPE. */
#define TYPES_MAX 1000                  /* Types declared in one space; past it: TOO_LARGE. */
#define SURVEY_CHUNK 256 /* Existing records judged at a time when a definition changes. */
/* Existing records that do not fit a new definition and are told apart. */
#define SURVEY_RECORDS_MAX 1000
#define ASK_PERSONS_MAX 32 /* Whose inbox a type's conflicts go to; past it: INVALID_TYPE. */
/* How long a conflict waits for a person, unless the type says otherwise. */
#define ASK_DEADLINE_S_DEFAULT 86400
#define ASK_DEADLINE_S_MAX (365 * 86400) /* And at most; past it: INVALID_TYPE. */
#define RETAIN_VERSIONS_MAX 1000000      /* Versions in a type's retain; past it: INVALID_TYPE. */
#define RETAIN_DAYS_MAX 36500            /* Days in a type's retain; past it: INVALID_TYPE. */
#define CACHE_TTL_S_MAX 86400            /* Seconds in a type's cache; past it: INVALID_TYPE. */
#define TYPE_RULE_NODES_MAX 20000 /* What patterns with "*" may combine into; past it: TOO_LARGE. */
/* Values looked at to judge one record, or fill it in; past it: TOO_LARGE. */
#define VALIDATE_STEPS_MAX 10000000

/* Merging. */
/* Lines or words looked at to compare two texts; past it: a conflict. */
#define MERGE_TEXT_STEPS_MAX 1000000
/* Values compared only because their hashes are alike; past it: a conflict. */
#define MERGE_LIST_STEPS_MAX 1000000
/* Steps of a merge that is made while the whole space waits; past it: it takes a detour over a
   worker. */
#define MERGE_INLINE_STEPS_MAX 20000
#define MERGE_INLINE_BYTES_MAX (256u * 1024u) /* And bytes of its documents; past it: likewise. */
/* A record that nobody changed for so many changes of its space is merged ahead of the
   sequencer. */
#define MERGE_AHEAD_QUIET_CHANGES 128
#define MERGE_AHEAD_BYTES_MIN (16u * 1024u) /* And one that is that large. */
#define MERGE_STEPS_MAX 20000000            /* Steps of a merge on a worker; past it: a conflict. */
/* How often a write takes that detour; past it: it is merged in its turn. */
#define PREPARE_RETRIES_MAX 3
#define MERGE_FORCED_STEPS_MAX 1000000 /* Steps of such a merge in its turn; past it: a conflict. */
/* How many versions back those are looked for whom a write overwrites; past it: a conflict. */
#define OVERWRITE_VERSIONS_MAX 1000
/* Bytes compared to tell who of them lost what; past it: all of them are told. */
#define OVERWRITE_BYTES_MAX (8u * 1024u * 1024u)
#define OVERWRITE_STEPS_MAX 250000 /* And fields; past it: all of them are told. */

/* Bookings. */
#define TYPE_EXCLUSIVE_MAX 8 /* Kinds of intervals that one type declares; past it: INVALID_TYPE. */
#define SPAN_DAYS_MAX 366    /* Days that one booking takes; past it: INVALID_TIME. */
/* Seconds kept free before a booking, and after it; past it: INVALID_TYPE. */
#define SPAN_BUFFER_S_MAX (7 * 86400)
#define SPAN_CAPACITY_MAX 100000 /* What fits into one resource at once; past it: INVALID_TYPE. */
/* Resources times occurrences of one record; past it: TOO_LARGE. */
#define SPANS_PER_RECORD_MAX 10000
/* And of all records of a request, with what else is indexed of them; past it: TOO_LARGE. */
#define SPANS_PER_REQUEST_MAX 50000
#define SPAN_RESOURCES_MAX 100 /* Resources that one booking takes; past it: TOO_LARGE. */
/* Resources that one is chosen of; past it: TOO_LARGE. */
#define SPAN_CANDIDATES_MAX 200
/* Times of resources that are looked at to choose one; past it: TOO_LARGE. */
#define SPAN_CHOICE_LOOKS_MAX 10000
/* What a space's sequencer remembers of what is booked; the rest is read from the store. */
#define SPANS_CACHE_BYTES_MAX (128u * 1024u * 1024u)
#define SLOTS_IN_WAY_MAX 20 /* Bookings told that are in the way; further ones are counted. */
/* And of all mutations of a transaction together; past it: one for each. */
#define SLOTS_TOLD_MAX 200
#define NEXT_FREE_SHOWN 3 /* Times told at which there is room. */
#define NEXT_FREE_DAYS 31 /* How far ahead these are looked for. */
/* Places that one request has looked at for them; past it: fewer are told. */
#define NEXT_FREE_STEPS_MAX 500
/* Places that one search for a free time looks at; past it: none is found. */
#define FREE_STEPS_MAX 10000
#define SPAN_RESOURCE_BYTES_MAX 200 /* Of a resource's name; of longer ones a hash counts. */

/* Expressions. */
#define EXPR_BYTES_MAX 4096 /* An expression; past it: TOO_LARGE. */
#define EXPR_DEPTH_MAX 64   /* Brackets and negations inside one another; past it: TOO_LARGE. */
/* Operators, fields and constants of an expression; past it: TOO_LARGE. */
#define EXPR_NODES_MAX 500

/* Writes. */
#define TRANSACTION_MUTATIONS_MAX 1000 /* Mutations of a transaction; past it: TOO_LARGE. */
#define TRANSACTION_BYTES_MAX (16u * 1024u * 1024u) /* A transaction's body; past it: TOO_LARGE. */
#define COMMIT_BATCH_MAX 512                        /* Commands in one durable commit. */
#define QUEUE_COMMANDS_MAX 8192 /* Writes that wait for one space's sequencer; past it: BUSY. */
#define QUEUE_BYTES_MAX (64u * 1024u * 1024u) /* And their bytes; past it: BUSY. */
#define KEY_RETENTION_S (7 * 24 * 3600)       /* How long a mutation key is remembered at least. */
/* Refused writes of one space whose receipt is still known; past it: the receipt is unknown. */
#define RECEIPTS_REMEMBERED_MAX 4096
/* How long a resolution token is good; past it: TOKEN_INVALID. */
#define RESOLUTION_TOKEN_TTL_S (24 * 3600)
/* How far ahead modified_at may be, and the wall clock may jump without a warning; past it:
   BAD_REQUEST. */
#define STAMP_JUMP_MAX_S 300
/* Requests of one space that wait for a lock or the like; past it: BUSY. */
#define HELD_COMMANDS_MAX 4096
#define WAKE_ROUNDS_MAX 4     /* How often one batch decides whom it has woken itself. */
#define DUE_PER_BATCH_MAX 256 /* What time has made due, settled in one commit. */
#define DUE_BATCH_MS_MAX 20 /* And time spent on it; what is left then waits for the next batch. */
#define DUE_BATCH_BYTES_MAX (16u * 1024u * 1024u) /* And memory; the next batch goes on. */
/* How often deadlines on the wall clock are looked at anew, for that clock may be set. */
#define DUE_RECHECK_S 10
/* After which bookings that could not be computed anew by new time zone data are tried again. */
#define REFILL_RETRY_S 60
/* After a jump of the wall clock deadlines wait so long for it to last. */
#define CLOCK_CONFIRM_S 60
#define HEADS_CACHED_MAX 32768 /* Record heads a sequencer remembers per space. */
/* Types and fields by which a space counts conflicts; past it: they count as "other". */
#define CONTENTION_LABELS_MAX 64
/* How far back a conflict document looks for who changed a field; past it: nobody is named. */
#define CONFLICT_BLAME_VERSIONS_MAX 64
/* And bytes of these versions; past it: nobody is named. */
#define CONFLICT_BLAME_BYTES_MAX (4u * 1024u * 1024u)
#define CONFLICT_BLAME_STEPS_MAX 250000 /* And fields compared; past it: nobody is named. */

/* Conflicts that wait for a person. */
/* Conflicts of one record that wait for a person; past it: TOO_MANY_CONFLICTS. */
#define OPEN_CONFLICTS_PER_RECORD_MAX 32
/* Conflicts of one writer that wait; past it: TOO_MANY_CONFLICTS. */
#define OPEN_CONFLICTS_PER_ACTOR_MAX 1000
/* Conflicts of one space that wait; past it: TOO_MANY_CONFLICTS. */
#define OPEN_CONFLICTS_MAX 100000
#define CONFLICT_POINTERS_MAX 100 /* Fields a conflict names; further ones are counted. */
/* Names of all fields in one notice; further ones are counted. */
#define NOTICE_POINTER_BYTES_MAX (64u * 1024u)
/* Notices in one inbox; past it: one notice stands for all further ones. */
#define NOTICES_PER_PERSON_MAX 1000
#define CONFLICTS_LIMIT_MAX 500 /* One page of conflicts, or of an inbox; past it: BAD_REQUEST. */
#define BULK_RESOLVE_MAX 500    /* Conflicts settled by one request; past it: TOO_LARGE. */
#define INBOX_READ_MAX 500      /* Notices marked as read by one request; past it: TOO_LARGE. */
/* Memory for marking them; past it: TOO_LARGE. */
#define INBOX_READ_BYTES_MAX (64u * 1024u * 1024u)
/* How long changes of a record gather before those who follow its open conflicts are told. */
#define CONFLICT_CHANGED_MS 1000
#define HOT_RECORDS_COUNTED 128 /* Candidates for the records that conflict most. */
#define HOT_RECORDS_SHOWN 10    /* Of these shown in a space's statistics. */

/* Trees. */
#define TREE_DEPTH_MAX 32 /* Records above one another, the root included; past it: TOO_LARGE. */
/* Records in one tree that is read, written or copied as a whole; past it: TOO_LARGE. */
#define TREE_NODES_MAX 1000
/* Changes since a tree was read in which those that left it are looked for; past it: they are
   not named. */
#define TREE_DEPARTED_CHANGES_MAX 4096
#define TREE_READS_MAX 8 /* Attempts to read a tree that others change meanwhile; past it: BUSY. */
/* Records moved by one transaction, what is below them included; past it: TOO_LARGE. */
#define TREE_MOVED_MAX 10000

/* Locks. */
#define LOCKS_MAX 100000u /* Locks held in one space; past it: TOO_LARGE. */
/* How long a lock is held without a renewal, unless it says otherwise. */
#define LOCK_TTL_S_DEFAULT 30
#define LOCK_TTL_S_MAX 3600     /* And at most; past it: BAD_REQUEST. */
#define LOCK_NOTE_BYTES_MAX 256 /* The note of a lock; past it: BAD_REQUEST. */

/* People. */
/* A login name, without spaces, slashes and control characters; past it: BAD_REQUEST. */
#define USER_BYTES_MAX 128
#define USER_NAME_BYTES_MAX 256  /* A user's name for people; past it: BAD_REQUEST. */
#define USER_EMAIL_BYTES_MAX 320 /* And address for mail; past it: BAD_REQUEST. */
#define USERS_MAX 100000u        /* Users of one space; past it: TOO_LARGE. */
#define ROLES_MAX 16             /* Roles of one user or token; past it: BAD_REQUEST. */
#define ROLE_BYTES_MAX 64        /* A role's name; past it: BAD_REQUEST. */
#define PASSWORD_BYTES_MIN 8     /* The shortest password; below it: INVALID_DATA. */
/* The longest one; nothing is computed of longer ones; past it: TOO_LARGE. */
#define PASSWORD_BYTES_MAX 1024
#define PASSWORD_OPS 2 /* Passes of Argon2id over its memory, for each password judged. */
#define PASSWORD_MEMORY_BYTES (64u * 1024u * 1024u) /* And that memory. */
/* Threads that judge passwords, never more than half of the cores. */
#define PASSWORD_THREADS_MAX 4
#define PASSWORD_QUEUE_MAX 64 /* Passwords that wait to be judged; past it: BUSY. */
/* Attempts to log in to one account within LOGIN_ATTEMPTS_S; past it: TOO_MANY_REQUESTS. */
#define LOGIN_ATTEMPTS_ACCOUNT 10
/* And from one address (of IPv6, one network of 64 bits); past it: TOO_MANY_REQUESTS. */
#define LOGIN_ATTEMPTS_ADDRESS 50
#define LOGIN_ATTEMPTS_S 900 /* In how many seconds all of these attempts come back. */
/* Accounts and addresses whose attempts are remembered; past it: the oldest are forgotten. */
#define LOGIN_REMEMBERED_MAX 8192
#define SESSIONS_MAX 100000u /* Sessions in one space; past it: TOO_LARGE. */
/* Sessions of one user; past it: the one that was not used for longest ends. */
#define SESSIONS_PER_USER_MAX 200
#define SESSION_NAME_BYTES_MAX 128     /* The name of a session; past it: BAD_REQUEST. */
#define SESSION_TTL_S (30 * 24 * 3600) /* How long a session lasts, however much it is used. */
#define SESSION_IDLE_S (24 * 3600)     /* And when it is not used. */
#define SESSION_SWEEP_S 60             /* How often those that are over are removed. */
#define SESSIONS_PER_SWEEP 64          /* And how many at a time. */
#define LINKS_MAX 1000u /* Links of one space that wait to be used; past it: TOO_LARGE. */
#define LINK_TTL_S_DEFAULT (72 * 3600)  /* How long a link can be used, unless it says otherwise. */
#define LINK_TTL_S_MAX (30 * 24 * 3600) /* And at most; past it: BAD_REQUEST. */
#define TICKETS_MAX 4096u        /* Tickets that wait to be used; past it: TOO_MANY_REQUESTS. */
#define TICKETS_PER_ACTOR_MAX 64 /* Of them for one actor; past it: TOO_MANY_REQUESTS. */
#define TICKET_TTL_S 30          /* How long a ticket can be used; past it: UNAUTHENTICATED. */

/* Operations that meet others. */
/* The longest pause before an operation's second rerun; before each further one twice as long. */
#define RETRY_BASE_MS 10
#define RETRY_CAP_MS 2000   /* But never longer than this. */
#define RESERVATION_LEVEL 3 /* Conflicts after which an operation reserves its records. */
/* How long an operation has its records for itself, unless it commits before. */
#define RESERVATION_MS_MAX 10000
/* How long another write waits for that; past it: BUSY. */
#define RESERVATION_WAIT_MS_MAX 1000
/* Records that one operation reserves; further ones are not reserved. */
#define RESERVATION_RECORDS_MAX 64
/* Operations of one space that have reservations; further ones have none. */
#define RESERVATIONS_MAX 1024
/* How long the last run of a structural function may keep the whole space. */
#define EXCLUSIVE_MS_MAX 200

/* The request queue. */
/* Operations of class urgent and structural that run in one space while more of them start without a free place; past it: they wait for one. */
#define URGENT_RUNNING_MAX 16
/* Kinds of work whose times are told apart in one lane; past it: they count as one. */
#define ESTIMATE_KINDS_MAX 32

/* Functions. */
#define FUNCTION_SOURCE_BYTES_MAX (256u * 1024u) /* One function's source; past it: TOO_LARGE. */
/* Instructions of one run, the work of library functions counted alike; past it: FUNCTION_LIMIT. */
#define FUNCTION_INSTRUCTIONS_MAX 10000000
/* Memory of one run; past it: FUNCTION_LIMIT. */
#define FUNCTION_MEMORY_BYTES_MAX (32u * 1024u * 1024u)
#define FUNCTION_MS_MAX 2000 /* Time of one run; past it: FUNCTION_LIMIT. */
/* What one run returns, as JSON; past it: FUNCTION_LIMIT. */
#define FUNCTION_RESULT_BYTES_MAX (1024u * 1024u)
/* One text inside a run; past it: FUNCTION_LIMIT. */
#define FUNCTION_TEXT_BYTES_MAX (1024u * 1024u)
#define FUNCTION_LOG_BYTES_MAX (64u * 1024u) /* What one run logs; past it: FUNCTION_LIMIT. */
#define FUNCTION_CALL_DEPTH_MAX 16 /* Functions that call one another; past it: FUNCTION_LIMIT. */
#define FUNCTION_STATES_MAX                                                                        \
    64 /* States of Lua that wait for the next run; further ones are freed. */
#define FUNCTION_CHUNKS_MAX 256 /* Compiled functions that each of them keeps. */
#define FUNCTIONS_MAX 1000      /* Functions of one space; past it: TOO_LARGE. */
#define FUNCTION_DESCRIPTION_BYTES_MAX                                                             \
    4096 /* What one says of itself; past it: INVALID_FUNCTION. */
#define FUNCTION_READS_MAX                                                                         \
    10000 /* Records, and ranges, one run looks at; past it: FUNCTION_LIMIT. */
/* And bytes of them; past it: FUNCTION_LIMIT. */
#define FUNCTION_READ_BYTES_MAX (32u * 1024u * 1024u)
#define FUNCTION_WRITES_MAX 1000 /* Records one run writes; past it: FUNCTION_LIMIT. */
/* Bytes of what one run writes; past it: FUNCTION_LIMIT. */
#define FUNCTION_WRITE_BYTES_MAX (16u * 1024u * 1024u)
/* What a call with a mutation key returns, which is kept with the key; past it: FUNCTION_LIMIT. */
#define FUNCTION_KEPT_BYTES_MAX (64u * 1024u)
/* Records a change names as what it was made from; the rest is counted. */
#define FUNCTION_INPUTS_MAX 32
/* Instructions of a run that is tried where nobody may wait long: on the thread that asks, or in the sequencer. */
#define FUNCTION_INLINE_STEPS_MAX 5000
/* And time: an instruction may be a long one. */
#define FUNCTION_INLINE_MS_MAX 20
/* And records it looks at; past either it is run by a worker. */
#define FUNCTION_INLINE_READS_MAX 32
#define FUNCTION_INLINE_BYTES_MAX (64u * 1024u) /* And bytes of those. */
/* So many calls of a function go to a worker at once after one that was too long to be tried. */
#define FUNCTION_INLINE_PAUSE 64

/* Operations. */
/* An operation's id: those of its payloads are longer; past it: BAD_REQUEST. */
#define OPERATION_ID_BYTES_MAX 256
#define LANE_BYTES_MAX 64 /* A lane's name; past it: BAD_REQUEST. */
#define LANES_MAX 1000    /* Lanes of one space; past it: TOO_LARGE. */
/* A lane that nobody declared and that was empty for so long is forgotten. */
#define LANE_IDLE_S 3600
#define AGENT_BYTES_MAX                                                                            \
    128 /* Names of agents, functions, workers, kinds of work; past it: BAD_REQUEST. */
/* Input or result that stands in the operation's own record; past it: in one of its own. */
#define OPERATION_INLINE_BYTES 1024
#define OPERATION_INPUT_BYTES_MAX (960u * 1024u)  /* Input; past it: TOO_LARGE. */
#define OPERATION_RESULT_BYTES_MAX (960u * 1024u) /* Result; past it: TOO_LARGE. */
#define OPERATION_MESSAGE_BYTES_MAX                                                                \
    512 /* What an agent says of its progress; past it: BAD_REQUEST. */
#define OPERATION_ERROR_BYTES_MAX 4096 /* Why it failed; past it: BAD_REQUEST. */
#define OPERATION_DEPTH_MAX 16         /* Operations above one another; past it: OPERATION_DEPTH. */
#define OPERATION_DEPENDS_MAX 100      /* Others that one waits for; past it: BAD_REQUEST. */
#define AGENTS_INVOLVED_MAX 32         /* Agents named as involved; further ones are not. */
/* How often an operation's workers may be lost; past it: it fails. */
#define OPERATION_ATTEMPTS_MAX 10
#define OPERATION_TIMEOUT_S_DEFAULT 3600     /* One run, unless operation or lane say otherwise. */
#define OPERATION_TIMEOUT_S_MAX (30 * 86400) /* And at most; past it: BAD_REQUEST. */
/* How long a finished operation is kept, unless its lane says otherwise. */
#define OPERATION_KEEP_S (7 * 86400)
#define OPERATION_KEEP_S_MAX (10 * 366 * 86400) /* And at most; past it: BAD_REQUEST. */
#define LANE_WIDTH_MAX 10000 /* Operations of one lane at a time; past it: BAD_REQUEST. */
/* Operations in the lanes of one space, memory's bound; past it: QUEUE_FULL. */
#define OPERATIONS_WAITING_MAX 2000000
#define QUEUE_STATUS_MAX                                                                           \
    100 /* Operations whose places are asked for at once; past it: BAD_REQUEST. */
#define LANE_QUEUED_DEFAULT 100000 /* Operations that wait in a lane, unless it says otherwise. */
#define LANE_AGE_S_DEFAULT 300  /* Waiting that lifts one class, unless the lane says otherwise. */
#define QUEUE_RETRY_AFTER_S 60  /* The longest pause that a full lane asks for. */
#define LEASE_TTL_S_DEFAULT 15  /* How long a lease holds without a heartbeat. */
#define LEASE_TTL_S_MAX 3600    /* And at most; past it: BAD_REQUEST. */
#define FUNCTIONS_RUNNING_MAX 8 /* Functions of operations of one space that run at a time. */
#define PRUNE_EVERY_S 60   /* How often finished operations that are old enough are looked for. */
#define PRUNE_AGAIN_S 3600 /* And where lanes keep them differently long. */
#define CLAIM_HANDS_MAX 10000    /* Operations one agent may have at once; past it: BAD_REQUEST. */
#define CLAIM_OPERATIONS_MAX 256 /* Operations taken by one claim; past it: BAD_REQUEST. */
/* An operation's progress becomes a version that often at most; what comes faster waits for the next. */
#define PROGRESS_MS_MIN 100
#define FAILURE_RETRY_BASE_MS 1000 /* The first pause after a run that failed; then doubled. */
#define FAILURE_RETRY_CAP_S 300    /* But never longer than this. */

/* Indexes. */
/* One key of an index, shared out evenly among its fields; past it: it is cut, and compared
   again when read. */
#define INDEX_KEY_BYTES_MAX 1024
#define INDEX_FIELDS_MAX 8 /* Fields of one index; past it: INVALID_TYPE. */
/* Types of one space that are being given new indexes at a time; past it: BUSY. */
#define INDEX_BUILDS_MAX 128
#define INDEX_BUILD_CHUNK 256 /* Records whose keys are computed, then put in, at a time. */
/* Values in the way of a new unique index that are counted exactly. */
#define INDEX_COLLISIONS_MAX 1000
#define INDEX_RETIRE_S 60 /* How long a list may still read an index that is no longer declared. */
/* Rows of an index nobody uses any more, removed between two batches. */
#define INDEX_DROP_ROWS 1000
#define INDEX_RING_MAX 16384    /* Changes of keys remembered per space. */
#define INDEX_RING_KEY_BYTES 32 /* Bytes remembered of each. */
/* Types by which a space remembers when one of their records changed last; others share a place. */
#define TYPE_CHANGES_KEPT 512

/* History that types let go (retain). */
#define RETAIN_SWEEP_S 3600      /* How often versions that have grown too old are looked for. */
#define RETAIN_SWEEP_CHANGES 256 /* Changes looked at between two batches. */

/* Reads. */
#define LIST_LIMIT_DEFAULT 50 /* Records of one page of a list, unless it says otherwise. */
#define LIST_LIMIT_MAX 1000   /* And at most; past it: BAD_REQUEST. */
/* Records of one page that changed since its snapshot; past it: CURSOR_EXPIRED. */
#define LIST_REWINDS_MAX 1000
/* One page; past it: it ends early and says where to go on. */
#define LIST_PAGE_BYTES_MAX (8u * 1024u * 1024u)
/* Rows looked at for one page, tombstones included; past it: it ends early and says where to go
   on. */
#define LIST_ROWS_MAX 50000
/* Unfinished operations looked at for one page, where writes are decided; past it: it ends early and
   says where to go on. */
#define LIST_OPEN_ROWS_MAX 4096
#define LIST_SORT_MAX 8    /* Fields a list is sorted by; past it: TOO_LARGE. */
#define LIST_FIELDS_MAX 64 /* Fields a list is cut down to; past it: TOO_LARGE. */
/* Records a list looks at that no index helps; past it: INDEX_REQUIRED. */
#define SCAN_RECORDS_MAX 100000
#define CHECK_FINDINGS_SHOWN_MAX 100 /* What a check found wrong and tells; the rest is counted. */
#define HISTORY_LIMIT_DEFAULT 50  /* Versions of one page of a history, unless it says otherwise. */
#define HISTORY_LIMIT_MAX 1000    /* And at most; past it: BAD_REQUEST. */
#define CHANGES_LIMIT_DEFAULT 100 /* Changes of one page of the feed, unless it says otherwise. */
#define CHANGES_LIMIT_MAX 1000    /* And at most; past it: BAD_REQUEST. */
#define WAIT_S_MAX 60             /* How long a long poll waits; past it: BAD_REQUEST. */
/* How long a read waits for the seq it demands; past it: UNAVAILABLE. */
#define MIN_SEQ_WAIT_MS_MAX 5000
#define READ_QUEUE_MAX 4096 /* Reads that wait for a worker thread; past it: BUSY. */
/* Read cache of each I/O thread, unless --cache-bytes says otherwise. */
#define CACHE_BYTES_DEFAULT (32u * 1024u * 1024u)
#define BIRTHS_CACHED_MAX 16384 /* Records whose creation a client remembers; a power of two. */
#define ADDRESSES_CACHED_MAX                                                                       \
    4096 /* Records whose address a client remembers by number; a power of two. */
/* Published changes kept in memory per space; behind them stands the store. */
#define RING_CHANGES 16384
#define RING_BYTES_MAX (32u * 1024u * 1024u) /* And their bytes. */

/* Spaces. */
#define SPACES_MAX 10000 /* Spaces of one server; past it: TOO_LARGE. */
#define SPACE_IDLE_S 300 /* A space that nobody used for this long is closed. */
/* A space's log from which the sequencer finishes the checkpoint, so that it starts over. */
#define WAL_BYTES_RESTART (64u * 1024u * 1024u)
/* So many heads of records wait in memory before they are written in the order of their records; or this often changed. */
#define LATE_HEADS_MAX 65536

/* Handlers and webhooks. */
#define HANDLERS_MAX 256              /* Handlers of one space; past it: TOO_LARGE. */
#define HANDLER_NAME_BYTES_MAX 56     /* A handler's name; past it: INVALID_HANDLER. */
#define HANDLER_URL_BYTES_MAX 2048    /* A webhook's URL; past it: INVALID_HANDLER. */
#define HANDLER_SECRET_BYTES_MAX 256  /* A webhook's secret; past it: INVALID_HANDLER. */
#define HANDLER_HEADERS_MAX 16        /* Headers that a webhook adds; past it: INVALID_HANDLER. */
#define HANDLER_HEADER_BYTES_MAX 1024 /* The value of one of them; past it: INVALID_HANDLER. */
/* A record's data in what a reaction is told; past it: only where they stand. */
#define HANDLER_INLINE_BYTES_MAX (16u * 1024u)
/* How long a run that a handler asks for may take; past it: INVALID_HANDLER. */
#define HANDLER_TIMEOUT_S_MAX 86400
/* Changes that handlers look at in one turn; the next goes on. */
#define FOLLOW_CHANGES_MAX 512
#define FOLLOW_BYTES_MAX (4u * 1024u * 1024u) /* And their bytes; the next turn goes on. */
#define FOLLOW_REACTIONS_MAX 64               /* Reactions queued by one turn; the next goes on. */
/* Changes without a reaction after which it is noted down how far a handler has come. */
#define HANDLER_NOTE_CHANGES 4096
/* A handler whose reaction cannot be queued waits so long before it tries again. */
#define HANDLER_PAUSE_S 10
#define HANDLER_RECHECK_S 5 /* Likewise all of them, where the storage failed. */
/* How long a webhook's answer may take, unless its handler says otherwise. */
#define WEBHOOK_TIMEOUT_S_DEFAULT 10
#define WEBHOOK_TIMEOUT_S_MAX 60      /* And at most; past it: INVALID_HANDLER. */
#define WEBHOOK_ANSWER_BYTES_MAX 1024 /* Of an answer that is kept; the rest is not read. */
#define WEBHOOK_RUNNING_MAX 32        /* Webhooks under way at the same time; the others wait. */
/* The first pause of a webhook that failed; each further one is four times as long. */
#define WEBHOOK_RETRY_MS 1000
#define WEBHOOK_RETRY_MS_MAX 600000 /* The longest pause, and the most a Retry-After is heeded. */

/* Calendars. */
#define ZONE_NAME_BYTES_MAX 64 /* The name of a time zone; past it: INVALID_TIME. */
/* Different time zones a process has in use; tzdata has about 600; past it: TOO_LARGE. */
#define ZONES_MAX 2000
#define RRULE_BYTES_MAX 1024 /* A recurrence rule; past it: INVALID_TIME. */
/* What a recurrence rule may make the server look at, in days and occurrences; past it: TOO_LARGE. */
#define RRULE_STEPS_MAX 400000
/* And all rules of one request together; past it: TOO_LARGE. */
#define RRULE_STEPS_PER_REQUEST_MAX 1000000
/* Days of a calendar that are looked at at once; past it: TOO_LARGE. */
#define CALENDAR_DAYS_MAX 3660
#define CALENDAR_DAYS_DEFAULT 31 /* And unless the end is given. */
/* Bookings in the time that a calendar is asked for; past it: TOO_LARGE. */
#define CALENDAR_HITS_MAX 20000
/* Resources of a calendar that is asked for whole; past it: TOO_LARGE. */
#define CALENDAR_RESOURCES_MAX 2000
#define CALENDAR_LIMIT_MAX 1000 /* Occurrences of one page of a calendar; past it: BAD_REQUEST. */
/* A calendar that is sent or taken as iCalendar; past it: TOO_LARGE. */
#define CALENDAR_TEXT_BYTES_MAX (16u * 1024u * 1024u)
#define CALENDAR_EVENTS_MAX 2000 /* Events of one import of iCalendar; past it: TOO_LARGE. */
/* Changes of a zone's clock that a calendar tells of; the later ones are left out. */
#define CALENDAR_ZONE_CHANGES_MAX 100
#define CALENDAR_FREE_DEFAULT 5 /* Free times told, unless more are asked for. */
#define CALENDAR_FREE_MAX 100   /* And at most; past it: BAD_REQUEST. */
/* Places looked at for them; past it: fewer are told, and that they are not all. */
#define CALENDAR_FREE_STEPS_MAX 20000
/* Dates that a series leaves out, or adds, one by one; past it: TOO_LARGE. */
#define SERIES_DATES_MAX 1000
/* Days for which a series is booked, from its first occurrence on. */
#define SERIES_DAYS_MAX 3660
#define SERIES_OCCURRENCES_MAX 4000 /* Occurrences of a series in them; past it: TOO_LARGE. */
/* One event of an .ics file that is imported; past it: TOO_LARGE. */
#define ICAL_EVENT_BYTES_MAX (256u * 1024u)

/* Alerts. */
/* Writes of one actor by second that a space's settings may allow; past it: INVALID_SETTINGS. */
#define WRITE_RATE_MAX 1000000u
#define WRITE_BURST_MAX 1000000u /* And how many at once; past it: INVALID_SETTINGS. */
/* Actors of one space whose writes are remembered; past it: those are forgotten who may write most. */
#define WRITERS_REMEMBERED_MAX 8192
#define ALERTS_MAX 64           /* That a space's settings define; past it: INVALID_SETTINGS. */
#define ALERT_NAME_BYTES_MAX 64 /* The name of one; past it: INVALID_SETTINGS. */
/* How long a threshold may have to be passed before it is said; past it: INVALID_SETTINGS. */
#define ALERT_HOLD_S_MAX 86400
#define ALERT_KEEP_S (7 * 86400) /* How long alerts that are over are kept. */
#define ALERTS_KEPT_MAX 1000     /* And how many; the oldest go first. */
/* Rejections that wait to be told; further ones are counted in the next alert. */
#define ALERT_REJECTIONS_MAX 64
#define ALERT_EVENT_S 900 /* How long the alert of a rejection stands. */

/* Backups. */
#define BACKUP_PIECE_BYTES                                                                         \
    (1024u * 1024u) /* Hashed by itself, so that an alteration has a place. */
#define BACKUP_PIECES_MAX                                                                          \
    4096 /* Of one file; in a larger one pieces are twice as large, and so on. */
/* How often the list of spaces is copied again because one of them went away while it was copied; past it: BUSY. */
#define BACKUP_ROUNDS_MAX 16
/* Backups that a schedule keeps. */
#define BACKUP_KEEP_MAX 100000

/* Operations. */
#define LANE_BYTES_MAX 64 /* A lane's name; past it: TOO_LARGE. */

/* HTTP. */
/* Connections at the same time, unless --connections-max says otherwise; past it: the next is
   closed at once. */
#define HTTP_CONNECTIONS_MAX_DEFAULT 10000
/* Sockets handed over by whoever starts the server; past it: it does not start. */
#define HTTP_LISTENERS_MAX 16
#define HTTP_HEADER_BYTES_MAX 7168 /* Request line and headers; past it: 431. */
/* Within which a request's header must have arrived; past it: the connection ends. */
#define HTTP_HEADER_TIMEOUT_S 10
/* Within which its body must have arrived; past it: 408, and the connection ends. */
#define HTTP_BODY_TIMEOUT_S 30
/* Within which an answer is taken, and the next request comes; past it: the connection ends. */
#define HTTP_IDLE_TIMEOUT_S 75
#define TELEMETRY_COUNT_MAX 1000000 /* One number in a client's report; past it: TOO_LARGE. */
#define HTTP_IMPORT_BYTES_MAX (64u * 1024u * 1024u) /* One body of an import; past it: TOO_LARGE. */
#define SUBSCRIPTION_FILTERS_MAX 64 /* Types and ids one subscriber names; past it: TOO_LARGE. */
/* One page of an export, which ends with the first line that reaches it. */
#define EXPORT_PAGE_BYTES_MAX (256u * 1024u)
#define FEED_PAGE_BYTES_MAX (256u * 1024u) /* One page of backlog, read for one subscriber. */
/* Pages of backlog a client holds; past it: the oldest is read again. */
#define FEED_HELD_BYTES_MAX (16u * 1024u * 1024u)
/* Rendered events a client shares among the subscribers of a space. */
#define FEED_TEXT_BYTES_MAX (4u * 1024u * 1024u)
#define FEED_JOBS_MAX 8 /* Pages being read for one client at a time; the others wait. */
/* How often, at most, an event stream is told where the operations stand that it follows. */
#define QUEUE_PLACES_MS 1000
/* One message of a live connection; past it: it is closed with 1009. */
#define LIVE_MESSAGE_BYTES_MAX (DATA_BYTES_MAX + 64u * 1024u)
/* Frames of such a message, each of which costs memory of its own; past it: it is closed with 1009. */
#define LIVE_FRAGMENTS_MAX 4096
#define LIVE_SUB_BYTES_MAX 64     /* The name of a subscription on it; past it: BAD_REQUEST. */
#define LIVE_SUBSCRIPTIONS_MAX 64 /* Subscriptions on it; past it: TOO_LARGE. */
/* Writes, and reads for presence, under way on it; past it: BUSY. */
#define LIVE_COMMANDS_MAX 64
/* Read of it at a time, and sent on it, before others have their turn. */
#define LIVE_CHUNK_BYTES (16u * 1024u)
#define LIVE_CLOSE_MS 1000 /* How long the end of it waits for the client's own. */
#define PRESENT_MAX 64     /* Records that a live connection has open; past it: TOO_LARGE. */
/* Places in the register of who has what open or watches it, of all connections; past it: BUSY. */
#define PRESENCE_SEATS_MAX 100000
/* Of those, what one actor has in a space; past it: TOO_MANY_REQUESTS. */
#define PRESENCE_USER_SEATS_MAX 10000
#define PRESENCE_SHOWN_MAX 100 /* People told to have a record open; further ones are counted. */
#define PRESENCE_MS 100        /* How often those who look at a record are told, at most. */
#define FEED_BOOKMARK_S 15     /* How often a quiet event stream gets its position. */

/* Log. */
/* One line of the log; PIPE_BUF of Linux: what one write to a pipe keeps together; past it: it
   is cut. */
#define LOG_LINE_BYTES_MAX 4096

#endif
