/*
 * Reads are linearizable on one server: readers with caches of their own race writers. Once anybody has seen version n of a record,
 * or was told that it is written, no read that starts later, on any thread and by any route, sees less.
 */
#include "doc/doc.h"

#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "core/engine_fixture.h"

enum { RECORDS = 4, WRITES = 3000, WRITERS = 2, READERS = 2 };

struct race {
    stet_engine *engine;
    struct space *space;
    stet_actor actor;
    _Atomic uint64_t seen[RECORDS]; /* The highest version anybody knows of. */
    atomic_int writing;
    _Atomic(const char *) failure;
};

static void note(struct race *race, int record, uint64_t version) {
    uint64_t known = atomic_load(&race->seen[record]);
    while (known < version && !atomic_compare_exchange_weak(&race->seen[record], &known, version))
        ;
}

static void check(struct race *race, int record, uint64_t floor, uint64_t version,
                  const char *route) {
    if (version < floor) atomic_store(&race->failure, route);
    note(race, record, version);
}

static void finish(stet_client *client, struct stet_command *command) {
    while (!command->done) {
        struct pollfd descriptor = {.fd = client->fd, .events = POLLIN};
        poll(&descriptor, 1, 1000);
        while (client_next(client) != NULL)
            ;
    }
    command_render(command);
}

static void submit(struct race *race, stet_client *client, struct stet_command *command) {
    if (command_submit(race->space, &race->actor, command, NULL, NULL) != STET_OK) {
        atomic_store(&race->failure, "could not submit");
        return;
    }
    finish(client, command);
}

static const char *name_of(int record) {
    static const char *const names[RECORDS] = {"0", "1", "2", "3"};
    return names[record];
}

static void *write_records(void *context) {
    struct race *race = context;
    stet_client *client;
    char data[48];
    if (client_create(race->engine, &client, NULL) != STET_OK) abort();
    for (int index = 0; index < WRITES; index++) {
        int record = index % RECORDS;
        stet_version base = atomic_load(&race->seen[record]);
        struct stet_command *command = command_create(client);
        snprintf(data, sizeof data, "{\"n\":%d,\"by\":%d}", index, (int)(intptr_t)client & 0xffff);
        const stet_mutation mutation = {
            .op = STET_OP_PUT,
            .type = VIEW("tasks"),
            .id = view_of(name_of(record)),
            .base = {.kind = base == 0 ? STET_BASE_NONE : STET_BASE_VERSION, .value = base},
            .body = view_of(data),
        };
        const stet_write write = {.mutations = &mutation, .mutation_count = 1};
        if (command_fill_write(command, &write, NULL) != STET_OK) abort();
        submit(race, client, command);
        /* A loser is told the version that won, which must be one it may be told of. */
        if (command->outcome.version > 0)
            check(race, record, base, command->outcome.version, "a write's answer");
        command_destroy(command);
    }
    client_destroy(client);
    atomic_fetch_sub(&race->writing, 1);
    return NULL;
}

static void read_one(struct race *race, stet_client *client, int record, stet_at at) {
    struct stet_command *command = command_create(client);
    uint64_t floor = atomic_load(&race->seen[record]);
    command->kind = COMMAND_READ;
    command->read = (stet_read){.type = VIEW("tasks"), .id = view_of(name_of(record)), .at = at};
    if (at == STET_AT_SEQ) command->read.at_value = UINT64_MAX;
    submit(race, client, command);
    check(race, record, floor, command->outcome.version,
          at == STET_AT_HEAD ? "a point read" : "a read of the past");
    command_destroy(command);
}

static void check_list(struct race *race, const uint64_t *floors, stet_view body) {
    struct arena arena;
    struct doc doc;
    arena_init(&arena, 4096);
    if (doc_parse(&arena, body, NULL, &doc, NULL) != STET_OK) {
        atomic_store(&race->failure, "a list that is not JSON");
    } else {
        doc_node records = doc_pointer(&doc, VIEW("/records"));
        uint64_t snapshot = 0;
        doc_u64(&doc, doc_pointer(&doc, VIEW("/seq")), &snapshot);
        for (doc_node one = doc_first(&doc, records); one != DOC_NONE; one = doc_next(&doc, one)) {
            int record = doc_text(&doc, doc_member(&doc, one, VIEW("id"))).bytes[1] - '0';
            uint64_t version = 0, seq = 0;
            doc_u64(&doc, doc_member(&doc, one, VIEW("version")), &version);
            doc_u64(&doc, doc_member(&doc, one, VIEW("seq")), &seq);
            check(race, record, floors[record], version, "a list");
            if (seq > snapshot) atomic_store(&race->failure, "a list newer than its snapshot");
        }
    }
    arena_done(&arena);
}

static void read_list(struct race *race, stet_client *client) {
    struct stet_command *command = command_create(client);
    uint64_t floors[RECORDS];
    for (int record = 0; record < RECORDS; record++)
        floors[record] = atomic_load(&race->seen[record]);
    command->kind = COMMAND_LIST;
    command->list = (stet_list){.type = VIEW("tasks")};
    submit(race, client, command);
    if (command->outcome.status == STET_OK)
        check_list(race, floors, command->outcome.body);
    else
        atomic_store(&race->failure, "a list that failed");
    command_destroy(command);
}

static void *read_records(void *context) {
    struct race *race = context;
    stet_client *client;
    if (client_create(race->engine, &client, NULL) != STET_OK) abort();
    for (unsigned round = 0; atomic_load(&race->writing) > 0; round++) {
        read_one(race, client, (int)(round % RECORDS), STET_AT_HEAD);
        if (round % 7 == 0) read_one(race, client, (int)(round / 7 % RECORDS), STET_AT_SEQ);
        if (round % 50 == 0) read_list(race, client);
    }
    client_destroy(client);
    return NULL;
}

static void run_race(const char *folder) {
    const struct engine_seams seams = {.synchronous = "OFF"};
    const stet_options options = {.data_dir = folder};
    struct race race = {.actor = {.id = VIEW("ann")}, .writing = WRITERS};
    pthread_t threads[WRITERS + READERS];
    assert_int_equal(engine_open(&options, &seams, fixture_no_modules, &race.engine, NULL),
                     STET_OK);
    assert_int_equal(engine_space(race.engine, VIEW("main"), &race.space, NULL), STET_OK);
    for (int index = 0; index < WRITERS + READERS; index++)
        assert_int_equal(pthread_create(&threads[index], NULL,
                                        index < WRITERS ? write_records : read_records, &race),
                         0);
    for (int index = 0; index < WRITERS + READERS; index++)
        pthread_join(threads[index], NULL);
    if (atomic_load(&race.failure) != NULL)
        fail_msg("saw less than was known: %s", atomic_load(&race.failure));
    for (int record = 0; record < RECORDS; record++)
        assert_true(atomic_load(&race.seen[record]) > 0);
    space_unref(race.space);
    engine_close(race.engine);
}

static void nobody_sees_less_than_is_known_in_memory(void **state) {
    (void)state;
    run_race(NULL);
}

static void nobody_sees_less_than_is_known_on_disk(void **state) {
    (void)state;
    char folder[] = "/tmp/stet-linear-XXXXXX";
    char command[64];
    assert_non_null(mkdtemp(folder));
    run_race(folder);
    snprintf(command, sizeof command, "rm -rf %s", folder);
    assert_int_equal(system(command), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_sees_less_than_is_known_in_memory),
        cmocka_unit_test(nobody_sees_less_than_is_known_on_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
