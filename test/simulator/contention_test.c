/*
 * A simulator of people and agents who all want the same record: a storm of writers of class low, some of class normal and high, one
 * structural operation after the other, and two people, each reading, thinking and writing what follows from what was read. The engine is
 * driven by hand and time is counted, not waited for: the next thing that happens is the next in time.
 *
 * The same seed is run twice: by the rules (core/retry.h, core/reservations.h), and flat: everybody pauses alike, has no class, reserves
 * nothing and tries until it succeeds. What holds of the first:
 *   - nobody starves: an operation is rejected only after all retries of its class, or, of class low, to give way;
 *   - a structural operation needs at most RESERVATION_LEVEL + 1 attempts and one for each operation that may be ahead of it;
 *   - no livelock: something is committed in every second, and the record is the number of the commits;
 *   - a person waits RESERVATION_WAIT_MS_MAX at most for an answer;
 *   - of class high the slowest in a thousand is at least LESS_AT_LEAST times faster than flat.
 *
 * contention_test [SEEDS [SECONDS [FIRST_SEED]]] runs more of them for longer; the figures in docs/contention.md are of `20 60`.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/limits.h"
#include "core/engine_fixture.h"
#include "core/reservations.h"
#include "core/retry.h"

#include <inttypes.h>
#include <sodium.h>

enum { LESS_AT_LEAST = 5, SAMPLES_MAX = 1 << 20 };
#define MS(count) ((int64_t)(count)*1000000)

/* ---- Who takes part ---------------------------------------------------------------------- */

enum kind { LOW, NORMAL, HIGH, STRUCTURAL, PERSON, KINDS };

static const struct {
    const char *name;
    stet_class class_;
    unsigned count;                      /* Of class low: in the storm. */
    unsigned think_ms_min, think_ms_max; /* Between reading and writing. */
    unsigned rest_ms_max;                /* Between two operations. */
} kinds[KINDS] = {
    [LOW] = {"low", STET_CLASS_LOW, 40, 2, 12, 20},
    [NORMAL] = {"normal", STET_CLASS_NORMAL, 4, 5, 20, 200},
    [HIGH] = {"high", STET_CLASS_HIGH, 4, 5, 20, 200},
    [STRUCTURAL] = {"structural", STET_CLASS_STRUCTURAL, 1, 40, 80, 1000},
    [PERSON] = {"person", STET_CLASS_NORMAL, 2, 200, 800, 2000},
};
enum { CLIENTS = 40 + 4 + 4 + 1 + 2, CROWD = 6 /* Of class low, in the milder scene. */ };

enum doing { BEGINNING, READING, WRITING, WAITING };

struct client {
    enum kind kind;
    char name[8];
    enum doing doing;
    int64_t at; /* When it does that; of no meaning while WAITING. */
    unsigned number;
    char operation[24];
    int64_t began, sent;
    unsigned retries, level;
    stet_version base;
    int64_t count; /* What it read. */
    struct stet_command *command;
};

struct sample {
    int64_t latency;
    unsigned attempts;
};

struct tally {
    struct sample *samples;
    size_t count;
    size_t rejected;   /* After all its retries. */
    size_t gave_way;   /* To a reservation. */
    size_t unfinished; /* When the time was over; their age is among the samples. */
    int64_t longest_answer;
};

static struct {
    struct fixture fixture;
    struct clock_manual clock;
    struct entropy_seeded random;
    struct client clients[CLIENTS];
    unsigned client_count;
    struct tally tallies[KINDS];
    bool flat;
    uint64_t commits;
} sim;

static uint64_t draw(uint64_t below) { return entropy_u64(&sim.random.entropy) % below; }
static int64_t draw_ms(unsigned from, unsigned to) {
    return MS(from) + (int64_t)draw((uint64_t)MS(to - from) + 1);
}
static int64_t now(void) { return clock_monotonic_ns(&sim.clock.clock); }

/* ---- The queue's part: what committed gives back ------------------------------------------- */

static stet_status watch_open(struct space *space, void **state, stet_error *err) {
    (void)err;
    *state = space;
    return STET_OK;
}
static void watch_reset(void *state) { (void)state; }
static stet_status watch_load(void *state, const struct store_change *head, stet_error *err) {
    (void)state, (void)head, (void)err;
    return STET_OK;
}
static void watch_apply(void *state, const struct store_change *change) {
    for (unsigned i = 0; i < sim.client_count; i++)
        if (view_equal(change->by, view_of(sim.clients[i].name)))
            reservations_release(state, view_of(sim.clients[i].operation));
}
static const char *const no_types[] = {NULL};
static const struct module watch_module = {.name = "watch",
                                           .types = no_types,
                                           .space = "main",
                                           .loads_all = true,
                                           .open = watch_open,
                                           .reset = watch_reset,
                                           .load = watch_load,
                                           .apply = watch_apply};
static const struct module *const with_watch[] = {&watch_module, NULL};

/* ---- One client -------------------------------------------------------------------------- */

static void begin(struct client *client) {
    client->number++;
    snprintf(client->operation, sizeof client->operation, "%s-%u", client->name, client->number);
    client->began = now();
    client->retries = client->level = 0;
    client->doing = READING;
}

static void read_record(struct client *client) {
    struct change *head = NULL;
    assert_int_equal(
        client_head(sim.fixture.client, sim.fixture.space, VIEW("plan"), VIEW("1"), &head, NULL),
        STET_OK);
    client->base = head->row.version;
    assert_int_equal(sscanf(head->row.data.bytes, "{\"n\":%" SCNd64, &client->count), 1);
    change_unref(head);
    client->at =
        now() + draw_ms(kinds[client->kind].think_ms_min, kinds[client->kind].think_ms_max);
    client->doing = WRITING;
}

static struct rank rank_of(const struct client *client) {
    return (struct rank){.level = client->level,
                         .class_ = kinds[client->kind].class_,
                         .stamp = client->began,
                         .operation = view_of(client->operation)};
}

static void write_record(struct client *client) {
    char data[64];
    /* With its name: two who write the same are not in each other's way. */
    snprintf(data, sizeof data, "{\"n\":%" PRId64 ",\"by\":\"%s\"}", client->count + 1,
             client->name);
    const stet_mutation one = {.op = STET_OP_PUT,
                               .type = VIEW("plan"),
                               .id = VIEW("1"),
                               .base = {.kind = STET_BASE_VERSION, .value = client->base},
                               .body = view_of(data)};
    const stet_write write = {.mutations = &one, .mutation_count = 1};
    const stet_actor actor = {.id = view_of(client->name)};
    struct stet_command *command = command_create(sim.fixture.client);
    assert_non_null(command);
    assert_int_equal(command_fill_write(command, &write, NULL), STET_OK);
    if (!sim.flat && client->kind != PERSON) {
        struct rank *rank = arena_alloc(&command->arena, sizeof *rank);
        assert_non_null(rank);
        *rank = rank_of(client);
        command->rank = rank;
    }
    assert_int_equal(command_submit(sim.fixture.space, &actor, command, client, NULL), STET_OK);
    client->command = command;
    client->sent = now();
    client->doing = WAITING;
}

static void finish(struct client *client) {
    client->doing = BEGINNING;
    client->at = now() + draw_ms(0, kinds[client->kind].rest_ms_max);
}

static void note(struct client *client) {
    struct tally *tally = &sim.tallies[client->kind];
    assert_true(tally->count < SAMPLES_MAX);
    tally->samples[tally->count++] =
        (struct sample){.latency = now() - client->began, .attempts = client->retries + 1};
}

static void reject(struct client *client) {
    reservations_release(sim.fixture.space, view_of(client->operation));
    reservations_commit(sim.fixture.space);
    finish(client);
}

/* What a person, and everybody in the flat run, does: pauses like all others, for as often as it takes. */
static void conflict_flat(struct client *client) {
    client->doing = READING;
    client->at = now() + retry_next(STET_CLASS_LOW, client->retries, UINT32_MAX, false,
                                    entropy_u64(&sim.random.entropy))
                             .delay_ns;
}

static void conflict(struct client *client) {
    client->retries++;
    if (sim.flat || client->kind == PERSON) {
        conflict_flat(client);
        return;
    }
    stet_class class_ = kinds[client->kind].class_;
    struct retry_step step = retry_next(class_, client->retries, class_retries(class_), false,
                                        entropy_u64(&sim.random.entropy));
    if (step.kind == RETRY_EXHAUSTED) {
        assert_int_equal(client->retries, class_retries(class_) + 1);
        sim.tallies[client->kind].rejected++;
        reject(client);
        return;
    }
    client->level = step.level;
    client->doing = READING;
    client->at = now() + step.delay_ns;
    if (!step.reserves) return;
    const struct rank rank = rank_of(client);
    const struct reserved_record record = {.type = VIEW("plan"), .id = VIEW("1")};
    reservations_take(sim.fixture.space, &rank, &record, 1, now() + MS(RESERVATION_MS_MAX));
}

static void hear(struct client *client) {
    struct tally *tally = &sim.tallies[client->kind];
    stet_status status = client->command->status;
    command_destroy(client->command);
    client->command = NULL;
    if (now() - client->sent > tally->longest_answer) tally->longest_answer = now() - client->sent;
    if (status == STET_OK) {
        note(client);
        sim.commits++;
        finish(client);
    } else if (status == STET_CONCURRENT_MODIFICATION) {
        conflict(client);
    } else if (status == STET_BUSY && !sim.flat) {
        /* Nothing was done: the same again, when it was told to come back. */
        client->doing = WRITING;
        client->at = now() + MS(1000);
    } else if (status == STET_OPERATION_REJECTED && client->kind == LOW && !sim.flat) {
        tally->gave_way++;
        reject(client);
    } else {
        fail_msg("%s was answered %s", client->operation, stet_status_code(status));
    }
}

static void act(struct client *client) {
    switch (client->doing) {
    case BEGINNING: begin(client); break;
    case READING: read_record(client); break;
    case WRITING: write_record(client); break;
    case WAITING: break;
    }
}

/* ---- Time -------------------------------------------------------------------------------- */

static void work(void) {
    struct stet_command *command;
    while (engine_step(sim.fixture.engine))
        ;
    while ((command = client_next(sim.fixture.client)) != NULL)
        hear(command->context);
}

/* Goes to the next thing that happens; NULL: that is the engine's. */
static struct client *next_client(void) {
    struct client *first = NULL;
    for (unsigned i = 0; i < sim.client_count; i++) {
        struct client *client = &sim.clients[i];
        if (client->doing != WAITING && (first == NULL || client->at < first->at)) first = client;
    }
    int64_t due = atomic_load(&sim.fixture.space->due_at);
    int64_t at = first == NULL || due < first->at ? due : first->at;
    assert_true(at != MODULE_NEVER);
    if (at > now()) clock_manual_advance(&sim.clock, at - now());
    return first != NULL && first->at <= now() ? first : NULL;
}

static void start(uint64_t seed, unsigned low_count, bool flat) {
    struct sample *kept[KINDS];
    for (unsigned k = 0; k < KINDS; k++)
        kept[k] = sim.tallies[k].samples;
    memset(&sim, 0, sizeof sim);
    sim.flat = flat;
    clock_manual_init(&sim.clock, INT64_C(1700000000) * CLOCK_NS_PER_S);
    entropy_seeded_init(&sim.random, seed);
    const struct engine_seams seams = {
        .manual = true, .clock = &sim.clock.clock, .entropy = &sim.random.entropy};
    fixture_open_with(&sim.fixture, NULL, &seams, with_watch);
    fixture_put(&sim.fixture, "plan", "1", "{\"n\":0}");
    for (unsigned k = 0, i = 0; k < KINDS; k++) {
        sim.tallies[k].samples = kept[k];
        for (unsigned n = 0; n < (k == LOW ? low_count : kinds[k].count); n++, i++) {
            struct client *client = &sim.clients[i];
            sim.client_count++;
            client->kind = (enum kind)k;
            snprintf(client->name, sizeof client->name, "c%u", i);
            client->at = now() + draw_ms(0, kinds[k].rest_ms_max);
        }
    }
}

/* Who never came through is counted with the time it tried so far: the flat run must not look better for leaving it out. */
static void stop(void) {
    for (unsigned i = 0; i < sim.client_count; i++) {
        struct client *client = &sim.clients[i];
        if (client->doing == BEGINNING) continue;
        sim.tallies[client->kind].unfinished++;
        if (client->retries > 0) note(client);
        while (client->command != NULL && !client->command->done) {
            command_cancel(client->command);
            engine_step(sim.fixture.engine);
            while (client_next(sim.fixture.client) != NULL)
                ;
        }
        command_destroy(client->command);
    }
    struct change *head = NULL;
    int64_t count = -1;
    assert_int_equal(
        client_head(sim.fixture.client, sim.fixture.space, VIEW("plan"), VIEW("1"), &head, NULL),
        STET_OK);
    sscanf(head->row.data.bytes, "{\"n\":%" SCNd64, &count);
    change_unref(head);
    assert_int_equal(count, sim.commits);
    fixture_close(&sim.fixture);
}

static void run(uint64_t seed, unsigned low_count, bool flat, unsigned seconds) {
    start(seed, low_count, flat);
    for (unsigned second = 0; second < seconds; second++) {
        int64_t until = now() + CLOCK_NS_PER_S;
        uint64_t before = sim.commits;
        while (now() < until) {
            struct client *client = next_client();
            if (client != NULL) act(client);
            work();
        }
        if (sim.commits == before)
            fail_msg("seed %llu: nothing was committed in second %u", (unsigned long long)seed,
                     second);
    }
    stop();
}

/* ---- Figures ----------------------------------------------------------------------------- */

static int by_latency(const void *a, const void *b) {
    int64_t one = ((const struct sample *)a)->latency, other = ((const struct sample *)b)->latency;
    return one < other ? -1 : one > other;
}
static int by_attempts(const void *a, const void *b) {
    unsigned one = ((const struct sample *)a)->attempts,
             other = ((const struct sample *)b)->attempts;
    return one < other ? -1 : one > other;
}

/* per_mille of the samples are no larger than the one at this place. */
static const struct sample *quantile(const struct tally *tally, unsigned per_mille) {
    size_t place = (tally->count * per_mille + 999) / 1000;
    assert_true(tally->count > 0);
    return &tally->samples[place > 0 ? place - 1 : 0];
}

static double latency_ms(const struct tally *tally, unsigned per_mille) {
    return (double)quantile(tally, per_mille)->latency / 1e6;
}

struct figures {
    double high_slowest_ms; /* p99.9 of class high. */
    unsigned structural_attempts;
};

static struct figures report(uint64_t seed) {
    struct figures figures = {0};
    print_message("seed %llu, %s: %llu commits\n", (unsigned long long)seed,
                  sim.flat ? "flat" : "by class", (unsigned long long)sim.commits);
    for (unsigned k = 0; k < KINDS; k++) {
        struct tally *tally = &sim.tallies[k];
        qsort(tally->samples, tally->count, sizeof tally->samples[0], by_attempts);
        unsigned half = quantile(tally, 500)->attempts, most = quantile(tally, 990)->attempts,
                 nearly_all = quantile(tally, 999)->attempts, all = quantile(tally, 1000)->attempts;
        if (k == STRUCTURAL) figures.structural_attempts = all;
        qsort(tally->samples, tally->count, sizeof tally->samples[0], by_latency);
        print_message(
            "  %-10s %6zu done, attempts %u %u %u (at most %u), ms %.0f %.0f %.0f (p50 p99 "
            "p99.9), %zu rejected, %zu gave way, longest answer %.0f ms\n",
            kinds[k].name, tally->count, half, most, nearly_all, all, latency_ms(tally, 500),
            latency_ms(tally, 990), latency_ms(tally, 999), tally->rejected, tally->gave_way,
            (double)tally->longest_answer / 1e6);
    }
    figures.high_slowest_ms = latency_ms(&sim.tallies[HIGH], 999);
    return figures;
}

static unsigned seeds = 1, seconds = 10;
static uint64_t first_seed = 1;

/* Runs a seed both ways. Returns how many times lower the p99.9 of class high is than flat. */
static double compare(uint64_t seed, unsigned low_count) {
    print_message("%u of class low\n", low_count);
    run(seed, low_count, false, seconds);
    struct figures ours = report(seed);
    /* Ahead of one that reserves are at most those who reserve as well: neither low nor people. */
    unsigned ahead = kinds[NORMAL].count + kinds[HIGH].count + kinds[STRUCTURAL].count - 1;
    assert_true(ours.structural_attempts <= RESERVATION_LEVEL + 1 + ahead);
    assert_true(sim.tallies[PERSON].longest_answer <= MS(RESERVATION_WAIT_MS_MAX));
    assert_int_equal(sim.tallies[STRUCTURAL].rejected, 0);
    assert_int_equal(sim.tallies[HIGH].rejected, 0);
    assert_true(sim.tallies[LOW].count > 0);
    run(seed, low_count, true, seconds);
    struct figures flat = report(seed);
    double ratio = flat.high_slowest_ms / ours.high_slowest_ms;
    print_message("  p99.9 of class high: %.1f times lower than flat\n", ratio);
    return ratio;
}

static void priorities_hold_under_a_storm(void **state) {
    (void)state;
    for (unsigned k = 0; k < KINDS; k++)
        sim.tallies[k].samples = calloc(SAMPLES_MAX, sizeof(struct sample));
    for (uint64_t seed = first_seed; seed < first_seed + seeds; seed++) {
        assert_true(compare(seed, kinds[LOW].count) >= LESS_AT_LEAST);
        compare(seed, CROWD);
    }
    for (unsigned k = 0; k < KINDS; k++)
        free(sim.tallies[k].samples);
}

int main(int argc, char **argv) {
    if (argc > 1) seeds = (unsigned)strtoul(argv[1], NULL, 10);
    if (argc > 2) seconds = (unsigned)strtoul(argv[2], NULL, 10);
    if (argc > 3) first_seed = strtoull(argv[3], NULL, 10);
    if (sodium_init() < 0) return 1;
    const struct CMUnitTest tests[] = {cmocka_unit_test(priorities_hold_under_a_storm)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
