/*
 * The one table of commands and options. Parsing, `stet help`, docs/options.md and the check of the manual page all read
 * it, so that none of them can say something the others do not.
 *
 * An option's value comes from, first match: the command line, its environment variable, the configuration file (for
 * `serve`), its default.
 */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum command_id {
    COMMAND_SERVE,
    COMMAND_INIT,
    COMMAND_SPACE_LIST,
    COMMAND_SPACE_CREATE,
    COMMAND_SPACE_DELETE,
    COMMAND_GET,
    COMMAND_PUT,
    COMMAND_PATCH,
    COMMAND_DELETE,
    COMMAND_PURGE,
    COMMAND_LIST,
    COMMAND_HISTORY,
    COMMAND_DIFF,
    COMMAND_TAIL,
    COMMAND_EXPORT,
    COMMAND_IMPORT,
    COMMAND_TREE,
    COMMAND_FORK,
    COMMAND_MERGE,
    COMMAND_CALENDAR,
    COMMAND_FREE,
    COMMAND_LOCK,
    COMMAND_LOCKS,
    COMMAND_TYPES_LIST,
    COMMAND_TYPES_SHOW,
    COMMAND_TYPES_PUT,
    COMMAND_TYPES_DELETE,
    COMMAND_TYPES_APPLY,
    COMMAND_CONFLICTS,
    COMMAND_CONFLICTS_SHOW,
    COMMAND_CONFLICTS_RESOLVE,
    COMMAND_CONFLICTS_REOPEN,
    COMMAND_INBOX,
    COMMAND_INBOX_READ,
    COMMAND_INBOX_DISMISS,
    COMMAND_OPS,
    COMMAND_OPS_SHOW,
    COMMAND_OPS_SUBMIT,
    COMMAND_OPS_WATCH,
    COMMAND_OPS_CANCEL,
    COMMAND_OPS_RETRY,
    COMMAND_LANES,
    COMMAND_LANES_SHOW,
    COMMAND_LANES_SET,
    COMMAND_LANES_PAUSE,
    COMMAND_LANES_RESUME,
    COMMAND_LANES_DRAIN,
    COMMAND_AGENT,
    COMMAND_FUNCTIONS,
    COMMAND_FUNCTIONS_SHOW,
    COMMAND_FUNCTIONS_APPLY,
    COMMAND_FUNCTIONS_DELETE,
    COMMAND_FUNCTIONS_CALL,
    COMMAND_FUNCTIONS_TEST,
    COMMAND_HANDLERS,
    COMMAND_HANDLERS_SHOW,
    COMMAND_HANDLERS_PUT,
    COMMAND_HANDLERS_DELETE,
    COMMAND_ALERTS,
    COMMAND_SETTINGS,
    COMMAND_SETTINGS_PUT,
    COMMAND_USER_ADD,
    COMMAND_USER_INVITE,
    COMMAND_USER_PASSWD,
    COMMAND_USER_DISABLE,
    COMMAND_USER_ENABLE,
    COMMAND_USER_ROLE,
    COMMAND_USER_LIST,
    COMMAND_USER_SESSIONS,
    COMMAND_TOKEN_CREATE,
    COMMAND_TOKEN_LIST,
    COMMAND_TOKEN_REVOKE,
    COMMAND_SIMULATE,
    COMMAND_BACKUP,
    COMMAND_RESTORE,
    COMMAND_CHECK,
    COMMAND_COMPLETION,
    COMMAND_VERSION,
    COMMAND_HELP,
    COMMAND_COUNT,
};

struct command_row {
    const char *name;      /* "token create" */
    const char *arguments; /* "TYPE/ID DATA"; "" for none. */
    unsigned arguments_min;
    unsigned arguments_max;
    const char *words; /* One line for people, no full stop. */
    const char *more;  /* Paragraphs, each ending in a newline. */
};

enum option_id {
    /* Of serve. */
    OPTION_DATA,
    OPTION_LISTEN,
    OPTION_PUBLIC_URL,
    OPTION_BASE_PATH,
    OPTION_NO_AUTH,
    OPTION_ALLOW_ORIGIN,
    OPTION_TRUSTED_PROXY,
    OPTION_TLS_CERT,
    OPTION_TLS_KEY,
    OPTION_IO_THREADS,
    OPTION_SEQUENCER_THREADS,
    OPTION_WORKER_THREADS,
    OPTION_CACHE_BYTES,
    OPTION_SPACE_IDLE_S,
    OPTION_KEY_RETENTION_S,
    OPTION_CONNECTIONS_MAX,
    OPTION_HEADER_TIMEOUT_S,
    OPTION_BODY_TIMEOUT_S,
    OPTION_IDLE_TIMEOUT_S,
    OPTION_BACKUP_DIR,
    OPTION_BACKUP_EVERY,
    OPTION_BACKUP_KEEP,
    OPTION_LOG_LEVEL,
    OPTION_ACCESS_LOG,
    OPTION_URL_FILE,
    OPTION_CONFIG,
    /* Of the commands that talk to a server. */
    OPTION_URL,
    OPTION_TOKEN,
    OPTION_CA_FILE,
    OPTION_ACTOR,
    OPTION_SPACE,
    OPTION_TIMEOUT_S,
    OPTION_JSON,
    /* Of single commands. */
    OPTION_BASE,
    OPTION_CREATE,
    OPTION_ON_CONFLICT,
    OPTION_MODIFIED_AT,
    OPTION_KEY,
    OPTION_DRY_RUN,
    OPTION_FORCE,
    OPTION_PRUNE,
    OPTION_JSON_PATCH,
    OPTION_VERSION,
    OPTION_AT,
    OPTION_RAW,
    OPTION_WHERE,
    OPTION_SINCE,
    OPTION_FROM_START,
    OPTION_CONFLICT_EVENTS,
    OPTION_DIFF,
    OPTION_TAIL_LIMIT,
    OPTION_ONLY_TYPE,
    OPTION_WITH_HISTORY,
    OPTION_RESUME,
    OPTION_ON_ERROR,
    OPTION_MAX_ERRORS,
    OPTION_BAD_ROWS,
    OPTION_IMPORT_TYPE,
    OPTION_FORMAT,
    OPTION_MAP,
    OPTION_FIELD,
    OPTION_SET,
    OPTION_ID_FROM,
    OPTION_ID_TEMPLATE,
    OPTION_EMPTY,
    OPTION_SEPARATOR,
    OPTION_ENCODING,
    OPTION_NO_HEADER,
    OPTION_UPDATE,
    OPTION_RESOURCE,
    OPTION_CALENDAR_FIELD,
    OPTION_FROM,
    OPTION_TO,
    OPTION_ZONE,
    OPTION_ICS,
    OPTION_DURATION,
    OPTION_FREE_LIMIT,
    OPTION_SORT,
    OPTION_FIELDS,
    OPTION_EXPLAIN,
    OPTION_LIMIT,
    OPTION_AFTER,
    OPTION_ALL,
    OPTION_BEFORE,
    OPTION_WITH_DATA,
    OPTION_PARENT,
    OPTION_TREE,
    OPTION_TTL,
    OPTION_WAIT,
    OPTION_NOTE,
    OPTION_TYPE,
    OPTION_RECORD,
    OPTION_PERSON,
    OPTION_STATE,
    OPTION_OLDER_THAN,
    OPTION_CHOICE,
    OPTION_UNREAD,
    OPTION_LANE,
    OPTION_LANE_DEFAULT,
    OPTION_CLASS,
    OPTION_AGENT,
    OPTION_FUNCTION,
    OPTION_OP_TYPE,
    OPTION_TARGET,
    OPTION_OP_PARENT,
    OPTION_DEPENDS_ON,
    OPTION_BATCH_KEY,
    OPTION_NOT_BEFORE,
    OPTION_DEADLINE,
    OPTION_RUN_TIMEOUT,
    OPTION_WATCH,
    OPTION_OPERATION_STATUS,
    OPTION_REASON,
    OPTION_WORKER,
    OPTION_HANDS,
    OPTION_LEASE_TTL,
    OPTION_ONCE,
    OPTION_UNTIL_EMPTY,
    OPTION_BIND,
    OPTION_FUNCTIONS_PRUNE,
    OPTION_ALERT_STATE,
    OPTION_TOKEN_ACTOR,
    OPTION_NAME,
    OPTION_ADMIN,
    OPTION_EXPIRES,
    OPTION_REPLACE,
    OPTION_ROLE,
    OPTION_SCOPE,
    OPTION_USER_NAME,
    OPTION_EMAIL,
    OPTION_LINK,
    OPTION_LINK_EXPIRES,
    OPTION_LINK_REPLACE,
    OPTION_PASSWORD_STDIN,
    OPTION_REVOKE,
    OPTION_EXAMPLE,
    OPTION_SIMULATE_SPACE,
    OPTION_USERS,
    OPTION_SECONDS,
    OPTION_RECORDS,
    OPTION_THINK_MS,
    OPTION_SEED,
    OPTION_KEEP,
    OPTION_BACKUP_SPACE,
    OPTION_VERIFY,
    OPTION_RESTORE_DRY_RUN,
    OPTION_MARKDOWN,
    OPTION_COUNT,
};

/* A bit for each command. */
__extension__ typedef unsigned __int128 command_set;
_Static_assert(COMMAND_COUNT <= 128, "a bit for each command");
static inline command_set command_bit(unsigned id) { return (command_set)1 << id; }

enum option_kind {
    OPTION_SWITCH, /* On the command line alone; "true" or "false" in the environment and the file. */
    OPTION_TEXT,
    OPTION_NUMBER, /* A decimal number of at most number_max. */
    OPTION_MANY,   /* May be given several times; separated by commas in the environment. */
};

struct option_row {
    const char *name;     /* Without the dashes. Two rows may share one, for different commands. */
    const char *argument; /* "HOST:PORT"; NULL for a switch. */
    enum option_kind kind;
    uint64_t number_max;
    const char *fallback;    /* The default; NULL: none. */
    const char *environment; /* "STET_LISTEN"; NULL: none. */
    const char *config;      /* "listen"; NULL: not in the configuration file. */
    command_set commands;    /* That take it. */
    const char *words;
};

/* Both are total over their enums. */
const struct command_row *command_row(enum command_id id);
const struct option_row *option_row(enum option_id id);

/* The words an option's value is one of, blanks between; NULL: it may be anything. */
const char *option_choices(enum option_id id);

bool option_applies(enum option_id option, enum command_id command);

/* The option a command takes under this name (size bytes, no dashes); OPTION_COUNT when it takes none. */
enum option_id option_find(enum command_id command, const char *name, size_t size);

/* The option with this key in the configuration file; OPTION_COUNT when there is none. */
enum option_id option_find_config(const char *key, size_t size);

/* The exit codes, for help and the documents; NULL past the end. */
const char *exit_words(int code);

#define EXIT_DONE 0
#define EXIT_FAILED 1
#define EXIT_USAGE 2
#define EXIT_CONFLICT 3
#define EXIT_NOT_FOUND 4
#define EXIT_UNREACHABLE 5
#define EXIT_DENIED 6

#endif
