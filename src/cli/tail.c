/*
 * tail: the feed as an event stream, a line for each change.
 *
 *   connect ──▶ events … ──▶ broken ──▶ pause ──▶ connect, behind the last position
 *      └─ refused: say why, end                └─ Ctrl-C at any time: end
 *
 * A connection that breaks inside a transaction goes on before it, so what was shown already is passed over by its position.
 */
#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "cli/address.h"
#include "cli/answer.h"
#include "cli/cli.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

enum {
    SILENCE_S = 3 * FEED_BOOKMARK_S, /* The server says something more often than that. */
    PAUSE_MS_MIN = 250,
    PAUSE_MS_MAX = 10000,
    EVENT_BYTES_MAX = 8 * 1024 * 1024, /* A record in JSON escapes, and what stands around it. */
    INDENT_COLUMNS = 10,
};

struct tail {
    struct cli *cli;
    struct buffer text; /* What has come of an event. */
    struct peer *other; /* For --diff: the first connection is busy. */
    uint64_t resume;    /* Go on behind it, */
    bool has_resume;    /* once there is a position. */
    uint64_t shown_seq;
    uint64_t shown;
    uint64_t limit; /* 0: none. */
    bool live;      /* Something came over this connection, */
    bool ever_live; /* or over an earlier one. */
    bool broken;    /* It was said that the connection broke. */
    bool ended;     /* Nothing more will come. */
    int code;
    stet_error err; /* Why the sink gave up; status STET_OK: it did not. */
};

static volatile sig_atomic_t stopped;

static void stop(int number) { stopped = number; }

/* Ctrl-C is how this ends; a wait that it interrupts is not begun again. */
static void signals_take(void) {
    struct sigaction action = {.sa_handler = stop};
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* ---- What is shown ----------------------------------------------------------------------- */

static unsigned columns_now(const struct cli *cli) {
    struct winsize size;
    if (cli->out.width == 0) return 0;
    if (ioctl(fileno(cli->out.stream), TIOCGWINSZ, &size) == 0 && size.ws_col > 0)
        return size.ws_col;
    return cli->out.width;
}

/* A line that is cut where the terminal ends; so far it is `used` columns long. */
struct shown_line {
    struct tail *tail;
    unsigned width; /* 0: not cut. */
    size_t used;
};

static void line_add(struct shown_line *line, enum color color, stet_view text) {
    struct terminal *out = &line->tail->cli->out;
    size_t columns = terminal_columns(text);
    if (line->width == 0 || line->used + columns <= line->width) {
        terminal_text(out, color, text);
        line->used += columns;
        return;
    }
    if (line->used >= line->width) return;
    size_t room = line->width - line->used - 1; /* One for the mark. */
    terminal_text(out, color, terminal_cut(text, room));
    fputs("…", out->stream);
    line->used = line->width;
}

static void line_end(struct shown_line *line) { fputc('\n', line->tail->cli->out.stream); }

static enum color op_color(stet_view op) {
    if (view_equal(op, VIEW("create"))) return COLOR_GREEN;
    if (view_equal(op, VIEW("delete"))) return COLOR_RED;
    return COLOR_YELLOW;
}

/* "2026-03-01T12:00:00.1Z" as "12:00:00", with the date where it is another day's. */
static stet_view time_short(struct arena *arena, stet_view at) {
    int64_t ns;
    char date[CLOCK_RFC3339_BYTES];
    stet_view text = answer_time(arena, at);
    if (!clock_parse_rfc3339(at, &ns)) return text;
    clock_format_rfc3339(clock_wall_ns(clock_system()), date);
    bool today = text.size > 11 && memcmp(text.bytes, date, 10) == 0;
    return today ? view_make(text.bytes + 11, text.size - 11) : text;
}

static void diff_show(struct tail *tail, struct arena *arena, const struct doc *change) {
    struct buffer path;
    struct answer answer;
    struct doc doc;
    stet_error err;
    doc_node record = answer_member(change, 0, "record");
    uint64_t from = answer_u64(change, 0, "prev"), to = answer_u64(change, record, "version");
    if (from == 0 || answer_bool(change, record, "deleted")) return;
    buffer_init(&path, arena, 0);
    buffer_append_text(&path, "/v1/");
    address_encode(&path, view_of(args_text(tail->cli->args, OPTION_SPACE)));
    buffer_append_text(&path, "/records/");
    buffer_append_view(&path, answer_text(arena, change, record, "address"));
    buffer_append_text(&path, "/diff");
    cli_query_u64(&path, "from", from);
    cli_query_u64(&path, "to", to);
    buffer_append_char(&path, '\0');
    struct call call = {.method = "GET", .path = path.bytes, .repeatable = true};
    /* What can no longer be compared is shown without. */
    if (buffer_status(&path) != STET_OK ||
        peer_call(tail->other, &call, arena, &answer, &err) != STET_OK || answer.http != 200 ||
        answer_parse(arena, answer.body, &doc, &err) != STET_OK)
        return;
    doc_node changes = answer_member(&doc, 0, "changes");
    for (doc_node one = doc_first(&doc, changes); one != DOC_NONE; one = doc_next(&doc, one)) {
        struct shown_line line = {.tail = tail, .width = columns_now(tail->cli)};
        stet_view before = answer_value(&doc, answer_member(&doc, one, "from"));
        stet_view after = answer_value(&doc, answer_member(&doc, one, "to"));
        line_add(&line, COLOR_NONE, arena_format(arena, "%*s", INDENT_COLUMNS, ""));
        line_add(&line, COLOR_BOLD, answer_text(arena, &doc, one, "pointer"));
        line_add(&line, COLOR_NONE, VIEW("  "));
        line_add(&line, COLOR_RED, before);
        line_add(&line, COLOR_NONE, VIEW(" → "));
        line_add(&line, COLOR_GREEN, after);
        line_end(&line);
    }
}

static void change_show(struct tail *tail, struct arena *arena, const struct doc *doc) {
    struct shown_line line = {.tail = tail, .width = columns_now(tail->cli)};
    const struct args *args = tail->cli->args;
    doc_node record = answer_member(doc, 0, "record");
    stet_view op = answer_text(arena, doc, 0, "op");
    line_add(&line, COLOR_DIM, time_short(arena, answer_text(arena, doc, record, "updated_at")));
    line_add(&line, COLOR_NONE, VIEW("  "));
    line_add(&line, op_color(op), op);
    line_add(&line, COLOR_NONE, VIEW("  "));
    line_add(&line, COLOR_BOLD, answer_text(arena, doc, record, "address"));
    line_add(&line, COLOR_DIM,
             arena_format(arena, "@%llu", (unsigned long long)answer_u64(doc, record, "version")));
    line_add(&line, COLOR_NONE, VIEW("  by "));
    line_add(&line, COLOR_BLUE, answer_text(arena, doc, record, "updated_by"));
    if (answer_bool(doc, 0, "merged")) line_add(&line, COLOR_YELLOW, VIEW("  (merged)"));
    if (answer_bool(doc, 0, "left")) line_add(&line, COLOR_DIM, VIEW("  (no longer matches)"));
    if (args_switch(args, OPTION_WITH_DATA)) {
        line_add(&line, COLOR_NONE, VIEW("  "));
        line_add(&line, COLOR_NONE, answer_value(doc, answer_member(doc, record, "data")));
    }
    line_end(&line);
    if (tail->other != NULL) diff_show(tail, arena, doc);
}

static void conflict_event_show(struct tail *tail, struct arena *arena, const struct doc *doc) {
    struct shown_line line = {.tail = tail, .width = columns_now(tail->cli)};
    doc_node conflict = answer_member(doc, 0, "conflict");
    stet_view user = answer_text(arena, doc, 0, "user");
    line_add(&line, COLOR_RED, VIEW("conflict  "));
    line_add(&line, COLOR_BOLD, answer_text(arena, doc, 0, "address"));
    line_add(&line, COLOR_NONE, VIEW("  "));
    line_add(&line, COLOR_YELLOW, answer_text(arena, doc, 0, "event"));
    if (user.size > 0) {
        line_add(&line, COLOR_NONE, VIEW("  by "));
        line_add(&line, COLOR_BLUE, user);
    }
    line_add(&line, COLOR_DIM, VIEW("  conflict "));
    line_add(&line, COLOR_DIM, answer_text(arena, doc, conflict, "id"));
    line_end(&line);
}

static void revoked_show(struct tail *tail, struct arena *arena, const struct doc *doc) {
    struct shown_line line = {.tail = tail, .width = columns_now(tail->cli)};
    stet_view address = answer_text(arena, doc, 0, "address");
    line_add(&line, COLOR_DIM, VIEW("revoked  "));
    line_add(&line, COLOR_BOLD, address.size > 0 ? address : answer_text(arena, doc, 0, "type"));
    line_add(&line, COLOR_DIM, VIEW("  (not yours to read any more)"));
    line_end(&line);
}

/* ---- Events ------------------------------------------------------------------------------ */

static void reset_say(struct tail *tail, uint64_t seq) {
    struct cli *cli = tail->cli;
    if (cli->json) {
        fprintf(cli->out.stream, "{\"reset\":%llu}\n", (unsigned long long)seq);
        return;
    }
    fprintf(cli->errors.stream,
            "reset: changes up to position %llu are no longer kept and were left out\n",
            (unsigned long long)seq);
}

/* The server ends the stream: for a while, or for good. False: for good. */
static bool end_take(struct tail *tail, stet_view code) {
    if (view_equal(code, VIEW("SHUTTING_DOWN"))) return true;
    bool denied =
        view_equal(code, VIEW("UNAUTHENTICATED")) || view_equal(code, VIEW("SESSION_ENDED"));
    tail->ended = true;
    tail->code = denied ? EXIT_DENIED : EXIT_FAILED;
    fprintf(tail->cli->errors.stream, "stet: the server ended it: %.*s\n", VIEW_ARG(code));
    return false;
}

/* One event. False: it was the last one. */
static bool event_take(struct tail *tail, stet_view name, stet_view data) {
    struct arena arena;
    struct doc doc;
    bool goes_on = true;
    arena_init(&arena, 16 * 1024);
    if (answer_parse(&arena, data, &doc, &tail->err) != STET_OK) {
        arena_done(&arena);
        return false;
    }
    bool conflict = view_equal(name, VIEW("conflict"));
    bool revoked = view_equal(name, VIEW("revoked"));
    uint64_t seq = answer_u64(&doc, 0, "seq");
    if (conflict || revoked || view_equal(name, VIEW("change"))) {
        if (seq > tail->shown_seq) {
            tail->shown_seq = seq;
            tail->shown += 1;
            if (tail->cli->json) {
                cli_print_json(tail->cli, data);
            } else if (conflict) {
                conflict_event_show(tail, &arena, &doc);
            } else if (revoked) {
                revoked_show(tail, &arena, &doc);
            } else {
                change_show(tail, &arena, &doc);
            }
        }
        tail->ended = tail->limit > 0 && tail->shown >= tail->limit;
        goes_on = !tail->ended;
    } else if (view_equal(name, VIEW("reset"))) {
        /* Below what was shown: the server is not the one it was, and counts anew. */
        if (seq < tail->shown_seq) tail->shown_seq = seq;
        reset_say(tail, seq);
    } else if (view_equal(name, VIEW("auth")) && answer_bool(&doc, 0, "changed")) {
        goes_on = true; /* With other rights: the stream ends, and the next one has them. */
    } else if (view_equal(name, VIEW("end")) || view_equal(name, VIEW("auth"))) {
        goes_on = end_take(tail, answer_text(&arena, &doc, 0, "code"));
    }
    arena_done(&arena);
    return goes_on;
}

/* The value of a line "name: value" of an event. */
static bool field_is(stet_view line, const char *name, stet_view *value) {
    size_t size = strlen(name);
    if (line.size < size + 1 || memcmp(line.bytes, name, size) != 0 || line.bytes[size] != ':')
        return false;
    *value = view_make(line.bytes + size + 1, line.size - size - 1);
    if (value->size > 0 && value->bytes[0] == ' ')
        *value = view_make(value->bytes + 1, value->size - 1);
    return true;
}

/* text: an event's lines. Data that stands on several lines is joined, in place. */
static bool event_read(struct tail *tail, char *text, size_t size) {
    stet_view name = {0}, value, id = {0};
    size_t data_size = 0;
    char *data = text;
    for (char *line = text, *end = text + size; line < end;) {
        char *next = memchr(line, '\n', (size_t)(end - line));
        stet_view whole = view_make(line, (size_t)((next == NULL ? end : next) - line));
        line = next == NULL ? end : next + 1;
        if (field_is(whole, "event", &value)) name = value;
        if (field_is(whole, "id", &value)) id = value;
        if (!field_is(whole, "data", &value)) continue;
        if (data_size == 0) {
            data = (char *)(uintptr_t)value.bytes;
        } else {
            data[data_size++] = '\n';
            memmove(data + data_size, value.bytes, value.size);
        }
        data_size += value.size;
    }
    bool goes_on = data_size == 0 || event_take(tail, name, view_make(data, data_size));
    if (view_parse_u64(id, &tail->resume)) tail->has_resume = true;
    return goes_on;
}

static bool bytes_take(void *context, stet_view bytes) {
    struct tail *tail = context;
    bool goes_on = true;
    size_t from = 0;
    tail->live = tail->ever_live = true;
    if (tail->broken) fputs("connected again\n", tail->cli->errors.stream);
    tail->broken = false;
    buffer_append_view(&tail->text, bytes);
    if (buffer_status(&tail->text) != STET_OK || tail->text.size > EVENT_BYTES_MAX) {
        error_set(&tail->err, STET_NO_MEMORY, "out of memory for an event");
        return false;
    }
    while (goes_on) {
        char *text = tail->text.bytes + from;
        char *end = memmem(text, tail->text.size - from, "\n\n", 2);
        if (end == NULL) break;
        goes_on = event_read(tail, text, (size_t)(end - text));
        from = (size_t)(end - tail->text.bytes) + 2;
    }
    memmove(tail->text.bytes, tail->text.bytes + from, tail->text.size - from);
    tail->text.size -= from;
    /* Whoever follows wants to see it now, also through a pipe. */
    if (fflush(tail->cli->out.stream) != 0) goes_on = false;
    return goes_on;
}

/* ---- Connections ------------------------------------------------------------------------- */

static int path_make(struct tail *tail, struct arena *arena, struct buffer *path) {
    struct cli *cli = tail->cli;
    const struct args *args = cli->args;
    stet_error err;
    cli_path(cli, path);
    buffer_append_text(path, "/changes");
    for (size_t i = 0; i < args->argument_count; i++) {
        struct buffer address;
        stet_view argument = view_of(args->arguments[i]);
        bool record = memchr(argument.bytes, '/', argument.size) != NULL;
        if (!record) {
            cli_query(path, "type", argument);
            continue;
        }
        buffer_init(&address, arena, 0);
        if (address_path(&address, argument, &err) != STET_OK) return cli_fail(cli, &err);
        cli_query(path, "id", buffer_view(&address));
    }
    if (args_given(args, OPTION_WHERE))
        cli_query(path, "where", view_of(args_text(args, OPTION_WHERE)));
    if (args_switch(args, OPTION_CONFLICT_EVENTS)) cli_query(path, "events", VIEW("conflict"));
    if (tail->has_resume) cli_query_u64(path, "since", tail->resume);
    buffer_append_char(path, '\0');
    if (buffer_status(path) == STET_OK) return EXIT_DONE;
    error_set(&err, STET_NO_MEMORY, "out of memory");
    return cli_fail(cli, &err);
}

/* True when it is worth trying again. */
static bool connection_read(struct tail *tail) {
    struct arena arena;
    struct buffer path;
    struct answer answer;
    stet_error err = {0};
    bool again = false;
    arena_init(&arena, 4096);
    buffer_reset(&tail->text);
    tail->live = false;
    tail->code = path_make(tail, &arena, &path);
    if (tail->code != EXIT_DONE) goto done;
    struct call call = {.method = "GET", .path = path.bytes};
    struct peer_stream stream = {.call = &call,
                                 .accept = "text/event-stream",
                                 .sink = bytes_take,
                                 .context = tail,
                                 .stop = &stopped,
                                 .silence_s = SILENCE_S};
    stet_status status = peer_read(tail->cli->peer, &stream, &arena, &answer, &err);
    if (tail->err.status != STET_OK) {
        tail->code = cli_fail(tail->cli, &tail->err);
    } else if (stopped != 0 || tail->ended || status == STET_CANCELLED) {
        again = false; /* That was all. */
    } else if (status == STET_NO_MEMORY || (status != STET_OK && !tail->ever_live)) {
        tail->code = cli_fail(tail->cli, &err); /* Perhaps the URL is wrong. */
    } else if (status == STET_OK && (answer.http < 200 || answer.http >= 300) &&
               ((answer.http != 503 && answer.http != 429) || !tail->ever_live)) {
        tail->code = cli_refuse(tail->cli, &arena, &answer);
    } else {
        again = true;
    }
done:
    arena_done(&arena);
    return again;
}

static void pause_for(unsigned ms) {
    struct timespec span = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
    if (stopped == 0) nanosleep(&span, NULL);
}

static void follow(struct tail *tail) {
    unsigned pause_ms = PAUSE_MS_MIN;
    while (connection_read(tail)) {
        if (tail->live) pause_ms = PAUSE_MS_MIN;
        if (!tail->broken) {
            fprintf(tail->cli->errors.stream,
                    "the connection broke; going on behind position %llu\n",
                    (unsigned long long)tail->resume);
            tail->broken = true;
        }
        /* Half of it at random: many who were cut off at once do not come back at once. */
        unsigned jitter = (unsigned)(entropy_u64(entropy_system()) % (pause_ms / 2 + 1));
        pause_for(pause_ms / 2 + jitter);
        pause_ms = pause_ms * 2 < PAUSE_MS_MAX ? pause_ms * 2 : PAUSE_MS_MAX;
        if (stopped != 0) return;
    }
}

int run_tail(struct cli *cli) {
    struct tail tail = {.cli = cli};
    const struct args *args = cli->args;
    stet_error err;
    bool since = args_given(args, OPTION_SINCE), start = args_switch(args, OPTION_FROM_START);
    if (since && start) {
        error_set(&err, STET_BAD_REQUEST, "give --since or --from-start, not both");
        return cli_fail(cli, &err);
    }
    int code = cli_connect(cli);
    if (code != EXIT_DONE) return code;
    if (peer_is_own(cli->peer)) {
        error_set(
            &err, STET_UNAVAILABLE,
            "no server owns \"%s\", so nobody can change anything there: start one with `stet "
            "serve`, or name one with --url",
            args_text(args, OPTION_DATA));
        return cli_fail(cli, &err);
    }
    if (args_switch(args, OPTION_DIFF) && !cli->json &&
        peer_share(cli->peer, &tail.other, &err) != STET_OK)
        return cli_fail(cli, &err);
    tail.has_resume = since || start;
    tail.resume = since ? args_number(args, OPTION_SINCE) : 0;
    tail.shown_seq = tail.resume;
    tail.limit = args_given(args, OPTION_TAIL_LIMIT) ? args_number(args, OPTION_TAIL_LIMIT) : 0;
    buffer_init(&tail.text, NULL, 0);
    signals_take();
    follow(&tail);
    buffer_done(&tail.text);
    peer_close(tail.other);
    return tail.code;
}
