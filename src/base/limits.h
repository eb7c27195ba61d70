/*
 * Every bound on what comes from outside, in one place. A bound is reached with a problem document
 * that names it. Unit, then bound, in the name.
 */
#ifndef BASE_LIMITS_H
#define BASE_LIMITS_H

/* Names. */
#define SPACE_NAME_BYTES_MAX 64 /* [a-z][a-z0-9_-]* */
#define TYPE_BYTES_MAX 128      /* Any UTF-8 without control characters; "stet." is the system's. */
/* Any UTF-8 without control characters; slashes are percent-encoded in paths. */
#define ID_BYTES_MAX 512
#define ACTOR_BYTES_MAX 256
/* Percent-encoded, with a version. */
#define ADDRESS_BYTES_MAX (3 * (TYPE_BYTES_MAX + ID_BYTES_MAX) + 32)
#define MUTATION_KEY_BYTES_MAX 128
#define RESOLUTION_TOKEN_BYTES_MAX 120

/* Documents. */
/* One record's data, and one body that is not a transaction or an import. */
#define DATA_BYTES_MAX (1024u * 1024u)
#define JSON_DEPTH_MAX 128
#define JSON_NODES_MAX (256u * 1024u)
#define DECIMAL_DIGITS_MAX 100
#define DECIMAL_EXPONENT_MAX 1000
#define PATCH_OPS_MAX 10000
#define PATCH_STEPS_MAX 50000000 /* Members one JSON Patch looks at or moves. */
/* Operations times values of a JSON Patch that is applied while the whole space waits. */
#define PATCH_INLINE_STEPS_MAX 1000000

/* Rules of a type. */
#define TYPE_FIELDS_MAX 1000
#define TYPE_UNITS_MAX 100
#define TYPE_ENUM_VALUES_MAX 1000
#define TYPE_INDEXES_MAX 32 /* Of one type; as many unique ones besides. */
#define TYPE_TAGS_MAX 16
#define TYPE_TAG_BYTES_MAX 256
#define TYPE_TITLE_BYTES_MAX 256
#define TYPE_DESCRIPTION_BYTES_MAX 4096
#define TYPES_MAX 1000          /* Declared in one space. */
#define SURVEY_CHUNK 256        /* Records judged at a time when a definition changes. */
#define SURVEY_RECORDS_MAX 1000 /* That do not fit a new definition, told apart. */
#define ASK_PERSONS_MAX 32
#define ASK_DEADLINE_S_DEFAULT 86400
#define ASK_DEADLINE_S_MAX (365 * 86400)
#define RETAIN_VERSIONS_MAX 1000000
#define RETAIN_DAYS_MAX 36500
#define CACHE_TTL_S_MAX 86400
#define TYPE_RULE_NODES_MAX 20000   /* What patterns with "*" may combine into. */
#define VALIDATE_STEPS_MAX 10000000 /* Values looked at to judge one record, or fill it in. */

/* Merging. Past these a field is a conflict, the same for the same documents on every machine. */
#define MERGE_TEXT_STEPS_MAX 1000000 /* Of comparing two texts: lines or words looked at. */
#define MERGE_LIST_STEPS_MAX 1000000 /* Values compared only because their hashes are alike. */
/* Steps and bytes of documents for a merge that is made while the whole space waits; a dearer one takes a detour over a worker. */
#define MERGE_INLINE_STEPS_MAX 20000
#define MERGE_INLINE_BYTES_MAX (256u * 1024u)
/* A record that nobody changed for so many changes of its space is merged ahead of the sequencer; another only if it is large. */
#define MERGE_AHEAD_QUIET_CHANGES 128
#define MERGE_AHEAD_BYTES_MIN (16u * 1024u)
#define MERGE_STEPS_MAX 20000000 /* Of a merge on a worker; past it: a conflict. */
/* How often a write takes that detour before it is merged in its turn, whatever it costs up to a limit; past that: a conflict. */
#define PREPARE_RETRIES_MAX 3
#define MERGE_FORCED_STEPS_MAX 1000000
/* Overwriting somebody: how many versions back those who lose something are looked for (past it: a conflict), and how many bytes
   and fields are compared to tell who lost what (past it everybody in between is told). */
#define OVERWRITE_VERSIONS_MAX 1000
#define OVERWRITE_BYTES_MAX (8u * 1024u * 1024u)
#define OVERWRITE_STEPS_MAX 250000

/* Expressions: bytes; brackets and negations inside one another; operators, fields and constants. */
#define EXPR_BYTES_MAX 4096
#define EXPR_DEPTH_MAX 64
#define EXPR_NODES_MAX 500

/* Writes. */
#define TRANSACTION_MUTATIONS_MAX 1000
#define TRANSACTION_BYTES_MAX (16u * 1024u * 1024u)
#define COMMIT_BATCH_MAX 512    /* Commands in one durable commit. */
#define QUEUE_COMMANDS_MAX 8192 /* Waiting for one space's sequencer; past it: BUSY. */
#define QUEUE_BYTES_MAX (64u * 1024u * 1024u)
#define KEY_RETENTION_S (7 * 24 * 3600)
#define RECEIPTS_REMEMBERED_MAX 4096 /* Refused writes whose receipt is still known, per space. */
#define RESOLUTION_TOKEN_TTL_S (24 * 3600)
#define STAMP_JUMP_MAX_S 300
/* Requests of one space that wait for a lock or the like; past it: BUSY. */
#define HELD_COMMANDS_MAX 4096
#define DUE_PER_BATCH_MAX 256 /* What time has made due, settled in one commit. */
#define DUE_BATCH_MS_MAX 20   /* And of time; what is left then waits for the next batch. */
#define DUE_BATCH_BYTES_MAX (16u * 1024u * 1024u) /* Of memory for that; the next batch goes on. */
/* How often deadlines on the wall clock are looked at anew, for that clock may be set. */
#define DUE_RECHECK_S 10
#define CLOCK_CONFIRM_S                                                                            \
    60 /* After a jump of the wall clock deadlines wait so long for it to last. */
#define HEADS_CACHED_MAX 32768 /* Record heads a sequencer remembers per space. */
/* Types and fields by which a space counts conflicts; then "other". */
#define CONTENTION_LABELS_MAX 64
/* How far back a conflict document looks for who changed a field: versions, their data, and fields compared. */
#define CONFLICT_BLAME_VERSIONS_MAX 64
#define CONFLICT_BLAME_BYTES_MAX (4u * 1024u * 1024u)
#define CONFLICT_BLAME_STEPS_MAX 250000

/* Conflicts that wait for a person: open ones of one record, of one writer, of one space. */
#define OPEN_CONFLICTS_PER_RECORD_MAX 32
#define OPEN_CONFLICTS_PER_ACTOR_MAX 1000
#define OPEN_CONFLICTS_MAX 100000
#define CONFLICT_POINTERS_MAX 100 /* Fields a conflict names; further ones are counted. */
#define NOTICE_POINTER_BYTES_MAX (64u * 1024u) /* Of all fields one notice names. */
#define NOTICES_PER_PERSON_MAX 1000 /* Past it, one notice stands for all further ones. */
#define CONFLICTS_LIMIT_MAX 500     /* Of one page of conflicts, or of an inbox. */
#define BULK_RESOLVE_MAX 500        /* Conflicts settled by one request. */
#define INBOX_READ_MAX 500
#define INBOX_READ_BYTES_MAX (64u * 1024u * 1024u) /* Of memory for marking them. */
/* How long changes of a record gather before those who follow its open conflicts are told. */
#define CONFLICT_CHANGED_MS 1000
#define HOT_RECORDS_COUNTED 128 /* Candidates for the records that conflict most. */
#define HOT_RECORDS_SHOWN 10

/* Trees. */
#define TREE_DEPTH_MAX 32   /* Records above one another, the root included. */
#define TREE_NODES_MAX 1000 /* In one tree that is read, written or copied as a whole. */
/* Changes since a tree was read in which those that left it are looked for, to name them. */
#define TREE_DEPARTED_CHANGES_MAX 4096
#define TREE_READS_MAX 8     /* Attempts to read a tree that others change meanwhile. */
#define TREE_MOVED_MAX 10000 /* By one transaction, what is below them included. */

/* Locks. */
#define LOCKS_MAX 100000u /* Held in one space. */
#define LOCK_TTL_S_DEFAULT 30
#define LOCK_TTL_S_MAX 3600
#define LOCK_NOTE_BYTES_MAX 256

/* Indexes. */
#define INDEX_KEY_BYTES_MAX 1024 /* Of one key; shared out evenly among its fields. */
#define INDEX_FIELDS_MAX 8
#define INDEX_BUILDS_MAX 128  /* Types of one space that are being given new indexes at a time. */
#define INDEX_BUILD_CHUNK 256 /* Records whose keys are computed, then put in, at a time. */
/* Values in the way of a new unique index that are counted exactly. */
#define INDEX_COLLISIONS_MAX 1000
#define INDEX_RETIRE_S 60 /* How long a list may still read an index that is no longer declared. */
#define INDEX_DROP_ROWS 1000    /* Of an index nobody uses any more, removed between two batches. */
#define INDEX_RING_MAX 16384    /* Changes of keys remembered per space. */
#define INDEX_RING_KEY_BYTES 32 /* Of each. */

/* History that types let go (retain). */
#define RETAIN_SWEEP_S 3600      /* How often what has grown too old is looked for. */
#define RETAIN_SWEEP_CHANGES 256 /* Looked at between two batches. */

/* Reads. */
#define LIST_LIMIT_DEFAULT 50
#define LIST_LIMIT_MAX 1000
/* Records of one page that changed since its snapshot; past it: CURSOR_EXPIRED. */
#define LIST_REWINDS_MAX 1000
/* Past these a page ends early and says where to go on. */
#define LIST_PAGE_BYTES_MAX (8u * 1024u * 1024u)
#define LIST_ROWS_MAX 50000 /* Looked at for one page, tombstones included. */
#define LIST_SORT_MAX 8
#define LIST_FIELDS_MAX 64
/* Records a list looks at that no index helps; past it: INDEX_REQUIRED. */
#define SCAN_RECORDS_MAX 100000
#define CHECK_FINDINGS_SHOWN_MAX 100
#define HISTORY_LIMIT_DEFAULT 50
#define HISTORY_LIMIT_MAX 1000
#define CHANGES_LIMIT_DEFAULT 100
#define CHANGES_LIMIT_MAX 1000
#define WAIT_S_MAX 60            /* Long polls. */
#define MIN_SEQ_WAIT_MS_MAX 5000 /* How long a read waits for the seq it demands. */
#define READ_QUEUE_MAX 4096      /* Reads waiting for a worker thread; past it: BUSY. */
#define CACHE_BYTES_DEFAULT (32u * 1024u * 1024u) /* Per client. */
#define BIRTHS_CACHED_MAX 16384 /* Records whose creation a client remembers; a power of two. */
/* Published changes kept in memory per space; behind it stands the store. */
#define RING_CHANGES 16384
#define RING_BYTES_MAX (32u * 1024u * 1024u)

/* Spaces. */
#define SPACES_MAX 10000
#define SPACE_IDLE_S 300 /* A space nobody used for this long is closed. */
/* Past this the sequencer finishes the checkpoint so that the log starts over. */
#define WAL_BYTES_RESTART (64u * 1024u * 1024u)
/* So many heads of records wait in memory before they are written in the order of their records; or this often changed. */
#define LATE_HEADS_MAX 65536

/* HTTP. */
#define HTTP_CONNECTIONS_MAX_DEFAULT 10000
#define HTTP_LISTENERS_MAX 16 /* Sockets handed over by whoever starts the server. */
#define HTTP_HEADER_BYTES_MAX 7168
#define HTTP_HEADER_TIMEOUT_S 10
#define HTTP_BODY_TIMEOUT_S 30
#define HTTP_IDLE_TIMEOUT_S 75
#define HTTP_IMPORT_BYTES_MAX (64u * 1024u * 1024u)
#define SUBSCRIPTION_FILTERS_MAX 64 /* Types and ids one subscriber names. */
#define EXPORT_PAGE_BYTES_MAX                                                                      \
    (256u * 1024u) /* A page of an export ends with the first line that reaches it. */
#define FEED_PAGE_BYTES_MAX (256u * 1024u) /* One page of backlog, read for one subscriber. */
/* Pages of backlog a client holds; past it the oldest is read again. */
#define FEED_HELD_BYTES_MAX (16u * 1024u * 1024u)
/* Rendered events a client shares among the subscribers of a space. */
#define FEED_TEXT_BYTES_MAX (4u * 1024u * 1024u)
#define FEED_JOBS_MAX 8 /* Pages being read for one client at a time; the others wait. */
#define FEED_BOOKMARK_S 15

/* Log. */
#define LOG_LINE_BYTES_MAX 4096 /* PIPE_BUF of Linux: what one write to a pipe keeps together. */

#endif
