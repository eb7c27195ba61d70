/*
 * POST …/transactions: many mutations, all or nothing.
 */
#include "base/error.h"
#include "http/handlers.h"
#include "http/terms.h"

struct transaction {
    struct terms terms; /* First: terms_reply reads request->state as terms. */
    struct doc doc;
    stet_mutation *mutations;
    size_t count;
};

static stet_status read_transaction(struct request *request, struct transaction *transaction,
                                    stet_error *err) {
    struct body body;
    stet_status status = request_json_body(request, &transaction->doc, err);
    if (status == STET_OK) {
        status = body_read(&body, &request->arena, &transaction->doc, 0,
                           terms_members(TERMS_KEY) | MEMBER_BIT(MEMBER_MUTATIONS), "", err);
    }
    return status == STET_OK
               ? terms_read_mutations(&transaction->terms, &body, &transaction->mutations,
                                      &transaction->count, err)
               : status;
}

void handle_transaction(struct request *request) {
    stet_error err;
    struct transaction *transaction = arena_zalloc(&request->arena, 1, sizeof *transaction);
    stet_status status = transaction == NULL ? error_set(&err, STET_NO_MEMORY, "out of memory")
                                             : terms_read(&transaction->terms, request,
                                                          TERMS_KEY | TERMS_DRY_RUN, &err);
    if (status == STET_OK) status = params_finish(&request->params, &err);
    if (status == STET_OK) status = read_transaction(request, transaction, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    stet_write write = {
        .mutations = transaction->mutations,
        .mutation_count = transaction->count,
        .transaction = true,
        .mutation_key = transaction->terms.key,
        .dry_run = transaction->terms.dry_run,
    };
    request->state = transaction;
    status = stet_command_write(command, &write, &err);
    if (request_ok(request, status, &err)) request_submit(request, terms_reply);
}
