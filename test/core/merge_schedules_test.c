/*
 * Every interleaving of two and three writers that merge. As in schedules_test.c each reads, submits and has a batch decided; here the
 * type counts in "n" and lets the rest be merged, and the writers increment, edit a field of their own, edit one they share, or
 * delete. A model of a few lines says what must come of each: no increment is lost, own edits never conflict, a shared edit or a
 * deletion conflicts exactly when somebody else was there in between.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "core/write_fixture.h"

#include "core/policy_fixture.h"

enum { WRITERS_MAX = 3, STEPS = 3, RUNS_PER_WORLD = 1000 };
enum kind { KIND_ADD, KIND_OWN, KIND_SHARED, KIND_DELETE, KINDS };

struct model {
    stet_version version;
    bool live;
    int n, shared, own[WRITERS_MAX];
};

struct writer {
    enum kind kind;
    int number;
    struct model read;
    struct stet_command *command;
    stet_status expected;
    bool decided;
};

struct schedule {
    struct writer writers[WRITERS_MAX];
    int count;
    uint8_t order[WRITERS_MAX * STEPS];
    size_t batch_max;
    char id[24];
    struct model record;
    struct writer *queue[WRITERS_MAX];
    int queue_first, queue_count;
};

static unsigned long runs;

/* ---- The model --------------------------------------------------------------------------- */

static void model_decide(struct writer *writer, struct model *record) {
    bool stale = writer->read.version != record->version;
    writer->decided = true;
    writer->expected = STET_OK;
    if (writer->kind == KIND_DELETE) {
        if (!record->live)
            writer->expected = STET_DELETED;
        else if (stale)
            writer->expected = STET_CONCURRENT_MODIFICATION;
    } else if (!record->live) {
        writer->expected = STET_CONCURRENT_MODIFICATION;
    } else if (writer->kind == KIND_SHARED && writer->read.shared != record->shared) {
        writer->expected = STET_CONCURRENT_MODIFICATION;
    }
    if (writer->expected != STET_OK) return;
    record->version++;
    switch (writer->kind) {
    case KIND_ADD: record->n++; break;
    case KIND_OWN: record->own[writer->number] = 1; break;
    case KIND_SHARED: record->shared = 1 + writer->number; break;
    case KIND_DELETE: record->live = false; break;
    case KINDS: break;
    }
}

/* ---- Steps ------------------------------------------------------------------------------- */

static const char *patch_of(const struct writer *writer) {
    stet_view text = {0};
    switch (writer->kind) {
    case KIND_ADD: text = arena_format(&world.arena, "{\"n\":%d}", writer->read.n + 1); break;
    case KIND_OWN: text = arena_format(&world.arena, "{\"w%d\":1}", writer->number); break;
    case KIND_SHARED: text = arena_format(&world.arena, "{\"s\":%d}", 1 + writer->number); break;
    case KIND_DELETE:
    case KINDS: break;
    }
    return text.bytes;
}

static void step_submit(struct schedule *schedule, struct writer *writer) {
    bool deletes = writer->kind == KIND_DELETE;
    stet_mutation one = mutation(deletes ? STET_OP_DELETE : STET_OP_PATCH, schedule->id,
                                 at(writer->read.version), patch_of(writer));
    writer->command = start(&(stet_write){.mutations = &one, .mutation_count = 1});
    schedule->queue[schedule->queue_first + schedule->queue_count++] = writer;
}

static void step_decide(struct schedule *schedule) {
    size_t decided = 0;
    engine_step_batch(world.fixture.engine, world.fixture.space, schedule->batch_max);
    while (client_next(world.fixture.client) != NULL)
        ;
    while (schedule->queue_count > 0 && decided++ < schedule->batch_max) {
        model_decide(schedule->queue[schedule->queue_first++], &schedule->record);
        schedule->queue_count--;
    }
}

static void check(struct schedule *schedule) {
    for (int i = 0; i < schedule->count; i++) {
        struct writer *writer = &schedule->writers[i];
        assert_true(writer->decided && writer->command->done);
        struct answer answer = answer_of(writer->command);
        if (answer.status != writer->expected)
            fail_msg("writer %d (kind %d): %s, not %s: %s", i, writer->kind,
                     status_code(answer.status), status_code(writer->expected), answer.body);
        command_destroy(writer->command);
    }
    const struct model *record = &schedule->record;
    struct answer now = read_record(schedule->id);
    assert_int_equal(now.status, record->live ? STET_OK : STET_DELETED);
    assert_int_equal(now.version, record->version);
    if (!record->live) return;
    check_json(now.body, "/data/n", world_text(arena_format(&world.arena, "%d", record->n)));
    check_json(now.body, "/data/s", world_text(arena_format(&world.arena, "%d", record->shared)));
    for (int i = 0; i < schedule->count; i++) {
        const char *found = json_at(now.body, arena_format(&world.arena, "/data/w%d", i).bytes);
        assert_int_equal(found != NULL, record->own[i]);
    }
}

static void run_schedule(struct schedule *schedule) {
    int taken[WRITERS_MAX] = {0};
    if (runs++ % RUNS_PER_WORLD == 0) {
        if (runs > 1) world_close(NULL);
        told_open(NULL);
        declare_type(STET_STRATEGY_MERGE, "{\"/n\":{\"merge\":\"delta\"}}");
    }
    snprintf(schedule->id, sizeof schedule->id, "r%lu", runs);
    must_put(schedule->id, none, "{\"n\":0,\"s\":0}");
    schedule->record = (struct model){.version = 1, .live = true};
    schedule->queue_first = schedule->queue_count = 0;
    for (int i = 0; i < schedule->count; i++)
        schedule->writers[i].decided = false;
    for (int step = 0; step < schedule->count * STEPS; step++) {
        struct writer *writer = &schedule->writers[schedule->order[step]];
        switch (taken[schedule->order[step]]++) {
        case 0: writer->read = schedule->record; break;
        case 1: step_submit(schedule, writer); break;
        default: step_decide(schedule); break;
        }
    }
    while (schedule->queue_count > 0)
        step_decide(schedule);
    check(schedule);
}

/* ---- All of them ------------------------------------------------------------------------- */

/* Who has read a deleted record has nothing to write from: such schedules are left out. */
static bool is_possible(const struct schedule *schedule) {
    for (int i = 0; i < schedule->count; i++)
        if (schedule->writers[i].kind == KIND_DELETE) return false;
    return true;
}

static void orders(struct schedule *schedule, int step, int left[WRITERS_MAX]) {
    if (step == schedule->count * STEPS) {
        run_schedule(schedule);
        return;
    }
    for (int i = 0; i < schedule->count; i++) {
        /* A deletion reads first and is decided at some time: the others read before anything is decided, then. */
        if (left[i] == 0) continue;
        if (left[i] == STEPS && step >= schedule->count && !is_possible(schedule)) continue;
        left[i]--;
        schedule->order[step] = (uint8_t)i;
        orders(schedule, step + 1, left);
        left[i]++;
    }
}

static void all(int count, size_t batch_max) {
    int combinations = 1;
    for (int i = 0; i < count; i++)
        combinations *= KINDS;
    for (int combination = 0; combination < combinations; combination++) {
        struct schedule schedule = {.count = count, .batch_max = batch_max};
        int left[WRITERS_MAX] = {STEPS, STEPS, STEPS};
        for (int i = 0, rest = combination; i < count; i++, rest /= KINDS)
            schedule.writers[i] = (struct writer){.kind = (enum kind)(rest % KINDS), .number = i};
        orders(&schedule, 0, left);
    }
}

static void two_writers_in_batches_of_one(void **state) {
    (void)state;
    all(2, 1);
}

static void two_writers_in_one_batch(void **state) {
    (void)state;
    all(2, WRITERS_MAX);
}

static void three_writers_in_one_batch(void **state) {
    (void)state;
    all(3, WRITERS_MAX);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_writers_in_batches_of_one),
        cmocka_unit_test(two_writers_in_one_batch),
        cmocka_unit_test(three_writers_in_one_batch),
    };
    int failed = cmocka_run_group_tests_name("merge_schedules", tests, NULL, NULL);
    world_close(NULL);
    printf("%lu schedules\n", runs);
    return failed;
}
