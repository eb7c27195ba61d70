/*
 * POST …/import: one record per line (NDJSON).
 *
 * Each line is a write of its own, submitted through a window of commands, so that an import is
 * committed in large batches and never fills the queue. A line without a key gets one from its
 * content: the same file sent again changes nothing. A bad line is reported by its number and the
 * others go on.
 *
 * A line with an "op" is one version of a record's history, as an export with history tells it. Lines
 * that follow one another and name the same transaction, the way an export begins them, are written in
 * one transaction, as they once were. An export's own first and last lines are passed over.
 */
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "doc/patch.h"
#include "doc/write.h"
#include "http/body.h"
#include "http/handlers.h"
#include "http/import_line.h"
#include "http/params.h"
#include "http/request.h"

#include <sodium.h>
#include <stdlib.h>

enum {
    WINDOW = 256,    /* Commands on their way at once. */
    STEPS_MAX = 512, /* Lines read before the loop's other connections get their turn. */
    ERRORS_DEFAULT = 100,
    ERRORS_MAX = 5000,
    UPDATES_MAX = 16, /* How often a line is tried again when somebody was faster. */
    BUSY_PAUSE_MS = 20,
    KEY_BYTES = 7 + 32,
};

struct import;

/* What becomes of a record that is there with other data. */
enum existing { EXISTING_REFUSE, EXISTING_KEEP, EXISTING_UPDATE };

struct line {
    struct waiter waiter; /* First: the command's context. */
    struct import *import;
    uint64_t number;        /* Of the first one. */
    size_t count;           /* More than one: a transaction. */
    stet_view text;         /* In the request's body. */
    unsigned updates;       /* How often it was tried as a change, */
    stet_version version;   /* and of which version. */
    struct line *next_free; /* Or the next one that is tried again. */
};

struct import {
    struct request *request;
    stet_view rest; /* What was not read yet. */
    uint64_t line_number;
    bool dry_run;
    bool stop_on_error;
    enum existing existing;
    uint64_t errors_max;
    bool
        tell_orphans; /* Lines whose parent or version before is not there are named instead of refused. */
    bool running;       /* import_continue is on the stack. */
    bool over;          /* Nothing more will be submitted. */
    bool stopped;       /* Because the server stops. */
    bool halted;        /* At an error, as was asked for. */
    stet_command *held; /* Filled, and refused as busy. */
    struct line *held_line;
    struct timer timer;
    unsigned flying;
    struct line *free_lines;
    struct line
        *again; /* Their records are there; they are changed before anything new is taken. */
    struct arena arena; /* One line's. */
    uint64_t imported, unchanged, replayed, failed, skipped_errors;
    uint64_t updated, kept;   /* Lines whose records were there with other data. */
    uint64_t dropped, parked; /* What the type's strategy did to lines from a stale version. */
    uint64_t set_aside_count;
    struct buffer set_aside; /* These, by line: the array's inside. */
    uint64_t error_count;
    struct buffer errors; /* The array's inside. */
    uint64_t orphan_count;
    struct buffer orphans; /* Likewise: numbers of lines. */
};

/* ---- Errors by line ---- */

static void report(struct import *import, uint64_t number, stet_status status,
                   const stet_error *err) {
    struct json_writer writer;
    import->failed++;
    if (import->error_count == import->errors_max) {
        import->skipped_errors++;
        return;
    }
    if (import->error_count++ > 0) buffer_append_char(&import->errors, ',');
    json_begin(&writer, &import->errors);
    json_object_begin(&writer);
    json_member_u64(&writer, VIEW("line"), number);
    json_member_text(&writer, VIEW("code"), view_of(status_code(status)));
    json_member_text(&writer, VIEW("detail"),
                     view_of(err->message[0] == '\0' ? status_words(status) : err->message));
    if (err->field[0] != '\0') json_member_text(&writer, VIEW("field"), view_of(err->field));
    if (err->limit != 0) json_member_u64(&writer, VIEW("limit"), err->limit);
    json_object_end(&writer);
    (void)json_end(&writer);
}

/* ---- Commands ---- */

static void content_key(stet_view text, char out[KEY_BYTES + 1]) {
    unsigned char hash[16];
    crypto_generichash(hash, sizeof hash, (const unsigned char *)text.bytes, text.size, NULL, 0);
    memcpy(out, "import-", 7);
    sodium_bin2hex(out + 7, 33, hash, sizeof hash);
}

/* Makes the command of one line. */
static stet_status fill_line(struct import *import, stet_command *command, stet_view text,
                             stet_error *err) {
    stet_mutation mutation;
    stet_origin origin;
    char key[KEY_BYTES + 1];
    stet_write write = {.mutations = &mutation,
                        .mutation_count = 1,
                        .source = VIEW("import"),
                        .dry_run = import->dry_run,
                        .minimal = true};
    stet_status status =
        import_read_line(&import->arena, text, &mutation, &origin, &write.mutation_key, err);
    if (status != STET_OK) return status;
    bool state = mutation.op == STET_OP_CREATE && mutation.origin != NULL;
    if (import->existing == EXISTING_UPDATE && state) {
        /* The data is a merge patch, to nothing as long as the record is not there. */
        struct doc patch;
        status = doc_parse(&import->arena, mutation.body, &body_limits, &patch, err);
        if (status == STET_OK)
            status = doc_merge_patch(&import->arena, NULL, &patch, &mutation.body, err);
        if (status != STET_OK) return status;
    }
    /* A key would tell of what an earlier file did, not of what is there now. */
    if (import->existing != EXISTING_REFUSE && state)
        return stet_command_write(command, &write, err);
    if (write.mutation_key.size == 0) {
        content_key(text, key);
        write.mutation_key = view_make(key, KEY_BYTES);
    }
    return stet_command_write(command, &write, err);
}

/* The line as a change of the version that is there. */
static stet_status fill_update(struct import *import, stet_command *command, stet_view text,
                               stet_version version, stet_error *err) {
    stet_mutation mutation;
    stet_origin origin;
    stet_view key = {0};
    arena_reset(&import->arena);
    stet_status status = import_read_line(&import->arena, text, &mutation, &origin, &key, err);
    if (status != STET_OK) return status;
    mutation.op = STET_OP_PATCH;
    mutation.origin = NULL;
    mutation.base = (stet_base){STET_BASE_VERSION, version};
    return stet_command_write(command,
                              &(stet_write){.mutations = &mutation,
                                            .mutation_count = 1,
                                            .source = VIEW("import"),
                                            .dry_run = import->dry_run,
                                            .minimal = true},
                              err);
}

/* The lines of a transaction, into one command. *bad: which of them was at fault. */
static stet_status fill_transaction(struct import *import, stet_command *command, stet_view text,
                                    size_t count, size_t *bad, stet_error *err) {
    struct arena *arena = &import->arena;
    stet_mutation *mutations = arena_zalloc(arena, count, sizeof *mutations);
    stet_origin *origins = arena_zalloc(arena, count, sizeof *origins);
    stet_view rest = text, line, key = {0};
    char content[KEY_BYTES + 1];
    *bad = 0;
    if (mutations == NULL || origins == NULL)
        return error_set(err, STET_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < count; i++) {
        *bad = i;
        text_next(&rest, '\n', &line);
        stet_status status =
            import_read_line(&import->arena, line, &mutations[i], &origins[i], &key, err);
        if (status != STET_OK) return status;
    }
    content_key(text, content);
    return stet_command_write(command,
                              &(stet_write){.mutations = mutations,
                                            .mutation_count = count,
                                            .transaction = true,
                                            .mutation_key = view_make(content, KEY_BYTES),
                                            .source = VIEW("import"),
                                            .dry_run = import->dry_run,
                                            .minimal = true},
                              err);
}

/* The type's strategy left a line's record as it is: whoever sent it has to hear of it. */
static void report_set_aside(struct import *import, uint64_t number, stet_view outcome) {
    struct json_writer writer;
    if (import->set_aside_count == import->errors_max) return;
    if (import->set_aside_count++ > 0) buffer_append_char(&import->set_aside, ',');
    json_begin(&writer, &import->set_aside);
    json_object_begin(&writer);
    json_member_u64(&writer, VIEW("line"), number);
    json_member_text(&writer, VIEW("outcome"), outcome);
    json_object_end(&writer);
    (void)json_end(&writer);
}

/* Of a transaction all lines are refused with one; they are named so that the numbers add up. */
static void report_lines(struct import *import, uint64_t number, size_t count, size_t bad,
                         stet_status status, const stet_error *err) {
    stet_error others;
    report(import, number + bad, status, err);
    error_set(&others, status, "in one transaction with line %llu, which was refused",
              (unsigned long long)(number + bad));
    for (size_t i = 0; i < count; i++)
        if (i != bad) report(import, number + i, status, &others);
}

static void report_refused(struct import *import, const struct line *line,
                           const stet_outcome *outcome) {
    const stet_error *err = &outcome->error;
    unsigned long index = 0;
    if (strncmp(err->field, "mutations/", 10) == 0) index = strtoul(err->field + 10, NULL, 10);
    const char *slash = strrchr(err->field, '/');
    const char *field = slash == NULL ? err->field : slash + 1;
    if (import->tell_orphans && outcome->status == STET_NOT_FOUND &&
        (strcmp(field, "parent") == 0 || strcmp(field, "version") == 0)) {
        for (size_t i = 0; i < line->count; i++) {
            if (import->orphan_count++ > 0) buffer_append_char(&import->orphans, ',');
            buffer_append_u64(&import->orphans, line->number + i);
        }
        return;
    }
    report_lines(import, line->number, line->count, index < line->count ? index : 0,
                 outcome->status, err);
}

/* ---- The window ---- */

static void import_continue(struct import *import);

static void line_free(struct import *import, struct line *line) {
    line->next_free = import->free_lines;
    import->free_lines = line;
}

/* The record is there: the line is to be tried as a change of it. False: it is not to be changed, or cannot be. */
static bool line_updates(struct import *import, struct line *line, const stet_outcome *outcome) {
    bool there = outcome->status == STET_ALREADY_EXISTS && line->updates == 0;
    bool moved = outcome->status == STET_CONCURRENT_MODIFICATION && line->updates > 0;
    if (import->existing != EXISTING_UPDATE || line->count != 1 || (!there && !moved) ||
        outcome->version == 0 || line->updates == UPDATES_MAX || import->stopped)
        return false;
    line->version = outcome->version;
    line->updates += 1;
    line->next_free = import->again;
    import->again = line;
    return true;
}

static void line_done(struct waiter *waiter, stet_command *command) {
    struct line *line = (struct line *)waiter;
    struct import *import = line->import;
    const stet_outcome *outcome = stet_command_outcome(command);
    if (outcome->status != STET_OK && line_updates(import, line, outcome)) {
        stet_command_destroy(command);
        return;
    }
    if (outcome->status == STET_ALREADY_EXISTS && import->existing == EXISTING_KEEP) {
        import->kept++;
        report_set_aside(import, line->number, VIEW("kept"));
    } else if (outcome->status != STET_OK) {
        report_refused(import, line, outcome);
    } else if (outcome->parked) {
        import->parked++;
        report_set_aside(import, line->number, VIEW("parked"));
    } else if (outcome->dropped) {
        import->dropped++;
        report_set_aside(import, line->number, VIEW("dropped"));
    } else if (outcome->replayed) {
        import->replayed += line->count;
    } else if (outcome->unchanged) {
        import->unchanged += line->count;
    } else if (line->updates > 0) {
        import->updated++;
    } else {
        import->imported += line->count;
    }
    stet_command_destroy(command);
    line_free(import, line);
}

static void line_completed(struct waiter *waiter, stet_command *command) {
    struct import *import = ((struct line *)waiter)->import;
    import->request->loop->commands--;
    import->flying--;
    line_done(waiter, command);
    if (!import->running) import_continue(import);
}

/* False: the queue is full; the line is held. */
static bool line_submit(struct import *import, struct line *line, stet_command *command) {
    stet_error err;
    struct request *request = import->request;
    stet_actor actor = request_actor(request);
    line->waiter.done = line_completed;
    stet_status status = stet_submit(request->space, &actor, command, &line->waiter, &err);
    if (status == STET_BUSY) {
        import->held = command;
        import->held_line = line;
        return false;
    }
    if (status != STET_OK) {
        report_lines(import, line->number, line->count, 0, status, &err);
        stet_command_destroy(command);
        line_free(import, line);
    } else if (stet_command_is_done(command)) {
        line_done(&line->waiter, command);
    } else {
        import->flying++;
        request->loop->commands++;
    }
    return true;
}

static bool next_line(struct import *import, stet_view *text) {
    while (import->rest.size > 0) {
        const char *end = memchr(import->rest.bytes, '\n', import->rest.size);
        size_t size = end == NULL ? import->rest.size : (size_t)(end - import->rest.bytes);
        *text = view_make(import->rest.bytes, size);
        size_t taken = end == NULL ? size : size + 1;
        import->rest = view_make(import->rest.bytes + taken, import->rest.size - taken);
        import->line_number++;
        if (text->size > 0 && text->bytes[text->size - 1] == '\r') text->size--;
        *text = text_trim(*text);
        if (text->size > 0 && !import_is_marker(*text)) return true;
    }
    return false;
}

/* Takes the lines that follow in the same transaction, too; text then spans all of them. */
static size_t take_transaction(struct import *import, stet_view *text) {
    uint64_t transaction = import_transaction_of(*text);
    size_t count = 1;
    while (transaction != 0 && count < TRANSACTION_MUTATIONS_MAX) {
        const char *end = memchr(import->rest.bytes, '\n', import->rest.size);
        size_t size = end == NULL ? import->rest.size : (size_t)(end - import->rest.bytes);
        if (size == 0 || import_transaction_of(view_make(import->rest.bytes, size)) != transaction)
            break;
        *text = view_make(text->bytes, (size_t)(import->rest.bytes + size - text->bytes));
        size_t taken = end == NULL ? size : size + 1;
        import->rest = view_make(import->rest.bytes + taken, import->rest.size - taken);
        import->line_number++;
        count++;
    }
    return count;
}

/* Submits a line as a change of its record. False: stop for now. */
static bool line_change(struct import *import) {
    struct line *line = import->again;
    stet_error err;
    import->again = line->next_free;
    stet_command *command = stet_command_create(import->request->loop->client);
    stet_status status = command == NULL
                             ? error_set(&err, STET_NO_MEMORY, "out of memory")
                             : fill_update(import, command, line->text, line->version, &err);
    if (status == STET_OK) return line_submit(import, line, command);
    report(import, line->number, status, &err);
    stet_command_destroy(command);
    line_free(import, line);
    return true;
}

/* Reads and submits one line. False: stop for now. */
static bool import_step(struct import *import) {
    stet_view text;
    stet_error err;
    if (import->held != NULL) {
        stet_command *command = import->held;
        import->held = NULL;
        return line_submit(import, import->held_line, command);
    }
    if (import->again != NULL) return line_change(import);
    if (import->over || import->flying >= WINDOW || import->free_lines == NULL) return false;
    import->halted = import->stop_on_error && import->failed > 0;
    if (import->halted || !next_line(import, &text)) {
        import->over = true;
        return false;
    }
    uint64_t number = import->line_number;
    size_t bad = 0, count = take_transaction(import, &text);
    stet_command *command = stet_command_create(import->request->loop->client);
    arena_reset(&import->arena);
    stet_status status = command == NULL ? error_set(&err, STET_NO_MEMORY, "out of memory")
                         : count == 1    ? fill_line(import, command, text, &err)
                                      : fill_transaction(import, command, text, count, &bad, &err);
    if (status != STET_OK) {
        report_lines(import, number, count, bad, status, &err);
        stet_command_destroy(command);
        return true;
    }
    struct line *line = import->free_lines;
    import->free_lines = line->next_free;
    line->number = number;
    line->count = count;
    line->text = text;
    line->updates = 0;
    return line_submit(import, line, command);
}

/* inside: the elements with their commas. False: out of memory. */
static bool put_array(struct json_writer *writer, stet_view key, const struct buffer *inside,
                      struct arena *arena) {
    struct buffer array;
    buffer_init(&array, arena, 0);
    buffer_append_char(&array, '[');
    buffer_append_view(&array, buffer_view(inside));
    buffer_append_char(&array, ']');
    if (buffer_status(inside) != STET_OK || buffer_status(&array) != STET_OK) return false;
    json_key(writer, key);
    json_raw(writer, buffer_view(&array));
    return true;
}

static void import_reply(struct import *import) {
    struct request *request = import->request;
    struct buffer body;
    struct json_writer writer;
    buffer_init(&body, &request->arena, 0);
    json_begin(&writer, &body);
    json_object_begin(&writer);
    json_member_u64(&writer, VIEW("imported"), import->imported);
    json_member_u64(&writer, VIEW("unchanged"), import->unchanged);
    json_member_u64(&writer, VIEW("replayed"), import->replayed);
    json_member_u64(&writer, VIEW("dropped"), import->dropped);
    json_member_u64(&writer, VIEW("parked"), import->parked);
    json_member_u64(&writer, VIEW("failed"), import->failed);
    if (import->existing == EXISTING_UPDATE)
        json_member_u64(&writer, VIEW("updated"), import->updated);
    if (import->existing == EXISTING_KEEP) json_member_u64(&writer, VIEW("kept"), import->kept);
    bool whole = put_array(&writer, VIEW("errors"), &import->errors, &request->arena);
    if (import->set_aside_count > 0 &&
        !put_array(&writer, VIEW("set_aside"), &import->set_aside, &request->arena))
        whole = false;
    if (import->skipped_errors > 0)
        json_member_u64(&writer, VIEW("errors_left_out"), import->skipped_errors);
    if (import->orphan_count > 0 &&
        !put_array(&writer, VIEW("orphans"), &import->orphans, &request->arena))
        whole = false;
    if (import->stopped || import->halted)
        json_member_u64(&writer, VIEW("stopped_at_line"), import->line_number);
    json_object_end(&writer);
    (void)json_end(&writer);
    if (buffer_status(&body) != STET_OK || !whole) {
        stet_error err;
        error_set(&err, STET_NO_MEMORY, "out of memory");
        request_refuse(request, &err);
        return;
    }
    if (import->stopped) {
        stet_error err;
        error_set(&err, STET_SHUTTING_DOWN,
                  "the server stopped in the middle; send the same import again");
        request_refuse_http(request, &err, status_http(err.status), buffer_view(&body));
        return;
    }
    struct reply reply = {.http = 200, .body = buffer_view(&body)};
    request_reply(request, &reply);
}

static void import_continue(struct import *import) {
    import->running = true;
    for (int i = 0; i < STEPS_MAX && !import->stopped && import_step(import); i++)
        continue;
    import->running = false;
    if (import->over && import->flying == 0 && import->held == NULL && import->again == NULL) {
        import_reply(import);
        return;
    }
    if (import->flying == 0) {
        /* Nothing will wake us: the queue is full of others' work, or it is their turn. */
        int pause_ms = import->held != NULL ? BUSY_PAUSE_MS : 0;
        timer_set(&import->request->loop->wheel, &import->timer,
                  import->request->loop->now_ms + pause_ms);
    }
    request_wait(import->request);
}

static void import_pause_over(struct timer *timer) {
    import_continue((struct import *)((char *)timer - offsetof(struct import, timer)));
}

static void import_stop(struct request *request) {
    struct import *import = request->state;
    if (import->over && import->held == NULL && import->again == NULL) return;
    import->over = true;
    import->stopped = true;
    import->again = NULL;
    stet_command_destroy(import->held);
    import->held = NULL;
    timer_cancel(&request->loop->wheel, &import->timer);
    if (import->flying == 0) import_reply(import);
}

static void import_release(struct request *request) {
    struct import *import = request->state;
    timer_cancel(&request->loop->wheel, &import->timer);
    stet_command_destroy(import->held);
    buffer_done(&import->errors);
    buffer_done(&import->set_aside);
    buffer_done(&import->orphans);
    arena_done(&import->arena);
}

static struct import *import_create(struct request *request) {
    struct import *import = arena_zalloc(&request->arena, 1, sizeof *import);
    struct line *lines = arena_zalloc(&request->arena, WINDOW, sizeof *lines);
    if (import == NULL || lines == NULL) {
        stet_error err;
        error_set(&err, STET_NO_MEMORY, "out of memory");
        request_refuse(request, &err);
        return NULL;
    }
    import->request = request;
    import->rest = request_body_view(request);
    import->timer.fire = import_pause_over;
    buffer_init(&import->errors, NULL, 0);
    buffer_init(&import->set_aside, NULL, 0);
    buffer_init(&import->orphans, NULL, 0);
    arena_init(&import->arena, 8192);
    for (int i = 0; i < WINDOW; i++) {
        lines[i].import = import;
        lines[i].next_free = import->free_lines;
        import->free_lines = &lines[i];
    }
    request->state = import;
    request->release = import_release;
    request->stop = import_stop;
    return import;
}

void handle_import(struct request *request) {
    stet_error err;
    bool dry_run = false, orphans = false;
    stet_view on_error = VIEW("continue"), existing = VIEW("refuse");
    uint64_t errors_max = ERRORS_DEFAULT;
    stet_status status = params_flag(&request->params, "dry_run", &dry_run, &err);
    if (status == STET_OK) status = params_flag(&request->params, "orphans", &orphans, &err);
    if (status == STET_OK) status = params_text(&request->params, "on_error", &on_error, &err);
    if (status == STET_OK) status = params_text(&request->params, "existing", &existing, &err);
    if (status == STET_OK)
        status = params_u64(&request->params, "errors_max", ERRORS_MAX, &errors_max, &err);
    bool stop = view_equal(on_error, VIEW("stop"));
    bool keep = view_equal(existing, VIEW("keep")), update = view_equal(existing, VIEW("update"));
    if (status == STET_OK && !keep && !update && !view_equal(existing, VIEW("refuse"))) {
        status = error_set(&err, STET_BAD_REQUEST,
                           "the query parameter \"existing\" must be refuse, keep or update");
        error_field(&err, "existing", 0);
    }
    if (status == STET_OK && !stop && !view_equal(on_error, VIEW("continue"))) {
        status = error_set(&err, STET_BAD_REQUEST,
                           "the query parameter \"on_error\" must be stop or continue");
        error_field(&err, "on_error", 0);
    }
    if (status == STET_OK) status = params_finish(&request->params, &err);
    if (!request_ok(request, status, &err)) return;
    if (media_parse(request->headers.content_type) != MEDIA_NDJSON) {
        request_refuse_field(request, STET_UNSUPPORTED_MEDIA_TYPE, "Content-Type",
                             "the Content-Type must be application/x-ndjson");
        return;
    }
    if (!request_open_space(request)) return;
    struct import *import = import_create(request);
    if (import == NULL) return;
    import->dry_run = dry_run;
    import->tell_orphans = orphans;
    import->stop_on_error = stop;
    import->existing = keep ? EXISTING_KEEP : update ? EXISTING_UPDATE : EXISTING_REFUSE;
    import->errors_max = errors_max;
    import_continue(import);
}
