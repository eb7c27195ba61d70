/*
 * backup and restore. A backup is asked for space by space over HTTP, as everything is, and put together here by the library; what
 * is verified or restored is read from files, and needs no server.
 */
#include "base/error.h"
#include "base/view.h"
#include "cli/address.h"
#include "cli/answer.h"
#include "cli/cli.h"
#include "cli/progress.h"
#include "cli/span.h"
#include "doc/write.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <sodium.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

enum { WHAT_BYTES = 96 };

static volatile sig_atomic_t interrupted;

static void interrupt(int number) {
    (void)number;
    interrupted = 1;
}

/* Ctrl-C ends the work, which then takes away what it made; a second one ends the program. */
static void catch_signals(void) {
    struct sigaction action = {.sa_handler = interrupt, .sa_flags = (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGHUP, &action, NULL);
}

static const char *plural(uint64_t count) { return count == 1 ? "" : "s"; }

/* ---- What the work is followed by -------------------------------------------------------- */

struct work {
    struct cli *cli;
    const char *verb; /* "Verifying" */
    struct progress progress;
    bool shown;
    char what[WHAT_BYTES]; /* What the line is about. */
    char title[WHAT_BYTES + 32];
    struct table spaces;
};

static bool is_stopped(void *context) {
    (void)context;
    return interrupted != 0;
}

static void show(struct work *work, const char *verb, const char *what, uint64_t done,
                 uint64_t total) {
    char title[sizeof work->title];
    snprintf(title, sizeof title, "%s %.*s", verb, WHAT_BYTES - 1, what);
    if (!work->shown || strcmp(title, work->title) != 0) {
        if (work->shown) progress_end(&work->progress);
        strcpy(work->title, title);
        progress_begin(&work->progress, work->title, "bytes", total);
        work->shown = true;
    }
    progress_set(&work->progress, done);
}

static void follow(void *context, const char *what, uint64_t done, uint64_t total) {
    struct work *work = context;
    show(work, work->verb, what, done, total);
}

static void work_begin(struct work *work, struct cli *cli, const char *verb) {
    *work = (struct work){.cli = cli, .verb = verb};
    progress_init(&work->progress, &cli->errors, cli->json, clock_system());
    table_init(&work->spaces, cli->arena, 4);
    catch_signals();
}

static void work_end(struct work *work) {
    if (work->shown) progress_end(&work->progress);
    work->shown = false;
}

/* Below the line that says what was done, which is not known before the end. */
static void note_space(void *context, const char *name, stet_seq seq, uint64_t records,
                       uint64_t changes, uint64_t bytes) {
    struct work *work = context;
    char text[64];
    (void)bytes;
    table_add(&work->spaces, COLOR_BOLD, view_of(name));
    snprintf(text, sizeof text, "%" PRIu64 " record%s", records, plural(records));
    table_add(&work->spaces, COLOR_NONE, view_of(text));
    snprintf(text, sizeof text, "%" PRIu64 " change%s", changes, plural(changes));
    table_add(&work->spaces, COLOR_NONE, view_of(text));
    snprintf(text, sizeof text, "up to position %" PRIu64, seq);
    table_add(&work->spaces, COLOR_NONE, view_of(text));
}

static int failed(struct work *work, stet_error *err) {
    work_end(work);
    if (err->status == STET_CANCELLED)
        error_set(err, STET_CANCELLED, "stopped; nothing of it is left");
    if (work->cli->json) {
        struct buffer text;
        struct json_writer writer;
        buffer_init(&text, work->cli->arena, 0);
        json_begin(&writer, &text);
        json_object_begin(&writer);
        json_member_text(&writer, VIEW("code"), view_of(stet_status_code(err->status)));
        json_member_text(&writer, VIEW("detail"), view_of(err->message));
        if (err->field[0] != '\0') json_member_text(&writer, VIEW("field"), view_of(err->field));
        json_object_end(&writer);
        if (json_end(&writer) == STET_OK) cli_print_json(work->cli, buffer_view(&text));
    }
    (void)cli_fail(work->cli, err);
    /* As the server's answer of that kind would end. */
    int code = cli_exit_of_http(stet_status_http(err->status));
    return code == EXIT_DONE ? EXIT_FAILED : code;
}

/* ---- The result -------------------------------------------------------------------------- */

static int report_json(struct cli *cli, const stet_backup_report *report, const char *data_dir) {
    struct buffer text;
    struct json_writer writer;
    buffer_init(&text, cli->arena, 0);
    json_begin(&writer, &text);
    json_object_begin(&writer);
    json_member_text(&writer, VIEW("backup"), view_of(report->path));
    if (data_dir != NULL) json_member_text(&writer, VIEW("data"), view_of(data_dir));
    json_key(&writer, VIEW("made_at"));
    json_rfc3339(&writer, report->made_at);
    json_member_u64(&writer, VIEW("spaces"), report->spaces);
    json_member_u64(&writer, VIEW("records"), report->records);
    json_member_u64(&writer, VIEW("changes"), report->changes);
    json_member_u64(&writer, VIEW("bytes"), report->bytes);
    if (report->hashes > 0) json_member_u64(&writer, VIEW("hashes_verified"), report->hashes);
    if (data_dir != NULL) json_member_u64(&writer, VIEW("forgotten"), report->forgotten);
    json_object_end(&writer);
    stet_error err;
    if (json_end(&writer) != STET_OK) {
        error_set(&err, STET_NO_MEMORY, "out of memory");
        return cli_fail(cli, &err);
    }
    cli_print_json(cli, buffer_view(&text));
    return EXIT_DONE;
}

static int say_contents(struct work *work, const stet_backup_report *report) {
    struct cli *cli = work->cli;
    stet_error err;
    fprintf(cli->out.stream,
            "%" PRIu64 " space%s, %" PRIu64 " record%s, %" PRIu64 " change%s, %" PRIu64 " bytes",
            report->spaces, plural(report->spaces), report->records, plural(report->records),
            report->changes, plural(report->changes), report->bytes);
    if (report->hashes > 0)
        fprintf(cli->out.stream, "; %" PRIu64 " hash%s verified", report->hashes,
                report->hashes == 1 ? "" : "es");
    fputc('\n', cli->out.stream);
    return table_print(&work->spaces, &cli->out, "  ", &err) == STET_OK ? EXIT_DONE
                                                                        : cli_fail(cli, &err);
}

static void say_path(struct cli *cli, const char *words, const char *path) {
    fputs(words, cli->out.stream);
    terminal_text(&cli->out, COLOR_BOLD, view_of(path));
    fputc('\n', cli->out.stream);
}

/* ---- Copies from the server -------------------------------------------------------------- */

struct fetching {
    struct work *work;
    const char *space;
    const char *path;
    int fd;
    crypto_hash_sha256_state hash;
    stet_error *err; /* Why the sink said no, when it was not asked to stop. */
    bool refused;
};

static bool refuse(struct fetching *fetching, stet_status status, const char *words) {
    error_set(fetching->err, status, "could not write \"%s\": %s", fetching->path, words);
    fetching->refused = true;
    return false;
}

/* Asked before the first byte is written: a disk that is too small is no news after an hour. */
static bool has_room(struct fetching *fetching, uint64_t bytes) {
    struct statvfs info;
    if (fstatvfs(fetching->fd, &info) != 0) return true;
    uint64_t room = (uint64_t)info.f_bavail * info.f_frsize;
    if (room >= bytes) return true;
    error_set(fetching->err, STET_NO_SPACE,
              "the copy of \"%s\" needs %" PRIu64 " MiB, %" PRIu64 " MiB are free", fetching->space,
              (bytes >> 20) + 1, room >> 20);
    fetching->refused = true;
    return false;
}

static bool take(void *context, const struct answer *answer, stet_view bytes) {
    struct fetching *fetching = context;
    if (interrupted) return false;
    if (answer->received == 0) {
        crypto_hash_sha256_init(&fetching->hash);
        if (lseek(fetching->fd, 0, SEEK_SET) < 0 || ftruncate(fetching->fd, 0) != 0)
            return refuse(fetching, STET_IO, strerror(errno));
        if (!has_room(fetching, answer->length)) return false;
    }
    crypto_hash_sha256_update(&fetching->hash, (const unsigned char *)bytes.bytes, bytes.size);
    for (size_t done = 0; done < bytes.size;) {
        ssize_t put = write(fetching->fd, bytes.bytes + done, bytes.size - done);
        if (put < 0 && errno == EINTR) continue;
        if (put < 0)
            return refuse(fetching, errno == ENOSPC || errno == EDQUOT ? STET_NO_SPACE : STET_IO,
                          strerror(errno));
        done += (size_t)put;
    }
    show(fetching->work, "Copying", fetching->space, answer->received + bytes.size, answer->length);
    return true;
}

static bool is_stopped_fetching(void *context) {
    (void)context;
    return interrupted != 0;
}

static stet_status check_digest(struct fetching *fetching, const struct answer *answer,
                                stet_error *err) {
    unsigned char hash[crypto_hash_sha256_BYTES];
    char text[sodium_base64_ENCODED_LEN(sizeof hash, sodium_base64_VARIANT_ORIGINAL)];
    crypto_hash_sha256_final(&fetching->hash, hash);
    sodium_bin2base64(text, sizeof text, hash, sizeof hash, sodium_base64_VARIANT_ORIGINAL);
    if (answer->received == answer->length && strcmp(text, answer->digest) == 0) return STET_OK;
    return error_set(err, STET_CORRUPT,
                     "the copy of \"%s\" did not arrive as it was sent: its digest differs",
                     fetching->space);
}

/* A refusal of the server, as the library reports failures. */
static stet_status refusal(struct fetching *fetching, struct arena *arena,
                           const struct answer *answer, stet_error *err) {
    struct doc doc;
    if (answer->http == 404)
        return error_set(err, STET_NOT_FOUND, "there is no space \"%s\"", fetching->space);
    stet_view detail = {0};
    if (answer_parse(arena, answer->body, &doc, NULL) == STET_OK && doc_kind(&doc, 0) == DOC_OBJECT)
        detail = answer_text(arena, &doc, 0, "detail");
    stet_status status = answer->http == 401   ? STET_UNAUTHENTICATED
                         : answer->http == 403 ? STET_FORBIDDEN
                         : answer->http == 507 ? STET_NO_SPACE
                         : answer->http < 500  ? STET_BAD_REQUEST
                                               : STET_UNAVAILABLE;
    if (detail.size > 0) return error_set(err, status, "%.*s", VIEW_ARG(detail));
    return error_set(err, status, "the server answered %d", answer->http);
}

static stet_status fetch(void *context, const char *space, const char *path, stet_error *err) {
    struct work *work = context;
    struct fetching fetching = {.work = work, .space = space, .path = path, .err = err};
    struct arena arena;
    struct buffer target;
    struct answer answer = {0};
    fetching.fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fetching.fd < 0)
        return error_set(err, STET_IO, "could not create \"%s\": %s", path, strerror(errno));
    arena_init(&arena, 4096);
    buffer_init(&target, &arena, 0);
    buffer_append_text(&target, "/v1/");
    address_encode(&target, view_of(space));
    buffer_append_text(&target, "/backup");
    buffer_append_char(&target, '\0');
    stet_error call_err = {0};
    stet_status status = buffer_status(&target);
    if (status == STET_OK) {
        status = peer_call(work->cli->peer,
                           &(struct call){.method = "GET",
                                          .path = target.bytes,
                                          .repeatable = true,
                                          .sink = take,
                                          .stop = is_stopped_fetching,
                                          .context = &fetching},
                           &arena, &answer, &call_err);
        if (status != STET_OK && fetching.refused)
            status = err->status;
        else if (status != STET_OK)
            *err = call_err;
    } else {
        error_set(err, STET_NO_MEMORY, "out of memory");
    }
    if (status == STET_OK && answer.http != 200)
        status = refusal(&fetching, &arena, &answer, err);
    else if (status == STET_OK)
        status = check_digest(&fetching, &answer, err);
    if (close(fetching.fd) != 0 && status == STET_OK)
        status = error_set(err, STET_IO, "could not write \"%s\": %s", path, strerror(errno));
    arena_done(&arena);
    return status;
}

/* ---- The commands ------------------------------------------------------------------------ */

static int verify(struct cli *cli, const char *path) {
    struct work work;
    stet_backup_report report;
    stet_error err;
    work_begin(&work, cli, "Verifying");
    const stet_backup_watch watch = {
        .progress = follow, .space = note_space, .stop = is_stopped, .context = &work};
    if (stet_backup_verify(path, &watch, &report, &err) != STET_OK) return failed(&work, &err);
    work_end(&work);
    if (cli->json) return report_json(cli, &report, NULL);
    say_path(cli, "verified ", path);
    fputs("  ", cli->out.stream);
    return say_contents(&work, &report);
}

int run_backup(struct cli *cli) {
    const struct args_value *spaces = &cli->args->values[OPTION_BACKUP_SPACE];
    struct work work;
    stet_backup_report report;
    stet_error err;
    if (args_switch(cli->args, OPTION_VERIFY)) return verify(cli, cli->args->arguments[0]);
    int code = cli_connect(cli);
    if (code != EXIT_DONE) return code;
    stet_view *names = arena_zalloc(cli->arena, spaces->count + 1, sizeof *names);
    if (names == NULL) {
        error_set(&err, STET_NO_MEMORY, "out of memory");
        return cli_fail(cli, &err);
    }
    for (size_t i = 0; i < spaces->count; i++)
        names[i] = view_of(spaces->texts[i]);
    work_begin(&work, cli, "Hashing");
    const stet_backup options = {
        .dir = cli->args->arguments[0],
        .fetch = fetch,
        .fetch_context = &work,
        .spaces = names,
        .space_count = spaces->count,
        .watch = {.progress = follow, .space = note_space, .stop = is_stopped, .context = &work},
    };
    if (stet_backup_make(&options, &report, &err) != STET_OK) return failed(&work, &err);
    work_end(&work);
    if (cli->json) return report_json(cli, &report, NULL);
    say_path(cli, "backed up to ", report.path);
    fputs("  ", cli->out.stream);
    return say_contents(&work, &report);
}

int run_restore(struct cli *cli) {
    const char *data_dir = args_text(cli->args, OPTION_DATA);
    const char *path = cli->args->arguments[0];
    struct work work;
    stet_backup_report report;
    stet_error err;
    if (args_switch(cli->args, OPTION_RESTORE_DRY_RUN)) return verify(cli, path);
    work_begin(&work, cli, "Restoring");
    const stet_backup_watch watch = {
        .progress = follow, .space = note_space, .stop = is_stopped, .context = &work};
    if (stet_restore(path, data_dir, &watch, &report, &err) != STET_OK) return failed(&work, &err);
    work_end(&work);
    if (cli->json) return report_json(cli, &report, data_dir);
    say_path(cli, "restored into ", data_dir);
    fputs("  ", cli->out.stream);
    int code = say_contents(&work, &report);
    fputs("  counts compared, and every space checked as stet check does\n", cli->out.stream);
    if (report.forgotten > 0)
        fprintf(cli->out.stream,
                "  %" PRIu64 " space%s that the backup does not hold: taken off the list\n",
                report.forgotten, plural(report.forgotten));
    return code;
}
