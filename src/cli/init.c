#include "base/error.h"
#include "base/view.h"
#include "cli/cli.h"

int run_init(struct cli *cli) {
    stet_engine *engine = NULL;
    stet_client *client = NULL;
    stet_view answer;
    stet_view token;
    stet_error err;
    bool any = false;
    const char *data = args_text(cli->args, OPTION_DATA);
    const char *actor = args_text(cli->args, OPTION_TOKEN_ACTOR);
    int code = EXIT_DONE;
    stet_status status =
        stet_open(&(stet_options){.data_dir = data, .sequencer_threads = 1, .worker_threads = 1},
                  &engine, &err);
    if (status == STET_OK) status = stet_client_create(engine, &client, &err);
    if (status == STET_OK) status = stet_has_tokens(client, &any, &err);
    if (status == STET_OK && any) {
        status = error_set(&err, STET_ALREADY_EXISTS,
                           "\"%s\" is a data directory already; `stet token create --actor NAME "
                           "--admin --data %s` makes "
                           "a token for it",
                           data, data);
    }
    if (status == STET_OK) {
        status = first_token_create(engine, cli->arena, actor != NULL ? actor : "admin", &answer,
                                    &token, &err);
    }
    if (status != STET_OK) {
        code = cli_fail(cli, &err);
    } else if (cli->json) {
        cli_print_json(cli, answer);
    } else {
        fprintf(
            cli->out.stream,
            "Created the data directory %s. The token of its administrator, shown this once:\n\n",
            data);
        fprintf(cli->out.stream, "  %.*s\n", VIEW_ARG(token));
    }
    stet_client_destroy(client);
    stet_close(engine);
    return code;
}
