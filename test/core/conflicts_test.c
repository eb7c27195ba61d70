/*
 * Every interleaving of those who may end one waiting conflict: two people who settle it, a writer of its record, and its deadline.
 * Each looks, submits, and a batch is decided; the deadline is one step. Whatever the order: it ends at most once, everybody is told
 * the truth, and nobody overwrites what they have not seen.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "modules/conflicts/conflicts_testing.h"

enum role { ROLE_YOURS, ROLE_CURRENT, ROLE_WRITER, ROLE_DEADLINE, ROLES };
enum { PLAYERS = 2, STEPS_MAX = 3, DAY_S = 24 * 3600 };

struct player {
    enum role role;
    int steps;
    int taken;
    const char *token;
    stet_version seen;
    struct stet_command *command;
    struct answer answer;
    bool answered;
    int decided_at; /* Position in the schedule at which its command was decided. */
};

static unsigned long runs;

struct run {
    struct player players[PLAYERS];
    const char *id;
    const char *order; /* For messages. */
    int position;
    bool deadline_passed;
};

static const char *const names[PLAYERS] = {"ann", "ben"};

static stet_version version_now(void) { return must(read_record("1")).version; }

static void look(struct run *run, struct player *player) {
    player->seen = version_now();
    struct answer conflict = must(get_conflict(run->id));
    const char *token = json_at(conflict.body, "/resolution_token");
    player->token = token == NULL ? NULL : unquoted(token);
}

static void submit(struct run *run, struct player *player) {
    if (player->role == ROLE_WRITER) {
        stet_mutation one =
            mutation(STET_OP_PUT, "1", at(player->seen), "{\"amount\":10,\"title\":\"w\"}");
        player->command = start(&(stet_write){.mutations = &one, .mutation_count = 1});
    } else if (player->token != NULL) {
        player->command = start_resolve((stet_conflict_resolution){
            .id = view_of(run->id),
            .token = view_of(player->token),
            .choice = player->role == ROLE_YOURS ? STET_CHOICE_YOURS : STET_CHOICE_CURRENT});
    }
}

/* All that was submitted is decided in its order. Looking has that effect, too: it waits for its own answer. */
static void decide_all(struct run *run) {
    while (engine_step(world.fixture.engine))
        continue;
    while (client_next(world.fixture.client) != NULL)
        continue;
    for (int i = 0; i < PLAYERS; i++) {
        struct player *player = &run->players[i];
        if (player->command == NULL) continue;
        player->answer = take(player->command);
        player->command = NULL;
        player->answered = true;
        player->decided_at = run->position;
    }
}

static void step(struct run *run, int index) {
    struct player *player = &run->players[index];
    be(names[index]);
    run->position++;
    if (player->role == ROLE_DEADLINE) {
        pass(DAY_S);
        decide_all(run);
        run->deadline_passed = true;
        return;
    }
    switch (player->taken++) {
    case 0: look(run, player); break;
    case 1: submit(run, player); break;
    default: decide_all(run); break;
    }
}

static bool won(const struct player *player) {
    return player->answered && player->answer.status == STET_OK;
}

/* What must hold at the end, whatever the order was. */
static void check_end(struct run *run) {
    const char *body = must(get_conflict(run->id)).body;
    const char *state = json_at(body, "/state");
    int ended = 0;
    bool written = false;
    for (int i = 0; i < PLAYERS; i++) {
        const struct player *player = &run->players[i];
        if (player->role == ROLE_WRITER) written = written || won(player);
        if (player->role <= ROLE_CURRENT && won(player)) ended++;
    }
    if (strcmp(state, "\"expired\"") == 0) {
        assert_true(run->deadline_passed);
        ended++;
    }
    assert_int_equal(ended, strcmp(state, "\"open\"") == 0 ? 0 : 1);
    if (run->deadline_passed) assert_int_equal(ended, 1);
    for (int i = 0; i < PLAYERS; i++) {
        const struct player *player = &run->players[i];
        const struct player *other = &run->players[1 - i];
        if (!player->answered || won(player)) continue;
        if (player->role == ROLE_WRITER) {
            /* Only what was chosen from ann's side changes the record. */
            assert_int_equal(player->answer.status, STET_CONCURRENT_MODIFICATION);
            assert_true(other->role == ROLE_YOURS && won(other));
        } else if (player->answer.status == STET_CONCURRENT_MODIFICATION) {
            assert_true(other->role == ROLE_WRITER && written);
            check_json(player->answer.body, "/current/title", "\"w\"");
        } else {
            assert_int_equal(player->answer.status, STET_ALREADY_RESOLVED);
            assert_int_equal(ended, 1);
        }
    }
    /* Every success that writes made one version, and no other version was made. */
    stet_version expected = 2 + (written ? 1 : 0);
    for (int i = 0; i < PLAYERS; i++)
        if (run->players[i].role == ROLE_YOURS && won(&run->players[i])) expected++;
    assert_int_equal(version_now(), expected);
}

static void play(enum role first, enum role second, unsigned order, int length) {
    char record[PLAYERS * STEPS_MAX + 1] = "";
    struct run run = {.players = {{.role = first}, {.role = second}}, .order = record};
    setup(NULL);
    run.id = parked_deal("1");
    for (int i = 0; i < length; i++) {
        int index = (order >> i) & 1;
        record[i] = (char)('0' + index);
        step(&run, index);
    }
    decide_all(&run);
    check_end(&run);
    world_close(NULL);
    runs++;
}

static int steps_of(enum role role) { return role == ROLE_DEADLINE ? 1 : STEPS_MAX; }

static void every_order(enum role first, enum role second) {
    int length = steps_of(first) + steps_of(second);
    for (unsigned order = 0; order < 1u << length; order++) {
        int ones = 0;
        for (int i = 0; i < length; i++)
            ones += (order >> i) & 1;
        if (ones == steps_of(second)) play(first, second, order, length);
    }
}

static void whoever_ends_a_conflict_ends_it_once(void **state) {
    (void)state;
    for (int first = ROLE_YOURS; first < ROLE_DEADLINE; first++)
        for (int second = ROLE_YOURS; second < ROLES; second++)
            if (first != ROLE_WRITER || second != ROLE_WRITER)
                every_order((enum role)first, (enum role)second);
    print_message("%lu schedules\n", runs);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_ends_a_conflict_ends_it_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
