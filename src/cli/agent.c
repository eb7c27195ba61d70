/*
 * agent: runs a program once for each operation that waits for an agent of this name.
 *
 *   claim ──▶ run the program ──▶ complete ──▶ claim …
 *                  ▲   │ heartbeats, progress
 *                  └───┘ somebody changed what it read: run it again, as the server says
 *
 * Each hand is a thread with a connection of its own. What the program leaves behind is committed with the operation's completion in one
 * transaction; when the lease was lost meanwhile, nothing of it is.
 */
#include "base/clock.h"
#include "base/error.h"
#include "base/uuid.h"
#include "base/view.h"
#include "cli/address.h"
#include "cli/agent_run.h"
#include "cli/answer.h"
#include "cli/cli.h"
#include "doc/write.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    CLAIM_WAIT_S = 50, /* One long poll; proxies often give up after 60. */
    TTL_DEFAULT_S = 15,
    PAUSE_MS_MIN = 250, /* While the server cannot be reached. */
    PAUSE_MS_MAX = 10000,
    EXIT_TRY_AGAIN = 75, /* EX_TEMPFAIL of sysexits.h */
    ARENA_BYTES = 16384,
};

struct agent {
    struct cli *cli;
    const char *name, *lane, *worker;
    uint64_t ttl_s;
    unsigned hands;
    bool once, until_empty, bind;
    atomic_bool ending; /* No more claims. */
    atomic_int failed;  /* Operations that did not complete. */
    atomic_int code;    /* What the program ends with, when a hand could not go on. */
};

struct hand {
    struct agent *agent;
    pthread_t thread;
    struct peer *peer;
    struct arena arena; /* Of one operation. */
    struct arena small; /* Of one heartbeat. */
    struct buffer claimed;
    stet_view id;
    uint64_t lease;
    bool lost;      /* The lease, */
    bool cancelled; /* or the operation. */
};

/* 1: what runs is finished first; 2: it is stopped. */
static volatile sig_atomic_t signals;

static void on_signal(int number) {
    (void)number;
    if (signals < 2) signals++;
}

static void say(const struct hand *hand, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
static void say(const struct hand *hand, const char *format, ...) {
    char words[1024];
    struct terminal terminal;
    va_list list;
    va_start(list, format);
    vsnprintf(words, sizeof words, format, list);
    va_end(list);
    terminal_init(&terminal, stderr);
    flockfile(stderr);
    if (hand->id.size > 0) fprintf(stderr, "%.*s: ", VIEW_ARG(hand->id));
    terminal_text(&terminal, COLOR_NONE, view_of(words));
    fputc('\n', stderr);
    funlockfile(stderr);
}

/* Ends early when the agent does. */
static void pause_ms(const struct agent *agent, uint64_t ms) {
    int64_t until = clock_monotonic_ns(clock_system()) + (int64_t)ms * 1000000;
    while (!atomic_load(&agent->ending) && clock_monotonic_ns(clock_system()) < until)
        (void)poll(NULL, 0, ms < 100 ? (int)ms : 100);
}

static bool is_ending(void *context) {
    const struct hand *hand = context;
    return atomic_load(&hand->agent->ending);
}

/* ---- Calls ------------------------------------------------------------------------------- */

static void path_begin(const struct hand *hand, struct buffer *path, struct arena *arena) {
    buffer_init(path, arena, 0);
    buffer_append_text(path, "/v1/");
    address_encode(path, view_of(args_text(hand->agent->cli->args, OPTION_SPACE)));
}

static void operation_path(const struct hand *hand, struct buffer *path, struct arena *arena,
                           const char *verb) {
    path_begin(hand, path, arena);
    buffer_append_text(path, "/operations/");
    address_encode(path, hand->id);
    buffer_append_format(path, "/%s", verb);
    buffer_append_char(path, '\0');
}

/* Begins a body about the operation at hand. */
static void body_begin(const struct hand *hand, struct json_writer *writer, struct buffer *body,
                       struct arena *arena) {
    buffer_init(body, arena, 0);
    json_begin(writer, body);
    json_object_begin(writer);
    json_member_u64(writer, VIEW("lease"), hand->lease);
}

static stet_status post(struct hand *hand, struct buffer *path, struct json_writer *writer,
                        struct arena *arena, struct answer *answer, struct doc *doc,
                        stet_error *err) {
    struct buffer *body = writer->buffer;
    json_object_end(writer);
    if (json_end(writer) != STET_OK || buffer_status(path) != STET_OK)
        return error_set(err, STET_NO_MEMORY, "out of memory");
    /* The lease makes each of them repeatable. */
    struct call call = {.method = "POST",
                        .path = path->bytes,
                        .content_type = "application/json",
                        .body = buffer_view(body),
                        .repeatable = true};
    stet_status status = peer_call(hand->peer, &call, arena, answer, err);
    if (status == STET_OK)
        status = answer_parse(arena, answer->body.size > 0 ? answer->body : VIEW("{}"), doc, err);
    return status;
}

static bool is_done(const struct answer *answer) {
    return answer->http >= 200 && answer->http < 300;
}

/* Gives the operation up: as failed, to be tried again, or untouched for somebody else. */
static void fail(struct hand *hand, stet_view why, bool again, bool release) {
    struct buffer path, body;
    struct json_writer writer;
    struct answer answer;
    struct doc doc;
    stet_error err;
    operation_path(hand, &path, &hand->arena, release ? "release" : "fail");
    body_begin(hand, &writer, &body, &hand->arena);
    if (!release) {
        json_member_text(&writer, VIEW("error"), why);
        json_member_bool(&writer, VIEW("retry"), again);
    }
    if (post(hand, &path, &writer, &hand->arena, &answer, &doc, &err) != STET_OK) {
        say(hand, "could not say so to the server: %s", err.message);
    } else if (!is_done(&answer)) {
        say(hand, "the server would not hear of it: %.*s",
            VIEW_ARG(answer_text(&hand->arena, &doc, 0, "detail")));
    }
}

/* ---- While it runs ----------------------------------------------------------------------- */

static bool beat(void *context, stet_view percent, stet_view message) {
    struct hand *hand = context;
    struct buffer path, body;
    struct json_writer writer;
    struct answer answer;
    struct doc doc;
    stet_error err;
    arena_reset(&hand->small);
    operation_path(hand, &path, &hand->small, "progress");
    body_begin(hand, &writer, &body, &hand->small);
    if (percent.size > 0) json_member_raw(&writer, VIEW("percent"), percent);
    if (message.size > 0) json_member_raw(&writer, VIEW("message"), message);
    /* The lease outlives a server that cannot be reached for a moment; if it does not, the next beat tells. */
    if (post(hand, &path, &writer, &hand->small, &answer, &doc, &err) != STET_OK) return true;
    if (is_done(&answer)) {
        hand->cancelled = answer_bool(&doc, 0, "cancel");
        return !hand->cancelled;
    }
    hand->lost = answer.http == 409 || answer.http == 404;
    if (!hand->lost)
        say(hand, "progress was not taken: %.*s",
            VIEW_ARG(answer_text(&hand->small, &doc, 0, "detail")));
    return !hand->lost;
}

/* The second Ctrl-C stops what the first one let finish. */
static bool is_stopping(void *context) {
    (void)context;
    return signals > 1;
}

/* ---- What it left behind ----------------------------------------------------------------- */

enum commit { COMMIT_DONE, COMMIT_OVER, COMMIT_AGAIN };

static void commit_body(const struct hand *hand, struct json_writer *writer, struct buffer *body,
                        const struct doc *last) {
    body_begin(hand, writer, body, (struct arena *)(uintptr_t)&hand->arena);
    static const char *const members[] = {"result", "mutations"};
    for (size_t i = 0; i < 2 && last->count > 0; i++) {
        doc_node member = answer_member(last, 0, members[i]);
        if (member != DOC_NONE)
            json_member_raw(writer, view_of(members[i]), doc_text(last, member));
    }
}

/* delay_ms: out, with COMMIT_AGAIN: when the program is to be run anew. */
static enum commit commit(struct hand *hand, stet_view left_behind, uint64_t *delay_ms) {
    struct doc last = {0}, doc;
    struct buffer path, body;
    struct json_writer writer;
    struct answer answer;
    stet_error err;
    stet_status status =
        left_behind.size == 0 ? STET_OK : answer_parse(&hand->arena, left_behind, &last, &err);
    for (uint64_t pause = PAUSE_MS_MIN; status == STET_OK; pause *= 2) {
        operation_path(hand, &path, &hand->arena, "complete");
        commit_body(hand, &writer, &body, &last);
        status = post(hand, &path, &writer, &hand->arena, &answer, &doc, &err);
        /* Nobody knows whether it was heard: the same words again do no harm. */
        bool unheard = status == STET_UNAVAILABLE || (status == STET_OK && answer.http == 503);
        if (!unheard || pause > PAUSE_MS_MAX) break;
        status = STET_OK;
        (void)poll(NULL, 0, (int)pause);
    }
    if (status != STET_OK) {
        say(hand, "could not be completed: %s", err.message);
        return COMMIT_OVER;
    }
    if (is_done(&answer)) return COMMIT_DONE;
    stet_view code = answer_text(&hand->arena, &doc, 0, "code");
    stet_view detail = answer_text(&hand->arena, &doc, 0, "detail");
    doc_node retry = answer_member(&doc, 0, "retry");
    if (view_equal(code, VIEW("CONCURRENT_MODIFICATION")) && retry != DOC_NONE) {
        *delay_ms = answer_u64(&doc, retry, "delay_ms");
        say(hand, "somebody was faster; once more in %llu ms", (unsigned long long)*delay_ms);
        return COMMIT_AGAIN;
    }
    say(hand, "not completed: %.*s (%.*s)", VIEW_ARG(detail), VIEW_ARG(code));
    bool over = view_equal(code, VIEW("LEASE_LOST")) ||
                view_equal(code, VIEW("OPERATION_REJECTED")) ||
                view_equal(code, VIEW("OPERATION_FINISHED"));
    if (!over) fail(hand, detail, false, false);
    return COMMIT_OVER;
}

/* ---- One operation ----------------------------------------------------------------------- */

extern char **environ;

/* The program's environment: ours, and what it works on. NULL: out of memory. */
static char **environment_make(struct hand *hand, const struct doc *doc, doc_node operation,
                               uint64_t runs) {
    const struct agent *agent = hand->agent;
    struct arena *arena = &hand->arena;
    size_t count = 0;
    while (environ[count] != NULL)
        count++;
    char **all = arena_alloc(arena, (count + 10) * sizeof *all);
    if (all == NULL) return NULL;
    memcpy(all, environ, count * sizeof *all);
    const struct {
        const char *name;
        stet_view value;
    } more[] = {
        {"STET_OPERATION", hand->id},
        {"STET_LANE", view_of(agent->lane)},
        {"STET_AGENT", view_of(agent->name)},
        {"STET_CLASS", answer_text(arena, doc, operation, "class")},
        {"STET_OP_TYPE", answer_text(arena, doc, operation, "op_type")},
        {"STET_TARGET", answer_text(arena, doc, operation, "target")},
        {"STET_SPACE", view_of(args_text(agent->cli->args, OPTION_SPACE))},
        {"STET_URL", view_of(peer_url(hand->peer))},
        {"STET_RUN", arena_format(arena, "%llu", (unsigned long long)runs)},
    };
    for (size_t i = 0; i < sizeof more / sizeof more[0]; i++) {
        stet_view line = arena_format(arena, "%s=%.*s", more[i].name, VIEW_ARG(more[i].value));
        if (line.bytes == NULL) return NULL;
        all[count++] = (char *)(uintptr_t)line.bytes;
    }
    all[count] = NULL;
    return all;
}

static char **words_make(struct hand *hand) {
    const struct args *args = hand->agent->cli->args;
    char **words = arena_alloc(&hand->arena, args->argument_count * sizeof *words);
    if (words == NULL) return NULL;
    for (size_t i = 1; i < args->argument_count; i++)
        words[i - 1] = (char *)(uintptr_t)args->arguments[i];
    words[args->argument_count - 1] = NULL;
    return words;
}

/* What a program that did not end well has to say for itself. */
static void say_failed(struct hand *hand, const struct agent_result *result) {
    stet_view why = result->error;
    while (why.size > 0 && strchr(" \r\n\t", why.bytes[why.size - 1]) != NULL)
        why.size--;
    if (why.size == 0 && result->signal != 0)
        why = arena_format(&hand->arena, "ended by signal %d", result->signal);
    if (why.size == 0)
        why = arena_format(&hand->arena, "ended with exit code %d", result->exit_code);
    if (!view_is_utf8(why)) why = VIEW("its error was not UTF-8");
    bool again = result->signal != 0 || result->exit_code == EXIT_TRY_AGAIN;
    say(hand, "failed%s", again ? "; to be tried again" : "");
    fail(hand, why, again, false);
}

/* True: it was completed. */
static bool operation_run(struct hand *hand, const struct doc *doc, doc_node operation) {
    struct agent *agent = hand->agent;
    doc_node input = answer_member(doc, operation, "input");
    struct agent_watch watch = {.context = hand,
                                .beat = beat,
                                .beat_ms = (unsigned)(agent->ttl_s * 1000 / 3),
                                .stopping = is_stopping};
    int64_t began = clock_monotonic_ns(clock_system());
    stet_view label = arena_format(&hand->arena, "%.*s", VIEW_ARG(hand->id));
    for (uint64_t runs = 1;; runs++) {
        uint64_t delay_ms = 0;
        struct agent_result result;
        stet_error err;
        struct agent_program program = {.words = words_make(hand),
                                        .environment = environment_make(hand, doc, operation, runs),
                                        .input =
                                            input == DOC_NONE ? VIEW("null") : doc_text(doc, input),
                                        .label = label.bytes};
        if (program.words == NULL || program.environment == NULL || label.bytes == NULL) {
            fail(hand, VIEW("the agent is out of memory"), true, false);
            return false;
        }
        stet_status status = agent_run(&program, &watch, &hand->arena, &result, &err);
        if (status != STET_OK || !result.started) {
            say(hand, "%.*s", VIEW_ARG(status == STET_OK ? result.error : view_of(err.message)));
            fail(hand, VIEW(""), false, true);
            /* It would fail for every other operation, too. */
            atomic_store(&agent->code, EXIT_FAILED);
            atomic_store(&agent->ending, true);
            return false;
        }
        if (hand->lost || hand->cancelled) {
            say(hand, hand->lost ? "stopped: the lease was lost" : "stopped: it was cancelled");
            return false;
        }
        if (result.stopped) {
            say(hand, "given back");
            fail(hand, VIEW(""), false, true);
            return false;
        }
        if (result.exit_code != 0) {
            say_failed(hand, &result);
            return false;
        }
        enum commit committed = commit(hand, result.last, &delay_ms);
        if (committed == COMMIT_DONE)
            say(hand, "completed in %.1f s",
                (double)(clock_monotonic_ns(clock_system()) - began) / 1e9);
        if (committed != COMMIT_AGAIN) return committed == COMMIT_DONE;
        for (uint64_t waited = 0; waited < delay_ms; waited += 100) {
            (void)poll(NULL, 0, delay_ms - waited < 100 ? (int)(delay_ms - waited) : 100);
            if (waited % 1000 == 900 && !beat(hand, (stet_view){0}, (stet_view){0})) return false;
        }
    }
}

/* ---- Claiming ---------------------------------------------------------------------------- */

static bool claimed_take(void *context, const struct answer *answer, stet_view bytes) {
    struct hand *hand = context;
    if (answer->received == 0) buffer_reset(&hand->claimed);
    buffer_append_view(&hand->claimed, bytes);
    return buffer_status(&hand->claimed) == STET_OK;
}

/* http: out; of another answer than a success the body is in the arena. */
static stet_status claim(struct hand *hand, struct answer *answer, struct doc *doc,
                         stet_error *err) {
    const struct agent *agent = hand->agent;
    struct buffer path, body;
    struct json_writer writer;
    path_begin(hand, &path, &hand->arena);
    buffer_append_text(&path, "/lanes/");
    address_encode(&path, view_of(agent->lane));
    buffer_append_text(&path, "/claim");
    buffer_append_char(&path, '\0');
    buffer_init(&body, &hand->arena, 0);
    json_begin(&writer, &body);
    json_object_begin(&writer);
    json_member_text(&writer, VIEW("agent"), view_of(agent->name));
    if (agent->worker != NULL) json_member_text(&writer, VIEW("worker"), view_of(agent->worker));
    json_member_u64(&writer, VIEW("hands"), agent->hands);
    json_member_u64(&writer, VIEW("wait_s"), agent->until_empty ? 0 : CLAIM_WAIT_S);
    json_member_u64(&writer, VIEW("ttl_s"), agent->ttl_s);
    if (agent->bind) json_member_bool(&writer, VIEW("bind"), true);
    json_object_end(&writer);
    if (json_end(&writer) != STET_OK || buffer_status(&path) != STET_OK)
        return error_set(err, STET_NO_MEMORY, "out of memory");
    buffer_reset(&hand->claimed);
    struct call call = {.method = "POST",
                        .path = path.bytes,
                        .content_type = "application/json",
                        .body = buffer_view(&body),
                        .sink = claimed_take,
                        .stop = is_ending,
                        .context = hand};
    stet_status status = peer_call(hand->peer, &call, &hand->arena, answer, err);
    if (status != STET_OK) return status;
    stet_view text = answer->http == 200 ? buffer_view(&hand->claimed) : answer->body;
    return answer_parse(&hand->arena, text.size > 0 ? text : VIEW("{}"), doc, err);
}

/* One operation, if there is one. False: the hand is to rest. */
static bool work_once(struct hand *hand, uint64_t *pause) {
    struct agent *agent = hand->agent;
    struct answer answer;
    struct doc doc;
    stet_error err;
    hand->id = (stet_view){0};
    stet_status status = claim(hand, &answer, &doc, &err);
    if (status == STET_CANCELLED) return false;
    if (status != STET_OK || answer.http == 503 || answer.http == 429) {
        if (*pause == PAUSE_MS_MIN)
            say(hand, "%s; trying again", status != STET_OK ? err.message : "the server is busy");
        pause_ms(agent, *pause);
        if (*pause < PAUSE_MS_MAX) *pause *= 2;
        return true;
    }
    if (*pause > PAUSE_MS_MIN) say(hand, "the server answers again");
    *pause = PAUSE_MS_MIN;
    if (!is_done(&answer)) {
        say(hand, "%.*s", VIEW_ARG(answer_text(&hand->arena, &doc, 0, "detail")));
        atomic_store(&agent->code, cli_exit_of_http(answer.http));
        return false;
    }
    doc_node operations = answer_member(&doc, 0, "operations");
    doc_node first = operations == DOC_NONE ? DOC_NONE : doc_first(&doc, operations);
    if (first == DOC_NONE) return !agent->until_empty;
    hand->id = answer_text(&hand->arena, &doc, first, "id");
    hand->lease = answer_u64(&doc, answer_member(&doc, first, "lease"), "token");
    hand->lost = hand->cancelled = false;
    if (atomic_load(&agent->ending)) {
        fail(hand, VIEW(""), false, true);
        return false;
    }
    say(hand, "started");
    if (!operation_run(hand, &doc, first)) atomic_fetch_add(&agent->failed, 1);
    return !agent->once;
}

static void *hand_run(void *context) {
    struct hand *hand = context;
    uint64_t pause = PAUSE_MS_MIN;
    pthread_setname_np(pthread_self(), "hand");
    for (;;) {
        arena_reset(&hand->arena);
        if (atomic_load(&hand->agent->ending) || !work_once(hand, &pause)) break;
    }
    /* With --once the first to be done is the only one; refusals concern all. */
    if (!hand->agent->until_empty) atomic_store(&hand->agent->ending, true);
    return NULL;
}

/* ---- The command ------------------------------------------------------------------------- */

static int hands_start(struct agent *agent, struct hand *hands, unsigned *started) {
    const struct args *args = agent->cli->args;
    stet_error err;
    for (*started = 0; *started < agent->hands; ++*started) {
        struct hand *hand = &hands[*started];
        hand->agent = agent;
        if (peer_open_another(agent->cli->peer, args_text(args, OPTION_ACTOR), &hand->peer, &err) !=
            STET_OK)
            return cli_fail(agent->cli, &err);
        arena_init(&hand->arena, ARENA_BYTES);
        arena_init(&hand->small, ARENA_BYTES);
        buffer_init(&hand->claimed, NULL, 0);
        if (pthread_create(&hand->thread, NULL, hand_run, hand) != 0) {
            arena_done(&hand->arena);
            arena_done(&hand->small);
            peer_close(hand->peer);
            error_set(&err, STET_NO_MEMORY, "could not start a thread");
            return cli_fail(agent->cli, &err);
        }
    }
    return EXIT_DONE;
}

/* Until the hands rest, or somebody presses Ctrl-C. */
static void hands_watch(struct agent *agent, struct hand *hands, unsigned started) {
    for (unsigned i = 0; i < started; i++) {
        while (pthread_tryjoin_np(hands[i].thread, NULL) == EBUSY) {
            (void)poll(NULL, 0, 50);
            if (signals == 0 || atomic_exchange(&agent->ending, true)) continue;
            fputs("stet: what is at work is finished first; Ctrl-C again stops it\n", stderr);
        }
        arena_done(&hands[i].arena);
        arena_done(&hands[i].small);
        buffer_done(&hands[i].claimed);
        peer_close(hands[i].peer);
    }
}

int run_agent(struct cli *cli) {
    const struct args *args = cli->args;
    struct agent agent = {
        .cli = cli,
        .name = args->arguments[0],
        .lane = args_text(args, OPTION_LANE_DEFAULT),
        .worker = args_text(args, OPTION_WORKER),
        .ttl_s = args_given(args, OPTION_LEASE_TTL) ? args_number(args, OPTION_LEASE_TTL)
                                                    : TTL_DEFAULT_S,
        .hands = (unsigned)args_number(args, OPTION_HANDS),
        .once = args_switch(args, OPTION_ONCE),
        .until_empty = args_switch(args, OPTION_UNTIL_EMPTY),
        .bind = args_switch(args, OPTION_BIND),
        .code = EXIT_DONE,
    };
    unsigned started;
    if (agent.hands == 0) agent.hands = 1;
    if (agent.once) agent.hands = 1;
    int code = cli_connect(cli);
    if (code != EXIT_DONE) return code;
    struct hand *hands = calloc(agent.hands, sizeof *hands);
    if (hands == NULL) {
        stet_error err;
        error_set(&err, STET_NO_MEMORY, "out of memory");
        return cli_fail(cli, &err);
    }
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
    code = hands_start(&agent, hands, &started);
    if (code != EXIT_DONE) atomic_store(&agent.ending, true);
    hands_watch(&agent, hands, started);
    free(hands);
    if (code == EXIT_DONE) code = atomic_load(&agent.code);
    if (code == EXIT_DONE && atomic_load(&agent.failed) > 0) code = EXIT_FAILED;
    return code;
}
