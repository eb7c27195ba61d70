/*
 * export: the answer's lines into a file, or to standard output.
 *
 *   FILE.part ──▶ lines … ──▶ last line: whole ──▶ synced, renamed to FILE
 *      ▲                └─ broken: asked for again behind the last whole line, a few times
 *      └────────────── --resume: cut after its last whole line, and gone on with
 *
 * What is gone on with is the same position: the first line names it. FILE is never there in part, and never overwritten.
 */
#include "base/buffer.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/view.h"
#include "cli/address.h"
#include "cli/answer.h"
#include "cli/cli.h"
#include "cli/progress.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    SOURCE_BYTES_MAX = 32,
    LINE_BYTES_MAX = 32 * 1024 * 1024, /* A record in JSON escapes, and what stands around it. */
    OUT_BYTES = 256 * 1024,
    TRIES_MAX = 5, /* Without a line in between. */
    PAUSE_MS = 300,
    NAME_BYTES_MAX = 4096,
};

/* In a restored space positions go on at the time of the restore in microseconds. Nobody counts that far, not in decades. */
static const uint64_t counted_max = UINT64_C(1000000000000000);

struct export {
    struct cli *cli;
    const char *path; /* NULL: standard output. */
    char part_path[NAME_BYTES_MAX];
    FILE *out;
    struct progress progress;
    struct buffer line; /* One whose end has not come. */
    bool has_head;
    char source[SOURCE_BYTES_MAX + 1]; /* Of the first line. */
    uint64_t as_of;
    uint64_t after; /* The position of the last line. */
    uint64_t lines, pruned, newer;
    bool begun; /* The part is ours to write. */
    bool whole;
    bool answered;  /* This answer has begun with its first line. */
    bool moved;     /* It brought a line. */
    stet_error err; /* Why the sink gave up; status STET_OK: it did not. */
};

static bool is_marker(stet_view line) { return view_starts(line, VIEW("{\"stet_export\":")); }

/* Every other line begins with its position. */
static bool position_of(stet_view line, uint64_t *seq) {
    static const char begin[] = "{\"seq\":";
    size_t at = sizeof begin - 1;
    if (!view_starts(line, view_of(begin))) return false;
    while (at < line.size && line.bytes[at] >= '0' && line.bytes[at] <= '9')
        at += 1;
    return view_parse_u64(view_make(line.bytes + sizeof begin - 1, at - (sizeof begin - 1)), seq);
}

/* ---- Progress ---------------------------------------------------------------------------- */

/* Positions say how much there is while they have been counted from 1. Past a restore only lines can be counted, of a number nobody knows. */
static bool is_counted(const struct export *export) { return export->as_of <= counted_max; }

static uint64_t progress_place(const struct export *export) {
    return is_counted(export) ? export->after : export->lines;
}

/* Once the position of the whole is known. */
static void progress_measure(struct export *export) {
    progress_total(&export->progress, is_counted(export) ? export->as_of : 0);
    if (!is_counted(export))
        export->progress.unit =
            args_switch(export->cli->args, OPTION_WITH_HISTORY) ? "versions" : "records";
}

/* ---- Lines ------------------------------------------------------------------------------- */

static stet_status line_write(struct export *export, stet_view line) {
    if (fwrite(line.bytes, 1, line.size, export->out) == line.size &&
        fputc('\n', export->out) != EOF)
        return STET_OK;
    return error_set(&export->err, STET_IO, "could not write \"%s\": %s",
                     export->path == NULL ? "-" : export->part_path, strerror(errno));
}

/* Where the lines come from: the same space of the same server, and not restored in between. */
static void source_of(const struct doc *doc, doc_node what, char out[SOURCE_BYTES_MAX + 1]) {
    struct arena arena;
    arena_init(&arena, 256);
    stet_view source = answer_text(&arena, doc, what, "source");
    snprintf(out, SOURCE_BYTES_MAX + 1, "%.*s", VIEW_ARG(source));
    arena_done(&arena);
}

/* What the first line says; of an answer that goes on, whether it does so with the same. */
static stet_status head_take(struct export *export, stet_view line, const struct doc *doc,
                             doc_node what) {
    uint64_t as_of = answer_u64(doc, what, "seq");
    char source[SOURCE_BYTES_MAX + 1];
    source_of(doc, what, source);
    export->answered = true;
    if (export->has_head && strcmp(source, export->source) != 0)
        return error_set(&export->err, STET_BAD_REQUEST,
                         "\"%s\" was begun from another space, or before this one was restored: "
                         "remove it and begin anew",
                         export->path == NULL ? "-" : export->part_path);
    if (export->has_head) {
        if (as_of == export->as_of) return STET_OK;
        return error_set(&export->err, STET_INTERNAL,
                         "the server went on with position %llu instead of %llu",
                         (unsigned long long)as_of, (unsigned long long)export->as_of);
    }
    export->has_head = true;
    strcpy(export->source, source);
    export->as_of = as_of;
    progress_measure(export);
    return line_write(export, line);
}

static stet_status tail_take(struct export *export, stet_view line, const struct doc *doc,
                             doc_node what) {
    struct arena arena;
    stet_status status = STET_OK;
    if (!answer_bool(doc, what, "end")) {
        arena_init(&arena, 1024);
        stet_view detail = answer_text(&arena, doc, what, "detail");
        status = error_set(&export->err, STET_UNAVAILABLE, "the server stopped in the middle: %.*s",
                           VIEW_ARG(detail));
        arena_done(&arena);
        return status;
    }
    export->pruned += answer_u64(doc, what, "pruned");
    export->newer += answer_u64(doc, what, "newer");
    export->whole = true;
    (void)line;
    return STET_OK;
}

static stet_status marker_take(struct export *export, stet_view line) {
    struct arena arena;
    struct doc doc;
    arena_init(&arena, 4096);
    stet_status status = answer_parse(&arena, line, &doc, &export->err);
    if (status == STET_OK) {
        doc_node what = answer_member(&doc, 0, "stet_export");
        bool last = answer_member(&doc, what, "end") != DOC_NONE;
        status = last ? tail_take(export, line, &doc, what) : head_take(export, line, &doc, what);
    }
    arena_done(&arena);
    return status;
}

static stet_status line_take(struct export *export, stet_view line) {
    if (is_marker(line)) return marker_take(export, line);
    uint64_t seq;
    if (!export->answered || !position_of(line, &seq))
        return error_set(&export->err, STET_INTERNAL, "this is not an export of Stet");
    stet_status status = line_write(export, line);
    if (status != STET_OK) return status;
    export->after = seq;
    export->lines += 1;
    export->moved = true;
    progress_set(&export->progress, progress_place(export));
    return STET_OK;
}

static bool bytes_take(void *context, stet_view bytes) {
    struct export *export = context;
    const char *end;
    while ((end = memchr(bytes.bytes, '\n', bytes.size)) != NULL) {
        size_t size = (size_t)(end - bytes.bytes);
        stet_view line = view_make(bytes.bytes, size);
        if (export->line.size > 0) {
            buffer_append_view(&export->line, line);
            if (buffer_status(&export->line) != STET_OK) goto full;
            line = buffer_view(&export->line);
        }
        if (line_take(export, line) != STET_OK) return false;
        buffer_reset(&export->line);
        bytes = view_make(end + 1, bytes.size - size - 1);
    }
    buffer_append_view(&export->line, bytes);
    if (buffer_status(&export->line) == STET_OK) return true;
full:
    error_set(&export->err, STET_NO_MEMORY, "out of memory for a line");
    return false;
}

/* ---- The server -------------------------------------------------------------------------- */

static void query_fill(struct export *export, struct buffer *path) {
    const struct args *args = export->cli->args;
    const struct args_value *types = &args->values[OPTION_ONLY_TYPE];
    for (size_t i = 0; i < types->count; i++)
        cli_query(path, "type", view_of(types->texts[i]));
    if (args_given(args, OPTION_WHERE))
        cli_query(path, "where", view_of(args_text(args, OPTION_WHERE)));
    if (args_switch(args, OPTION_WITH_HISTORY)) cli_query(path, "history", VIEW("1"));
    if (export->has_head) cli_query_u64(path, "as_of", export->as_of);
    if (export->after > 0) cli_query_u64(path, "after", export->after);
    buffer_append_char(path, '\0');
}

/* One answer. *again: it broke off, and another one may bring the rest. */
static int answer_take(struct export *export, bool *again) {
    struct cli *cli = export->cli;
    struct arena arena;
    struct buffer path;
    struct answer answer;
    stet_error err = {0};
    int code = EXIT_DONE;
    *again = false;
    arena_init(&arena, 4096);
    cli_path(cli, &path);
    buffer_append_text(&path, "/export");
    query_fill(export, &path);
    if (buffer_status(&path) != STET_OK) {
        error_set(&err, STET_NO_MEMORY, "out of memory");
        code = cli_fail(cli, &err);
        goto done;
    }
    struct call call = {.method = "GET", .path = path.bytes};
    struct peer_stream stream = {.call = &call,
                                 .accept = "application/x-ndjson",
                                 .sink = bytes_take,
                                 .context = export,
                                 .silence_s = (unsigned)args_number(cli->args, OPTION_TIMEOUT_S)};
    buffer_reset(&export->line);
    export->answered = export->moved = false;
    stet_status status = peer_read(cli->peer, &stream, &arena, &answer, &err);
    progress_hide(&export->progress);
    if (export->err.status != STET_OK) {
        *again = export->err.status == STET_UNAVAILABLE;
        err = export->err;
        export->err = (stet_error){0};
        code = *again ? EXIT_UNREACHABLE : cli_fail(cli, &err);
    } else if (status == STET_OK && answer.http != 200) {
        *again = answer.http == 503 || answer.http == 429;
        code = *again ? EXIT_UNREACHABLE : cli_refuse(cli, &arena, &answer);
    } else if (status != STET_OK) {
        *again = status == STET_UNAVAILABLE;
        code = *again ? EXIT_UNREACHABLE : cli_fail(cli, &err);
    } else if (!export->whole) {
        error_set(&err, STET_UNAVAILABLE, "the answer ended before its last line");
        *again = true;
        code = EXIT_UNREACHABLE;
    }
    if (*again && err.message[0] != '\0' && !export->moved)
        progress_note(&export->progress, "stet: %s", err.message);
done:
    arena_done(&arena);
    return code;
}

static int answers_take(struct export *export) {
    bool again = true;
    int code = EXIT_DONE;
    for (unsigned tries = 1; again; tries++) {
        code = answer_take(export, &again);
        if (export->moved) tries = 0;
        if (!again || tries >= TRIES_MAX) break;
        unsigned ms = PAUSE_MS * (tries + 1);
        struct timespec span = {.tv_sec = ms / 1000, .tv_nsec = (long)(ms % 1000) * 1000000};
        nanosleep(&span, NULL);
    }
    return code;
}

/* ---- The file ---------------------------------------------------------------------------- */

/* Whether an earlier part is of the same export. */
static stet_status part_fits(struct export *export, stet_view line, stet_error *err) {
    const struct args *args = export->cli->args;
    const struct args_value *types = &args->values[OPTION_ONLY_TYPE];
    struct arena *arena = export->cli->arena;
    struct doc doc;
    stet_error ignored;
    if (!is_marker(line) || answer_parse(arena, line, &doc, &ignored) != STET_OK)
        return error_set(err, STET_BAD_REQUEST, "\"%s\" is not the beginning of an export",
                         export->part_path);
    doc_node what = answer_member(&doc, 0, "stet_export");
    doc_node named = answer_member(&doc, what, "types");
    const char *where = args_text(args, OPTION_WHERE);
    size_t count = named == DOC_NONE ? 0 : doc_count(&doc, named), i = 0;
    bool same =
        count == types->count &&
        answer_bool(&doc, what, "history") == args_switch(args, OPTION_WITH_HISTORY) &&
        view_equal(answer_text(arena, &doc, what, "where"), view_of(where == NULL ? "" : where)) &&
        view_equal(answer_text(arena, &doc, what, "space"), view_of(args_text(args, OPTION_SPACE)));
    for (doc_node one = count == 0 ? DOC_NONE : doc_first(&doc, named); same && one != DOC_NONE;
         one = doc_next(&doc, one), i++) {
        stet_view type = {0};
        same = doc_string(arena, &doc, one, &type) == STET_OK &&
               view_equal(type, view_of(types->texts[i]));
    }
    if (!same)
        return error_set(err, STET_BAD_REQUEST,
                         "\"%s\" was begun with other options, or of another space",
                         export->part_path);
    export->has_head = true;
    source_of(&doc, what, export->source);
    export->as_of = answer_u64(&doc, what, "seq");
    return STET_OK;
}

/* Reads what is there, and cuts it behind its last whole line. */
static stet_status part_read(struct export *export, FILE *file, stet_error *err) {
    char *line = NULL;
    size_t capacity = 0;
    off_t kept = 0;
    ssize_t size;
    stet_status status = STET_OK;
    while (status == STET_OK && (size = getline(&line, &capacity, file)) > 0) {
        uint64_t seq = 0;
        stet_view text = view_make(line, (size_t)size - 1);
        if (line[size - 1] != '\n') break;
        if (!export->has_head) {
            status = part_fits(export, text, err);
        } else if (is_marker(text) || !position_of(text, &seq)) {
            break; /* Its end, or what a full disk left: it is written anew. */
        } else {
            export->lines += 1;
            export->after = seq;
        }
        kept += size;
    }
    free(line);
    if (status == STET_OK &&
        (fseeko(file, kept, SEEK_SET) != 0 || ftruncate(fileno(file), kept) != 0))
        status =
            error_set(err, STET_IO, "could not cut \"%s\": %s", export->part_path, strerror(errno));
    return status;
}

static stet_status part_open(struct export *export, stet_error *err) {
    bool resume = args_switch(export->cli->args, OPTION_RESUME);
    int size = snprintf(export->part_path, sizeof export->part_path, "%s.part", export->path);
    if (size < 0 || (size_t)size >= sizeof export->part_path)
        return error_set(err, STET_BAD_REQUEST, "the name of the file is too long");
    if (access(export->path, F_OK) == 0)
        return error_set(err, STET_ALREADY_EXISTS,
                         "\"%s\" exists already; an export overwrites nothing", export->path);
    int fd = open(export->part_path, O_RDWR | O_CREAT | O_CLOEXEC | (resume ? 0 : O_EXCL), 0600);
    if (fd < 0 && errno == EEXIST)
        return error_set(err, STET_ALREADY_EXISTS,
                         "there is \"%s\" of an earlier export: go on with it by --resume, or "
                         "remove it",
                         export->part_path);
    if (fd >= 0) export->out = fdopen(fd, "r+");
    if (export->out == NULL) {
        error_set(err, STET_IO, "could not open \"%s\": %s", export->part_path, strerror(errno));
        if (fd >= 0) close(fd);
        return STET_IO;
    }
    if (flock(fd, LOCK_EX | LOCK_NB) != 0)
        return error_set(err, STET_BUSY, "another export is writing \"%s\"", export->part_path);
    setvbuf(export->out, NULL, _IOFBF, OUT_BYTES);
    return resume ? part_read(export, export->out, err) : STET_OK;
}

/* The last line counts what the file holds, not what the last answer brought. */
static stet_status end_write(struct export *export, stet_view *end, stet_error *err) {
    struct arena *arena = export->cli->arena;
    *end = arena_format(arena, "{\"stet_export\":{\"end\":true,\"seq\":%llu,\"lines\":%llu",
                        (unsigned long long)export->as_of, (unsigned long long)export->lines);
    if (end->bytes != NULL && export->pruned > 0)
        *end = arena_format(arena, "%.*s,\"pruned\":%llu", VIEW_ARG(*end),
                            (unsigned long long)export->pruned);
    if (end->bytes != NULL && export->newer > 0)
        *end = arena_format(arena, "%.*s,\"newer\":%llu", VIEW_ARG(*end),
                            (unsigned long long)export->newer);
    if (end->bytes != NULL) *end = arena_format(arena, "%.*s}}", VIEW_ARG(*end));
    if (end->bytes == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    stet_status status = line_write(export, *end);
    if (status != STET_OK) *err = export->err;
    return status;
}

/* The name is as durable as what it names only when the folder is. */
static stet_status folder_sync(const char *path, stet_error *err) {
    char above[NAME_BYTES_MAX];
    snprintf(above, sizeof above, "%s", path);
    const char *folder = dirname(above);
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int failed = fd < 0 || fsync(fd) != 0 ? errno : 0;
    if (fd >= 0) close(fd);
    /* Some file systems have nothing to sync about a folder, and some folders may be written but not read. */
    if (failed == 0 || failed == EINVAL || failed == EACCES) return STET_OK;
    return error_set(err, STET_IO, "could not sync \"%s\": %s", folder, strerror(failed));
}

/* Durable first, then by its name. A name that somebody else took meanwhile stays theirs. */
static stet_status part_finish(struct export *export, stet_error *err) {
    const char *what = "write";
    if (fflush(export->out) == 0 && fsync(fileno(export->out)) == 0) {
        what = "name";
        if (link(export->part_path, export->path) == 0) {
            (void)unlink(export->part_path);
            return folder_sync(export->path, err);
        }
        /* Some file systems have no links. */
        if (errno != EEXIST && access(export->path, F_OK) != 0 &&
            rename(export->part_path, export->path) == 0)
            return folder_sync(export->path, err);
    }
    return error_set(err, STET_IO, "could not %s \"%s\": %s", what, export->path, strerror(errno));
}

/* ---- The command ------------------------------------------------------------------------- */

static void summary_show(struct export *export, stet_view end) {
    struct cli *cli = export->cli;
    const char *what = args_switch(cli->args, OPTION_WITH_HISTORY) ? "versions" : "records";
    if (cli->json) {
        cli_print_json(cli, end);
        return;
    }
    fprintf(cli->out.stream, "%llu %s as of position %llu in ", (unsigned long long)export->lines,
            what, (unsigned long long)export->as_of);
    terminal_text(&cli->out, COLOR_BOLD, view_of(export->path));
    fputc('\n', cli->out.stream);
}

/* What the reader of the file must know. */
static void gaps_say(const struct export *export) {
    FILE *errors = export->cli->errors.stream;
    if (export->pruned > 0)
        fprintf(
            errors,
            "%llu versions are left out: they, or later ones, are no longer kept, or are of before "
            "a restore\n",
            (unsigned long long)export->pruned);
    if (export->newer > 0)
        fprintf(errors,
                "%llu records were changed meanwhile and are there as they are now: how they were "
                "is no longer kept\n",
                (unsigned long long)export->newer);
}

int run_export(struct cli *cli) {
    struct export export = {.cli = cli};
    stet_view end = {0};
    stet_error err;
    int code = EXIT_DONE;
    bool to_file = cli->args->argument_count > 0 && strcmp(cli->args->arguments[0], "-") != 0;
    if (to_file) {
        export.path = cli->args->arguments[0];
    } else {
        export.out = cli->out.stream;
        setvbuf(export.out, NULL, _IOFBF, OUT_BYTES);
    }
    if (!to_file && args_switch(cli->args, OPTION_RESUME)) {
        error_set(&err, STET_BAD_REQUEST, "--resume needs the name of the file");
        return cli_fail(cli, &err);
    }
    code = cli_connect(cli);
    if (code != EXIT_DONE) return code;
    buffer_init(&export.line, NULL, LINE_BYTES_MAX);
    progress_init(&export.progress, &cli->errors, cli->json || (!to_file && cli->out.width > 0),
                  clock_system());
    if (to_file && part_open(&export, &err) != STET_OK) {
        code = cli_fail(cli, &err);
        goto done;
    }
    export.begun = to_file;
    progress_begin(&export.progress, "Exporting", "changes", 0);
    progress_measure(&export);
    progress_resume(&export.progress, progress_place(&export));
    if (export.has_head && export.lines > 0)
        progress_note(&export.progress, "going on behind position %llu, with %llu lines there",
                      (unsigned long long)export.after, (unsigned long long)export.lines);
    code = answers_take(&export);
    progress_set(&export.progress,
                 export.whole && is_counted(&export) ? export.as_of : progress_place(&export));
    progress_end(&export.progress);
    stet_status status = STET_OK;
    if (code == EXIT_DONE) status = end_write(&export, &end, &err);
    if (code == EXIT_DONE && status == STET_OK && to_file) status = part_finish(&export, &err);
    if (status != STET_OK) code = cli_fail(cli, &err);
    if (code == EXIT_DONE && to_file) summary_show(&export, end);
    if (code == EXIT_DONE) gaps_say(&export);
    if (code == EXIT_UNREACHABLE && to_file)
        fprintf(cli->errors.stream,
                "stet: the export is not whole; `--resume` goes on with \"%s\"\n",
                export.part_path);
done:
    if (to_file && export.out != NULL) {
        /* What was refused before anything came leaves nothing behind. */
        bool empty = code != EXIT_DONE && !export.has_head && export.begun;
        fclose(export.out);
        if (empty) (void)unlink(export.part_path);
    }
    buffer_done(&export.line);
    return code;
}
