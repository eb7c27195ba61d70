/*
 * The program: reads the command line, runs one command, returns its exit code.
 */
#include "base/view.h"
#include "cli/cli.h"

#include <stdlib.h>

static command_run *const runs[COMMAND_COUNT] = {
    [COMMAND_SERVE] = run_serve,
    [COMMAND_INIT] = run_init,
    [COMMAND_SPACE_LIST] = run_space_list,
    [COMMAND_SPACE_CREATE] = run_space_create,
    [COMMAND_SPACE_DELETE] = run_space_delete,
    [COMMAND_GET] = run_get,
    [COMMAND_PUT] = run_put,
    [COMMAND_PATCH] = run_patch,
    [COMMAND_DELETE] = run_delete,
    [COMMAND_PURGE] = run_purge,
    [COMMAND_LIST] = run_list,
    [COMMAND_HISTORY] = run_history,
    [COMMAND_DIFF] = run_diff,
    [COMMAND_TAIL] = run_tail,
    [COMMAND_EXPORT] = run_export,
    [COMMAND_IMPORT] = run_import,
    [COMMAND_TREE] = run_tree,
    [COMMAND_FORK] = run_fork,
    [COMMAND_MERGE] = run_merge,
    [COMMAND_CALENDAR] = run_calendar,
    [COMMAND_FREE] = run_free,
    [COMMAND_LOCK] = run_lock,
    [COMMAND_LOCKS] = run_locks,
    [COMMAND_TYPES_LIST] = run_types_list,
    [COMMAND_TYPES_SHOW] = run_types_show,
    [COMMAND_TYPES_PUT] = run_types_put,
    [COMMAND_TYPES_DELETE] = run_types_delete,
    [COMMAND_TYPES_APPLY] = run_types_apply,
    [COMMAND_OPS] = run_ops,
    [COMMAND_OPS_SHOW] = run_ops_show,
    [COMMAND_OPS_SUBMIT] = run_ops_submit,
    [COMMAND_OPS_WATCH] = run_ops_watch,
    [COMMAND_OPS_CANCEL] = run_ops_cancel,
    [COMMAND_OPS_RETRY] = run_ops_retry,
    [COMMAND_LANES] = run_lanes,
    [COMMAND_LANES_SHOW] = run_lanes_show,
    [COMMAND_LANES_SET] = run_lanes_set,
    [COMMAND_LANES_PAUSE] = run_lanes_pause,
    [COMMAND_LANES_RESUME] = run_lanes_resume,
    [COMMAND_LANES_DRAIN] = run_lanes_drain,
    [COMMAND_AGENT] = run_agent,
    [COMMAND_FUNCTIONS] = run_functions,
    [COMMAND_FUNCTIONS_SHOW] = run_functions_show,
    [COMMAND_FUNCTIONS_APPLY] = run_functions_apply,
    [COMMAND_FUNCTIONS_DELETE] = run_functions_delete,
    [COMMAND_FUNCTIONS_CALL] = run_functions_call,
    [COMMAND_FUNCTIONS_TEST] = run_functions_test,
    [COMMAND_HANDLERS] = run_handlers,
    [COMMAND_HANDLERS_SHOW] = run_handlers_show,
    [COMMAND_HANDLERS_PUT] = run_handlers_put,
    [COMMAND_HANDLERS_DELETE] = run_handlers_delete,
    [COMMAND_ALERTS] = run_alerts,
    [COMMAND_SETTINGS] = run_settings,
    [COMMAND_SETTINGS_PUT] = run_settings_put,
    [COMMAND_CONFLICTS_SHOW] = run_conflicts_show,
    [COMMAND_CONFLICTS_RESOLVE] = run_conflicts_resolve,
    [COMMAND_CONFLICTS_REOPEN] = run_conflicts_reopen,
    [COMMAND_CONFLICTS] = run_conflicts,
    [COMMAND_INBOX_READ] = run_inbox_read,
    [COMMAND_INBOX_DISMISS] = run_inbox_dismiss,
    [COMMAND_INBOX] = run_inbox,
    [COMMAND_USER_ADD] = run_user_add,
    [COMMAND_USER_INVITE] = run_user_invite,
    [COMMAND_USER_PASSWD] = run_user_passwd,
    [COMMAND_USER_DISABLE] = run_user_disable,
    [COMMAND_USER_ENABLE] = run_user_enable,
    [COMMAND_USER_ROLE] = run_user_role,
    [COMMAND_USER_LIST] = run_user_list,
    [COMMAND_USER_SESSIONS] = run_user_sessions,
    [COMMAND_TOKEN_CREATE] = run_token_create,
    [COMMAND_TOKEN_LIST] = run_token_list,
    [COMMAND_TOKEN_REVOKE] = run_token_revoke,
    [COMMAND_SIMULATE] = run_simulate,
    [COMMAND_BACKUP] = run_backup,
    [COMMAND_RESTORE] = run_restore,
    [COMMAND_CHECK] = run_check,
    [COMMAND_COMPLETION] = run_completion,
    [COMMAND_VERSION] = run_version,
    [COMMAND_HELP] = run_help,
};

static const char *environment(const char *name) { return getenv(name); }

int main(int argc, char **argv) {
    struct arena arena;
    struct args args;
    struct cli cli = {.args = &args, .arena = &arena};
    stet_error err = {0};
    int code;
    arena_init(&arena, 16 * 1024);
    terminal_init(&cli.out, stdout);
    terminal_init(&cli.errors, stderr);
    if (args_parse(&args, &arena, argc, (const char *const *)argv, environment, &err) != STET_OK) {
        code = cli_fail(&cli, &err);
        if (code != EXIT_FAILED || err.status == STET_IO) code = EXIT_USAGE;
    } else if (args.help) {
        code = run_help(&cli);
    } else {
        cli.json = args_switch(&args, OPTION_JSON);
        code = runs[args.command](&cli);
        peer_close(cli.peer);
    }
    code = cli_finish(&cli, code);
    arena_done(&arena);
    return code;
}
