#include "cli/cli.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/uuid.h"
#include "base/view.h"
#include "cli/address.h"
#include "cli/answer.h"
#include "cli/file.h"

#include <errno.h>
#include <string.h>

int cli_exit_of_status(stet_status status) {
    if (status == STET_OK) return EXIT_DONE;
    if (status == STET_BAD_REQUEST) return EXIT_USAGE;
    if (status == STET_BUSY || status == STET_UNAVAILABLE) return EXIT_UNREACHABLE;
    return EXIT_FAILED;
}

int cli_exit_of_http(int http) {
    switch (http) {
    case 401:
    case 403: return EXIT_DENIED;
    case 404:
    case 410: return EXIT_NOT_FOUND;
    case 409:
    case 412:
    case 423: return EXIT_CONFLICT;
    case 408:
    case 429:
    case 502:
    case 503:
    case 504:
    case 507: return EXIT_UNREACHABLE;
    }
    return http >= 200 && http < 300 ? EXIT_DONE : EXIT_FAILED;
}

int cli_fail(struct cli *cli, const stet_error *err) {
    fputs("stet: ", cli->errors.stream);
    terminal_text(&cli->errors, COLOR_NONE, view_of(err->message));
    if (err->cause[0] != '\0') {
        fputs(": ", cli->errors.stream);
        terminal_text(&cli->errors, COLOR_NONE, view_of(err->cause));
    }
    fputc('\n', cli->errors.stream);
    return cli_exit_of_status(err->status);
}

int cli_connect(struct cli *cli) {
    stet_error err;
    stet_status status = peer_open(cli->args, &cli->peer, &err);
    return status == STET_OK ? EXIT_DONE : cli_fail(cli, &err);
}

void cli_path(struct cli *cli, struct buffer *path) {
    buffer_init(path, cli->arena, 0);
    buffer_append_text(path, "/v1/");
    address_encode(path, view_of(args_text(cli->args, OPTION_SPACE)));
}

void cli_query(struct buffer *path, const char *name, stet_view text) {
    bool first = path->size == 0 || memchr(path->bytes, '?', path->size) == NULL;
    buffer_append_char(path, first ? '?' : '&');
    buffer_append_text(path, name);
    buffer_append_char(path, '=');
    address_encode(path, text);
}

void cli_query_u64(struct buffer *path, const char *name, uint64_t value) {
    char digits[24];
    int size = snprintf(digits, sizeof digits, "%llu", (unsigned long long)value);
    cli_query(path, name, view_make(digits, (size_t)size));
}

void cli_query_write(struct cli *cli, struct buffer *path) {
    const struct args *args = cli->args;
    const char *key = args_text(args, OPTION_KEY);
    char fresh[UUID_TEXT_BYTES + 1] = {0};
    uint8_t uuid[UUID_BYTES];
    uuid_v7(clock_system(), entropy_system(), uuid);
    uuid_format(uuid, fresh);
    cli_query(path, "client_mutation_id", view_of(key == NULL ? fresh : key));
    if (args_given(args, OPTION_BASE))
        cli_query_u64(path, "base_version", args_number(args, OPTION_BASE));
    if (args_switch(args, OPTION_DRY_RUN)) cli_query(path, "dry_run", VIEW("1"));
}

stet_status cli_end_path(struct buffer *path, struct call *call, stet_error *err) {
    buffer_append_char(path, '\0');
    if (buffer_status(path) != STET_OK) return error_set(err, buffer_status(path), "out of memory");
    call->path = path->bytes;
    call->repeatable = true;
    return STET_OK;
}

int cli_get(struct cli *cli, struct buffer *path, struct arena *arena, struct answer *answer,
            struct doc *doc) {
    buffer_append_char(path, '\0');
    if (buffer_status(path) != STET_OK) {
        stet_error err;
        error_set(&err, buffer_status(path), "out of memory");
        return cli_fail(cli, &err);
    }
    return cli_send(cli, &(struct call){.method = "GET", .path = path->bytes, .repeatable = true},
                    arena, answer, doc);
}

int cli_send(struct cli *cli, const struct call *call, struct arena *arena, struct answer *answer,
             struct doc *doc) {
    stet_error err;
    int code = cli->peer == NULL ? cli_connect(cli) : EXIT_DONE;
    if (code != EXIT_DONE) return code;
    if (peer_call(cli->peer, call, arena, answer, &err) != STET_OK) return cli_fail(cli, &err);
    if (answer->http < 200 || answer->http >= 300) return cli_refuse(cli, arena, answer);
    stet_view text = answer->body.size > 0 ? answer->body : VIEW("{}");
    if (answer_parse(arena, text, doc, &err) != STET_OK) return cli_fail(cli, &err);
    return EXIT_DONE;
}

stet_status cli_body(struct cli *cli, const char *argument, stet_view *body, stet_error *err) {
    struct buffer buffer;
    if (argument[0] != '@' && strcmp(argument, "-") != 0) {
        *body = view_of(argument);
        return STET_OK;
    }
    /* Twice what a record may hold, so that the server is the one to name the limit. */
    buffer_init(&buffer, cli->arena, 2 * (size_t)DATA_BYTES_MAX);
    stet_status status = file_read(argument[0] == '@' ? argument + 1 : argument, &buffer, err);
    if (status == STET_OK) *body = buffer_view(&buffer);
    if (status == STET_OK && body->bytes == NULL) *body = VIEW("");
    return status;
}

static void say_member(struct cli *cli, struct arena *arena, const struct doc *doc,
                       const char *key) {
    stet_view text = answer_text(arena, doc, 0, key);
    if (text.size == 0) return;
    fprintf(cli->errors.stream, "  %s: ", key);
    terminal_text(&cli->errors, COLOR_NONE, text);
    fputc('\n', cli->errors.stream);
}

/* Until when somebody holds the lock, and what for. */
static void say_lock(struct cli *cli, struct arena *arena, const struct doc *doc) {
    stet_view until = answer_time(arena, answer_text(arena, doc, 0, "expires_at"));
    stet_view note = answer_text(arena, doc, 0, "note");
    if (until.size == 0) return;
    fputs("  until ", cli->errors.stream);
    terminal_text(&cli->errors, COLOR_NONE, until);
    fputs(" unless it is renewed", cli->errors.stream);
    if (note.size > 0) {
        fputs(": ", cli->errors.stream);
        terminal_text(&cli->errors, COLOR_NONE, note);
    }
    fputc('\n', cli->errors.stream);
}

/* The existing records that are in the way of a definition. */
static void say_violations(struct cli *cli, struct arena *arena, const struct doc *doc,
                           doc_node refusal) {
    FILE *stream = cli->errors.stream;
    doc_node violations = answer_member(doc, refusal, "violations");
    doc_node examples =
        violations == DOC_NONE ? DOC_NONE : answer_member(doc, violations, "examples");
    if (examples == DOC_NONE) return;
    /* Bookings overlap, values of a unique index are equal. */
    bool booked = view_starts(answer_text(arena, doc, refusal, "field"), VIEW("/exclusive"));
    const char *shared = booked ? "  overlaps " : "  has the value of ";
    for (doc_node one = doc_first(doc, examples); one != DOC_NONE; one = doc_next(doc, one)) {
        stet_view taken_by = answer_text(arena, doc, one, "taken_by");
        fputs("  ", stream);
        terminal_text(&cli->errors, COLOR_BOLD, answer_text(arena, doc, one, "address"));
        fputs("  ", stream);
        terminal_text(&cli->errors, COLOR_NONE, answer_text(arena, doc, one, "field"));
        fputs(taken_by.size > 0 ? shared : "  ", stream);
        terminal_text(&cli->errors, COLOR_NONE,
                      taken_by.size > 0 ? taken_by : answer_text(arena, doc, one, "detail"));
        fputc('\n', stream);
    }
    if (answer_u64(doc, violations, "count") > doc_count(doc, examples)) fputs("  …\n", stream);
    if (answer_bool(doc, violations, "forcible"))
        fputs("  --force stores the definition all the same\n", stream);
}

/* several: of a series one has to know which of its times is meant. */
static void say_slot(struct cli *cli, struct arena *arena, const struct doc *doc, doc_node slot,
                     const char *words, bool several) {
    FILE *stream = cli->errors.stream;
    static const char *const names[] = {"address", "resource"};
    stet_view start = answer_text(arena, doc, slot, "start");
    stet_view original = answer_text(arena, doc, slot, "original_start");
    fprintf(stream, "  %s", words);
    for (size_t i = 0; i < 2; i++) {
        stet_view text = answer_text(arena, doc, slot, names[i]);
        if (text.size == 0) continue;
        fputc(' ', stream);
        terminal_text(&cli->errors, i == 0 ? COLOR_BOLD : COLOR_NONE, text);
    }
    fputs("  from ", stream);
    terminal_text(&cli->errors, COLOR_NONE, answer_time(arena, start));
    fputs(" to ", stream);
    terminal_text(&cli->errors, COLOR_NONE,
                  answer_time(arena, answer_text(arena, doc, slot, "end")));
    fputs(" UTC", stream);
    if (several && original.size > 0) {
        fputs(", in the way of what begins ", stream);
        terminal_text(&cli->errors, COLOR_NONE, answer_time(arena, original));
    }
    fputc('\n', stream);
}

/* By what a time is taken, and when there is room. */
static void say_slots(struct cli *cli, struct arena *arena, const struct doc *doc,
                      doc_node refusal) {
    static const char *const names[] = {"in_the_way", "next_free"};
    static const char *const words[] = {"taken:", "free:"};
    for (size_t i = 0; i < 2; i++) {
        doc_node list = answer_member(doc, refusal, names[i]);
        if (list == DOC_NONE || doc_kind(doc, list) != DOC_ARRAY) continue;
        for (doc_node one = doc_first(doc, list); one != DOC_NONE; one = doc_next(doc, one))
            say_slot(cli, arena, doc, one, words[i], doc_count(doc, list) > 1);
        uint64_t more = i == 0 ? answer_u64(doc, refusal, "more_in_the_way") : 0;
        if (more > 0) fprintf(cli->errors.stream, "  and %llu more\n", (unsigned long long)more);
    }
}

/* What a transaction, or a schema, was refused for, part by part. */
static void say_parts(struct cli *cli, struct arena *arena, const struct doc *doc) {
    FILE *stream = cli->errors.stream;
    doc_node parts = answer_member(doc, 0, "conflicts");
    say_violations(cli, arena, doc, 0);
    say_slots(cli, arena, doc, 0);
    if (parts == DOC_NONE || doc_kind(doc, parts) != DOC_ARRAY) return;
    for (doc_node part = doc_first(doc, parts); part != DOC_NONE; part = doc_next(doc, part)) {
        fputs("  ", stream);
        terminal_text(&cli->errors, COLOR_NONE, answer_text(arena, doc, part, "detail"));
        fputs(" (", stream);
        terminal_text(&cli->errors, COLOR_NONE, answer_text(arena, doc, part, "code"));
        fputs(")\n", stream);
        say_violations(cli, arena, doc, part);
        say_slots(cli, arena, doc, part);
    }
}

/* What was chosen by those who were first, and when. */
static void say_resolved(struct cli *cli, struct arena *arena, const struct doc *doc) {
    doc_node conflict = answer_member(doc, 0, "conflict");
    stet_view choice = answer_text(arena, doc, conflict, "choice");
    uint64_t version = answer_u64(doc, conflict, "result_version");
    if (choice.size == 0) return;
    fputs("  chosen: ", cli->errors.stream);
    terminal_text(&cli->errors, COLOR_BOLD, choice);
    fputs(", at ", cli->errors.stream);
    terminal_text(&cli->errors, COLOR_NONE,
                  answer_time(arena, answer_text(arena, doc, conflict, "resolved_at")));
    if (version > 0) {
        fputs("; ", cli->errors.stream);
        terminal_text(&cli->errors, COLOR_NONE, answer_text(arena, doc, conflict, "address"));
        fprintf(cli->errors.stream, " was at version %llu then", (unsigned long long)version);
    }
    fputc('\n', cli->errors.stream);
}

/* What to do about a refusal that has a usual way on. */
static void say_hint(struct cli *cli, struct arena *arena, const struct doc *doc,
                     stet_view reason) {
    bool needs_base = view_equal(reason, VIEW("PRECONDITION_REQUIRED"));
    unsigned long long current = answer_u64(doc, 0, "current_version");
    if ((!needs_base && !view_equal(reason, VIEW("ALREADY_EXISTS"))) || current == 0) return;
    fputs("  ", cli->errors.stream);
    terminal_text(&cli->errors, COLOR_NONE, answer_text(arena, doc, 0, "address"));
    fprintf(cli->errors.stream, " is at version %llu; look at it, then repeat with --base %llu%s\n",
            current, current, needs_base ? "" : " and without --create");
}

int cli_refuse(struct cli *cli, struct arena *arena, const struct answer *answer) {
    struct doc doc;
    stet_error err;
    FILE *stream = cli->errors.stream;
    bool is_problem =
        answer_parse(arena, answer->body, &doc, &err) == STET_OK && doc_kind(&doc, 0) == DOC_OBJECT;
    int code = cli_exit_of_http(answer->http);
    if (code == EXIT_DONE) code = EXIT_FAILED;
    if (!is_problem) {
        fprintf(stream, "stet: %s answered %d, and not as a Stet server does\n",
                peer_url(cli->peer), answer->http);
        return code;
    }
    if (cli->json) {
        cli_print_json(cli, answer->body);
        return code;
    }
    stet_view reason = answer_text(arena, &doc, 0, "code");
    stet_view detail = answer_text(arena, &doc, 0, "detail");
    if (detail.size == 0) detail = answer_text(arena, &doc, 0, "title");
    fputs("stet: ", stream);
    terminal_text(&cli->errors, COLOR_NONE, detail);
    fputs(" (", stream);
    terminal_text(&cli->errors, COLOR_NONE, reason);
    fputs(")\n", stream);
    if (view_equal(reason, VIEW("CONCURRENT_MODIFICATION"))) {
        conflict_report(&cli->errors, arena, &doc);
    } else if (view_equal(reason, VIEW("LOCKED"))) {
        say_lock(cli, arena, &doc);
    } else if (view_equal(reason, VIEW("ALREADY_RESOLVED"))) {
        say_resolved(cli, arena, &doc);
    } else {
        /* What is not there was named by the user, and is in the detail. */
        if (answer->http != 404) say_member(cli, arena, &doc, "field");
        say_member(cli, arena, &doc, "limit");
        say_parts(cli, arena, &doc);
    }
    say_hint(cli, arena, &doc, reason);
    return code;
}

/* Data is kept as it was written, line breaks between its tokens included; within strings JSON has none. */
void cli_print_json(struct cli *cli, stet_view json) {
    for (size_t at = 0; at < json.size;) {
        size_t size = 0;
        while (at + size < json.size && json.bytes[at + size] != '\n' &&
               json.bytes[at + size] != '\r')
            size++;
        fwrite(json.bytes + at, 1, size, cli->out.stream);
        at += size;
        while (at < json.size && (json.bytes[at] == '\n' || json.bytes[at] == '\r'))
            at++;
    }
    fputc('\n', cli->out.stream);
}

int cli_finish(struct cli *cli, int code) {
    if (fflush(cli->out.stream) == 0 && !ferror(cli->out.stream)) return code;
    fprintf(cli->errors.stream, "stet: could not write the output: %s\n", strerror(errno));
    return code == EXIT_DONE ? EXIT_FAILED : code;
}
