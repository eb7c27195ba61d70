/*
 * The table of README.md, by schedule: three of eleven things that happen to a user's sessions, submitted in every order and decided in every
 * order that allows, one by one and all that wait at once. A small sequential model says what must come of each, and who is in at the end.
 * After each schedule the roster is loaded anew from the records and must be the same.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "modules/people/people_testing.h"

enum what {
    LOGIN,            /* With the first password. */
    LOGOUT_A,         /* In session A. */
    LOGOUT_B_FROM_A,  /* From session A. */
    LOGOUT_ALL_BUT_B, /* In session B. */
    PASSWORD_IN_B,    /* From the first to the second, in session B. */
    PASSWORD_BY_ADMIN,
    RESET, /* By a link that was made at the beginning. */
    DISABLE,
    ENABLE,
    WRITE_IN_A,
    TIME, /* Twenty seconds pass: A is idle then, unless it was used meanwhile. */
    WHATS
};
enum { ACTS = 3, SESSIONS = 2 + ACTS, A = 0, B = 1, RUNS_PER_WORLD = 30, SHORT_S = 10 };

static const char *const passwords[] = {PASSWORD, "second password", "third password",
                                        "fourth password"};

/* ---- The model --------------------------------------------------------------------------- */

struct model_session {
    bool exists; /* Its record does; it may be over all the same. */
    int64_t used_s;
};

struct model {
    int64_t now_s;
    bool disabled;
    int password;     /* Which of them. */
    int password_set; /* How often it was set. */
    bool link_used;
    struct model_session sessions[SESSIONS];
};

struct act {
    enum what what;
    int number;
    /* Submitted. */
    bool admitted, judged_fits;
    int judged_set;
    struct stet_command *command;
    /* Decided. */
    bool over;
    stet_status expected;
    char token[SECRET_TEXT_BYTES];
};

static struct model model;

static bool model_lives(int session) {
    const struct model_session *one = &model.sessions[session];
    return one->exists && model.now_s - one->used_s < SESSION_IDLE_S;
}

static void model_end_all(int keep) {
    for (int i = 0; i < SESSIONS; i++)
        if (i != keep) model.sessions[i].exists = false;
}

static void model_set_password(int password, int keep) {
    model.password = password;
    model.password_set++;
    model_end_all(keep);
}

static int acts_in(enum what what) {
    switch (what) {
    case LOGOUT_A:
    case LOGOUT_B_FROM_A:
    case WRITE_IN_A: return A;
    case LOGOUT_ALL_BUT_B:
    case PASSWORD_IN_B: return B;
    case LOGIN:
    case PASSWORD_BY_ADMIN:
    case RESET:
    case DISABLE:
    case ENABLE:
    case TIME:
    case WHATS: break;
    }
    return -1;
}

static void model_judge(struct act *act) {
    act->judged_set = model.password_set;
    act->judged_fits = model.password == 0;
}

static stet_status model_log_in(const struct act *act) {
    model.sessions[2 + act->number] = (struct model_session){true, model.now_s};
    return STET_OK;
}

/* What becomes of an act when it is decided. False: it is judged again, and comes last. */
static bool model_decide(struct act *act, stet_status *status) {
    int in = acts_in(act->what);
    bool verifies = act->what == LOGIN || act->what == PASSWORD_IN_B;
    if (in >= 0 && !model_lives(in)) {
        *status = STET_SESSION_ENDED;
        return true;
    }
    if (verifies && act->judged_set != model.password_set) {
        model_judge(act);
        return false;
    }
    *status = STET_OK;
    switch (act->what) {
    case LOGIN:
        *status = model.disabled || !act->judged_fits ? STET_LOGIN_FAILED : model_log_in(act);
        break;
    case LOGOUT_A: model.sessions[A].exists = false; break;
    case LOGOUT_B_FROM_A:
        if (!model.sessions[B].exists) *status = STET_NOT_FOUND;
        model.sessions[B].exists = false;
        break;
    case LOGOUT_ALL_BUT_B: model_end_all(B); break;
    case PASSWORD_IN_B:
        if (!act->judged_fits) {
            *status = STET_LOGIN_FAILED;
        } else {
            model_set_password(1, B);
        }
        break;
    case PASSWORD_BY_ADMIN: model_set_password(2, -1); break;
    case RESET:
        if (model.link_used || model.disabled || model.password_set != 0) {
            *status = STET_LINK_INVALID;
        } else {
            model.link_used = true;
            model_set_password(3, -1);
            model_log_in(act);
        }
        break;
    case DISABLE:
        model.disabled = true;
        model_end_all(-1);
        break;
    case ENABLE: model.disabled = false; break;
    case WRITE_IN_A:
    case TIME:
    case WHATS: break;
    }
    return true;
}

/* ---- The thing itself -------------------------------------------------------------------- */

static char user[32], tokens[2][SECRET_TEXT_BYTES], ids[2][SECRET_ID_BYTES + 1],
    link_token[SECRET_TEXT_BYTES];

static void keep(char *to, size_t size, const char *text) { snprintf(to, size, "%s", text); }

static void begin(unsigned run) {
    snprintf(user, sizeof user, "user-%u", run);
    be("root");
    must(add_user(user, NULL));
    for (int i = A; i <= B; i++) {
        struct answer in = must(log_in(user, PASSWORD));
        keep(tokens[i], sizeof tokens[i], text_at(in, "/token"));
        keep(ids[i], sizeof ids[i], text_at(in, "/session"));
        if (i == A) pass_s(SESSION_IDLE_S - SHORT_S);
    }
    stet_link link = {.kind = STET_LINK_RESET, .user = view_of(user)};
    keep(link_token, sizeof link_token, text_at(make_link(link), "/token"));
    settle_down();
    model = (struct model){.sessions = {{true, SHORT_S - SESSION_IDLE_S}, {true, 0}}};
}

static stet_status fill(struct act *act, struct stet_command *command, stet_error *err) {
    stet_login login = {.user = view_of(user), .password = VIEW(PASSWORD)};
    stet_password_change change = {.user = view_of(user),
                                   .old_password = VIEW(PASSWORD),
                                   .new_password = view_of(passwords[1])};
    stet_redemption redemption = {.token = view_of(link_token), .password = view_of(passwords[3])};
    stet_mutation mutation = {.op = STET_OP_PUT, .type = VIEW("task"), .body = VIEW("{}")};
    stet_write write = {.mutations = &mutation, .mutation_count = 1};
    switch (act->what) {
    case LOGIN: return people_fill_login(command, &login, err);
    case LOGOUT_A: return people_fill_session_end(command, (stet_view){0}, err);
    case LOGOUT_B_FROM_A: return people_fill_session_end(command, view_of(ids[B]), err);
    case LOGOUT_ALL_BUT_B: return people_fill_session_end_all(command, view_of(user), true, err);
    case PASSWORD_IN_B: return people_fill_password(command, &change, err);
    case PASSWORD_BY_ADMIN:
        change.new_password = view_of(passwords[2]);
        return people_fill_password(command, &change, err);
    case RESET: return people_fill_link_redeem(command, &redemption, err);
    case DISABLE:
        return people_fill_user_patch(command, view_of(user), VIEW("{\"disabled\":true}"), none,
                                      err);
    case ENABLE:
        return people_fill_user_patch(command, view_of(user), VIEW("{\"disabled\":false}"), none,
                                      err);
    case WRITE_IN_A: mutation.op = STET_OP_CREATE; return command_fill_write(command, &write, err);
    case TIME:
    case WHATS: break;
    }
    return STET_INTERNAL;
}

/* The acts that wait to be decided, in the order of the queue. */
static struct act *queue[ACTS * 4];
static size_t queued;

static void judge_what_waits(void) {
    while (workers_step(&world.fixture.engine->passwords))
        ;
}

static void submit(struct act *act) {
    int in = acts_in(act->what);
    if (act->what == TIME) {
        pass_s(2 * SHORT_S);
        model.now_s += 2 * SHORT_S;
        act->over = true;
        return;
    }
    if (in >= 0) {
        bool lives = model_lives(in);
        assert_int_equal(use(tokens[in]), lives ? STET_OK : STET_SESSION_ENDED);
        act->over = !lives;
        if (!lives) return;
        model.sessions[in].used_s = model.now_s;
        become(tokens[in]);
    } else {
        be("root");
    }
    stet_error err = {0};
    act->command = fresh();
    if (fill(act, act->command, &err) != STET_OK) fail_msg("%s", err.message);
    submitted(act->command);
    model_judge(act);
    judge_what_waits();
    while (client_next(world.fixture.client) != NULL)
        ;
    if (act->command->done) {
        /* Only a link that was used is found out so early. */
        assert_int_equal(act->what, RESET);
        assert_true(model.link_used);
        act->expected = STET_LINK_INVALID;
        act->over = true;
        return;
    }
    queue[queued++] = act;
}

static void check(struct act *act) {
    struct answer answer = answer_of(act->command);
    if (answer.status != act->expected)
        fail_msg("act %d: %s, not %s: %s", act->what, status_code(answer.status),
                 status_code(act->expected), answer.message);
    stet_view secret = people_secret(act->command);
    if (secret.size > 0) keep(act->token, sizeof act->token, world_text(secret));
    command_destroy(act->command);
    act->command = NULL;
}

/* One batch: of one command, or of all that wait. */
static void decide_batch(size_t max) {
    size_t count = max < queued ? max : queued;
    struct act *batch[ACTS * 4];
    memcpy(batch, queue, count * sizeof *batch);
    memmove(queue, queue + count, (queued - count) * sizeof *queue);
    queued -= count;
    engine_step_batch(world.fixture.engine, world.fixture.space, max);
    judge_what_waits();
    while (client_next(world.fixture.client) != NULL)
        ;
    /* Those that are judged again queue up once the others of the batch are decided, and know what became of those. */
    for (size_t i = 0; i < count; i++) {
        batch[i]->over = model_decide(batch[i], &batch[i]->expected);
        if (!batch[i]->over) queue[queued++] = batch[i];
    }
    for (size_t i = 0; i < count; i++)
        if (!batch[i]->over) model_judge(batch[i]);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(batch[i]->command->done, batch[i]->over);
}

/* ---- The roster, told ----------------------------------------------------------------------- */

struct told {
    size_t sessions, links, users;
    uint64_t sum; /* Of what is known of each session, in whatever order. */
};

static struct told tell(void) {
    const struct roster *roster = &people_of(world.fixture.space)->roster;
    struct told told = {roster->count, roster->link_count, roster->users_count, 0};
    size_t by_user = 0;
    for (size_t row = 0; row < roster->rows; row++) {
        for (const struct roster_session *one = roster->ids[row]; one != NULL; one = one->by_id) {
            uint64_t sum = view_hash(view_make(one->id, SECRET_ID_BYTES), 1);
            sum = sum * 31 + view_hash(view_make(one->user, one->user_bytes), 2);
            sum = sum * 31 + (uint64_t)one->ends_at;
            sum = sum * 31 + (uint64_t)one->idle_ns;
            sum = sum * 31 + (uint64_t)one->noted_at;
            told.sum += sum * 31 + (uint64_t)one->used_at;
        }
        for (const struct roster_session *one = roster->users[row]; one != NULL; one = one->by_user)
            by_user++;
    }
    assert_int_equal(by_user, told.sessions);
    return told;
}

static void check_loads_the_same(void) {
    struct told applied = tell();
    assert_int_equal(space_load_modules(world.fixture.space, NULL), STET_OK);
    struct told loaded = tell();
    assert_int_equal(applied.sessions, loaded.sessions);
    assert_int_equal(applied.links, loaded.links);
    assert_int_equal(applied.users, loaded.users);
    assert_int_equal(applied.sum, loaded.sum);
}

/* ---- Schedules --------------------------------------------------------------------------- */

static unsigned runs;

static void check_who_is_in(struct act *acts) {
    for (int i = A; i <= B; i++)
        assert_int_equal(look(tokens[i]), model_lives(i) ? STET_OK : STET_SESSION_ENDED);
    for (int i = 0; i < ACTS; i++)
        if (acts[i].token[0] != '\0')
            assert_int_equal(look(acts[i].token),
                             model_lives(2 + i) ? STET_OK : STET_SESSION_ENDED);
    be("root");
    struct answer answer = must(get_user(user));
    check_json(answer.body, "/disabled", model.disabled ? "true" : "false");
    /* The password is the one it should be, which only who is not disabled can show. */
    if (model.disabled) return;
    must(log_in(user, passwords[model.password]));
}

/* order: in which the acts are submitted. places: after which of them how many batches are decided, two bits each. */
static void run_schedule(const enum what *whats, const int *order, unsigned places, size_t max) {
    struct act acts[ACTS] = {0};
    if (runs % RUNS_PER_WORLD == 0) {
        if (runs > 0) world_close(NULL);
        world_open_with(people_modules, NULL);
    }
    begin(runs++);
    for (int i = 0; i < ACTS; i++) {
        acts[i].what = whats[i];
        acts[i].number = i;
    }
    for (int i = 0; i < ACTS; i++) {
        submit(&acts[order[i]]);
        for (unsigned batches = places >> (2 * i) & 3; batches > 0 && queued > 0; batches--)
            decide_batch(max);
    }
    while (queued > 0)
        decide_batch(max);
    for (int i = 0; i < ACTS; i++)
        if (acts[i].command != NULL) check(&acts[i]);
    settle_down();
    assert_false(roster_has_notes(&people_of(world.fixture.space)->roster));
    check_who_is_in(acts);
    check_loads_the_same();
}

static const int orders[][ACTS] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                   {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
/* Never more batches than commands: none between, one after the first or the second, or two. */
static const unsigned places[] = {0, 1, 1 << 2, 1 | 1 << 2, 2 << 2};

/* The same thing twice need not be told apart. */
static bool is_repeated(const enum what *whats, const int *order) {
    for (int i = 0; i < ACTS; i++)
        for (int j = i + 1; j < ACTS; j++)
            if (order[i] > order[j] && whats[order[i]] == whats[order[j]]) return true;
    return false;
}

static void every_place(const enum what *whats, const int *order) {
    if (is_repeated(whats, order)) return;
    for (size_t place = 0; place < sizeof places / sizeof places[0]; place++)
        run_schedule(whats, order, places[place], 1);
    /* All that wait at once: all three at the end, or the first two before the third. */
    run_schedule(whats, order, 0, ACTS);
    run_schedule(whats, order, 1 << 2, ACTS);
}

static void every_order_of_three(void **state) {
    (void)state;
    for (int a = 0; a < WHATS; a++)
        for (int b = a; b < WHATS; b++)
            for (int c = b; c < WHATS; c++)
                for (size_t order = 0; order < sizeof orders / sizeof orders[0]; order++) {
                    enum what whats[ACTS] = {a, b, c};
                    every_place(whats, orders[order]);
                }
    print_message("%u schedules\n", runs);
    world_close(NULL);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_order_of_three)};
    return cmocka_run_group_tests_name("people table", tests, NULL, NULL);
}
