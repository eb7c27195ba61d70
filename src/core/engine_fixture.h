/*
 * For tests: an engine driven by hand, in memory, and writes and reads in a word. Everything asserts; include it after cmocka.h.
 */
#ifndef CORE_ENGINE_FIXTURE_H
#define CORE_ENGINE_FIXTURE_H

#include "base/view.h"
#include "core/client.h"
#include "core/command.h"
#include "core/engine.h"
#include "core/submit.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct fixture {
    stet_engine *engine;
    struct space *space;
    stet_client *client;
    stet_actor actor;
};

static const struct module *const fixture_no_modules[] = {NULL};

static inline void fixture_open_with(struct fixture *fixture, const stet_options *options,
                                     const struct engine_seams *seams,
                                     const struct module *const *modules) {
    *fixture = (struct fixture){.actor = {.id = VIEW("ann"), .admin = true}};
    assert_int_equal(engine_open(options, seams, modules, &fixture->engine, NULL), STET_OK);
    assert_int_equal(engine_space(fixture->engine, VIEW("main"), &fixture->space, NULL), STET_OK);
    assert_int_equal(client_create(fixture->engine, &fixture->client, NULL), STET_OK);
}

static inline void fixture_open(struct fixture *fixture) {
    const struct engine_seams seams = {.manual = true};
    fixture_open_with(fixture, NULL, &seams, fixture_no_modules);
}

static inline void fixture_close(struct fixture *fixture) {
    client_destroy(fixture->client);
    space_unref(fixture->space);
    engine_close(fixture->engine);
}

/* Works until the command is done; with threads, waits for it. */
static inline void fixture_finish(struct fixture *fixture, struct stet_command *command) {
    while (!command->done) {
        if (fixture->engine->seams.manual) assert_true(engine_step(fixture->engine));
        while (client_next(fixture->client) != NULL)
            ;
    }
}

static inline struct stet_command *fixture_submit_write(struct fixture *fixture,
                                                        const stet_mutation *mutations,
                                                        size_t count, const char *key) {
    struct stet_command *command = command_create(fixture->client);
    const stet_write write = {.mutations = mutations,
                              .mutation_count = count,
                              .transaction = count > 1,
                              .mutation_key = view_of(key)};
    assert_non_null(command);
    assert_int_equal(command_fill_write(command, &write, NULL), STET_OK);
    assert_int_equal(command_submit(fixture->space, &fixture->actor, command, NULL, NULL), STET_OK);
    return command;
}

/* Writes; the answer's body is copied into `body` where that is not NULL. Returns the outcome's status. */
static inline stet_status fixture_write(struct fixture *fixture, const stet_mutation *mutations,
                                        size_t count, char **body) {
    struct stet_command *command = fixture_submit_write(fixture, mutations, count, NULL);
    stet_status status;
    fixture_finish(fixture, command);
    if (!command->rendered) command_render(command);
    status = command->outcome.status;
    if (body != NULL) *body = strndup(command->outcome.body.bytes, command->outcome.body.size);
    command_destroy(command);
    return status;
}

static inline stet_version fixture_version(struct fixture *fixture, const char *type,
                                           const char *id) {
    struct change *head = NULL;
    stet_version version = 0;
    if (client_head(fixture->client, fixture->space, view_of(type), view_of(id), &head, NULL) ==
        STET_OK)
        version = head->row.version;
    change_unref(head);
    return version;
}

static inline stet_mutation fixture_mutation(struct fixture *fixture, stet_op op, const char *type,
                                             const char *id, const char *body) {
    stet_version version = fixture_version(fixture, type, id);
    return (stet_mutation){
        .op = op,
        .type = view_of(type),
        .id = view_of(id),
        .base = {.kind = version == 0 ? STET_BASE_NONE : STET_BASE_VERSION, .value = version},
        .body = view_of(body)};
}

/* Writes onto whatever the head is. data NULL: deletes. Returns the new version. */
static inline stet_version fixture_put(struct fixture *fixture, const char *type, const char *id,
                                       const char *data) {
    stet_mutation mutation =
        fixture_mutation(fixture, data == NULL ? STET_OP_DELETE : STET_OP_PUT, type, id, data);
    assert_int_equal(fixture_write(fixture, &mutation, 1, NULL), STET_OK);
    return fixture_version(fixture, type, id);
}

static inline uint64_t fixture_seq(const struct fixture *fixture) {
    return ring_published((struct ring *)&fixture->space->ring);
}

#endif
