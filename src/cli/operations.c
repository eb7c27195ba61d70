/*
 * ops: operations in the queue: listing, submitting, watching, cancelling, trying again.
 */
#include "base/clock.h"
#include "base/error.h"
#include "base/view.h"
#include "cli/address.h"
#include "cli/answer.h"
#include "cli/cli.h"
#include "cli/span.h"
#include "doc/write.h"

#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

enum { WATCH_MS = 250, WATCH_MS_MAX = 2000, BAR_COLUMNS = 24 };

static volatile sig_atomic_t stopped;

static void stop(int number) { stopped = number; }

static void operations_path(struct cli *cli, struct buffer *path, const char *id,
                            const char *verb) {
    cli_path(cli, path);
    buffer_append_text(path, "/operations");
    if (id == NULL) return;
    buffer_append_char(path, '/');
    address_encode(path, view_of(id));
    if (verb != NULL) buffer_append_format(path, "/%s", verb);
}

/* ---- Words ------------------------------------------------------------------------------- */

static enum color status_color(stet_view status) {
    static const struct {
        const char *status;
        enum color color;
    } colors[] = {{"running", COLOR_BLUE},  {"completed", COLOR_GREEN}, {"failed", COLOR_RED},
                  {"rejected", COLOR_RED},  {"expired", COLOR_RED},     {"retrying", COLOR_YELLOW},
                  {"cancelled", COLOR_DIM}, {"queued", COLOR_YELLOW}};
    for (size_t i = 0; i < sizeof colors / sizeof colors[0]; i++)
        if (view_equal(status, view_of(colors[i].status))) return colors[i].color;
    return COLOR_NONE;
}

static bool is_finished(stet_view status) {
    return view_equal(status, VIEW("completed")) || view_equal(status, VIEW("failed")) ||
           view_equal(status, VIEW("rejected")) || view_equal(status, VIEW("cancelled")) ||
           view_equal(status, VIEW("expired"));
}

/* "12 s", "5 min", "2 h" of a member in seconds; a dash when it is not known. */
static stet_view seconds_text(struct arena *arena, const struct doc *doc, doc_node node) {
    if (node == DOC_NONE || doc_kind(doc, node) != DOC_NUMBER) return VIEW("-");
    stet_view digits = doc_text(doc, node);
    char text[32];
    snprintf(text, sizeof text, "%.*s", VIEW_ARG(digits));
    double s = strtod(text, NULL);
    if (s < 10) return arena_format(arena, "%.1f s", s);
    if (s < 120) return arena_format(arena, "%.0f s", s);
    if (s < 7200) return arena_format(arena, "%.0f min", s / 60);
    return arena_format(arena, "%.1f h", s / 3600);
}

/* "about 12 s", which nobody knows before something was finished in the lane. */
static stet_view wait_text(struct arena *arena, const struct doc *doc, doc_node operation) {
    doc_node wait = answer_member(doc, operation, "estimated_wait_s");
    if (wait == DOC_NONE || doc_kind(doc, wait) != DOC_NUMBER) return VIEW("wait not known yet");
    return arena_format(arena, "about %.*s", VIEW_ARG(seconds_text(arena, doc, wait)));
}

/* Why it did not end well: what its worker said, or the server. */
static stet_view reason_text(struct arena *arena, const struct doc *doc, doc_node operation) {
    stet_view error = answer_text(arena, doc, operation, "error");
    return error.size > 0 ? error : answer_text(arena, doc, operation, "reason");
}

/* How it stands, in a few words: its place, how far it is, or why it ended. */
static stet_view standing(struct arena *arena, const struct doc *doc, doc_node operation) {
    stet_view status = answer_text(arena, doc, operation, "status");
    doc_node progress = answer_member(doc, operation, "progress");
    if (answer_member(doc, operation, "position") != DOC_NONE)
        return arena_format(arena, "position %llu, %.*s",
                            (unsigned long long)answer_u64(doc, operation, "position"),
                            VIEW_ARG(wait_text(arena, doc, operation)));
    if (view_equal(status, VIEW("running")) && progress != DOC_NONE)
        return arena_format(arena, "%.*s %% %.*s",
                            VIEW_ARG(answer_text(arena, doc, progress, "percent")),
                            VIEW_ARG(answer_text(arena, doc, progress, "message")));
    return reason_text(arena, doc, operation);
}

static stet_view worker(struct arena *arena, const struct doc *doc, doc_node operation) {
    stet_view function = answer_text(arena, doc, operation, "function");
    stet_view agent = answer_text(arena, doc, operation, "agent");
    if (function.size > 0) return arena_format(arena, "%.*s()", VIEW_ARG(function));
    return agent.size > 0 ? agent : VIEW("-");
}

/* ---- Listing ----------------------------------------------------------------------------- */

int run_ops(struct cli *cli) {
    static const char *const names[] = {"ID",     "LANE", "CLASS",     "FOR",
                                        "STATUS", "BY",   "QUEUED AT", "STANDING"};
    const struct args *args = cli->args;
    struct table table;
    stet_view after =
        args_given(args, OPTION_AFTER) ? view_of(args_text(args, OPTION_AFTER)) : (stet_view){0};
    stet_error err;
    table_init(&table, cli->arena, 8);
    table_titles(&table, names);
    do {
        struct buffer path;
        struct answer answer;
        struct doc doc;
        operations_path(cli, &path, NULL, NULL);
        const char *status = args_text(args, OPTION_OPERATION_STATUS);
        cli_query(&path, "status", view_of(status == NULL ? "open" : status));
        if (status != NULL && strcmp(status, "any") == 0) operations_path(cli, &path, NULL, NULL);
        if (args_given(args, OPTION_LANE))
            cli_query(&path, "lane", view_of(args_text(args, OPTION_LANE)));
        if (args_given(args, OPTION_AGENT))
            cli_query(&path, "agent", view_of(args_text(args, OPTION_AGENT)));
        if (args_given(args, OPTION_LIMIT))
            cli_query_u64(&path, "limit", args_number(args, OPTION_LIMIT));
        if (after.size > 0) cli_query(&path, "after", after);
        int code = cli_get(cli, &path, cli->arena, &answer, &doc);
        if (code != EXIT_DONE) return code;
        if (cli->json) cli_print_json(cli, answer.body);
        doc_node operations = answer_member(&doc, 0, "operations");
        for (doc_node one = operations == DOC_NONE ? DOC_NONE : doc_first(&doc, operations);
             one != DOC_NONE && !cli->json; one = doc_next(&doc, one)) {
            struct arena *arena = cli->arena;
            stet_view now = answer_text(arena, &doc, one, "status");
            table_add(&table, COLOR_BOLD, answer_text(arena, &doc, one, "id"));
            table_add(&table, COLOR_NONE, answer_text(arena, &doc, one, "lane"));
            table_add(&table, COLOR_NONE, answer_text(arena, &doc, one, "class"));
            table_add(&table, COLOR_NONE, worker(arena, &doc, one));
            table_add(&table, status_color(now), now);
            table_add(&table, COLOR_NONE, answer_text(arena, &doc, one, "created_by"));
            table_add(&table, COLOR_NONE,
                      answer_time(arena, answer_text(arena, &doc, one, "created_at")));
            table_add(&table, COLOR_NONE, standing(arena, &doc, one));
        }
        after = answer_text(cli->arena, &doc, 0, "next");
    } while (after.size > 0 && args_switch(args, OPTION_ALL));
    if (cli->json) return EXIT_DONE;
    if (table_print(&table, &cli->out, "", &err) != STET_OK) return cli_fail(cli, &err);
    if (after.size > 0) fprintf(cli->out.stream, "more: --after %.*s, or --all\n", VIEW_ARG(after));
    return EXIT_DONE;
}

int run_ops_show(struct cli *cli) {
    struct buffer path;
    struct answer answer;
    struct doc doc;
    operations_path(cli, &path, cli->args->arguments[0], NULL);
    int code = cli_get(cli, &path, cli->arena, &answer, &doc);
    if (code != EXIT_DONE) return code;
    if (cli->json) {
        cli_print_json(cli, answer.body);
    } else {
        terminal_json(&cli->out, &doc, 0);
    }
    return EXIT_DONE;
}

/* ---- Watching ---------------------------------------------------------------------------- */

static void bar_draw(FILE *stream, double percent) {
    unsigned filled = (unsigned)(percent / 100 * BAR_COLUMNS + 0.5);
    fputc('[', stream);
    for (unsigned i = 0; i < BAR_COLUMNS; i++)
        fputs(i < filled ? "█" : "·", stream);
    fputs("] ", stream);
}

/* One line, over the one before on a terminal; elsewhere only what is new. */
static void watch_draw(struct cli *cli, struct arena *arena, const struct doc *doc,
                       struct buffer *shown) {
    struct terminal *out = &cli->out;
    doc_node progress = answer_member(doc, 0, "progress");
    stet_view status = answer_text(arena, doc, 0, "status");
    stet_view words = standing(arena, doc, 0);
    stet_view who = answer_text(arena, doc, 0, "current_agent");
    struct buffer line;
    buffer_init(&line, arena, 0);
    buffer_append_format(&line, "%.*s %.*s %.*s", VIEW_ARG(status), VIEW_ARG(words), VIEW_ARG(who));
    if (view_equal(buffer_view(&line), buffer_view(shown))) return;
    buffer_reset(shown);
    buffer_append_view(shown, buffer_view(&line));
    if (out->width > 0) fputs("\r\033[K", out->stream);
    terminal_text(out, status_color(status), status);
    fputs("  ", out->stream);
    if (out->width > BAR_COLUMNS + 30 && view_equal(status, VIEW("running"))) {
        char text[32];
        snprintf(text, sizeof text, "%.*s", VIEW_ARG(answer_text(arena, doc, progress, "percent")));
        bar_draw(out->stream, progress == DOC_NONE ? 0 : strtod(text, NULL));
    }
    size_t room = out->width == 0 ? words.size : out->width > 60 ? out->width - 50 : 10;
    terminal_text(out, COLOR_NONE, terminal_cut(words, room));
    if (who.size > 0) {
        fputs("  ", out->stream);
        terminal_text(out, COLOR_DIM, terminal_cut(who, 18));
    }
    if (out->width == 0) fputc('\n', out->stream);
    fflush(out->stream);
}

/* What it came to. */
static int watch_end(struct cli *cli, struct arena *arena, const struct doc *doc) {
    stet_view status = answer_text(arena, doc, 0, "status");
    stet_view error = reason_text(arena, doc, 0);
    doc_node result = answer_member(doc, 0, "result");
    if (cli->out.width > 0) fputs("\r\033[K", cli->out.stream);
    if (cli->out.width > 0) {
        terminal_text(&cli->out, status_color(status), status);
        fputc('\n', cli->out.stream);
    }
    if (error.size > 0) {
        terminal_text(&cli->errors, COLOR_RED, error);
        fputc('\n', cli->errors.stream);
    }
    if (result != DOC_NONE) terminal_json(&cli->out, doc, result);
    return view_equal(status, VIEW("completed")) ? EXIT_DONE : EXIT_FAILED;
}

/* Asks again and again, which costs the server next to nothing; less often the longer it takes. */
static int watch(struct cli *cli, const char *id) {
    struct arena arena;
    struct buffer shown;
    int code = EXIT_DONE;
    int pause_ms = WATCH_MS;
    struct sigaction action = {.sa_handler = stop};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    arena_init(&arena, 4096);
    buffer_init(&shown, NULL, 0);
    while (stopped == 0) {
        struct buffer path;
        struct answer answer;
        struct doc doc;
        size_t before = shown.size;
        arena_reset(&arena);
        operations_path(cli, &path, id, NULL);
        code = cli_get(cli, &path, &arena, &answer, &doc);
        if (code != EXIT_DONE) break;
        bool over = is_finished(answer_text(&arena, &doc, 0, "status"));
        if (cli->json && over) cli_print_json(cli, answer.body);
        if (!cli->json) watch_draw(cli, &arena, &doc, &shown);
        if (over) {
            code = cli->json
                       ? (view_equal(answer_text(&arena, &doc, 0, "status"), VIEW("completed"))
                              ? EXIT_DONE
                              : EXIT_FAILED)
                       : watch_end(cli, &arena, &doc);
            break;
        }
        pause_ms = shown.size != before      ? WATCH_MS
                   : pause_ms < WATCH_MS_MAX ? pause_ms + pause_ms / 8
                                             : WATCH_MS_MAX;
        (void)poll(NULL, 0, pause_ms);
    }
    if (stopped != 0 && cli->out.width > 0) fputc('\n', cli->out.stream);
    if (stopped != 0) code = EXIT_FAILED;
    buffer_done(&shown);
    arena_done(&arena);
    return code;
}

int run_ops_watch(struct cli *cli) { return watch(cli, cli->args->arguments[0]); }

/* ---- Submitting -------------------------------------------------------------------------- */

/* "90s", "2h" from now, or a time. */
static bool time_option(struct cli *cli, struct json_writer *writer, enum option_id option,
                        const char *member, stet_error *err) {
    const char *text = args_text(cli->args, option);
    uint64_t seconds;
    int64_t ns;
    if (text == NULL) return true;
    if (span_parse(view_of(text), &seconds)) {
        ns = clock_wall_ns(clock_system()) + (int64_t)seconds * CLOCK_NS_PER_S;
    } else if (!clock_parse_rfc3339(view_of(text), &ns)) {
        error_set(err, STET_BAD_REQUEST,
                  "--%s must be like 90s, 2h or 2026-03-01T12:00:00Z, not \"%s\"",
                  option_row(option)->name, text);
        return false;
    }
    json_key(writer, view_of(member));
    json_rfc3339(writer, ns);
    return true;
}

static void text_option(struct cli *cli, struct json_writer *writer, enum option_id option,
                        const char *member) {
    const char *text = args_text(cli->args, option);
    if (text != NULL) json_member_text(writer, view_of(member), view_of(text));
}

static bool request_write(struct cli *cli, struct buffer *body, stet_view input, stet_error *err) {
    const struct args *args = cli->args;
    struct json_writer writer;
    buffer_init(body, cli->arena, 0);
    json_begin(&writer, body);
    json_object_begin(&writer);
    text_option(cli, &writer, OPTION_LANE, "lane");
    text_option(cli, &writer, OPTION_CLASS, "class");
    text_option(cli, &writer, OPTION_AGENT, "agent");
    text_option(cli, &writer, OPTION_FUNCTION, "function");
    text_option(cli, &writer, OPTION_OP_TYPE, "op_type");
    text_option(cli, &writer, OPTION_TARGET, "target");
    text_option(cli, &writer, OPTION_OP_PARENT, "parent");
    text_option(cli, &writer, OPTION_BATCH_KEY, "batch_key");
    if (args_given(args, OPTION_DEPENDS_ON)) {
        json_key(&writer, VIEW("depends_on"));
        json_array_begin(&writer);
        for (size_t i = 0; i < args->values[OPTION_DEPENDS_ON].count; i++)
            json_text(&writer, view_of(args->values[OPTION_DEPENDS_ON].texts[i]));
        json_array_end(&writer);
    }
    if (args_given(args, OPTION_RUN_TIMEOUT))
        json_member_u64(&writer, VIEW("timeout_s"), args_number(args, OPTION_RUN_TIMEOUT));
    if (!time_option(cli, &writer, OPTION_NOT_BEFORE, "not_before", err) ||
        !time_option(cli, &writer, OPTION_DEADLINE, "deadline", err))
        return false;
    if (input.size > 0) json_member_raw(&writer, VIEW("input"), input);
    json_object_end(&writer);
    if (json_end(&writer) == STET_OK) return true;
    error_set(err, STET_NO_MEMORY, "out of memory");
    return false;
}

/* Ends the path with the key that makes the call repeatable. */
static stet_status call_make(struct cli *cli, struct call *call, struct buffer *path,
                             stet_error *err) {
    cli_query_write(cli, path);
    return cli_end_path(path, call, err);
}

int run_ops_submit(struct cli *cli) {
    const struct args *args = cli->args;
    struct call call = {.method = "POST", .content_type = "application/json"};
    struct buffer path, body;
    struct answer answer;
    struct doc doc, parsed;
    stet_view input = {0};
    stet_error err;
    if (args->argument_count > 0 && cli_body(cli, args->arguments[0], &input, &err) != STET_OK)
        return cli_fail(cli, &err);
    if (args->argument_count > 0 && doc_parse(cli->arena, input, NULL, &parsed, &err) != STET_OK) {
        stet_error why = err;
        error_set(&err, STET_BAD_REQUEST, "INPUT is not JSON: %s", why.message);
        return cli_fail(cli, &err);
    }
    if (!request_write(cli, &body, input, &err)) return cli_fail(cli, &err);
    operations_path(cli, &path, NULL, NULL);
    if (call_make(cli, &call, &path, &err) != STET_OK) return cli_fail(cli, &err);
    call.body = buffer_view(&body);
    int code = cli_send(cli, &call, cli->arena, &answer, &doc);
    if (code != EXIT_DONE) return code;
    stet_view id = answer_text(cli->arena, &doc, 0, "id");
    bool watches = args_switch(args, OPTION_WATCH) && !args_switch(args, OPTION_DRY_RUN);
    if (cli->json && !watches) cli_print_json(cli, answer.body);
    if (!cli->json) {
        stet_view words = standing(cli->arena, &doc, 0);
        terminal_text(&cli->out, COLOR_BOLD, id);
        fputs("  ", cli->out.stream);
        terminal_text(&cli->out, COLOR_NONE, answer_text(cli->arena, &doc, 0, "status"));
        if (words.size > 0) fprintf(cli->out.stream, "  %.*s", VIEW_ARG(words));
        if (answer.replayed) fputs("  (submitted before with this key)", cli->out.stream);
        if (args_switch(args, OPTION_DRY_RUN))
            fputs("  (dry run: nothing was stored)", cli->out.stream);
        fputc('\n', cli->out.stream);
    }
    if (!watches) return EXIT_DONE;
    stet_view text = arena_format(cli->arena, "%.*s", VIEW_ARG(id));
    if (text.bytes != NULL) return watch(cli, text.bytes);
    error_set(&err, STET_NO_MEMORY, "out of memory");
    return cli_fail(cli, &err);
}

/* ---- Cancelling, trying again ------------------------------------------------------------ */

static int move(struct cli *cli, const char *verb, const char *reason) {
    struct call call = {.method = "POST", .content_type = "application/json"};
    struct buffer path, body;
    struct json_writer writer;
    struct answer answer;
    struct doc doc;
    stet_error err;
    operations_path(cli, &path, cli->args->arguments[0], verb);
    buffer_append_char(&path, '\0');
    buffer_init(&body, cli->arena, 0);
    json_begin(&writer, &body);
    json_object_begin(&writer);
    if (reason != NULL) json_member_text(&writer, VIEW("reason"), view_of(reason));
    json_object_end(&writer);
    if (json_end(&writer) != STET_OK || buffer_status(&path) != STET_OK) {
        error_set(&err, STET_NO_MEMORY, "out of memory");
        return cli_fail(cli, &err);
    }
    call.path = path.bytes;
    call.body = buffer_view(&body);
    int code = cli_send(cli, &call, cli->arena, &answer, &doc);
    if (code != EXIT_DONE) return code;
    if (cli->json) {
        cli_print_json(cli, answer.body);
        return EXIT_DONE;
    }
    terminal_text(&cli->out, COLOR_BOLD, answer_text(cli->arena, &doc, 0, "id"));
    fputs("  ", cli->out.stream);
    stet_view status = answer_text(cli->arena, &doc, 0, "status");
    terminal_text(&cli->out, status_color(status), status);
    fputc('\n', cli->out.stream);
    return EXIT_DONE;
}

int run_ops_cancel(struct cli *cli) {
    return move(cli, "cancel", args_text(cli->args, OPTION_REASON));
}

int run_ops_retry(struct cli *cli) { return move(cli, "retry", NULL); }
