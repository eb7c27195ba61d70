/*
 * The rows. A default that is a limit takes its number from base/limits.h, so the documents cannot disagree with the
 * server.
 */
#include "cli/table.h"

#include "base/limits.h"

#include <string.h>

#define TEXT_(x) #x
#define TEXT(x) TEXT_(x)

static const struct command_row commands[COMMAND_COUNT] = {
    [COMMAND_SERVE] = {"serve", "", 0, 0, "Serve a data directory over HTTP",
                       "Runs until SIGINT or SIGTERM, which finish what was begun and close "
                       "cleanly; a second signal stops at "
                       "once.\n"
                       "At the first start an administrator's token is made and printed once; only "
                       "its hash is stored. Log lines "
                       "go to standard error.\n"
                       "A supervisor's sockets (LISTEN_FDS, LISTEN_PID) are served instead of "
                       "--listen; NOTIFY_SOCKET and WATCHDOG_USEC are heeded.\n"
                       "One process owns a data directory. A second server on it is refused and "
                       "names the first.\n"},
    [COMMAND_INIT] = {"init", "", 0, 0,
                      "Create a data directory and print its administrator's token, once",
                      "serve does the same at its first start. Only the token's hash is stored; "
                      "who lost the token makes another "
                      "with `stet token create --admin --data DIR`.\n"},
    [COMMAND_SPACE_LIST] = {"space list", "", 0, 0, "List the spaces", ""},
    [COMMAND_SPACE_CREATE] = {"space create", "NAME", 1, 1, "Create a space",
                              "A name begins with a letter and goes on with a-z, 0-9, _ and -.\n"},
    [COMMAND_SPACE_DELETE] = {"space delete", "NAME", 1, 1,
                              "Delete a space and all it holds, for good", ""},
    [COMMAND_GET] = {"get", "TYPE/ID", 1, 1, "Read a record, now or as it was",
                     "TYPE/ID@VERSION is short for --version. Parts of the address are "
                     "percent-encoded; a slash in an id may "
                     "stay as it is.\n"},
    [COMMAND_PUT] =
        {"put", "TYPE/ID DATA", 2, 2, "Replace a record, or create it",
         "DATA is a JSON object, @FILE, or - for standard input. A record that exists is only "
         "replaced when --base "
         "names the version the data was made from. If somebody changed it since, nothing is "
         "written and the "
         "answer shows field by field what they did and what you wanted (exit code 3).\n"},
    [COMMAND_PATCH] = {"patch", "TYPE/ID PATCH", 2, 2, "Change some fields of a record",
                       "PATCH is a JSON merge patch (RFC 7396), @FILE, or - for standard input; "
                       "with --json-patch a "
                       "JSON patch (RFC 6902). --base as for put.\n"},
    [COMMAND_DELETE] = {"delete", "TYPE/ID", 1, 1, "Delete a record; its history stays",
                        "--base as for put.\n"},
    [COMMAND_PURGE] =
        {"purge", "TYPE/ID", 1, 1, "Erase a record with its history, for good",
         "What all its versions said goes, from disk and memory; that there were versions stays, "
         "and "
         "who erased it, when and why. Backups made before still have it. What else may hold "
         "something of it is named. For administrators.\n"},
    [COMMAND_LIST] = {"list", "TYPE", 1, 1, "List the records of a type",
                      "With --json the page as the server answers it; with --all and --json one "
                      "record per line.\n"},
    [COMMAND_HISTORY] = {"history", "TYPE/ID", 1, 1, "Show who changed a record, newest first", ""},
    [COMMAND_DIFF] =
        {"diff", "TYPE/ID [FROM [TO]]", 1, 3, "Show what differs between two versions",
         "Without TO: up to the newest version. Without FROM: what the newest version changed.\n"},
    [COMMAND_TAIL] =
        {"tail", "[TYPE|TYPE/ID...]", 0, 64, "Follow what is changed, as it happens",
         "One line for each change of records of these types, or of these records; without any, of "
         "all but the system's. Begins now unless --since or --from-start is given, goes on where "
         "it was when the connection breaks, and ends with Ctrl-C.\n"},
    [COMMAND_EXPORT] =
        {"export", "[FILE]", 0, 1, "Write the records of a space to a file of JSON lines",
         "As of one position, whatever is written meanwhile; import reads it. The last line says "
         "that nothing is missing. Without FILE, or with -, to standard output. FILE gets its name "
         "when it is whole; until then it is FILE.part, and --resume goes on with it. A file that "
         "exists is not overwritten.\n"},
    [COMMAND_IMPORT] =
        {"import", "FILE", 1, 1, "Load records from an export, a table or a JSON file",
         "FILE (or - for standard input) is an export, or holds one object per line: {\"type\", "
         "\"id\", \"data\", \"parent\"?, \"version\"?, \"created_at\"?, \"created_by\"?, "
         "\"updated_at\"?, \"updated_by\"?, \"base_version\"?, \"client_mutation_id\"?}. "
         "Loading the same file again changes nothing. A line that fails is reported by its number "
         "and does not keep the others from being loaded; the exit code is then 1.\n"
         "With --type, rows of other programs' files become records: a CSV, a JSON array or JSON "
         "lines, with --field or --map for what goes where; or the events of an iCalendar file "
         "(.ics), all of them in one step.\n"
         "How far it came is kept in FILE.import until it is through.\n"},
    [COMMAND_TREE] = {"tree", "TYPE/ID", 1, 1, "Show a record with all that stands below it",
                      "What stands below what is said by --parent of put and patch.\n"},
    [COMMAND_FORK] = {"fork", "TYPE/ID [NEW-ID]", 1, 2, "Copy a record, or a whole tree",
                      "The copy remembers the version it was made from. Without NEW-ID it gets a "
                      "new UUID.\n"},
    [COMMAND_MERGE] = {"merge", "TYPE/ID", 1, 1, "Bring a fork's changes back",
                       "TYPE/ID is the fork, --base its version. What it changed since it was "
                       "forked is merged into the original by the rules of its type; the fork "
                       "then stands at the result and can be merged again.\n"},
    [COMMAND_CALENDAR] =
        {"calendar", "TYPE", 1, 1, "Show what takes place, day by day",
         "The records of a type that declares \"exclusive\" intervals, each occurrence of a series "
         "by itself, by the clock of its own zone.\n"},
    [COMMAND_FREE] =
        {"free", "TYPE", 1, 1, "Show when there is room for something",
         "The next times at which so much fits, within the hours that the type declares.\n"},
    [COMMAND_LOCK] =
        {"lock", "NAME -- COMMAND...", 2, 1000, "Run a command while holding a lock",
         "One holder at a time has a lock: the command runs nowhere else under the same name "
         "meanwhile. The lock is renewed while the command runs and released when it ends; should "
         "it be lost all the same, the command gets SIGTERM. The command finds the name in "
         "STET_LOCK and the fencing token in STET_LOCK_TOKEN, for the writes that rely on it. The "
         "exit code is the command's; 3 when somebody else holds the lock.\n"},
    [COMMAND_LOCKS] = {"locks", "", 0, 0, "List the locks that are held", ""},
    [COMMAND_TYPES_LIST] = {"types list", "", 0, 0, "List the declared types", ""},
    [COMMAND_TYPES_SHOW] = {"types show", "NAME", 1, 1, "Print a type's definition",
                            "As it can be put again; with --json the whole answer.\n"},
    [COMMAND_TYPES_PUT] =
        {"types put", "NAME FILE", 2, 2, "Declare a type, or change its definition",
         "FILE (or - for standard input) holds the definition. Existing records are looked through "
         "first: where some do not fit, they are counted and shown, and nothing is changed unless "
         "--force is given.\n"},
    [COMMAND_TYPES_DELETE] = {"types delete", "NAME", 1, 1, "Delete a type's definition",
                              "The records stay.\n"},
    [COMMAND_TYPES_APPLY] =
        {"types apply", "FILE", 1, 1, "Load a whole schema in one transaction",
         "FILE (or - for standard input) holds {\"types\": {NAME: DEFINITION}}. Only what differs "
         "is written. Types that are not in the file stay, unless --prune is given.\n"},
    [COMMAND_CONFLICTS_SHOW] = {"conflicts show", "ID", 1, 1,
                                "Show a conflict side by side: as it was, as it is, as wanted",
                                "seq-N shows the automatic merge that made the change N.\n"},
    [COMMAND_CONFLICTS_RESOLVE] =
        {"conflicts resolve", "ID [DATA]", 1, 2, "Settle a conflict",
         "With --choice at once; else each field that both sides changed is asked for: y takes "
         "what was wanted, c what is there now, b what was there before, and e opens $EDITOR. If "
         "the record changed meanwhile nothing is written: you are asked again, and with --choice "
         "the exit code is 3.\n"
         "DATA is what the record becomes with --choice custom: a JSON object, @FILE, or - for "
         "standard input.\n"},
    [COMMAND_CONFLICTS_REOPEN] =
        {"conflicts reopen", "ID", 1, 1, "Open a conflict again that settled itself",
         "One that expired, a notice that something was overwritten, or an automatic merge "
         "(seq-N, as `stet history` shows it).\n"},
    [COMMAND_CONFLICTS] = {"conflicts", "", 0, 0, "List the conflicts that wait for a person",
                           "What settles itself next comes first.\n"},
    [COMMAND_INBOX_READ] = {"inbox read", "[ID...]", 0, 500, "Mark what is in your inbox as read",
                            "Without ID: all of it.\n"},
    [COMMAND_INBOX_DISMISS] = {"inbox dismiss", "ID", 1, 1, "Take a notice out of your inbox", ""},
    [COMMAND_INBOX] = {"inbox", "", 0, 0,
                       "List what waits for you, and what became of your changes", ""},
    [COMMAND_OPS_SHOW] = {"ops show", "ID", 1, 1, "Show an operation: its place, progress, result",
                          ""},
    [COMMAND_OPS_SUBMIT] =
        {"ops submit", "[INPUT]", 0, 1, "Put a request into the queue",
         "INPUT is what the agent or function gets: JSON, @FILE, or - for standard input. Without "
         "--agent and --function any agent of the lane may do it. With --watch it is followed to "
         "its end, and the exit code says how it ended.\n"},
    [COMMAND_OPS_WATCH] = {"ops watch", "ID", 1, 1, "Follow an operation to its end",
                           "Shows its place, then how far it is, then its result. The exit code is "
                           "0 when it was completed, else 1.\n"},
    [COMMAND_OPS_CANCEL] = {"ops cancel", "ID", 1, 1, "Cancel an operation",
                            "One that waits ends at once; of one that runs the agent is told.\n"},
    [COMMAND_OPS_RETRY] = {"ops retry", "ID", 1, 1,
                           "Queue an operation again that failed, was rejected, cancelled or late",
                           ""},
    [COMMAND_OPS] = {"ops", "", 0, 0, "List operations",
                     "Those that are not finished, unless --status says otherwise.\n"},
    [COMMAND_LANES_SHOW] = {"lanes show", "LANE", 1, 1, "Show a lane", ""},
    [COMMAND_LANES_SET] =
        {"lanes set", "LANE SETTINGS", 2, 2, "Change a lane, or make it",
         "SETTINGS is a JSON object, @FILE, or - for standard input, with what is to change: "
         "{\"width\": 4, \"max_queued\": 1000, \"max_queued_per_actor\": 100, \"age_s\": 300, "
         "\"timeout_s\": 600, \"fair\": \"actor\", \"paused\": false}; null is the default.\n"},
    [COMMAND_LANES_PAUSE] = {"lanes pause", "LANE", 1, 1, "Start nothing more in a lane",
                             "What runs goes on; what is submitted waits.\n"},
    [COMMAND_LANES_RESUME] = {"lanes resume", "LANE", 1, 1, "Let a lane go on", ""},
    [COMMAND_LANES_DRAIN] = {"lanes drain", "LANE", 1, 1,
                             "Let a lane finish what waits and take nothing more", ""},
    [COMMAND_LANES] = {"lanes", "", 0, 0, "List the lanes and what waits in them", ""},
    [COMMAND_AGENT] =
        {"agent", "NAME -- COMMAND...", 2, 1000,
         "Run a command for each operation that waits for this agent",
         "The command gets the input on its standard input. A line of JSON it prints is progress, "
         "{\"percent\": 40, \"message\": \"…\"}, or what it leaves behind, {\"result\": …, "
         "\"mutations\": [{\"op\": \"patch\", \"type\": …, \"id\": …, \"base_version\": …, "
         "\"patch\": …}]}: result and changes are committed with the completion, or not at all. "
         "Other lines go to standard error.\n"
         "Exit code 0 completes the operation; 75, or a signal, has it tried again; any other "
         "fails it, with the end of standard error as the reason. If somebody changed a record "
         "first, the command is run again.\n"
         "It finds STET_OPERATION, STET_LANE, STET_AGENT, STET_CLASS, STET_OP_TYPE, STET_TARGET, "
         "STET_SPACE, STET_URL and STET_RUN (1 for the first run) in its environment. Ctrl-C lets "
         "what is at work finish; a second one gives it back.\n"},
    [COMMAND_FUNCTIONS_SHOW] = {"functions show", "NAME", 1, 1, "Print a function's source", ""},
    [COMMAND_FUNCTIONS_APPLY] =
        {"functions apply", "DIR", 1, 1, "Load a folder of functions in one transaction",
         "DIR holds NAME.lua for each function, and may hold NAME.json with the other members of "
         "its definition. Only what differs is written. Functions that are not in the folder stay, "
         "unless --prune is given.\n"},
    [COMMAND_FUNCTIONS_DELETE] = {"functions delete", "NAME", 1, 1, "Delete a function", ""},
    [COMMAND_FUNCTIONS_CALL] = {"functions call", "NAME [INPUT]", 1, 2,
                                "Run a function and print its result",
                                "INPUT is JSON, @FILE, or - for standard input.\n"},
    [COMMAND_FUNCTIONS_TEST] =
        {"functions test", "DIR", 1, 1, "Run the examples of a folder of functions",
         "NAME.test.json is a list of examples: {\"words\"?, \"given\"?: {\"TYPE/ID\": data}, "
         "\"input\"?, \"expect\"?: {\"result\"?, \"records\"?: {\"TYPE/ID\": data or null}}, "
         "\"error\"?: code}. Each runs on records of its own, in this process; no server is "
         "touched.\n"},
    [COMMAND_FUNCTIONS] = {"functions", "", 0, 0, "List the functions", ""},
    [COMMAND_HANDLERS_SHOW] = {"handlers show", "NAME", 1, 1,
                               "Show a handler and how far it has come", ""},
    [COMMAND_HANDLERS_PUT] =
        {"handlers put", "NAME DEFINITION", 2, 2, "Have something react to changes",
         "DEFINITION is a JSON object, @FILE, or - for standard input: {\"type\"?, \"where\"?, "
         "\"on\": [\"create\", …], \"function\" | \"agent\" | \"webhook\", …}.\n"},
    [COMMAND_HANDLERS_DELETE] = {"handlers delete", "NAME", 1, 1, "Delete a handler", ""},
    [COMMAND_HANDLERS] = {"handlers", "", 0, 0, "List what reacts to changes", ""},
    [COMMAND_ALERTS] = {"alerts", "", 0, 0, "List what is out of bounds", ""},
    [COMMAND_SETTINGS_PUT] = {"settings put", "SETTINGS", 1, 1, "Replace a space's settings",
                              "SETTINGS is a JSON object, @FILE, or - for standard input.\n"},
    [COMMAND_SETTINGS] = {"settings", "", 0, 0, "Show a space's settings", ""},
    [COMMAND_USER_ADD] =
        {"user add", "NAME", 1, 1, "Add somebody who can log in",
         "NAME is the login name. The password is asked for, or read from standard input with "
         "--password-stdin; with --link nobody but the new user ever knows it: a link is printed "
         "that works once. The users of the space stet are the server's own people: with --role "
         "admin they may do everything everywhere.\n"},
    [COMMAND_USER_INVITE] = {"user invite", "", 0, 0,
                             "Print a link with which somebody adds themselves",
                             "Who opens it chooses a login name and a password. It works once.\n"},
    [COMMAND_USER_PASSWD] = {"user passwd", "NAME", 1, 1,
                             "Set somebody's password, and log them out",
                             "Or, with --link, print a link with which they set it themselves.\n"},
    [COMMAND_USER_DISABLE] = {"user disable", "NAME", 1, 1,
                              "Let somebody log in no longer, and log them out", ""},
    [COMMAND_USER_ENABLE] = {"user enable", "NAME", 1, 1, "Let somebody log in again", ""},
    [COMMAND_USER_ROLE] = {"user role", "NAME [ROLE...]", 1, 17, "Set somebody's roles",
                           "Replaces them: without ROLE they have none, and are a member.\n"},
    [COMMAND_USER_LIST] = {"user list", "", 0, 0, "List who can log in", ""},
    [COMMAND_USER_SESSIONS] = {"user sessions", "NAME", 1, 1, "List where somebody is logged in",
                               "With --revoke: log them out everywhere.\n"},
    [COMMAND_TOKEN_CREATE] = {"token create", "", 0, 0, "Make an access token and print it, once",
                              ""},
    [COMMAND_TOKEN_LIST] = {"token list", "", 0, 0, "List the tokens, without their secrets", ""},
    [COMMAND_TOKEN_REVOKE] =
        {"token revoke", "[ID]", 0, 1, "Revoke a token at once",
         "Without ID: all tokens of --actor, or of these the ones with --name.\n"},
    [COMMAND_BACKUP] =
        {"backup", "DIR", 1, 1, "Back up a server's spaces into a folder, while it serves",
         "The backup becomes a folder of its own in DIR, named after the time. It holds a file for "
         "each space, copied as of one moment, a manifest with the hash of every piece of every "
         "file, and SHA256SUMS, so that sha256sum can verify it as well. It has its name only "
         "once it is whole. With --verify DIR is a backup: it is read, and nothing is made.\n"},
    [COMMAND_RESTORE] =
        {"restore", "BACKUP", 1, 1, "Put a backup into a new data directory",
         "The directory of --data must be empty or not exist, and nobody may serve it. Every hash "
         "is verified, every space opened, counted and checked; if anything differs the place is "
         "named and nothing is left. Positions and the versions of records that are changed from "
         "then on continue at the time of the restore, so that clients that saw what was lost "
         "notice.\n"},
    [COMMAND_CHECK] = {"check", "", 0, 0, "Verify what is stored",
                       "Reads a whole space, or all spaces when --space is not given, and says "
                       "what was verified. "
                       "Exit code 1 when something is wrong.\n"},
    [COMMAND_SIMULATE] =
        {"simulate", "", 0, 0, "Let many users write at once, and audit what became of it",
         "Users read, think and write shared records: counters with If-Match, edits and stock that "
         "merge, transactions between two records, creations and deletions. Whoever meets a "
         "conflict starts over after a pause (full-jitter backoff). Then the whole history is held "
         "against what was acknowledged: every write is there once, counts add up, no version is "
         "missing. Exit code 1 when the audit fails, with the records it fails for.\n"
         "The records are in a space of their own that is deleted at the end; who may not make "
         "spaces, or names one with --space, gets types of their own there, whose records are "
         "deleted and leave their history. Without --url, --data and ./stet-data all of it happens "
         "in a temporary directory.\n"},
    [COMMAND_COMPLETION] =
        {"completion", "SHELL", 1, 1, "Print what makes a shell complete this program's words",
         "SHELL is bash or zsh. For bash: source <(stet completion bash). For zsh: source <(stet "
         "completion zsh), behind compinit.\n"},
    [COMMAND_VERSION] = {"version", "", 0, 0, "Print the version", ""},
    [COMMAND_HELP] = {"help", "[COMMAND]", 0, 2, "Explain the program or one command", ""},
};

#define ON(name) ((command_set)1 << COMMAND_##name)
#define ON_SERVE ON(SERVE)
#define ON_TYPES_WRITE (ON(TYPES_PUT) | ON(TYPES_DELETE) | ON(TYPES_APPLY))
#define ON_TYPES (ON(TYPES_LIST) | ON(TYPES_SHOW) | ON_TYPES_WRITE)
#define ON_LOCKS (ON(LOCK) | ON(LOCKS))
#define ON_CALENDAR (ON(CALENDAR) | ON(FREE))
#define ON_TREES (ON(TREE) | ON(FORK) | ON(MERGE))
#define ON_CONFLICTS                                                                               \
    (ON(CONFLICTS_SHOW) | ON(CONFLICTS_RESOLVE) | ON(CONFLICTS_REOPEN) | ON(CONFLICTS) |           \
     ON(INBOX_READ) | ON(INBOX_DISMISS) | ON(INBOX))
#define ON_RECORD                                                                                  \
    (ON(GET) | ON(PUT) | ON(PATCH) | ON(DELETE) | ON(PURGE) | ON(LIST) | ON(HISTORY) | ON(DIFF))
#define ON_SPACES (ON(SPACE_LIST) | ON(SPACE_CREATE) | ON(SPACE_DELETE))
#define ON_TOKENS (ON(TOKEN_CREATE) | ON(TOKEN_LIST) | ON(TOKEN_REVOKE))
#define ON_USERS                                                                                   \
    (ON(USER_ADD) | ON(USER_INVITE) | ON(USER_PASSWD) | ON(USER_DISABLE) | ON(USER_ENABLE) |       \
     ON(USER_ROLE) | ON(USER_LIST) | ON(USER_SESSIONS))
#define ON_LINKS (ON(USER_ADD) | ON(USER_INVITE) | ON(USER_PASSWD))
#define ON_OPS                                                                                     \
    (ON(OPS) | ON(OPS_SHOW) | ON(OPS_SUBMIT) | ON(OPS_WATCH) | ON(OPS_CANCEL) | ON(OPS_RETRY))
#define ON_LANES                                                                                   \
    (ON(LANES) | ON(LANES_SHOW) | ON(LANES_SET) | ON(LANES_PAUSE) | ON(LANES_RESUME) |             \
     ON(LANES_DRAIN))
#define ON_FUNCTIONS_WRITE (ON(FUNCTIONS_APPLY) | ON(FUNCTIONS_DELETE) | ON(FUNCTIONS_CALL))
#define ON_HANDLERS_WRITE (ON(HANDLERS_PUT) | ON(HANDLERS_DELETE))
#define ON_QUEUE                                                                                   \
    (ON_OPS | ON_LANES | ON(AGENT) | ON_FUNCTIONS_WRITE | ON(FUNCTIONS) | ON(FUNCTIONS_SHOW) |     \
     ON_HANDLERS_WRITE | ON(HANDLERS) | ON(HANDLERS_SHOW) | ON(ALERTS) | ON(SETTINGS) |            \
     ON(SETTINGS_PUT))
#define ON_REMOTE                                                                                  \
    (ON_RECORD | ON_TREES | ON_TYPES | ON_CONFLICTS | ON_LOCKS | ON_SPACES | ON_TOKENS |           \
     ON_USERS | ON_QUEUE | ON_CALENDAR | ON(TAIL) | ON(EXPORT) | ON(IMPORT) | ON(BACKUP) |         \
     ON(CHECK) | ON(SIMULATE))
#define ON_WRITE (ON(PUT) | ON(PATCH) | ON(DELETE))
#define SECONDS_MAX (100u * 365 * 24 * 3600)

static const struct option_row options[OPTION_COUNT] = {
    [OPTION_DATA] = {"data", "DIR", OPTION_TEXT, 0, "stet-data", "STET_DATA", "data",
                     ON_SERVE | ON(INIT) | ON_REMOTE | ON(RESTORE),
                     "The data directory. Commands other than serve and init talk to the server "
                     "that owns it, or open "
                     "it themselves when none does"},
    [OPTION_LISTEN] = {"listen", "HOST:PORT", OPTION_TEXT, 0, "127.0.0.1:7838", "STET_LISTEN",
                       "listen", ON_SERVE,
                       "Where to listen; [::1]:PORT for IPv6, port 0 for a free one"},
    [OPTION_PUBLIC_URL] =
        {"public-url", "URL", OPTION_TEXT, 0, NULL, "STET_PUBLIC_URL", "public_url", ON_SERVE,
         "How clients reach the server, when not by the listen address; its host is then "
         "accepted in the Host header"},
    [OPTION_BASE_PATH] = {"base-path", "PATH", OPTION_TEXT, 0, NULL, "STET_BASE_PATH", "base_path",
                          ON_SERVE, "Serve everything below this path"},
    [OPTION_NO_AUTH] = {"no-auth", NULL, OPTION_SWITCH, 0, NULL, "STET_NO_AUTH", "no_auth",
                        ON_SERVE,
                        "Ask nobody for a token: the actor is what the Stet-Actor header says, and "
                        "everybody may do "
                        "everything. Only on a loopback address"},
    [OPTION_ALLOW_ORIGIN] = {"allow-origin", "URL", OPTION_MANY, 0, NULL, "STET_ALLOW_ORIGIN",
                             "allow_origin", ON_SERVE,
                             "Let web pages of this origin call the server (CORS); * for any"},
    [OPTION_TRUSTED_PROXY] = {"trusted-proxy", "ADDRESS", OPTION_MANY, 0, NULL,
                              "STET_TRUSTED_PROXY", "trusted_proxy", ON_SERVE,
                              "Believe X-Forwarded-For from this address or network (10.0.0.0/8)"},
    [OPTION_TLS_CERT] = {"tls-cert", "FILE", OPTION_TEXT, 0, NULL, "STET_TLS_CERT", "tls_cert",
                         ON_SERVE,
                         "Serve HTTPS with this certificate chain (PEM); needs --tls-key"},
    [OPTION_TLS_KEY] = {"tls-key", "FILE", OPTION_TEXT, 0, NULL, "STET_TLS_KEY", "tls_key",
                        ON_SERVE, "The certificate's private key (PEM)"},
    [OPTION_IO_THREADS] = {"io-threads", "N", OPTION_NUMBER, 1024, "0", "STET_IO_THREADS",
                           "io_threads", ON_SERVE,
                           "Threads that serve connections; 0: one per core"},
    [OPTION_SEQUENCER_THREADS] =
        {"sequencer-threads", "N", OPTION_NUMBER, 1024, "0", "STET_SEQUENCER_THREADS",
         "sequencer_threads", ON_SERVE,
         "Threads that commit writes, each for its share of the spaces; 0: one per core"},
    [OPTION_WORKER_THREADS] = {"worker-threads", "N", OPTION_NUMBER, 1024, "0",
                               "STET_WORKER_THREADS", "worker_threads", ON_SERVE,
                               "Threads for lists, history and other scans; 0: 2"},
    [OPTION_CACHE_BYTES] = {"cache-bytes", "N", OPTION_NUMBER, UINT64_C(1) << 40, "0",
                            "STET_CACHE_BYTES", "cache_bytes", ON_SERVE,
                            "Read cache of each I/O thread; 0: 32 MiB"},
    [OPTION_SPACE_IDLE_S] =
        {"space-idle-s", "SECONDS", OPTION_NUMBER, SECONDS_MAX, TEXT(SPACE_IDLE_S),
         "STET_SPACE_IDLE_S", "space_idle_s", ON_SERVE,
         "Close a space that nobody used for so long; the next use opens it again"},
    [OPTION_KEY_RETENTION_S] = {"key-retention-s", "SECONDS", OPTION_NUMBER, SECONDS_MAX, "604800",
                                "STET_KEY_RETENTION_S", "key_retention_s", ON_SERVE,
                                "How long a mutation key is remembered at least"},
    [OPTION_CONNECTIONS_MAX] = {"connections-max", "N", OPTION_NUMBER, 1000000,
                                TEXT(HTTP_CONNECTIONS_MAX_DEFAULT), "STET_CONNECTIONS_MAX",
                                "connections_max", ON_SERVE,
                                "Connections at the same time; further ones are closed"},
    [OPTION_HEADER_TIMEOUT_S] = {"header-timeout-s", "SECONDS", OPTION_NUMBER, SECONDS_MAX,
                                 TEXT(HTTP_HEADER_TIMEOUT_S), "STET_HEADER_TIMEOUT_S",
                                 "header_timeout_s", ON_SERVE,
                                 "Within which a request's header must have arrived"},
    [OPTION_BODY_TIMEOUT_S] = {"body-timeout-s", "SECONDS", OPTION_NUMBER, SECONDS_MAX,
                               TEXT(HTTP_BODY_TIMEOUT_S), "STET_BODY_TIMEOUT_S", "body_timeout_s",
                               ON_SERVE, "Within which its body must have arrived"},
    [OPTION_IDLE_TIMEOUT_S] = {"idle-timeout-s", "SECONDS", OPTION_NUMBER, SECONDS_MAX,
                               TEXT(HTTP_IDLE_TIMEOUT_S), "STET_IDLE_TIMEOUT_S", "idle_timeout_s",
                               ON_SERVE, "After which a connection without a request is closed"},
    [OPTION_BACKUP_DIR] = {"backup-dir", "DIR", OPTION_TEXT, 0, NULL, "STET_BACKUP_DIR",
                           "backup_dir", ON_SERVE,
                           "Make backups in this folder by itself, see --backup-every"},
    [OPTION_BACKUP_EVERY] = {"backup-every", "SPAN", OPTION_TEXT, 0, "24h", "STET_BACKUP_EVERY",
                             "backup_every", ON_SERVE,
                             "How often: 30m, 6h, 7d; counted from the newest backup there is"},
    [OPTION_BACKUP_KEEP] = {"backup-keep", "N", OPTION_NUMBER, BACKUP_KEEP_MAX, "0",
                            "STET_BACKUP_KEEP", "backup_keep", ON_SERVE,
                            "Remove all but the newest N of these backups after each; 0: keep all"},
    [OPTION_LOG_LEVEL] = {"log-level", "LEVEL", OPTION_TEXT, 0, "info", "STET_LOG_LEVEL",
                          "log_level", ON_SERVE, "debug, info, warn or error"},
    [OPTION_ACCESS_LOG] = {"access-log", NULL, OPTION_SWITCH, 0, NULL, "STET_ACCESS_LOG",
                           "access_log", ON_SERVE, "Log a line for each request"},
    [OPTION_URL_FILE] = {"url-file", "FILE", OPTION_TEXT, 0, NULL, "STET_URL_FILE", "url_file",
                         ON_SERVE,
                         "Write the server's URL to this file once it listens, and remove it at "
                         "the end: for scripts "
                         "that wait"},
    [OPTION_CONFIG] = {"config", "FILE", OPTION_TEXT, 0, NULL, "STET_CONFIG", NULL, ON_SERVE,
                       "Read options from lines of the form key = value; # begins a comment"},

    [OPTION_URL] = {"url", "URL", OPTION_TEXT, 0, NULL, "STET_URL", NULL, ON_REMOTE,
                    "The server to talk to, instead of --data"},
    [OPTION_TOKEN] = {"token", "TOKEN", OPTION_TEXT, 0, NULL, "STET_TOKEN", NULL, ON_REMOTE,
                      "The access token for --url. Other users of the machine can see a command "
                      "line: prefer the "
                      "environment variable"},
    [OPTION_CA_FILE] = {"ca-file", "FILE", OPTION_TEXT, 0, NULL, "STET_CA_FILE", NULL, ON_REMOTE,
                        "Certificates (PEM) to trust for an https --url, instead of the system's"},
    [OPTION_ACTOR] = {"actor", "NAME", OPTION_TEXT, 0, NULL, "STET_ACTOR", NULL,
                      ON_REMOTE & ~ON_TOKENS,
                      "Who acts, for a server that runs with --no-auth; others go by the token"},
    [OPTION_SPACE] = {"space", "NAME", OPTION_TEXT, 0, "main", "STET_SPACE", NULL,
                      ON_RECORD | ON_TREES | ON_TYPES | ON_CONFLICTS | ON_LOCKS | ON_QUEUE |
                          ON_USERS | ON_CALENDAR | ON(TAIL) | ON(EXPORT) | ON(IMPORT) | ON(CHECK),
                      "The space to use; check: all when not given"},
    [OPTION_TIMEOUT_S] = {"timeout-s", "SECONDS", OPTION_NUMBER, SECONDS_MAX, "600",
                          "STET_TIMEOUT_S", NULL, ON_REMOTE,
                          "Give up on a request after so long; 0: never"},
    [OPTION_JSON] =
        {"json", NULL, OPTION_SWITCH, 0, NULL, NULL, NULL,
         (ON_REMOTE & ~ON(AGENT)) | ON(INIT) | ON(VERSION) | ON(RESTORE),
         "Print the server's answer, a refusal included, as one line of JSON, for programs"},

    [OPTION_BASE] = {"base", "VERSION", OPTION_NUMBER, UINT64_MAX, NULL, NULL, NULL,
                     ON_WRITE | ON(MERGE) | ON(TYPES_PUT) | ON(TYPES_DELETE) |
                         ON(CONFLICTS_REOPEN) | ON(FUNCTIONS_DELETE) | ON_HANDLERS_WRITE |
                         ON(SETTINGS_PUT),
                     "The version this change was made from"},
    [OPTION_CREATE] = {"create", NULL, OPTION_SWITCH, 0, NULL, NULL, NULL, ON(PUT),
                       "Only create: refuse when the record exists"},
    [OPTION_ON_CONFLICT] =
        {"on-conflict", "STRATEGY", OPTION_TEXT, 0, NULL, NULL, NULL, ON_WRITE | ON(MERGE),
         "What to do when the base is stale: reject, merge, last_writer_wins, newest, "
         "server_wins or ask. Default: what the type says"},
    [OPTION_MODIFIED_AT] = {"modified-at", "TIME", OPTION_TEXT, 0, NULL, NULL, NULL, ON_WRITE,
                            "When the change was made by your own clock, for newest"},
    [OPTION_KEY] = {"key", "KEY", OPTION_TEXT, 0, NULL, NULL, NULL,
                    ON_WRITE | ON(FORK) | ON(MERGE) | ON_TYPES_WRITE | ON(OPS_SUBMIT) |
                        ON_FUNCTIONS_WRITE | ON_HANDLERS_WRITE,
                    "Your own unique name for this write: repeated with the same one it takes "
                    "effect once. Default: "
                    "a new UUID"},
    [OPTION_DRY_RUN] = {"dry-run", NULL, OPTION_SWITCH, 0, NULL, NULL, NULL,
                        ON_WRITE | ON(PURGE) | ON(FORK) | ON(MERGE) | ON_TYPES_WRITE | ON(IMPORT) |
                            ON(OPS_SUBMIT) | ON_FUNCTIONS_WRITE | ON_HANDLERS_WRITE,
                        "Answer as the write would, and store nothing"},
    [OPTION_FORCE] = {"force", NULL, OPTION_SWITCH, 0, NULL, NULL, NULL,
                      ON(TYPES_PUT) | ON(TYPES_APPLY),
                      "Also when existing records do not fit; the type then says how many"},
    [OPTION_PRUNE] = {"prune", NULL, OPTION_SWITCH, 0, NULL, NULL, NULL, ON(TYPES_APPLY),
                      "Delete the definitions of types that are not in the file"},
    [OPTION_JSON_PATCH] = {"json-patch", NULL, OPTION_SWITCH, 0, NULL, NULL, NULL, ON(PATCH),
                           "PATCH is a JSON patch (RFC 6902)"},
    [OPTION_VERSION] = {"version", "VERSION", OPTION_NUMBER, UINT64_MAX, NULL, NULL, NULL, ON(GET),
                        "The record as this version has it"},
    [OPTION_AT] = {"at", "TIME", OPTION_TEXT, 0, NULL, NULL, NULL, ON(GET),
                   "The record as it was then (2026-03-01T12:00:00Z)"},
    [OPTION_RAW] = {"raw", NULL, OPTION_SWITCH, 0, NULL, NULL, NULL, ON(GET),
                    "Print only the data, byte for byte as stored"},
    [OPTION_WHERE] = {"where", "EXPRESSION", OPTION_TEXT, 0, NULL, NULL, NULL,
                      ON(LIST) | ON(TAIL) | ON(EXPORT),
                      "Only records that match, for example: stage = \"won\" && amount >= 1000"},
    [OPTION_SINCE] = {"since", "SEQ", OPTION_NUMBER, UINT64_MAX, NULL, NULL, NULL, ON(TAIL),
                      "Begin behind this position"},
    [OPTION_FROM_START] = {"from-start", NULL, OPTION_SWITCH, 0, NULL, NULL, NULL, ON(TAIL),
                           "Begin with the first change that is kept"},
    [OPTION_CONFLICT_EVENTS] =
        {"conflicts", NULL, OPTION_SWITCH, 0, NULL, NULL, NULL, ON(TAIL),
         "What happens to conflicts, too; when no TYPE is given, that alone"},
    [OPTION_DIFF] = {"diff", NULL, OPTION_SWITCH, 0, NULL, NULL, NULL, ON(TAIL),
                     "Show below each change which fields it changed"},
    [OPTION_TAIL_LIMIT] = {"limit", "N", OPTION_NUMBER, UINT64_MAX, NULL, NULL, NULL, ON(TAIL),
                           "End after so many changes"},
    [OPTION_ONLY_TYPE] = {"type", "TYPE", OPTION_MANY, 0, NULL, NULL, NULL, ON(EXPORT),
                          "Only records of this type"},
    [OPTION_WITH_HISTORY] =
        {"history", NULL, OPTION_SWITCH, 0, NULL, NULL, NULL, ON(EXPORT),
         "Every version that is kept, deletes included, instead of the records as they are"},
    [OPTION_RESUME] = {"resume", NULL, OPTION_SWITCH, 0, NULL, NULL, NULL, ON(EXPORT) | ON(IMPORT),
                       "Go on where an earlier run was interrupted"},
    [OPTION_ON_ERROR] = {"on-error", "WHAT", OPTION_TEXT, 0, "continue", NULL, NULL, ON(IMPORT),
                         "continue with (skip: the same) the other lines, or stop, at the first "
                         "line that fails"},
    [OPTION_MAX_ERRORS] = {"max-errors", "N", OPTION_NUMBER, UINT64_MAX, NULL, NULL, NULL,
                           ON(IMPORT), "Stop when so many lines have failed"},
    [OPTION_BAD_ROWS] = {"bad-rows", "FILE", OPTION_TEXT, 0, NULL, NULL, NULL, ON(IMPORT),
                         "Write the rows that fail into this CSV (line, column, reason, code) "
                         "instead of showing them"},
    [OPTION_IMPORT_TYPE] = {"type", "TYPE", OPTION_TEXT, 0, NULL, NULL, NULL, ON(IMPORT),
                            "The rows become records of this type"},
    [OPTION_FORMAT] = {"format", "WHAT", OPTION_TEXT, 0, NULL, NULL, NULL, ON(IMPORT),
                       "What the file is: csv, json (an array), ndjson, or ics (iCalendar). "
                       "Default: what its name says"},
    [OPTION_MAP] = {"map", "FILE", OPTION_TEXT, 0, NULL, NULL, NULL, ON(IMPORT),
                    "What becomes of a row, as a JSON object: see docs/importing.md"},
    [OPTION_FIELD] = {"field", "COLUMN=/POINTER[:KIND]", OPTION_MANY, 0, NULL, NULL, NULL,
                      ON(IMPORT),
                      "Where a column goes, and as what: text, number, number(.,), boolean, "
                      "boolean(ja/nein), date, date(dd.mm.yyyy), list, list(,), json. Without any, "
                      "every column is a member of its own name; may be given several times"},
    [OPTION_SET] = {"set", "/POINTER=TEXT", OPTION_MANY, 0, NULL, NULL, NULL, ON(IMPORT),
                    "A text that every record gets; may be given several times"},
    [OPTION_ID_FROM] = {"id-from", "COLUMN", OPTION_MANY, 0, NULL, NULL, NULL, ON(IMPORT),
                        "The column with the id; given several times they are joined with -. "
                        "Default: id"},
    [OPTION_ID_TEMPLATE] = {"id-template", "TEXT", OPTION_TEXT, 0, NULL, NULL, NULL, ON(IMPORT),
                            "How the id is made of columns: {Country}-{No}"},
    [OPTION_EMPTY] = {"empty", "WHAT", OPTION_TEXT, 0, NULL, NULL, NULL, ON(IMPORT),
                      "What an empty cell means: skip (no field; when not given), remove (no "
                      "field, and --update takes it away) or text (an empty text)"},
    [OPTION_SEPARATOR] = {"separator", "C", OPTION_TEXT, 0, NULL, NULL, NULL, ON(IMPORT),
                          "What separates the cells of a CSV: one character, or tab. Default: a "
                          "comma; in .tsv a tab"},
    [OPTION_ENCODING] = {"encoding", "NAME", OPTION_TEXT, 0, NULL, NULL, NULL, ON(IMPORT),
                         "utf-8 (when not given) or latin1"},
    [OPTION_NO_HEADER] = {"no-header", NULL, OPTION_SWITCH, 0, NULL, NULL, NULL, ON(IMPORT),
                          "The first row of the CSV is data; its columns are called 1, 2, 3"},
    [OPTION_UPDATE] = {"update", NULL, OPTION_SWITCH, 0, NULL, NULL, NULL, ON(IMPORT),
                       "Change records that are there: the row's fields replace theirs, others "
                       "stay. Default: they are left alone"},
    [OPTION_RESOURCE] = {"resource", "NAME", OPTION_MANY, 0, NULL, NULL, NULL,
                         ON_CALENDAR | ON(IMPORT),
                         "What is booked; may be given several times. calendar: all when not "
                         "given. import: what every event of an .ics file books, once"},
    [OPTION_CALENDAR_FIELD] = {"field", "POINTER", OPTION_TEXT, 0, NULL, NULL, NULL, ON_CALENDAR,
                               "Where a type declares several kinds of intervals, the resource of "
                               "the one that is meant. free: the first when not given"},
    [OPTION_FROM] = {"from", "TIME", OPTION_TEXT, 0, NULL, NULL, NULL, ON_CALENDAR,
                     "From this day or time on: 2026-03-01, 2026-03-01T09:30. Default: from now"},
    [OPTION_TO] = {"to", "TIME", OPTION_TEXT, 0, NULL, NULL, NULL, ON_CALENDAR,
                   "Up to this day or time, which is not included. Default: 31 days later"},
    [OPTION_ZONE] = {"zone", "ZONE", OPTION_TEXT, 0, NULL, NULL, NULL, ON_CALENDAR | ON(IMPORT),
                     "The time zone of --from and --to: Europe/Madrid. Default: UTC. import: of "
                     "the times in an .ics file that name none"},
    [OPTION_ICS] = {"ics", NULL, OPTION_SWITCH, 0, NULL, NULL, NULL, ON(CALENDAR),
                    "Print iCalendar, for other programs"},
    [OPTION_DURATION] = {"duration", "SPAN", OPTION_TEXT, 0, NULL, NULL, NULL, ON(FREE),
                         "How long it takes: 30m, 1h, 2d. Required"},
    [OPTION_FREE_LIMIT] = {"limit", "N", OPTION_NUMBER, CALENDAR_FREE_MAX, NULL, NULL, NULL,
                           ON(FREE), "How many times at most. Default: 5"},
    [OPTION_SORT] = {"sort", "FIELDS", OPTION_TEXT, 0, NULL, NULL, NULL, ON(LIST),
                     "Sort by these fields, commas between, - before one for descending: "
                     "-amount,$updated_at"},
    [OPTION_FIELDS] = {"fields", "FIELDS", OPTION_TEXT, 0, NULL, NULL, NULL, ON(LIST),
                       "Show only these fields of the data, commas between"},
    [OPTION_EXPLAIN] = {"explain", NULL, OPTION_SWITCH, 0, NULL, NULL, NULL, ON(LIST),
                        "Say which index was used and how many records were looked at"},
    [OPTION_LIMIT] = {"limit", "N", OPTION_NUMBER, LIST_LIMIT_MAX, NULL, NULL, NULL,
                      ON(LIST) | ON(HISTORY) | ON(CONFLICTS) | ON(INBOX) | ON(OPS),
                      "How many at most"},
    [OPTION_AFTER] = {"after", "CURSOR", OPTION_TEXT, 0, NULL, NULL, NULL,
                      ON(LIST) | ON(CONFLICTS) | ON(INBOX) | ON(OPS),
                      "Go on behind an earlier page, with the cursor it ended in"},
    [OPTION_ALL] = {"all", NULL, OPTION_SWITCH, 0, NULL, NULL, NULL,
                    ON(LIST) | ON(HISTORY) | ON(OPS), "All pages, one after the other"},
    [OPTION_BEFORE] = {"before", "VERSION", OPTION_NUMBER, UINT64_MAX, NULL, NULL, NULL,
                       ON(HISTORY), "Only versions below this one"},
    [OPTION_WITH_DATA] = {"with-data", NULL, OPTION_SWITCH, 0, NULL, NULL, NULL,
                          ON(HISTORY) | ON(TAIL), "Each version's data as well"},
    [OPTION_PARENT] = {"parent", "TYPE/ID", OPTION_TEXT, 0, NULL, NULL, NULL,
                       ON(PUT) | ON(PATCH) | ON(FORK),
                       "Put the record below this one; an empty text makes it a root"},
    [OPTION_TREE] = {"tree", NULL, OPTION_SWITCH, 0, NULL, NULL, NULL, ON(FORK) | ON(MERGE),
                     "With all that stands below it"},
    [OPTION_TTL] = {"ttl", "SECONDS", OPTION_NUMBER, LOCK_TTL_S_MAX, NULL, NULL, NULL, ON(LOCK),
                    "After how long without a renewal the lock is free again. Default: 30"},
    [OPTION_WAIT] = {"wait", "SECONDS", OPTION_NUMBER, SECONDS_MAX, NULL, NULL, NULL, ON(LOCK),
                     "How long to wait for the lock. Default: not at all"},
    [OPTION_NOTE] = {"note", "TEXT", OPTION_TEXT, 0, NULL, NULL, NULL, ON(LOCK),
                     "For those who find the lock held"},
    [OPTION_TYPE] = {"type", "TYPE", OPTION_TEXT, 0, NULL, NULL, NULL, ON(CONFLICTS),
                     "Only conflicts about records of this type"},
    [OPTION_RECORD] = {"record", "TYPE/ID", OPTION_TEXT, 0, NULL, NULL, NULL, ON(CONFLICTS),
                       "Only conflicts about this record"},
    [OPTION_PERSON] = {"person", "NAME", OPTION_TEXT, 0, NULL, NULL, NULL, ON(CONFLICTS),
                       "Only conflicts that wait for them, or whose write it was"},
    [OPTION_STATE] = {"state", "STATE", OPTION_TEXT, 0, NULL, NULL, NULL, ON(CONFLICTS),
                      "open (when not given), resolved, expired, overwritten, settled or any"},
    [OPTION_OLDER_THAN] = {"older-than", "SECONDS", OPTION_NUMBER, UINT32_MAX, NULL, NULL, NULL,
                           ON(CONFLICTS), "Only conflicts that were opened so long ago"},
    [OPTION_CHOICE] = {"choice", "CHOICE", OPTION_TEXT, 0, NULL, NULL, NULL, ON(CONFLICTS_RESOLVE),
                       "yours, current, merged or custom (takes DATA), instead of being asked"},
    [OPTION_UNREAD] = {"unread", NULL, OPTION_SWITCH, 0, NULL, NULL, NULL, ON(INBOX),
                       "Only what was not read yet"},
    [OPTION_LANE] = {"lane", "LANE", OPTION_TEXT, 0, NULL, NULL, NULL, ON(OPS) | ON(OPS_SUBMIT),
                     "The lane. ops submit: default when not given"},
    [OPTION_LANE_DEFAULT] = {"lane", "LANE", OPTION_TEXT, 0, "default", NULL, NULL, ON(AGENT),
                             "The lane to work in"},
    [OPTION_CLASS] = {"class", "CLASS", OPTION_TEXT, 0, NULL, NULL, NULL, ON(OPS_SUBMIT),
                      "low, normal (when not given), high, urgent or structural"},
    [OPTION_AGENT] = {"agent", "NAME", OPTION_TEXT, 0, NULL, NULL, NULL, ON(OPS) | ON(OPS_SUBMIT),
                      "The agent that is to do it"},
    [OPTION_FUNCTION] = {"function", "NAME", OPTION_TEXT, 0, NULL, NULL, NULL, ON(OPS_SUBMIT),
                         "The function that the server is to run"},
    [OPTION_OP_TYPE] = {"op-type", "WORD", OPTION_TEXT, 0, NULL, NULL, NULL, ON(OPS_SUBMIT),
                        "What kind of work it is, for people and estimates"},
    [OPTION_TARGET] = {"target", "TYPE/ID", OPTION_TEXT, 0, NULL, NULL, NULL, ON(OPS_SUBMIT),
                       "The record it is about"},
    [OPTION_OP_PARENT] = {"parent", "ID", OPTION_TEXT, 0, NULL, NULL, NULL, ON(OPS_SUBMIT),
                          "The operation it is a part of"},
    [OPTION_DEPENDS_ON] = {"depends-on", "ID", OPTION_MANY, 0, NULL, NULL, NULL, ON(OPS_SUBMIT),
                           "An operation that must be completed first; may be given several times"},
    [OPTION_BATCH_KEY] = {"batch-key", "KEY", OPTION_TEXT, 0, NULL, NULL, NULL, ON(OPS_SUBMIT),
                          "Operations with the same one may be taken together"},
    [OPTION_NOT_BEFORE] = {"not-before", "WHEN", OPTION_TEXT, 0, NULL, NULL, NULL, ON(OPS_SUBMIT),
                           "Start it later: 90s or 2h from now, or a time"},
    [OPTION_DEADLINE] = {"deadline", "WHEN", OPTION_TEXT, 0, NULL, NULL, NULL, ON(OPS_SUBMIT),
                         "It expires when it is not finished by then: 2h from now, or a time"},
    [OPTION_RUN_TIMEOUT] = {"run-timeout", "SECONDS", OPTION_NUMBER, SECONDS_MAX, NULL, NULL, NULL,
                            ON(OPS_SUBMIT), "How long one run may take. Default: the lane's"},
    [OPTION_WATCH] = {"watch", NULL, OPTION_SWITCH, 0, NULL, NULL, NULL, ON(OPS_SUBMIT),
                      "Follow it to its end"},
    [OPTION_OPERATION_STATUS] =
        {"status", "STATUS", OPTION_TEXT, 0, NULL, NULL, NULL, ON(OPS),
         "open (when not given), queued, running, retrying, completed, failed, rejected, "
         "cancelled, expired or any"},
    [OPTION_REASON] = {"reason", "TEXT", OPTION_TEXT, 0, NULL, NULL, NULL,
                       ON(OPS_CANCEL) | ON(PURGE),
                       "Why, for those who wait for it; purge: kept for good, and required"},
    [OPTION_WORKER] = {"worker", "NAME", OPTION_TEXT, 0, NULL, NULL, NULL, ON(AGENT),
                       "Which one of several agents of this name"},
    [OPTION_HANDS] = {"hands", "N", OPTION_NUMBER, 64, "1", NULL, NULL, ON(AGENT),
                      "How many operations at the same time"},
    [OPTION_LEASE_TTL] = {"ttl", "SECONDS", OPTION_NUMBER, 3600, NULL, NULL, NULL, ON(AGENT),
                          "How long after the last sign of life somebody else may take over. "
                          "Default: 15"},
    [OPTION_ONCE] = {"once", NULL, OPTION_SWITCH, 0, NULL, NULL, NULL, ON(AGENT),
                     "End after one operation"},
    [OPTION_UNTIL_EMPTY] = {"until-empty", NULL, OPTION_SWITCH, 0, NULL, NULL, NULL, ON(AGENT),
                            "End when nothing waits"},
    [OPTION_BIND] = {"bind", NULL, OPTION_SWITCH, 0, NULL, NULL, NULL, ON(AGENT),
                     "Give work back at once when the connection breaks. Not through a proxy that "
                     "shares connections"},
    [OPTION_FUNCTIONS_PRUNE] = {"prune", NULL, OPTION_SWITCH, 0, NULL, NULL, NULL,
                                ON(FUNCTIONS_APPLY),
                                "Delete the functions that are not in the folder"},
    [OPTION_ALERT_STATE] = {"state", "STATE", OPTION_TEXT, 0, NULL, NULL, NULL, ON(ALERTS),
                            "firing (when not given), resolved or any"},
    [OPTION_TOKEN_ACTOR] =
        {"actor", "NAME", OPTION_TEXT, 0, NULL, NULL, NULL, ON_TOKENS | ON(INIT),
         "Who the token stands for; every change made with it carries this name. list and revoke: "
         "only tokens of this actor. init: admin when not given"},
    [OPTION_NAME] = {"name", "NAME", OPTION_TEXT, 0, NULL, NULL, NULL, ON_TOKENS,
                     "What the token is for, to tell an actor's tokens apart"},
    [OPTION_ADMIN] = {"admin", NULL, OPTION_SWITCH, 0, NULL, NULL, NULL, ON(TOKEN_CREATE),
                      "May manage spaces and tokens, and import"},
    [OPTION_EXPIRES] =
        {"expires", "WHEN", OPTION_TEXT, 0, NULL, NULL, NULL, ON(TOKEN_CREATE),
         "90s, 30m, 24h, 7d from now, or a time (2026-03-01T12:00:00Z). Default: never"},
    [OPTION_REPLACE] = {"replace", NULL, OPTION_SWITCH, 0, NULL, NULL, NULL, ON(TOKEN_CREATE),
                        "Revoke the actor's other tokens of the same name in the same step"},
    [OPTION_ROLE] = {"role", "ROLE", OPTION_MANY, 0, NULL, NULL, NULL,
                     ON(USER_ADD) | ON(USER_INVITE) | ON(TOKEN_CREATE),
                     "A role they have, for the types' access rules; admin: may do everything. "
                     "May be given several times. Default: none, which is a member"},
    [OPTION_SCOPE] = {"scope", "SCOPE", OPTION_MANY, 0, NULL, NULL, NULL,
                      ON(USER_ADD) | ON(USER_INVITE) | ON(TOKEN_CREATE),
                      "What they may do at all: read, write, work, priority, operate, export. May "
                      "be given several times. Default: read, write and work"},
    [OPTION_USER_NAME] = {"name", "TEXT", OPTION_TEXT, 0, NULL, NULL, NULL,
                          ON(USER_ADD) | ON(USER_INVITE), "What they are called"},
    [OPTION_EMAIL] = {"email", "TEXT", OPTION_TEXT, 0, NULL, NULL, NULL, ON(USER_ADD),
                      "Their address; nothing is sent there. Not with --link"},
    [OPTION_LINK] = {"link", NULL, OPTION_SWITCH, 0, NULL, NULL, NULL,
                     ON(USER_ADD) | ON(USER_PASSWD),
                     "Print a link that works once, for them to set the password"},
    [OPTION_LINK_EXPIRES] = {"expires", "SPAN", OPTION_TEXT, 0, NULL, NULL, NULL, ON_LINKS,
                             "How long the link works: 30m, 24h, 7d. Default: 72h"},
    [OPTION_LINK_REPLACE] = {"replace", NULL, OPTION_SWITCH, 0, NULL, NULL, NULL, ON_LINKS,
                             "Take back the links for the same user, or of the same --name"},
    [OPTION_PASSWORD_STDIN] = {"password-stdin", NULL, OPTION_SWITCH, 0, NULL, NULL, NULL,
                               ON(USER_ADD) | ON(USER_PASSWD),
                               "Read the password from standard input, one line"},
    [OPTION_REVOKE] = {"revoke", NULL, OPTION_SWITCH, 0, NULL, NULL, NULL, ON(USER_SESSIONS),
                       "End them all"},
    [OPTION_EXAMPLE] =
        {"example", "NAME", OPTION_TEXT, 0, "records", NULL, NULL, ON(SIMULATE),
         "What the users work at: records, four plain kinds of them, or crm, a company's "
         "customers, deals and bookings"},
    [OPTION_SIMULATE_SPACE] =
        {"space", "NAME", OPTION_TEXT, 0, NULL, NULL, NULL, ON(SIMULATE),
         "Work in this space, in types of its own. Default: a space of its own; main for who may "
         "not make one"},
    [OPTION_USERS] = {"users", "N", OPTION_NUMBER, 1000, "5", NULL, NULL, ON(SIMULATE),
                      "How many users, each with a connection and a thread"},
    [OPTION_SECONDS] = {"seconds", "S", OPTION_NUMBER, SECONDS_MAX, "10", NULL, NULL, ON(SIMULATE),
                        "For how long they write"},
    [OPTION_RECORDS] = {"records", "N", OPTION_NUMBER, 1000000, "10", NULL, NULL, ON(SIMULATE),
                        "Records of each kind that they share: the fewer, the more conflicts"},
    [OPTION_THINK_MS] = {"think-ms", "MS", OPTION_NUMBER, 3600000, "20", NULL, NULL, ON(SIMULATE),
                         "How long a user thinks between reading and writing, on average"},
    [OPTION_SEED] = {"seed", "N", OPTION_NUMBER, UINT64_MAX, NULL, NULL, NULL, ON(SIMULATE),
                     "Makes the users choose as in an earlier run. Default: another one each time"},
    [OPTION_KEEP] = {"keep", NULL, OPTION_SWITCH, 0, NULL, NULL, NULL, ON(SIMULATE),
                     "Leave the records, and say where they are"},
    [OPTION_BACKUP_SPACE] =
        {"space", "NAME", OPTION_MANY, 0, NULL, NULL, NULL, ON(BACKUP),
         "Only this space; may be given several times. The space stet, which knows tokens and "
         "spaces, always comes along. Default: all"},
    [OPTION_VERIFY] = {"verify", NULL, OPTION_SWITCH, 0, NULL, NULL, NULL, ON(BACKUP),
                       "Read the backup DIR and compare every hash; make nothing"},
    [OPTION_RESTORE_DRY_RUN] = {"dry-run", NULL, OPTION_SWITCH, 0, NULL, NULL, NULL, ON(RESTORE),
                                "Read the backup and compare every hash; restore nothing"},
    [OPTION_MARKDOWN] = {"markdown", NULL, OPTION_SWITCH, 0, NULL, NULL, NULL, ON(HELP),
                         "Print docs/options.md, made from the program's own table"},
};

static const char *const exits[] = {
    [EXIT_DONE] = "done",
    [EXIT_FAILED] = "failed; the message says why",
    [EXIT_USAGE] = "the command line, the environment or the configuration file makes no sense; "
                   "nothing was done",
    [EXIT_CONFLICT] = "conflict: somebody else changed the record first, it exists already, or "
                      "somebody else holds the lock; nothing was written",
    [EXIT_NOT_FOUND] = "no such record, version, space or token",
    [EXIT_UNREACHABLE] =
        "the server cannot be reached, is busy or takes no writes now; try again later",
    [EXIT_DENIED] = "the token is missing, unknown or expired, or does not allow this",
};

const struct command_row *command_row(enum command_id id) { return &commands[id]; }

const struct option_row *option_row(enum option_id id) { return &options[id]; }

const char *option_choices(enum option_id id) {
    static const char *const choices[OPTION_COUNT] = {
        [OPTION_LOG_LEVEL] = "debug info warn error",
        [OPTION_ON_CONFLICT] = "reject merge last_writer_wins newest server_wins ask",
        [OPTION_STATE] = "open resolved expired overwritten settled any",
        [OPTION_CHOICE] = "yours current merged custom",
        [OPTION_ON_ERROR] = "continue skip stop",
        [OPTION_FORMAT] = "csv json ndjson ics",
        [OPTION_EMPTY] = "skip remove text",
        [OPTION_ENCODING] = "utf-8 latin1",
        [OPTION_CLASS] = "low normal high urgent structural",
        [OPTION_OPERATION_STATUS] =
            "open queued running retrying completed failed rejected cancelled expired any",
        [OPTION_ALERT_STATE] = "firing resolved any",
        [OPTION_EXAMPLE] = "records crm",
        [OPTION_SCOPE] = "read write work priority operate export",
    };
    return choices[id];
}

bool option_applies(enum option_id option, enum command_id command) {
    return (options[option].commands & command_bit(command)) != 0;
}

static bool same(const char *text, const char *bytes, size_t size) {
    return strlen(text) == size && memcmp(text, bytes, size) == 0;
}

enum option_id option_find(enum command_id command, const char *name, size_t size) {
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (option_applies((enum option_id)i, command) && same(options[i].name, name, size)) {
            return (enum option_id)i;
        }
    }
    return OPTION_COUNT;
}

enum option_id option_find_config(const char *key, size_t size) {
    for (size_t i = 0; i < OPTION_COUNT; i++) {
        if (options[i].config != NULL && same(options[i].config, key, size))
            return (enum option_id)i;
    }
    return OPTION_COUNT;
}

const char *exit_words(int code) {
    return code >= 0 && (size_t)code < sizeof exits / sizeof exits[0] ? exits[code] : NULL;
}
