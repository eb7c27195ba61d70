/*
 * Functions under random schedules, held against a model that runs one after the other: every answer must be what the model says at its
 * position. With a seed, so that a failure repeats: functions_serial_test SEED ROUNDS.
 *
 * The model is a handful of numbers. Half of the functions are slow, so that they are run by workers and overtaken; the schedule decides when a
 * worker works, when the sequencer takes its next batch, and how large that is.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "modules/types/types.h"

#define FUNCTIONS_BESIDE &types_module,
#include "modules/functions/functions_testing.h"

enum { CELLS = 5, OPEN_MAX = 6, CALLS = 120, START = 60 };

static uint64_t first_seed = 1, seeds = 12;

static uint64_t random_state;
static unsigned below(unsigned bound) {
    random_state += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t z = random_state;
    z = (z ^ (z >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94D049BB133111EB);
    return (unsigned)((z ^ (z >> 31)) % bound);
}

/* ---- What functions do, in Lua and in C -------------------------------------------------- */

#define SLOWLY "local x = 0 for i = 1, 6000 do x = x + i end\n"

static const struct {
    const char *name, *source;
} functions[] = {
    {"add",
     "local r = get('task', input.a) r.n = r.n + input.k put('task', input.a, r) return r.n"},
    {"slow_add", SLOWLY
     "local r = get('task', input.a) r.n = r.n + input.k put('task', input.a, r) return r.n"},
    /* Both together must not fall below 0: what goes wrong when writes are skewed. */
    {"draw", SLOWLY "local a, b = get('task', input.a), get('task', input.b)\n"
                    "if a.n + b.n < input.k then return 'no' end\n"
                    "a.n = a.n - input.k put('task', input.a, a) return a.n"},
    {"sum", SLOWLY "local sum = 0 for _, r in ipairs(list('task')) do sum = sum + r.data.n end\n"
                   "return sum"},
    /* Records come and go in the range that others count: phantoms. */
    {"gather", "local rich = list('task', {where = 'n >= 50'})\n"
               "put('task', input.a, {n = #rich * 20}) return #rich"},
};
enum { ADD, SLOW_ADD, DRAW, SUM, GATHER, FUNCTIONS };

struct made {
    struct stet_command *command; /* NULL: it is over. */
    int function;
    int a, b, k;
    stet_seq seq;
    bool writes;
    bool rejected;
    const char *result;
};

static long model_add(long *cells, const struct made *made) { return cells[made->a] += made->k; }

/* What the model answers; INT32_MIN for "no". */
static long model_run(long *cells, const struct made *made) {
    long sum = 0, rich = 0;
    switch (made->function) {
    case ADD:
    case SLOW_ADD: return model_add(cells, made);
    case DRAW:
        if (cells[made->a] + cells[made->b] < made->k) return INT32_MIN;
        return cells[made->a] -= made->k;
    case SUM:
        for (int i = 0; i < CELLS; i++)
            sum += cells[i];
        return sum;
    case GATHER:
        for (int i = 0; i < CELLS; i++)
            rich += cells[i] >= 50;
        cells[made->a] = rich * 20;
        return rich;
    default: fail(); return 0;
    }
}

/* ---- The schedule ------------------------------------------------------------------------ */

static void submit_one(struct made *made) {
    char input[64];
    made->function = (int)below(FUNCTIONS);
    made->a = (int)below(CELLS);
    made->b = (made->a + 1 + (int)below(CELLS - 1)) % CELLS;
    made->k = 1 + (int)below(60);
    snprintf(input, sizeof input, "{\"a\":\"%d\",\"b\":\"%d\",\"k\":%d}", made->a, made->b,
             made->k);
    made->command = start_call(functions[made->function].name, input);
}

static void take_one(struct made *made) {
    struct answer answer = answer_of(made->command);
    made->rejected = answer.status == STET_OPERATION_REJECTED;
    if (!made->rejected) must(answer);
    made->seq = answer.seq;
    made->writes = !made->rejected && !answer.unchanged;
    made->result = made->rejected ? NULL : json_at(answer.body, "/result");
    command_destroy(made->command);
    made->command = NULL;
}

static void run_schedule(struct made *all) {
    size_t begun = 0, over = 0;
    while (over < CALLS) {
        size_t open = begun - over;
        bool moved = false;
        switch (below(4)) {
        case 0:
            if (begun < CALLS && open < OPEN_MAX) {
                submit_one(&all[begun++]);
                moved = true;
            }
            break;
        case 1: moved = workers_step(&world.fixture.engine->workers); break;
        case 2: moved = sequencer_step(world.fixture.space->sequencer, 1 + below(4)); break;
        case 3: clock_manual_advance(&world.clock, 3000000); break;
        }
        (void)moved;
        while (client_next(world.fixture.client) != NULL)
            ;
        for (size_t i = 0; i < begun; i++)
            if (all[i].command != NULL && all[i].command->done) {
                take_one(&all[i]);
                over++;
            }
    }
}

/* ---- The check --------------------------------------------------------------------------- */

/* Those that looked at a position come after the one that made it. Equal positions of lookers do not matter. */
static int in_order(const void *left, const void *right) {
    const struct made *a = left, *b = right;
    if (a->seq != b->seq) return a->seq < b->seq ? -1 : 1;
    return (int)b->writes - (int)a->writes;
}

/* How many answers the model does not give. */
static unsigned violations_of(uint64_t seed) {
    static struct made all[CALLS];
    long cells[CELLS];
    char id[4], data[32], expected[32];
    unsigned violations = 0;
    random_state = seed;
    memset(all, 0, sizeof all);
    for (int i = 0; i < CELLS; i++) {
        cells[i] = START;
        snprintf(id, sizeof id, "%d", i);
        snprintf(data, sizeof data, "{\"n\":%d}", START);
        must_put(id, none, data);
    }
    for (int i = 0; i < FUNCTIONS; i++)
        must_define(functions[i].name, none, functions[i].source);
    run_schedule(all);
    qsort(all, CALLS, sizeof all[0], in_order);
    for (size_t i = 0; i < CALLS; i++) {
        if (all[i].rejected) continue;
        long value = model_run(cells, &all[i]);
        if (value == INT32_MIN) {
            snprintf(expected, sizeof expected, "\"no\"");
        } else {
            snprintf(expected, sizeof expected, "%ld", value);
        }
        violations += strcmp(all[i].result, expected) != 0;
    }
    return violations;
}

static void declare_index(void) {
    struct stet_command *command = empty_command();
    const stet_type_write type = {.name = VIEW("task"), .definition = VIEW("{\"index\":[\"/n\"]}")};
    assert_int_equal(types_fill_write(command, &type, NULL), STET_OK);
    must(take(submitted(command)));
}

static unsigned violations(bool indexed, bool unvalidated) {
    unsigned sum = 0;
    for (uint64_t seed = first_seed; seed < first_seed + seeds; seed++) {
        functions_setup(NULL);
        world.fixture.engine->seams.unvalidated_reads = unvalidated;
        if (indexed) declare_index();
        unsigned found = violations_of(seed);
        if (found > 0 && !unvalidated)
            print_error("seed %llu%s: %u answers out of order\n", (unsigned long long)seed,
                        indexed ? ", indexed" : "", found);
        sum += found;
        world_close(NULL);
    }
    return sum;
}

static void functions_are_strictly_serializable(void **state) {
    (void)state;
    assert_int_equal(violations(false, false), 0);
}

static void with_an_index_they_are_as_well(void **state) {
    (void)state;
    assert_int_equal(violations(true, false), 0);
}

/* That the check finds anything at all. */
static void under_snapshot_isolation_they_are_not(void **state) {
    (void)state;
    assert_true(violations(true, true) > 0);
}

int main(int argc, char **argv) {
    if (argc > 1) first_seed = strtoull(argv[1], NULL, 10);
    if (argc > 2) seeds = strtoull(argv[2], NULL, 10);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(functions_are_strictly_serializable),
        cmocka_unit_test(with_an_index_they_are_as_well),
        cmocka_unit_test(under_snapshot_isolation_they_are_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
