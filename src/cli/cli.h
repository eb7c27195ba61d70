/*
 * What all commands share: their arguments, their output, one request at a time. A command is a function from this to an
 * exit code; whatever it could not do it has said by then.
 */
#ifndef CLI_CLI_H
#define CLI_CLI_H

#include "base/arena.h"
#include "base/buffer.h"
#include "cli/args.h"
#include "cli/peer.h"
#include "cli/terminal.h"
#include "doc/doc.h"
#include "stet.h"

struct cli {
    const struct args *args;
    struct arena *arena; /* Lives as long as the command; loops use one of their own. */
    struct terminal out;
    struct terminal errors;
    bool json;
    struct peer *peer; /* NULL until cli_connect. */
};

typedef int command_run(struct cli *cli);

command_run run_serve, run_init, run_space_list, run_space_create, run_space_delete, run_get,
    run_put, run_patch, run_delete, run_purge, run_list, run_history, run_diff, run_tail,
    run_export, run_import, run_completion, run_calendar, run_free, run_tree, run_fork, run_merge,
    run_lock, run_locks, run_conflicts, run_conflicts_show, run_conflicts_resolve,
    run_conflicts_reopen, run_inbox, run_inbox_read, run_inbox_dismiss, run_types_list,
    run_types_show, run_types_put, run_types_delete, run_types_apply, run_ops, run_ops_show,
    run_ops_submit, run_ops_watch, run_ops_cancel, run_ops_retry, run_lanes, run_lanes_show,
    run_lanes_set, run_lanes_pause, run_lanes_resume, run_lanes_drain, run_agent, run_functions,
    run_functions_show, run_functions_apply, run_functions_delete, run_functions_call,
    run_functions_test, run_handlers, run_handlers_show, run_handlers_put, run_handlers_delete,
    run_alerts, run_settings, run_settings_put, run_user_add, run_user_invite, run_user_passwd,
    run_user_disable, run_user_enable, run_user_role, run_user_list, run_user_sessions,
    run_token_create, run_token_list, run_token_revoke, run_check, run_simulate, run_backup,
    run_restore, run_version, run_help;

/* The exit code of a failure of our own, and of a server's answer. */
int cli_exit_of_status(stet_status status);
int cli_exit_of_http(int http);

/* Says why on standard error; returns the exit code. */
int cli_fail(struct cli *cli, const stet_error *err);

/* Opens the connection. EXIT_DONE, or the exit code after having said why. */
int cli_connect(struct cli *cli);

/* Starts a path: "/v1/SPACE", with the space of --space. What is appended to it must be encoded. */
void cli_path(struct cli *cli, struct buffer *path);

/* Appends "?name=text" or "&name=text", encoded. */
void cli_query(struct buffer *path, const char *name, stet_view text);
void cli_query_u64(struct buffer *path, const char *name, uint64_t value);

/* What the options say of any write: its mutation key, a fresh one where none is given, --base and --dry-run. */
void cli_query_write(struct cli *cli, struct buffer *path);
/* Ends the path of a call that may be repeated, for it has a mutation key. STET_NO_MEMORY */
stet_status cli_end_path(struct buffer *path, struct call *call, stet_error *err);

/* Sends a read of this path; see cli_send. */
int cli_get(struct cli *cli, struct buffer *path, struct arena *arena, struct answer *answer,
            struct doc *doc);

/*
 * Sends a call. A 2xx answer is parsed into doc (DOC_NONE-like empty text when there is no body) and EXIT_DONE returned;
 * a refusal is shown, as cli_refuse does, and its exit code returned.
 */
int cli_send(struct cli *cli, const struct call *call, struct arena *arena, struct answer *answer,
             struct doc *doc);

/* The text of an argument: itself, what is in @FILE, or standard input for "-". */
stet_status cli_body(struct cli *cli, const char *argument, stet_view *body, stet_error *err);

/* Shows a refusal: the problem document with --json, a report for people else. Returns the exit code. */
int cli_refuse(struct cli *cli, struct arena *arena, const struct answer *answer);

/* Prints an answer as one line of JSON, as it came. */
void cli_print_json(struct cli *cli, stet_view json);

/* True when the text ends standard output well; a full disk or a closed pipe is a failure too. */
int cli_finish(struct cli *cli, int code);

/* Whether the file to import is iCalendar; and its import. */
bool import_is_ics(const struct args *args);
int import_ics(struct cli *cli);

/* A conflict that waits, or is over: how it stands, and its sides field by field. */
void conflict_show(struct terminal *terminal, struct arena *arena, const struct doc *doc);
/* The conflict of a refused write: what happened before, its sides, and how to go on. */
void conflict_report(struct terminal *terminal, struct arena *arena, const struct doc *doc);

/* Makes the token of a fresh data directory, in process. Out: its text, in the arena. */
stet_status first_token_create(stet_engine *engine, struct arena *arena, const char *actor,
                               stet_view *answer, stet_view *token, stet_error *err);
/* Likewise the link with which the first administrator sets a password; one that was made before works no longer. */
stet_status first_link_create(stet_engine *engine, struct arena *arena, stet_view *token,
                              stet_error *err);

#endif
