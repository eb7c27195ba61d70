/*
 * The first token of a data directory, and the first administrator's link: made in process, because nobody holds anything yet that
 * the server would accept.
 */
#include "base/error.h"
#include "base/view.h"
#include "cli/answer.h"
#include "cli/cli.h"

static stet_status token_fill(stet_command *command, void *context, stet_error *err) {
    return stet_command_token_create(command, context, err);
}

/* Runs what fill says in the server's own space. answer: in the arena. */
static stet_status run_at_home(stet_engine *engine, struct arena *arena,
                               stet_status (*fill)(stet_command *, void *, stet_error *),
                               void *context, stet_view *answer, stet_view *token,
                               stet_error *err) {
    stet_space *space = NULL;
    stet_result *result = NULL;
    struct doc doc;
    stet_status status = stet_space_open_blocking(engine, VIEW("stet"), &space, err);
    if (status != STET_OK) return status;
    status = stet_run_blocking(space, &(stet_actor){.id = VIEW("local"), .admin = true}, fill,
                               context, &result, err);
    if (status != STET_OK) goto done;
    *answer = arena_copy(arena, stet_result_outcome(result)->body);
    if (answer->bytes == NULL) {
        status = error_set(err, STET_NO_MEMORY, "out of memory");
        goto done;
    }
    status = answer_parse(arena, *answer, &doc, err);
    if (status == STET_OK) *token = answer_text(arena, &doc, 0, "token");
done:
    stet_result_destroy(result);
    stet_space_close(space);
    return status;
}

stet_status first_token_create(stet_engine *engine, struct arena *arena, const char *actor,
                               stet_view *answer, stet_view *token, stet_error *err) {
    stet_token_request request = {.actor = view_of(actor), .name = VIEW("first"), .admin = true};
    return run_at_home(engine, arena, token_fill, &request, answer, token, err);
}

static stet_status link_fill(stet_command *command, void *context, stet_error *err) {
    return stet_command_link_create(command, context, err);
}

stet_status first_link_create(stet_engine *engine, struct arena *arena, stet_view *token,
                              stet_error *err) {
    static const stet_view roles[] = {{"admin", 5}};
    stet_view answer;
    stet_link link = {.kind = STET_LINK_INVITE,
                      .name = VIEW("first administrator"),
                      .roles = roles,
                      .role_count = 1,
                      .replace = true};
    return run_at_home(engine, arena, link_fill, &link, &answer, token, err);
}
