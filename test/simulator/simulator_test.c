/*
 * A simulator: clients read, think and write at random against an engine that is driven by hand, in an order drawn from a seed. Answers
 * get lost and the writes are repeated by key; the engine is closed and opened in between; the clock jumps. At the end the
 * counters add up, every acknowledged write is there once, every refused one is not, and no version is missing.
 *
 * Prints its seed; STET_SEED repeats it, STET_SOAK=1 takes more steps.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/clock.h"
#include "base/view.h"
#include "core/client.h"
#include "core/engine.h"
#include "doc/doc.h"
#include "stet_wiring.h"
#include "store/testkit.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { CLIENTS = 6, COUNTERS = 4, ATTEMPTS_MAX = 20000 };

/*
 * A writer's round:   READING ──► THINKING ──► WAITING ──► (answer) ──► READING
 *                                     ▲            │
 *                                     └── UNSURE ◄─┘ the answer was lost: the same write again
 */
enum doing { READING, THINKING, WAITING, UNSURE };
enum fate { NOT_SENT, OPEN, DONE, REFUSED };

struct seen {
    unsigned counter;
    int64_t value;
    stet_version version;
};

struct writer {
    stet_client *client;
    stet_actor actor;
    char name[8];
    enum doing doing;
    struct seen seen[2]; /* What was read: one counter to increment, or two to move 1 between. */
    size_t parts;
    unsigned attempt; /* Names the mutation key. */
    stet_command *command;
    uint8_t fates[ATTEMPTS_MAX];
    uint8_t parts_of[ATTEMPTS_MAX];
};

static struct entropy_seeded random_source;
static struct clock_manual manual_clock;
static char folder[64];
static const char *data_dir;
static stet_engine *engine;
static stet_space *space;
static struct writer writers[CLIENTS];
static struct { unsigned done, refused, lost, replayed, restarts; } tally;

static uint64_t draw(uint64_t below) { return entropy_u64(&random_source.entropy) % below; }

static void open_engine(void) {
    const struct engine_seams seams = {.manual = true,
                                       .clock = &manual_clock.clock,
                                       .entropy = &random_source.entropy,
                                       .synchronous = "OFF",
                                       .wal_restart_bytes = 200000,
                                       .late_heads_max = 16};
    const stet_options options = {.data_dir = data_dir, .sequencer_threads = 1};
    must(engine_open(&options, &seams, stet_modules, &engine, err));
    for (unsigned i = 0; i < CLIENTS; i++)
        must(stet_client_create(engine, &writers[i].client, err));
    must(stet_space_open(writers[0].client, VIEW("main"), &space, err));
}

static void close_engine(void) {
    stet_space_close(space);
    for (unsigned i = 0; i < CLIENTS; i++)
        stet_client_destroy(writers[i].client);
    stet_close(engine);
}

static const stet_outcome *run(struct writer *writer, stet_command *command) {
    stet_error err = {0};
    stet_status status = stet_submit(space, &writer->actor, command, NULL, &err);
    if (status != STET_OK) fail_msg("%s", err.message);
    while (!stet_command_is_done(command)) {
        engine_step(engine);
        while (stet_client_next(writer->client) != NULL) {}
    }
    return stet_command_outcome(command);
}

static int64_t value_of(stet_view body, const char *pointer) {
    struct arena arena;
    struct doc doc;
    arena_init(&arena, 4096);
    must(doc_parse(&arena, body, NULL, &doc, err));
    stet_view text = doc_text(&doc, doc_pointer(&doc, view_of(pointer)));
    int64_t value = strtoll(text.bytes, NULL, 10);
    arena_done(&arena);
    return value;
}

static struct seen look(struct writer *writer, unsigned counter) {
    struct seen seen = {.counter = counter};
    char id[16];
    snprintf(id, sizeof id, "%u", counter);
    stet_command *command = stet_command_create(writer->client);
    assert_non_null(command);
    const stet_read read = {.type = VIEW("counter"), .id = view_of(id)};
    must(stet_command_read(command, &read, err));
    stet_error err = {0};
    if (stet_submit(space, &writer->actor, command, NULL, &err) != STET_OK)
        fail_msg("%s", err.message);
    assert_true(stet_command_is_done(command));
    const stet_outcome *outcome = stet_command_outcome(command);
    if (outcome->status == STET_OK) {
        seen.version = outcome->version;
        seen.value = value_of(outcome->body, "/data/n");
    } else {
        assert_int_equal(outcome->status, STET_NOT_FOUND);
    }
    stet_command_destroy(command);
    return seen;
}

/* The same bytes for the same attempt, however often it is sent. */
static void send(struct writer *writer) {
    stet_mutation mutations[2] = {0};
    char ids[2][16], data[2][80], key[16];
    for (size_t i = 0; i < writer->parts; i++) {
        const struct seen *seen = &writer->seen[i];
        snprintf(ids[i], sizeof ids[i], "%u", seen->counter);
        /* The name makes it differ from what another wrote: an equal result counts as unchanged, and would not add up. */
        snprintf(data[i], sizeof data[i], "{\"n\":%lld,\"w\":\"%s-%u\"}",
                 (long long)seen->value + (i == 0 ? 1 : -1), writer->name, writer->attempt);
        mutations[i] = (stet_mutation){.op = STET_OP_PUT,
                                       .type = VIEW("counter"),
                                       .id = view_of(ids[i]),
                                       .body = view_of(data[i]),
                                       .base.kind = STET_BASE_ABSENT};
        if (seen->version > 0)
            mutations[i].base = (stet_base){.kind = STET_BASE_VERSION, .value = seen->version};
    }
    snprintf(key, sizeof key, "a%u", writer->attempt);
    const stet_write write = {.mutations = mutations,
                              .mutation_count = writer->parts,
                              .transaction = writer->parts > 1,
                              .mutation_key = view_of(key)};
    writer->command = stet_command_create(writer->client);
    assert_non_null(writer->command);
    must(stet_command_write(writer->command, &write, err));
    must(stet_submit(space, &writer->actor, writer->command, NULL, err));
    writer->fates[writer->attempt] = OPEN;
    writer->parts_of[writer->attempt] = (uint8_t)writer->parts;
    writer->doing = WAITING;
}

static void lose_answer(struct writer *writer) {
    stet_command_destroy(writer->command);
    writer->command = NULL;
    writer->doing = UNSURE;
    tally.lost++;
}

static void hear(struct writer *writer) {
    const stet_outcome *outcome = stet_command_outcome(writer->command);
    if (outcome->status == STET_OK) {
        writer->fates[writer->attempt] = DONE;
        tally.done++;
        tally.replayed += outcome->replayed;
    } else {
        assert_true(outcome->status == STET_CONCURRENT_MODIFICATION ||
                    outcome->status == STET_ALREADY_EXISTS);
        writer->fates[writer->attempt] = REFUSED;
        tally.refused++;
    }
    stet_command_destroy(writer->command);
    writer->command = NULL;
    writer->attempt++;
    assert_true(writer->attempt < ATTEMPTS_MAX);
    writer->doing = READING;
}

/* One step of one writer. */
static void act(struct writer *writer) {
    switch (writer->doing) {
    case READING:
        writer->seen[0] = look(writer, (unsigned)draw(COUNTERS));
        writer->parts = 1 + draw(2);
        if (writer->parts == 2)
            writer->seen[1] = look(
                writer, (writer->seen[0].counter + 1 + (unsigned)draw(COUNTERS - 1)) % COUNTERS);
        writer->doing = THINKING;
        break;
    case THINKING:
    case UNSURE: send(writer); break;
    case WAITING:
        if (stet_client_next(writer->client) == NULL) break;
        if (draw(6) == 0) {
            lose_answer(writer);
        } else {
            hear(writer);
        }
        break;
    }
}

/* Everybody who waits loses the answer; the writes are repeated against the engine opened next. */
static void restart(void) {
    engine_step(engine);
    for (unsigned i = 0; i < CLIENTS; i++) {
        if (writers[i].doing != WAITING) continue;
        assert_non_null(stet_client_next(writers[i].client));
        lose_answer(&writers[i]);
    }
    close_engine();
    open_engine();
    tally.restarts++;
}

static void drain(void) {
    for (unsigned i = 0; i < CLIENTS; i++) {
        while (writers[i].doing == UNSURE || writers[i].doing == WAITING) {
            act(&writers[i]);
            engine_step(engine);
        }
    }
}

/* ---- Audit ------------------------------------------------------------------------------- */

static uint8_t found[CLIENTS][ATTEMPTS_MAX];

static void note_change(struct arena *arena, const struct doc *doc, doc_node change) {
    unsigned writer, attempt;
    stet_view by, key;
    assert_int_equal(doc_string(arena, doc, doc_member(doc, change, VIEW("by")), &by), STET_OK);
    assert_int_equal(
        doc_string(arena, doc, doc_member(doc, change, VIEW("client_mutation_id")), &key), STET_OK);
    assert_int_equal(sscanf(by.bytes, "c%u", &writer), 1);
    assert_int_equal(sscanf(key.bytes, "a%u", &attempt), 1);
    assert_true(writer < CLIENTS && attempt < ATTEMPTS_MAX);
    found[writer][attempt]++;
}

static void audit_history(unsigned counter) {
    stet_version before = 0;
    char id[16];
    snprintf(id, sizeof id, "%u", counter);
    stet_version expected = look(&writers[0], counter).version;
    while (expected > 0) {
        struct arena arena;
        struct doc doc;
        arena_init(&arena, 65536);
        stet_command *command = stet_command_create(writers[0].client);
        const stet_history history = {
            .type = VIEW("counter"), .id = view_of(id), .before = before, .limit = 500};
        must(stet_command_history(command, &history, err));
        must(doc_parse(&arena, run(&writers[0], command)->body, NULL, &doc, err));
        doc_node changes = doc_member(&doc, 0, VIEW("changes"));
        assert_true(doc_count(&doc, changes) > 0);
        for (doc_node change = doc_first(&doc, changes); change != DOC_NONE;
             change = doc_next(&doc, change)) {
            assert_true(doc_u64(&doc, doc_member(&doc, change, VIEW("version")), &before));
            assert_int_equal(before, expected--);
            note_change(&arena, &doc, change);
        }
        stet_command_destroy(command);
        arena_done(&arena);
    }
}

static void audit(void) {
    int64_t sum = 0, increments = 0;
    uint64_t findings;
    memset(found, 0, sizeof found);
    for (unsigned counter = 0; counter < COUNTERS; counter++) {
        sum += look(&writers[0], counter).value;
        audit_history(counter);
    }
    for (unsigned i = 0; i < CLIENTS; i++) {
        for (unsigned attempt = 0; attempt < writers[i].attempt; attempt++) {
            bool done = writers[i].fates[attempt] == DONE;
            unsigned parts = writers[i].parts_of[attempt];
            if (found[i][attempt] != (done ? parts : 0))
                fail_msg("write %u of %s: %u changes instead of %u", attempt, writers[i].name,
                         found[i][attempt], done ? parts : 0);
            increments += done && parts == 1;
        }
    }
    assert_int_equal(sum, increments);
    struct store_reader *reader = store_writer_reader(((struct space *)space)->store);
    must(store_check(reader, NULL, NULL, &findings, err));
    assert_int_equal(findings, 0);
}

static void simulate(const char *dir, uint64_t seed, unsigned steps) {
    data_dir = dir;
    entropy_seeded_init(&random_source, seed);
    clock_manual_init(&manual_clock, INT64_C(1700000000) * CLOCK_NS_PER_S);
    memset(writers, 0, sizeof writers);
    memset(&tally, 0, sizeof tally);
    for (unsigned i = 0; i < CLIENTS; i++) {
        snprintf(writers[i].name, sizeof writers[i].name, "c%u", i);
        writers[i].actor = (stet_actor){.id = view_of(writers[i].name)};
    }
    open_engine();
    for (unsigned step = 0; step < steps; step++) {
        uint64_t what = draw(1000);
        if (what < 250) {
            engine_step(engine);
        } else if (what < 350) {
            engine_step_batch(engine, (struct space *)space, 1 + draw(3));
        } else if (what < 360) {
            manual_clock.wall_ns += (int64_t)draw(4000000000) - 2000000000;
        } else if (what < 362 && dir != NULL) {
            restart();
        } else {
            act(&writers[draw(CLIENTS)]);
        }
    }
    drain();
    audit();
    close_engine();
    print_message("seed %llu, %u steps: %u writes done, %u of them replays, %u refused, %u answers "
                  "lost, %u restarts\n",
                  (unsigned long long)seed, steps, tally.done, tally.replayed, tally.refused,
                  tally.lost, tally.restarts);
    assert_true(tally.done > 0 && tally.refused > 0 && tally.replayed > 0);
}

static uint64_t seed_of_run(void) {
    const char *seed = getenv("STET_SEED");
    return seed != NULL ? strtoull(seed, NULL, 10) : (uint64_t)time(NULL);
}

static void writers_in_memory_lose_nothing(void **state) {
    (void)state;
    unsigned rounds = getenv("STET_SOAK") != NULL ? 200 : 5;
    for (unsigned round = 0; round < rounds; round++)
        simulate(NULL, seed_of_run() + round, 5000);
}

static void writers_across_restarts_lose_nothing(void **state) {
    (void)state;
    unsigned rounds = getenv("STET_SOAK") != NULL ? 100 : 3;
    for (unsigned round = 0; round < rounds; round++) {
        kit_folder(folder);
        simulate(folder, seed_of_run() + round, 5000);
        assert_true(tally.restarts > 0);
        kit_remove(folder);
    }
}

int main(void) {
    if (sodium_init() < 0) return 1;
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(writers_in_memory_lose_nothing),
        cmocka_unit_test(writers_across_restarts_lose_nothing),
    };
    return cmocka_run_group_tests_name("simulator", tests, NULL, NULL);
}
