/*
 * The blocking calls of stet.h: each borrows an idle client of the engine, submits, waits on its descriptor, and leaves the
 * client with the result until that is destroyed.
 */
#include "base/error.h"
#include "base/view.h"
#include "core/client.h"
#include "core/render.h"
#include "core/submit.h"

#include <assert.h>
#include <poll.h>
#include <stdlib.h>

struct stet_result {
    stet_client *client;
    stet_command *command;
};

static stet_status client_borrow(stet_engine *engine, stet_client **client, stet_error *err) {
    pthread_mutex_lock(&engine->clients_lock);
    *client = engine->idle_clients;
    if (*client != NULL) engine->idle_clients = (*client)->next;
    pthread_mutex_unlock(&engine->clients_lock);
    return *client != NULL ? STET_OK : client_create(engine, client, err);
}

static void client_return(stet_engine *engine, stet_client *client) {
    pthread_mutex_lock(&engine->clients_lock);
    client->next = engine->idle_clients;
    engine->idle_clients = client;
    pthread_mutex_unlock(&engine->clients_lock);
}

stet_status stet_space_open_blocking(stet_engine *engine, stet_view name, stet_space **space,
                                     stet_error *err) {
    if (engine == NULL || space == NULL) return error_set(err, STET_MISUSE, "a null pointer");
    struct space *opened;
    stet_status status = engine_space(engine, name, &opened, err);
    if (status == STET_OK) *space = (stet_space *)opened;
    return status;
}

const stet_outcome *stet_result_outcome(stet_result *result) {
    return stet_command_outcome(result->command);
}

void stet_result_destroy(stet_result *result) {
    if (result == NULL) return;
    stet_client *client = result->client;
    command_destroy(result->command);
    client_return(client->engine, client);
    free(result);
}

/* Submits and waits. On STET_OK the command is done. */
static stet_status run(struct space *space, const stet_actor *actor, struct stet_command *command,
                       stet_error *err) {
    stet_client *client = command->client;
    stet_status status = command_submit(space, actor, command, NULL, err);
    if (status != STET_OK || command->done) return status;
    for (;;) {
        struct stet_command *done = client_next(client);
        assert(done == NULL ||
               done == command); /* Only one at a time is under way on a borrowed client. */
        if (done != NULL) return STET_OK;
        struct pollfd wait = {.fd = client->fd, .events = POLLIN};
        poll(&wait, 1, -1);
    }
}

stet_status stet_run_blocking(stet_space *space_handle, const stet_actor *actor,
                              stet_status (*fill)(stet_command *command, void *context,
                                                  stet_error *err),
                              void *context, stet_result **result_out, stet_error *err) {
    if (space_handle == NULL || actor == NULL || fill == NULL || result_out == NULL)
        return error_set(err, STET_MISUSE, "a null pointer");
    struct space *space = (struct space *)space_handle;
    *result_out = NULL;
    stet_result *result = calloc(1, sizeof *result);
    if (result == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    stet_status status = client_borrow(space->engine, &result->client, err);
    if (status != STET_OK) {
        free(result);
        return status;
    }
    result->command = command_create(result->client);
    status = result->command == NULL ? error_set(err, STET_NO_MEMORY, "out of memory")
                                     : fill(result->command, context, err);
    if (status == STET_OK) status = run(space, actor, result->command, err);
    if (status != STET_OK) {
        stet_result_destroy(result);
        return status;
    }
    const stet_outcome *outcome = stet_result_outcome(result);
    if (outcome->status != STET_OK && err != NULL) *err = outcome->error;
    *result_out = result;
    return outcome->status;
}

static stet_status fill_write(stet_command *command, void *context, stet_error *err) {
    return stet_command_write(command, context, err);
}

static stet_status fill_read(stet_command *command, void *context, stet_error *err) {
    return stet_command_read(command, context, err);
}

static stet_status fill_resolve(stet_command *command, void *context, stet_error *err) {
    return stet_command_resolve(command, context, err);
}

stet_status stet_write_blocking(stet_space *space, const stet_actor *actor, const stet_write *write,
                                stet_result **result, stet_error *err) {
    return stet_run_blocking(space, actor, fill_write, (void *)(uintptr_t)write, result, err);
}

stet_status stet_read_blocking(stet_space *space, const stet_actor *actor, const stet_read *read,
                               stet_result **result, stet_error *err) {
    return stet_run_blocking(space, actor, fill_read, (void *)(uintptr_t)read, result, err);
}

stet_status stet_resolve_blocking(stet_space *space, const stet_actor *actor,
                                  const stet_resolution *resolution, stet_result **result,
                                  stet_error *err) {
    return stet_run_blocking(space, actor, fill_resolve, (void *)(uintptr_t)resolution, result,
                             err);
}

/* ---- By address -------------------------------------------------------------------------- */

static stet_status write_one(stet_space *space, const stet_actor *actor, stet_view address,
                             stet_mutation mutation, stet_result **result, stet_error *err) {
    struct arena arena;
    arena_init(&arena, 1024);
    stet_status status = address_parse(&arena, address, &mutation.type, &mutation.id, err);
    if (status == STET_OK) {
        stet_write write = {.mutations = &mutation, .mutation_count = 1};
        status = stet_write_blocking(space, actor, &write, result, err);
    }
    arena_done(&arena);
    return status;
}

stet_status stet_put(stet_space *space, const stet_actor *actor, stet_view address, stet_view data,
                     stet_version base, stet_result **result, stet_error *err) {
    if (result == NULL) return error_set(err, STET_MISUSE, "a null pointer");
    *result = NULL;
    stet_mutation mutation = {.op = base == STET_VERSION_NONE ? STET_OP_CREATE : STET_OP_PUT,
                              .body = data};
    if (base != STET_VERSION_NONE)
        mutation.base = (stet_base){.kind = STET_BASE_VERSION, .value = base};
    return write_one(space, actor, address, mutation, result, err);
}

stet_status stet_delete(stet_space *space, const stet_actor *actor, stet_view address,
                        stet_version base, stet_result **result, stet_error *err) {
    if (result == NULL) return error_set(err, STET_MISUSE, "a null pointer");
    *result = NULL;
    stet_mutation mutation = {.op = STET_OP_DELETE,
                              .base = {.kind = STET_BASE_VERSION, .value = base}};
    return write_one(space, actor, address, mutation, result, err);
}

stet_status stet_get(stet_space *space, const stet_actor *actor, stet_view address,
                     stet_result **result, stet_error *err) {
    struct arena arena;
    stet_read read = {0};
    if (result == NULL) return error_set(err, STET_MISUSE, "a null pointer");
    *result = NULL;
    arena_init(&arena, 1024);
    stet_status status = address_parse(&arena, address, &read.type, &read.id, err);
    if (status == STET_OK) status = stet_read_blocking(space, actor, &read, result, err);
    arena_done(&arena);
    return status;
}
