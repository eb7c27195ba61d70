/*
 * import: a file of JSON lines, sent in pieces of whole lines. The server derives a mutation key from a line that has none,
 * so a piece may be sent again after a broken connection, and the whole file any time later.
 */
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "cli/answer.h"
#include "cli/cli.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    PIECE_BYTES = 1024 * 1024, /* A piece ends with the first line that reaches this. */
    PIECE_LINES_MAX = 2000,
    LINE_BYTES_MAX =
        4 * 1024 * 1024, /* Well past what a record may hold; a longer line is not sent. */
    READ_BYTES = 256 * 1024,
    BAR_COLUMNS = 30,
    PROGRESS_LINE_S = 5,
};

struct import {
    struct cli *cli;
    int fd;
    uint64_t bytes_total; /* 0: unknown. */
    uint64_t bytes_done;
    struct buffer piece;
    uint64_t piece_line; /* The number of its first line, from 1. */
    unsigned piece_lines;
    uint64_t line; /* The number of the line being read. */
    uint64_t imported, unchanged, replayed, dropped, parked, failed;
    uint64_t errors_told;
    time_t progress_at;
};

static void progress_show(struct import *import, bool last) {
    struct terminal *errors = &import->cli->errors;
    uint64_t lines = import->line > 0 ? import->line - 1 : 0;
    time_t now = time(NULL);
    if (import->cli->json) return;
    if (errors->width > 0 && import->bytes_total > 0) {
        unsigned filled = (unsigned)(import->bytes_done * BAR_COLUMNS / import->bytes_total);
        if (filled > BAR_COLUMNS) filled = BAR_COLUMNS;
        fputs("\r[", errors->stream);
        for (unsigned i = 0; i < BAR_COLUMNS; i++)
            fputc(i < filled ? '#' : '.', errors->stream);
        fprintf(errors->stream, "] %3u%%  %llu lines%s", filled * 100 / BAR_COLUMNS,
                (unsigned long long)lines, last ? "\n" : "");
        fflush(errors->stream);
    } else if (errors->width == 0 && !last && now - import->progress_at >= PROGRESS_LINE_S) {
        fprintf(errors->stream, "%llu lines\n", (unsigned long long)lines);
        import->progress_at = now;
    }
}

static void line_begin(const struct import *import, uint64_t line) {
    struct terminal *errors = &import->cli->errors;
    if (errors->width > 0 && import->bytes_total > 0) fputs("\r\033[K", errors->stream);
    fprintf(errors->stream, "line %llu: ", (unsigned long long)line);
}

static void error_begin(struct import *import, uint64_t line) {
    line_begin(import, line);
    import->errors_told += 1;
}

static void errors_show(struct import *import, struct arena *arena, const struct doc *doc) {
    struct terminal *out = &import->cli->errors;
    doc_node errors = answer_member(doc, 0, "errors");
    if (errors == DOC_NONE || doc_kind(doc, errors) != DOC_ARRAY) return;
    for (doc_node error = doc_first(doc, errors); error != DOC_NONE; error = doc_next(doc, error)) {
        stet_view field = answer_text(arena, doc, error, "field");
        error_begin(import, import->piece_line + answer_u64(doc, error, "line") - 1);
        terminal_text(out, COLOR_NONE, answer_text(arena, doc, error, "detail"));
        if (field.size > 0) {
            fputs(", at ", out->stream);
            terminal_text(out, COLOR_NONE, field);
        }
        fputs(" (", out->stream);
        terminal_text(out, COLOR_NONE, answer_text(arena, doc, error, "code"));
        fputs(")\n", out->stream);
    }
}

/* Lines that were no error and changed nothing all the same. */
static void set_aside_show(struct import *import, struct arena *arena, const struct doc *doc) {
    doc_node lines = answer_member(doc, 0, "set_aside");
    if (lines == DOC_NONE || doc_kind(doc, lines) != DOC_ARRAY) return;
    for (doc_node line = doc_first(doc, lines); line != DOC_NONE; line = doc_next(doc, line)) {
        bool parked = view_equal(answer_text(arena, doc, line, "outcome"), VIEW("parked"));
        line_begin(import, import->piece_line + answer_u64(doc, line, "line") - 1);
        fputs(parked ? "waits for somebody to decide\n"
                     : "not applied: the record stays as it is\n",
              import->cli->errors.stream);
    }
}

static int piece_send(struct import *import) {
    struct arena arena;
    struct buffer path;
    struct answer answer;
    struct doc doc;
    int code = EXIT_DONE;
    if (import->piece_lines == 0) return EXIT_DONE;
    arena_init(&arena, 64 * 1024);
    cli_path(import->cli, &path);
    buffer_append_text(&path, "/import");
    buffer_append_char(&path, '\0');
    if (buffer_status(&path) != STET_OK) {
        stet_error err;
        error_set(&err, STET_NO_MEMORY, "out of memory");
        code = cli_fail(import->cli, &err);
        goto done;
    }
    struct call call = {.method = "POST",
                        .path = path.bytes,
                        .content_type = "application/x-ndjson",
                        .body = buffer_view(&import->piece),
                        .repeatable = true};
    code = cli_send(import->cli, &call, &arena, &answer, &doc);
    if (code != EXIT_DONE) goto done;
    import->imported += answer_u64(&doc, 0, "imported");
    import->unchanged += answer_u64(&doc, 0, "unchanged");
    import->replayed += answer_u64(&doc, 0, "replayed");
    import->dropped += answer_u64(&doc, 0, "dropped");
    import->parked += answer_u64(&doc, 0, "parked");
    import->failed += answer_u64(&doc, 0, "failed");
    errors_show(import, &arena, &doc);
    set_aside_show(import, &arena, &doc);
    import->piece_lines = 0;
    buffer_reset(&import->piece);
    progress_show(import, false);
done:
    arena_done(&arena);
    return code;
}

/* A whole line, without its end. */
static int line_add(struct import *import, stet_view line) {
    stet_error err;
    if (import->piece_lines == 0) import->piece_line = import->line;
    buffer_append_view(&import->piece, line);
    buffer_append_char(&import->piece, '\n');
    if (buffer_status(&import->piece) != STET_OK) {
        error_set(&err, STET_NO_MEMORY, "out of memory");
        return cli_fail(import->cli, &err);
    }
    import->piece_lines += 1;
    import->line += 1;
    if (import->piece.size < PIECE_BYTES && import->piece_lines < PIECE_LINES_MAX) return EXIT_DONE;
    return piece_send(import);
}

/* What is too long even to be sent; an empty line takes its place so that the numbers stay right. */
static int line_refuse(struct import *import) {
    error_begin(import, import->line);
    fprintf(import->cli->errors.stream, "longer than %d bytes (TOO_LARGE)\n", (int)LINE_BYTES_MAX);
    import->failed += 1;
    return line_add(import, (stet_view){0});
}

static int lines_read(struct import *import) {
    struct buffer rest; /* A line whose end was not read yet. */
    stet_error err;
    bool too_long = false;
    int code = EXIT_DONE;
    buffer_init(&rest, NULL, 0);
    for (;;) {
        char *room = buffer_reserve(&rest, READ_BYTES);
        if (room == NULL) {
            error_set(&err, STET_NO_MEMORY, "out of memory");
            code = cli_fail(import->cli, &err);
            break;
        }
        ssize_t got = read(import->fd, room, READ_BYTES);
        if (got < 0 && errno == EINTR) continue;
        if (got < 0) {
            error_set(&err, STET_IO, "could not read \"%s\": %s", import->cli->args->arguments[0],
                      strerror(errno));
            code = cli_fail(import->cli, &err);
        }
        if (got <= 0) break;
        import->bytes_done += (uint64_t)got;
        size_t searched = rest.size;
        buffer_advance(&rest, (size_t)got);
        size_t begin = 0;
        const char *end;
        while (code == EXIT_DONE &&
               (end = memchr(rest.bytes + searched, '\n', rest.size - searched)) != NULL) {
            size_t at = (size_t)(end - rest.bytes);
            code = too_long ? line_refuse(import)
                            : line_add(import, view_make(rest.bytes + begin, at - begin));
            too_long = false;
            begin = searched = at + 1;
        }
        if (code != EXIT_DONE) break;
        size_t left = rest.size - begin;
        if (left > LINE_BYTES_MAX) too_long = true;
        if (too_long) left = 0;
        if (left > 0) memmove(rest.bytes, rest.bytes + begin, left);
        rest.size = left;
    }
    if (code == EXIT_DONE && too_long) code = line_refuse(import);
    if (code == EXIT_DONE && rest.size > 0) code = line_add(import, buffer_view(&rest));
    if (code == EXIT_DONE) code = piece_send(import);
    buffer_done(&rest);
    return code;
}

static void summary_show(const struct import *import) {
    FILE *out = import->cli->out.stream;
    if (import->cli->json) {
        fprintf(out,
                "{\"imported\":%llu,\"unchanged\":%llu,\"replayed\":%llu,\"dropped\":%llu,"
                "\"parked\":%llu,\"failed\":%llu}\n",
                (unsigned long long)import->imported, (unsigned long long)import->unchanged,
                (unsigned long long)import->replayed, (unsigned long long)import->dropped,
                (unsigned long long)import->parked, (unsigned long long)import->failed);
        return;
    }
    fprintf(out, "%llu imported, %llu there already, %llu failed\n",
            (unsigned long long)import->imported,
            (unsigned long long)(import->unchanged + import->replayed),
            (unsigned long long)import->failed);
    if (import->dropped > 0)
        fprintf(out, "%llu not applied: their records had moved on, and stay as they are\n",
                (unsigned long long)import->dropped);
    if (import->parked > 0)
        fprintf(out, "%llu waiting for somebody to decide: see `stet inbox`\n",
                (unsigned long long)import->parked);
    if (import->failed > import->errors_told) {
        fprintf(out, "%llu further errors were not listed by the server\n",
                (unsigned long long)(import->failed - import->errors_told));
    }
}

int run_import(struct cli *cli) {
    struct import import = {.cli = cli, .line = 1, .progress_at = time(NULL)};
    struct stat info;
    stet_error err;
    const char *path = cli->args->arguments[0];
    import.fd = strcmp(path, "-") == 0 ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (import.fd < 0) {
        error_set(&err, STET_IO, "could not open \"%s\": %s", path, strerror(errno));
        return cli_fail(cli, &err);
    }
    if (fstat(import.fd, &info) == 0 && S_ISREG(info.st_mode))
        import.bytes_total = (uint64_t)info.st_size;
    buffer_init(&import.piece, NULL, 0);
    int code = lines_read(&import);
    progress_show(&import, true);
    summary_show(&import);
    if (code == EXIT_DONE && import.failed > 0) code = EXIT_FAILED;
    buffer_done(&import.piece);
    if (import.fd != STDIN_FILENO) close(import.fd);
    return code;
}
