/*
 * import: a file of JSON lines, sent in pieces of whole lines. The server derives a mutation key from a line that has none,
 * so a piece may be sent again after a broken connection, and the whole file any time later.
 *
 * Order. The lines of an export without history do not depend on one another, so several pieces are on their way at once. All
 * others are stored in the order of the file, for a line may build on the one before.
 *
 * Parents. A record that was moved or changed later than its children stands behind them. So lines whose parent is not there yet are put
 * aside, with those that build on them, and sent again behind the others as long as that helps.
 *
 * How far it came is written beside the file (FILE.import) once a second, and removed when it is through.
 */
#include "cli/import.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "cli/answer.h"
#include "cli/file.h"
#include "cli/import_rows.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PIECE_BYTES = 1024 * 1024, /* A piece ends with the first line that reaches this, */
    PIECE_BYTES_MAX =
        32 * 1024 * 1024, /* or, so as not to part a transaction, with one that reaches this. */
    READ_BYTES = 256 * 1024,
};

void import_fail(struct import *import, const stet_error *err) {
    progress_hide(&import->progress);
    import->code = cli_fail(import->cli, err);
}

static void memory_fail(struct import *import) {
    stet_error err;
    error_set(&err, STET_NO_MEMORY, "out of memory");
    import_fail(import, &err);
}

/* ---- What came of it --------------------------------------------------------------------- */

static void line_begin(struct import *import, uint64_t line) {
    progress_hide(&import->progress);
    fprintf(import->cli->errors.stream, "line %llu: ", (unsigned long long)line);
}

static void error_begin(struct import *import, uint64_t line) {
    line_begin(import, line);
    import->errors_told += 1;
}

/* The number in the file of a line that the server names by its place in the piece, from 1. */
static uint64_t number_of(const struct piece *piece, uint64_t place) {
    return place >= 1 && place <= piece->lines ? piece->numbers[place - 1] : 0;
}

static void error_show(struct import *import, uint64_t line, stet_view column, stet_view why,
                       stet_view field, stet_view code) {
    struct terminal *out = &import->cli->errors;
    if (import->rows != NULL && import_rows_tell(import->rows, line, column, why, field, code)) {
        import->errors_told += 1;
        return;
    }
    error_begin(import, line);
    if (column.size > 0) {
        fputs("column \"", out->stream);
        terminal_text(out, COLOR_NONE, column);
        fputs("\": ", out->stream);
    }
    terminal_text(out, COLOR_NONE, why);
    if (field.size > 0) {
        fputs(", at ", out->stream);
        terminal_text(out, COLOR_NONE, field);
    }
    if (code.size > 0) {
        fputs(" (", out->stream);
        terminal_text(out, COLOR_NONE, code);
        fputs(")", out->stream);
    }
    fputs("\n", out->stream);
}

static void errors_show(struct import *import, const struct piece *piece, struct arena *arena,
                        const struct doc *doc) {
    doc_node errors = answer_member(doc, 0, "errors");
    if (errors == DOC_NONE || doc_kind(doc, errors) != DOC_ARRAY) return;
    for (doc_node error = doc_first(doc, errors); error != DOC_NONE; error = doc_next(doc, error)) {
        stet_view field = answer_text(arena, doc, error, "field"), column = {0};
        if (import->rows != NULL) column = import_rows_column(import->rows, field);
        error_show(import, number_of(piece, answer_u64(doc, error, "line")), column,
                   answer_text(arena, doc, error, "detail"), field,
                   answer_text(arena, doc, error, "code"));
    }
}

/* Enough failed: the rest is not tried. */
static bool errors_stop(struct import *import) {
    if (import->errors_max == 0 || import->counts.failed < import->errors_max) return false;
    progress_hide(&import->progress);
    fprintf(import->cli->errors.stream, "stet: stopped: %llu failed, and --max-errors is %llu\n",
            (unsigned long long)import->counts.failed, (unsigned long long)import->errors_max);
    import->code = EXIT_FAILED;
    return true;
}

bool import_refuse(struct import *import, uint64_t line, stet_view column, const char *why) {
    error_show(import, line, column, view_of(why), (stet_view){0}, (stet_view){0});
    import->counts.failed += 1;
    import->refused += 1;
    if (import->code != EXIT_DONE) return false;
    bool stops = import->stop_on_error ||
                 (import->errors_max > 0 && import->counts.failed >= import->errors_max);
    if (!stops) return true;
    /* What stands before it was good, and is stored. */
    import->refused -= 1;
    import_lines_end(import);
    if (import->code != EXIT_DONE) return false;
    if (import->stop_on_error || !errors_stop(import)) import->code = EXIT_FAILED;
    return false;
}

/* Lines that were no error and changed nothing all the same. */
static void set_aside_show(struct import *import, const struct piece *piece, struct arena *arena,
                           const struct doc *doc) {
    doc_node lines = answer_member(doc, 0, "set_aside");
    if (lines == DOC_NONE || doc_kind(doc, lines) != DOC_ARRAY) return;
    for (doc_node line = doc_first(doc, lines); line != DOC_NONE; line = doc_next(doc, line)) {
        bool parked = view_equal(answer_text(arena, doc, line, "outcome"), VIEW("parked"));
        line_begin(import, number_of(piece, answer_u64(doc, line, "line")));
        bool kept = view_equal(answer_text(arena, doc, line, "outcome"), VIEW("kept"));
        fputs(parked ? "waits for somebody to decide\n"
              : kept ? "the record is there with other data, and stays as it is\n"
                     : "not applied: the record stays as it is\n",
              import->cli->errors.stream);
    }
}

static bool aside_add(struct aside *aside, stet_view line, uint64_t number) {
    if (aside->file == NULL) aside->file = tmpfile();
    if (aside->file == NULL) return false;
    if (aside->count == aside->capacity) {
        size_t capacity = aside->capacity == 0 ? 256 : aside->capacity * 2;
        uint64_t *numbers = realloc(aside->numbers, capacity * sizeof *numbers);
        if (numbers == NULL) return false;
        aside->numbers = numbers;
        aside->capacity = capacity;
    }
    if (fwrite(line.bytes, 1, line.size, aside->file) != line.size ||
        fputc('\n', aside->file) == EOF)
        return false;
    aside->numbers[aside->count++] = number;
    return true;
}

static void aside_done(struct aside *aside) {
    if (aside->file != NULL) fclose(aside->file);
    free(aside->numbers);
    *aside = (struct aside){0};
}

/* The lines whose parent is not there. The server names them in any order; a piece's lines are walked once. */
static void orphans_keep(struct import *import, const struct piece *piece, const struct doc *doc) {
    doc_node orphans = answer_member(doc, 0, "orphans");
    bool named[PIECE_LINES_MAX + 1] = {false};
    uint64_t place;
    if (orphans == DOC_NONE || doc_kind(doc, orphans) != DOC_ARRAY) return;
    for (doc_node one = doc_first(doc, orphans); one != DOC_NONE; one = doc_next(doc, one))
        if (doc_u64(doc, one, &place) && place <= PIECE_LINES_MAX) named[place] = true;
    stet_view rest = buffer_view(&piece->text);
    for (unsigned i = 0; i < piece->lines; i++) {
        const char *end = memchr(rest.bytes, '\n', rest.size);
        size_t size = end == NULL ? rest.size : (size_t)(end - rest.bytes);
        if (named[i + 1] &&
            !aside_add(&import->orphans, view_make(rest.bytes, size), piece->numbers[i])) {
            memory_fail(import);
            return;
        }
        if (end == NULL) return;
        rest = view_make(end + 1, rest.size - size - 1);
    }
}

void import_request(struct import *import, bool dry_run) {
    struct buffer *path = &import->request;
    buffer_reset(path);
    cli_path(import->cli, path);
    buffer_append_text(path, "/import");
    if (dry_run) cli_query(path, "dry_run", VIEW("1"));
    if (import->stop_on_error) cli_query(path, "on_error", VIEW("stop"));
    if (import->rows != NULL)
        import_rows_query(import->rows, path, dry_run);
    else if (import->tell_orphans)
        cli_query(path, "orphans", VIEW("1"));
    buffer_append_char(path, '\0');
}

/* ---- How far it came --------------------------------------------------------------------- */

static void state_write(struct import *import) {
    import->state_ns = clock_monotonic_ns(clock_system());
    if (import->path != NULL && import->state.line > 0)
        import_state_write(import->state_path, &import->state,
                           view_of(args_text(import->cli->args, OPTION_SPACE)));
}

/* Everything before the piece's end was stored, or refused and said so. */
static void state_move(struct import *import, const struct piece *piece, uint64_t failed) {
    struct import_state *state = &import->state;
    if (import->again != NULL || import->orphans.count > 0 || import->path == NULL ||
        args_switch(import->cli->args, OPTION_DRY_RUN))
        return;
    *state = (struct import_state){
        .bytes = piece->end_bytes,
        .line = piece->end_line,
        .of_bytes = import->bytes_total,
        .piece_bytes = state->line == 0 ? 0 : state->bytes,
        .piece_failed = failed + piece->refused,
        .failed = state->failed + failed + piece->refused,
        .is_export = import->is_export,
        .independent = import->independent,
        .how = import->rows == NULL ? (stet_view){0} : import_rows_how(import->rows),
    };
    if (clock_monotonic_ns(clock_system()) - import->state_ns >= CLOCK_NS_PER_S)
        state_write(import);
}

/* Takes up an earlier run. An exit code. */
static int state_take(struct import *import) {
    struct cli *cli = import->cli;
    struct import_state *state = &import->state;
    struct answer answer = {.http = 200};
    stet_error err;
    stet_status status = STET_OK;
    if (import->path == NULL)
        status = error_set(&err, STET_BAD_REQUEST, "--resume needs the name of a file");
    if (status == STET_OK && access(import->state_path, F_OK) != 0) return EXIT_DONE;
    if (status == STET_OK)
        status =
            import_state_read(import->state_path, import->bytes_total,
                              view_of(args_text(cli->args, OPTION_SPACE)), cli->arena, state, &err);
    if (status == STET_OK && import->rows != NULL) {
        if (!view_equal(state->how, import_rows_how(import->rows)))
            status = error_set(&err, STET_BAD_REQUEST,
                               "\"%s\" is of an import with another map or other options: use "
                               "the same, or import without --resume",
                               import->state_path);
    } else if (status == STET_OK) {
        import_request(import, true);
        status = buffer_status(&import->request) != STET_OK
                     ? error_set(&err, STET_NO_MEMORY, "out of memory")
                     : import_state_try(state, import->fd, (stet_view){0}, import->request.bytes,
                                        cli->peer, cli->arena, &answer, &err);
    }
    if (status == STET_OK && import->rows == NULL &&
        lseek(import->fd, (off_t)state->bytes, SEEK_SET) < 0)
        status =
            error_set(&err, STET_IO, "could not read \"%s\": %s", import->path, strerror(errno));
    if (status != STET_OK) return cli_fail(cli, &err);
    if (answer.http != 200) return cli_refuse(cli, cli->arena, &answer);
    import->bytes = state->bytes;
    import->line = state->line;
    import->lines_done = state->line - 1;
    import->is_export = state->is_export;
    import->independent = state->independent;
    import->failed_before = state->failed;
    fprintf(cli->errors.stream, "going on at line %llu\n", (unsigned long long)import->line);
    return EXIT_DONE;
}

/* ---- Pieces ------------------------------------------------------------------------------ */

/* How many lines there will be is guessed from those that were. */
static void progress_show(struct import *import, const struct piece *piece) {
    if (import->again == NULL && import->bytes_total > 0 && piece->end_bytes > 0)
        progress_total(&import->progress,
                       (uint64_t)((double)import->lines_done * (double)import->bytes_total /
                                  (double)piece->end_bytes));
    progress_set(&import->progress, import->lines_done);
}

static bool answer_take(void *context, struct piece_answer *came) {
    struct import *import = context;
    struct cli *cli = import->cli;
    struct counts *counts = &import->counts;
    struct doc doc;
    stet_error err;
    if (came->status != STET_OK) {
        progress_hide(&import->progress);
        import->code = cli_fail(cli, &came->err);
        return false;
    }
    if (came->answer.http != 200) {
        progress_hide(&import->progress);
        import->code = cli_refuse(cli, came->arena, &came->answer);
        return false;
    }
    if (answer_parse(came->arena, came->answer.body, &doc, &err) != STET_OK) {
        progress_hide(&import->progress);
        import->code = cli_fail(cli, &err);
        return false;
    }
    uint64_t failed = answer_u64(&doc, 0, "failed");
    counts->imported += answer_u64(&doc, 0, "imported");
    counts->unchanged += answer_u64(&doc, 0, "unchanged");
    counts->replayed += answer_u64(&doc, 0, "replayed");
    counts->updated += answer_u64(&doc, 0, "updated");
    counts->kept += answer_u64(&doc, 0, "kept");
    counts->dropped += answer_u64(&doc, 0, "dropped");
    counts->parked += answer_u64(&doc, 0, "parked");
    counts->failed += failed;
    errors_show(import, came->piece, came->arena, &doc);
    set_aside_show(import, came->piece, came->arena, &doc);
    orphans_keep(import, came->piece, &doc);
    if (import->code != EXIT_DONE) return false;
    import->lines_done += import->again == NULL ? came->piece->lines : 0;
    if (failed > 0 && import->stop_on_error) {
        import->code = EXIT_FAILED;
        return false;
    }
    state_move(import, came->piece, failed);
    if (errors_stop(import)) return false;
    progress_show(import, came->piece);
    return true;
}

static bool pieces_begin(struct import *import) {
    stet_error err;
    import_request(import, args_switch(import->cli->args, OPTION_DRY_RUN));
    stet_status status = buffer_status(&import->request);
    if (status != STET_OK) {
        error_set(&err, status, "out of memory");
    } else {
        bool wide = import->independent && import->again == NULL && !import->stop_on_error;
        status = pieces_open(import->cli->peer, import->request.bytes, wide ? PIECES_WIDTH_MAX : 1,
                             !import->stop_on_error, answer_take, import, &import->pieces, &err);
    }
    if (status != STET_OK) import->code = cli_fail(import->cli, &err);
    return status == STET_OK;
}

static void piece_send(struct import *import) {
    struct piece *piece = import->piece;
    if (piece == NULL || piece->lines == 0) return;
    if (buffer_status(&piece->text) != STET_OK) {
        memory_fail(import);
        return;
    }
    piece->end_bytes = import->bytes;
    piece->end_line = import->line;
    piece->refused += import->refused;
    import->refused = 0;
    import->piece = NULL;
    pieces_send(import->pieces);
}

/* ---- Lines ------------------------------------------------------------------------------- */

/* An export's own lines, which the server passes over. */
static void marker_take(struct import *import, stet_view line) {
    struct arena arena;
    struct doc doc;
    stet_error ignored;
    arena_init(&arena, 4096);
    if (answer_parse(&arena, line, &doc, &ignored) == STET_OK) {
        doc_node what = answer_member(&doc, 0, "stet_export");
        bool last = answer_member(&doc, what, "end") != DOC_NONE;
        if (last) import->whole = answer_bool(&doc, what, "end");
        if (!last) import->is_export = true;
        bool history = answer_bool(&doc, what, "history");
        if (!last && import->line == 1) import->independent = !history;
        if (!last && history && args_switch(import->cli->args, OPTION_DRY_RUN)) {
            stet_error err;
            error_set(&err, STET_BAD_REQUEST,
                      "a history cannot be tried out: each version needs the one before it to be "
                      "there");
            progress_hide(&import->progress);
            import->code = cli_fail(import->cli, &err);
        }
    }
    arena_done(&arena);
}

/* How an export with history begins a line; 0: it does not. */
static uint64_t transaction_of(stet_view line) {
    unsigned long long seq, transaction;
    char begin[80];
    size_t size = line.size < sizeof begin - 1 ? line.size : sizeof begin - 1;
    memcpy(begin, line.bytes, size);
    begin[size] = '\0';
    return sscanf(begin, "{\"seq\":%llu,\"transaction\":%llu,", &seq, &transaction) == 2
               ? transaction
               : 0;
}

/* Before a line is added: a piece that is large enough goes, unless that would part a transaction. */
static bool piece_is_full(const struct import *import, uint64_t transaction) {
    const struct piece *piece = import->piece;
    if (piece->lines == PIECE_LINES_MAX || piece->text.size >= PIECE_BYTES_MAX) return true;
    bool parts = transaction != 0 && transaction == import->transaction;
    return !parts && (piece->text.size >= PIECE_BYTES || piece->lines >= PIECE_LINES_MAX / 2);
}

bool import_line_add(struct import *import, stet_view line, size_t bytes) {
    uint64_t transaction = 0;
    if (line.size > 0) {
        if (import->again == NULL && view_starts(line, VIEW("{\"stet_export\":")))
            marker_take(import, line);
        transaction = transaction_of(line);
    }
    if (import->code != EXIT_DONE) return false;
    if (import->pieces == NULL && !pieces_begin(import)) return false;
    if (import->piece != NULL && piece_is_full(import, transaction)) piece_send(import);
    if (import->code != EXIT_DONE) return false;
    if (import->piece == NULL) import->piece = pieces_next(import->pieces);
    if (import->piece == NULL) return false;
    import->transaction = transaction;
    struct piece *piece = import->piece;
    piece->numbers[piece->lines++] =
        import->again == NULL ? import->line : import->again->numbers[import->line - 1];
    buffer_append_view(&piece->text, line);
    buffer_append_char(&piece->text, '\n');
    import->line += 1;
    import->bytes += bytes;
    return true;
}

/* What is too long even to be sent; an empty line takes its place so that the numbers stay right. */
static bool line_refuse(struct import *import, size_t bytes) {
    error_begin(import, import->line);
    fprintf(import->cli->errors.stream, "longer than %d bytes (TOO_LARGE)\n",
            (int)IMPORT_LINE_BYTES_MAX);
    import->counts.failed += 1;
    if (import->stop_on_error) import->code = EXIT_FAILED;
    if (import->code != EXIT_DONE || !import_line_add(import, (stet_view){0}, bytes)) return false;
    import->piece->refused += 1;
    return true;
}

void import_lines_end(struct import *import) {
    if (import->code == EXIT_DONE) piece_send(import);
    if (import->pieces != NULL && import->code == EXIT_DONE) pieces_finish(import->pieces);
}

static void import_lines_close(struct import *import) {
    pieces_close(import->pieces);
    import->pieces = NULL;
    import->piece = NULL;
}

struct reading {
    struct import *import;
    struct buffer rest; /* A line whose end was not read yet. */
    size_t dropped;     /* Bytes of a line that is too long. */
};

/* Takes the whole lines out of what was read. False: nothing more is read. */
static bool lines_take(struct reading *reading, size_t searched) {
    struct buffer *rest = &reading->rest;
    size_t begin = 0;
    const char *end;
    bool goes_on = true;
    while (goes_on && (end = memchr(rest->bytes + searched, '\n', rest->size - searched)) != NULL) {
        size_t at = (size_t)(end - rest->bytes), size = at - begin;
        goes_on =
            reading->dropped > 0 || size > IMPORT_LINE_BYTES_MAX
                ? line_refuse(reading->import, reading->dropped + size + 1)
                : import_line_add(reading->import, view_make(rest->bytes + begin, size), size + 1);
        reading->dropped = 0;
        begin = searched = at + 1;
    }
    size_t left = rest->size - begin;
    if (left > IMPORT_LINE_BYTES_MAX || reading->dropped > 0) {
        reading->dropped += left;
        left = 0;
    }
    if (left > 0) memmove(rest->bytes, rest->bytes + begin, left);
    rest->size = left;
    return goes_on;
}

static void lines_read(struct import *import) {
    struct reading reading = {.import = import};
    bool goes_on = true;
    buffer_init(&reading.rest, NULL, 0);
    while (goes_on) {
        char *room = buffer_reserve(&reading.rest, READ_BYTES);
        if (room == NULL) {
            memory_fail(import);
            break;
        }
        ssize_t got = read(import->fd, room, READ_BYTES);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            stet_error err;
            progress_hide(&import->progress);
            error_set(&err, STET_IO, "could not read \"%s\": %s", import->cli->args->arguments[0],
                      strerror(errno));
            import->code = cli_fail(import->cli, &err);
        }
        if (got <= 0) break;
        size_t searched = reading.rest.size;
        buffer_advance(&reading.rest, (size_t)got);
        goes_on = lines_take(&reading, searched);
    }
    if (goes_on && import->code == EXIT_DONE && reading.dropped > 0)
        goes_on = line_refuse(import, reading.dropped);
    if (goes_on && import->code == EXIT_DONE && reading.rest.size > 0)
        goes_on = import_line_add(import, buffer_view(&reading.rest), reading.rest.size);
    if (goes_on) import_lines_end(import);
    import_lines_close(import);
    buffer_done(&reading.rest);
}

/* Sends what was put aside once more, as long as fewer are left each time; the last time says what is wrong. */
static void orphans_send(struct import *import) {
    uint64_t line = import->line;
    bool helps = true;
    while (import->code == EXIT_DONE && import->orphans.count > 0) {
        struct aside again = import->orphans;
        import->orphans = (struct aside){0};
        import->tell_orphans = helps;
        import->again = &again;
        import->fd = fileno(again.file);
        import->line = 1;
        if (fflush(again.file) != 0 || lseek(import->fd, 0, SEEK_SET) < 0) memory_fail(import);
        if (import->code == EXIT_DONE) lines_read(import);
        helps = import->orphans.count < again.count;
        aside_done(&again);
    }
    import->again = NULL;
    import->line = line;
}

/* ---- The command ------------------------------------------------------------------------- */

static void summary_show(const struct import *import) {
    FILE *out = import->cli->out.stream;
    const struct counts *counts = &import->counts;
    if (import->cli->json) {
        fprintf(out,
                "{\"imported\":%llu,\"unchanged\":%llu,\"replayed\":%llu,\"dropped\":%llu,"
                "\"parked\":%llu,\"failed\":%llu",
                (unsigned long long)counts->imported, (unsigned long long)counts->unchanged,
                (unsigned long long)counts->replayed, (unsigned long long)counts->dropped,
                (unsigned long long)counts->parked, (unsigned long long)counts->failed);
        if (import->rows != NULL) {
            fprintf(out, ",\"updated\":%llu,\"kept\":%llu", (unsigned long long)counts->updated,
                    (unsigned long long)counts->kept);
            import_rows_summary(import->rows, out);
        }
        fputs("}\n", out);
        return;
    }
    if (counts->updated > 0)
        fprintf(out, "%llu %s, ", (unsigned long long)counts->updated,
                args_switch(import->cli->args, OPTION_DRY_RUN) ? "would be updated" : "updated");
    fprintf(out, "%llu %s, %llu there already, %llu failed\n", (unsigned long long)counts->imported,
            args_switch(import->cli->args, OPTION_DRY_RUN) ? "would be imported" : "imported",
            (unsigned long long)(counts->unchanged + counts->replayed),
            (unsigned long long)counts->failed);
    if (counts->kept > 0)
        fprintf(out, "%llu there with other data, and left alone: --update changes them\n",
                (unsigned long long)counts->kept);
    if (counts->dropped > 0)
        fprintf(out, "%llu not applied: their records had moved on, and stay as they are\n",
                (unsigned long long)counts->dropped);
    if (counts->parked > 0)
        fprintf(out, "%llu waiting for somebody to decide: see `stet inbox`\n",
                (unsigned long long)counts->parked);
    if (import->orphans.count > 0)
        fprintf(out, "%llu stand below records that are not there yet, and were not tried\n",
                (unsigned long long)import->orphans.count);
    if (import->failed_before > 0)
        fprintf(out, "%llu failed before it was interrupted\n",
                (unsigned long long)import->failed_before);
    if (counts->failed > import->errors_told) {
        fprintf(out, "%llu further errors were not listed by the server\n",
                (unsigned long long)(counts->failed - import->errors_told));
    }
}

static stet_status on_error_read(struct import *import, stet_error *err) {
    const char *what = args_text(import->cli->args, OPTION_ON_ERROR);
    import->stop_on_error = strcmp(what, "stop") == 0;
    import->errors_max = args_number(import->cli->args, OPTION_MAX_ERRORS);
    if (import->stop_on_error || strcmp(what, "continue") == 0 || strcmp(what, "skip") == 0)
        return STET_OK;
    return error_set(err, STET_BAD_REQUEST, "--on-error is skip, continue or stop, not \"%s\"",
                     what);
}

static stet_status file_open(struct import *import, stet_error *err) {
    const char *path = import->cli->args->arguments[0];
    struct stat info;
    import->fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (import->fd < 0)
        return error_set(err, STET_IO, "could not open \"%s\": %s", path, strerror(errno));
    int size = snprintf(import->state_path, sizeof import->state_path, "%s.import", path);
    if (fstat(import->fd, &info) != 0 || !S_ISREG(info.st_mode)) return STET_OK;
    import->bytes_total = (uint64_t)info.st_size;
    if (import->fd != STDIN_FILENO && size > 0 && (size_t)size < sizeof import->state_path)
        import->path = path;
    return STET_OK;
}

int run_import(struct cli *cli) {
    struct import import = {.cli = cli, .fd = -1, .line = 1, .tell_orphans = true};
    stet_error err;
    if (import_is_ics(cli->args)) return import_ics(cli);
    stet_status status = on_error_read(&import, &err);
    if (status == STET_OK &&
        (args_given(cli->args, OPTION_RESOURCE) || args_given(cli->args, OPTION_ZONE)))
        status = error_set(&err, STET_BAD_REQUEST,
                           "--resource and --zone are for iCalendar files: add --format ics");
    if (status == STET_OK) status = file_open(&import, &err);
    if (status == STET_OK && import_rows_wanted(cli->args))
        status = import_rows_create(&import, &import.rows, &err);
    int code = status == STET_OK ? cli_connect(cli) : cli_fail(cli, &err);
    if (code != EXIT_DONE) goto done;
    if (args_switch(cli->args, OPTION_RESUME)) code = state_take(&import);
    if (code != EXIT_DONE) goto done;
    progress_init(&import.progress, &cli->errors, cli->json, clock_system());
    progress_begin(&import.progress, "Importing", "lines", 0);
    progress_resume(&import.progress, import.lines_done);
    int file = import.fd;
    import.state_ns = clock_monotonic_ns(clock_system());
    if (import.rows != NULL) {
        import.independent = true;
        import_rows_read(import.rows);
        import_lines_close(&import);
    } else {
        lines_read(&import);
    }
    if (!args_switch(cli->args, OPTION_DRY_RUN)) orphans_send(&import);
    import.fd = file;
    if (import.code == EXIT_DONE) progress_total(&import.progress, import.lines_done);
    progress_end(&import.progress);
    summary_show(&import);
    code = import.code;
    bool dry_run = args_switch(cli->args, OPTION_DRY_RUN);
    if (code == EXIT_DONE && import.path != NULL && !dry_run) (void)unlink(import.state_path);
    if (code != EXIT_DONE) state_write(&import);
    if (code == EXIT_DONE && import.counts.failed + import.failed_before > 0) code = EXIT_FAILED;
    if (code == EXIT_DONE && import.is_export && !import.whole) {
        fputs("stet: the file is not a whole export: its last line is missing\n",
              cli->errors.stream);
        code = EXIT_FAILED;
    }
done:
    aside_done(&import.orphans);
    import_rows_destroy(import.rows);
    if (import.fd > STDIN_FILENO) close(import.fd);
    return code;
}
