/*
 * Random schedules of everybody who has to do with a lane, with leases that end, commits that fail and restarts: who is started is the first of
 * the most important class that waits, and a restart finds the lane as it was. Prints the seed that repeats a failure; another
 * number of steps as an argument.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "modules/operations/operations_testing.h"

enum { OPERATIONS_MOST = 4000, AGENTS = 3 };

/* What the test knows of one. */
struct asked {
    char id[8];
    stet_class class_;
    uint64_t turn;
    uint64_t lease; /* 0: nobody has it. */
    int agent;
    bool delayed, over;
};

static struct asked asked[OPERATIONS_MOST];
static size_t count;
static uint64_t turns, seed;
static int steps = 700;

static uint64_t draw(uint64_t most) {
    seed ^= seed << 13, seed ^= seed >> 7, seed ^= seed << 17;
    return seed % most;
}

static const char *agent_name(int agent) {
    static const char *const names[AGENTS] = {"x", "y", "z"};
    return names[agent];
}

/* What stands in the queue's place for one. */
static const char *look(const struct asked *one, const char *pointer) {
    const char *text = json_at(must(get(one->id)).body, pointer);
    return text == NULL ? "" : text;
}

static void note_returned(struct asked *one) {
    one->lease = 0;
    one->delayed = strcmp(look(one, "/delayed"), "true") == 0;
}

/* Leases end and pauses pass without a word to the test: it asks. */
static void look_at_all(void) {
    for (size_t i = 0; i < count; i++) {
        struct asked *one = &asked[i];
        if (one->over) continue;
        const char *status = look(one, "/status");
        one->over = strcmp(status, "\"failed\"") == 0 || strcmp(status, "\"rejected\"") == 0;
        if (!one->over && strcmp(look(one, "/current_agent"), "") == 0) note_returned(one);
    }
}

static void ask_for_one(void) {
    static const stet_class classes[] = {STET_CLASS_LOW, STET_CLASS_NORMAL, STET_CLASS_HIGH};
    struct asked *one = &asked[count];
    if (count == OPERATIONS_MOST) return;
    *one = (struct asked){.class_ = classes[draw(3)], .turn = ++turns};
    snprintf(one->id, sizeof one->id, "%zu", count);
    must(submit((stet_operation_request){
        .id = view_of(one->id), .lane = VIEW("l"), .class_ = one->class_}));
    count++;
}

static struct asked *find(const char *quoted) {
    for (size_t i = 0; i < count; i++)
        if (strncmp(asked[i].id, quoted + 1, strlen(asked[i].id)) == 0 &&
            quoted[1 + strlen(asked[i].id)] == '"')
            return &asked[i];
    fail_msg("who is %s?", quoted);
    return NULL;
}

/* Whoever waits and could have been started must not stand before it. */
static void check_first(const struct asked *taken) {
    for (size_t i = 0; i < count; i++) {
        const struct asked *other = &asked[i];
        if (other == taken || other->over || other->lease != 0 || other->delayed) continue;
        if (other->class_ > taken->class_ ||
            (other->class_ == taken->class_ && other->turn < taken->turn))
            fail_msg("%s was started before %s", taken->id, other->id);
    }
}

static void claim_one(void) {
    int agent = (int)draw(AGENTS);
    look_at_all();
    struct answer answer = must(claim_with(claim_of(agent_name(agent))));
    const char *id = json_at(answer.body, "/operations/0/id");
    if (id == NULL) return;
    struct asked *taken = find(id);
    assert_int_equal(taken->lease, 0);
    check_first(taken);
    taken->lease = lease_at(answer.body, 0);
    taken->agent = agent;
}

static struct asked *pick_held(void) {
    size_t from = count == 0 ? 0 : draw(count);
    for (size_t i = 0; i < count; i++) {
        struct asked *one = &asked[(from + i) % count];
        if (!one->over && one->lease != 0) return one;
    }
    return NULL;
}

static void end_one(void) {
    struct asked *one = pick_held();
    if (one == NULL) return;
    struct answer answer;
    bool ends = false;
    switch (draw(5)) {
    case 0:
    case 1:
        answer = complete(one->id, one->lease);
        ends = true;
        break;
    case 2:
        answer = fail_with(
            (stet_operation_failure){.id = view_of(one->id), .lease = one->lease, .release = true});
        break;
    case 3:
        answer = fail_with(
            (stet_operation_failure){.id = view_of(one->id), .lease = one->lease, .retry = true});
        break;
    default:
        answer = cancel(one->id);
        ends = true;
        break;
    }
    /* Its lease may have ended before. */
    if (answer.status == STET_OK && ends) one->over = true;
    if (answer.status != STET_OK) check_status(answer, STET_LEASE_LOST);
    look_at_all();
}

static void talk(void) {
    struct asked *one = pick_held();
    if (one == NULL) return;
    struct answer answer = tell(one->id, one->lease, -1, draw(2) == 0 ? "still here" : NULL);
    if (answer.status != STET_OK) check_status(answer, STET_LEASE_LOST);
}

/* What a lane and those in it look like. */
static char *picture(void) {
    struct buffer buffer;
    buffer_init(&buffer, &world.arena, 0);
    struct answer lane = get_lane("l");
    const char *const of_lane[] = {"/queued", "/delayed", "/running", "/places_taken", "/width"};
    for (size_t i = 0; lane.status == STET_OK && i < sizeof of_lane / sizeof of_lane[0]; i++)
        buffer_append_format(&buffer, "%s ", json_at(lane.body, of_lane[i]));
    const char *const of_one[] = {"/status",  "/position", "/ahead",         "/delayed",
                                  "/retries", "/attempts", "/current_agent", "/version"};
    for (size_t i = 0; i < count; i++) {
        struct answer answer = must(get(asked[i].id));
        buffer_append_format(&buffer, "\n%s", asked[i].id);
        for (size_t j = 0; j < sizeof of_one / sizeof of_one[0]; j++) {
            const char *text = json_at(answer.body, of_one[j]);
            buffer_append_format(&buffer, " %s", text == NULL ? "-" : text);
        }
    }
    assert_int_equal(buffer_status(&buffer), STET_OK);
    buffer_append_char(&buffer, '\0');
    return (char *)buffer_view(&buffer).bytes;
}

static void restart(void) {
    const char *before = picture();
    reopen();
    be("ann");
    assert_string_equal(before, picture());
}

static void run_schedule(uint64_t from, const char *settings) {
    seed = from * UINT64_C(0x9E3779B97F4A7C15) + 1;
    count = 0;
    turns = 0;
    must(put_lane("l", settings));
    for (int i = 0; i < steps / 2; i++) {
        uint64_t what = draw(40);
        if (what < 10) {
            ask_for_one();
        } else if (what < 22) {
            claim_one();
        } else if (what < 32) {
            end_one();
        } else if (what < 36) {
            talk();
        } else if (what < 39) {
            pass((int64_t)draw(12));
        } else {
            restart();
        }
    }
    restart();
}

TEST(one_after_the_other_in_order_of_class_and_turn) {
    (void)state;
    print_message("seed 1\n");
    run_schedule(1, "{\"age_s\":0}");
}

TEST(several_at_a_time_start_in_order_of_class_and_turn) {
    (void)state;
    print_message("seed 2\n");
    run_schedule(2, "{\"age_s\":0,\"width\":3}");
}

int main(int argc, char **argv) {
    (void)setup;
    if (argc > 1) steps = atoi(argv[1]);
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_after_the_other_in_order_of_class_and_turn,
                                        setup_folder, teardown_folder),
        cmocka_unit_test_setup_teardown(several_at_a_time_start_in_order_of_class_and_turn,
                                        setup_folder, teardown_folder),
    };
    return cmocka_run_group_tests_name("schedule", tests, NULL, NULL);
}
