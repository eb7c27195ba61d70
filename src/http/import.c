/*
 * POST …/import: one record per line (NDJSON).
 *
 * Each line is a write of its own, submitted through a window of commands, so that an import is
 * committed in large batches and never fills the queue. A line without a key gets one from its
 * content: the same file sent again changes nothing. A bad line is reported by its number and the
 * others go on.
 */
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "doc/write.h"
#include "http/body.h"
#include "http/handlers.h"
#include "http/request.h"

#include <sodium.h>
#include <stdlib.h>

enum {
    WINDOW = 256,    /* Commands on their way at once. */
    STEPS_MAX = 512, /* Lines read before the loop's other connections get their turn. */
    ERRORS_MAX = 100,
    BUSY_PAUSE_MS = 20,
    KEY_BYTES = 7 + 32,
};

struct import;

struct line {
    struct waiter waiter; /* First: the command's context. */
    struct import *import;
    uint64_t number;
    struct line *next_free;
};

struct import {
    struct request *request;
    stet_view rest; /* What was not read yet. */
    uint64_t line_number;
    bool dry_run;
    bool running;       /* import_continue is on the stack. */
    bool over;          /* Nothing more will be submitted. */
    bool stopped;       /* Because the server stops. */
    stet_command *held; /* Filled, and refused as busy. */
    struct line *held_line;
    struct timer timer;
    unsigned flying;
    struct line *free_lines;
    struct arena arena; /* One line's. */
    uint64_t imported, unchanged, replayed, failed, skipped_errors;
    uint64_t dropped, parked; /* What the type's strategy did to lines from a stale version. */
    unsigned set_aside_count;
    struct buffer set_aside; /* These, by line: the array's inside. */
    unsigned error_count;
    struct buffer errors; /* The array's inside. */
};

/* ---- Errors by line ---- */

static void report(struct import *import, uint64_t number, stet_status status,
                   const stet_error *err) {
    struct json_writer writer;
    import->failed++;
    if (import->error_count == ERRORS_MAX) {
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

/* ---- One line ---- */

static const uint64_t line_members =
    MEMBER_BIT(MEMBER_TYPE) | MEMBER_BIT(MEMBER_ID) | MEMBER_BIT(MEMBER_DATA) |
    MEMBER_BIT(MEMBER_VERSION) | MEMBER_BIT(MEMBER_CREATED_AT) | MEMBER_BIT(MEMBER_CREATED_BY) |
    MEMBER_BIT(MEMBER_UPDATED_AT) | MEMBER_BIT(MEMBER_UPDATED_BY) |
    MEMBER_BIT(MEMBER_BASE_VERSION) | MEMBER_BIT(MEMBER_CLIENT_MUTATION_ID);

static const uint64_t origin_members[] = {MEMBER_VERSION, MEMBER_CREATED_AT, MEMBER_CREATED_BY,
                                          MEMBER_UPDATED_AT, MEMBER_UPDATED_BY};

static void content_key(stet_view text, char out[KEY_BYTES + 1]) {
    unsigned char hash[16];
    crypto_generichash(hash, sizeof hash, (const unsigned char *)text.bytes, text.size, NULL, 0);
    memcpy(out, "import-", 7);
    sodium_bin2hex(out + 7, 33, hash, sizeof hash);
}

static stet_status read_names(const struct body *body, stet_mutation *mutation, stet_error *err) {
    stet_status status = body_text(body, MEMBER_TYPE, &mutation->type, err);
    if (status == STET_OK) status = body_text(body, MEMBER_ID, &mutation->id, err);
    if (status == STET_OK) status = body_json(body, MEMBER_DATA, false, &mutation->body, err);
    if (status != STET_OK) return status;
    if (mutation->type.size == 0) return body_bad(body, MEMBER_TYPE, "is missing", err);
    if (mutation->id.size == 0) return body_bad(body, MEMBER_ID, "is missing", err);
    if (mutation->body.size == 0) return body_bad(body, MEMBER_DATA, "is missing", err);
    return STET_OK;
}

static stet_status read_origin(const struct body *body, stet_origin *origin, stet_error *err) {
    stet_status status = body_u64(body, MEMBER_VERSION, &origin->version, err);
    if (status == STET_OK && body_has(body, MEMBER_VERSION) && origin->version == 0)
        status = body_bad(body, MEMBER_VERSION, "must be at least 1", err);
    if (status == STET_OK) status = body_time(body, MEMBER_CREATED_AT, &origin->created_at, err);
    if (status == STET_OK) status = body_text(body, MEMBER_CREATED_BY, &origin->created_by, err);
    if (status == STET_OK) status = body_time(body, MEMBER_UPDATED_AT, &origin->updated_at, err);
    if (status == STET_OK) status = body_text(body, MEMBER_UPDATED_BY, &origin->updated_by, err);
    return status;
}

/* Makes the command of one line. */
static stet_status fill_line(struct import *import, stet_command *command, stet_view text,
                             stet_error *err) {
    struct doc doc;
    struct body body;
    stet_mutation mutation = {.op = STET_OP_PUT};
    stet_origin origin = {0};
    uint64_t base = 0;
    char key[KEY_BYTES + 1];
    stet_write write = {
        .mutations = &mutation,
        .mutation_count = 1,
        .source = VIEW("import"),
        .dry_run = import->dry_run,
    };
    stet_status status = doc_parse(&import->arena, text, &body_limits, &doc, err);
    if (status == STET_OK)
        status = body_read(&body, &import->arena, &doc, 0, line_members, "", err);
    if (status == STET_OK) status = read_names(&body, &mutation, err);
    if (status == STET_OK) status = read_origin(&body, &origin, err);
    if (status == STET_OK) status = body_u64(&body, MEMBER_BASE_VERSION, &base, err);
    if (status == STET_OK)
        status = body_text(&body, MEMBER_CLIENT_MUTATION_ID, &write.mutation_key, err);
    if (status != STET_OK) return status;

    bool has_origin = false;
    for (size_t i = 0; i < sizeof origin_members / sizeof origin_members[0]; i++)
        has_origin = has_origin || body_has(&body, (enum member)origin_members[i]);
    if (body_has(&body, MEMBER_BASE_VERSION)) {
        if (has_origin)
            return body_bad(&body, MEMBER_BASE_VERSION,
                            "and metadata of another place exclude each other", err);
        if (base == 0) return body_bad(&body, MEMBER_BASE_VERSION, "must be at least 1", err);
        mutation.base = (stet_base){STET_BASE_VERSION, base};
    }
    if (mutation.base.kind == STET_BASE_NONE) {
        /* An origin, be it empty, makes it an import: repeating it is no conflict, and undoes no delete. */
        mutation.op = STET_OP_CREATE;
        mutation.origin = &origin;
    }
    if (write.mutation_key.size == 0) {
        content_key(text, key);
        write.mutation_key = view_make(key, KEY_BYTES);
    }
    return stet_command_write(command, &write, err);
}

/* The type's strategy left a line's record as it is: whoever sent it has to hear of it. */
static void report_set_aside(struct import *import, uint64_t number, bool parked) {
    struct json_writer writer;
    if (parked) {
        import->parked++;
    } else {
        import->dropped++;
    }
    if (import->set_aside_count == ERRORS_MAX) return;
    if (import->set_aside_count++ > 0) buffer_append_char(&import->set_aside, ',');
    json_begin(&writer, &import->set_aside);
    json_object_begin(&writer);
    json_member_u64(&writer, VIEW("line"), number);
    json_member_text(&writer, VIEW("outcome"), parked ? VIEW("parked") : VIEW("dropped"));
    json_object_end(&writer);
    (void)json_end(&writer);
}

/* ---- The window ---- */

static void import_continue(struct import *import);

static void line_done(struct waiter *waiter, stet_command *command) {
    struct line *line = (struct line *)waiter;
    struct import *import = line->import;
    const stet_outcome *outcome = stet_command_outcome(command);
    if (outcome->status != STET_OK) {
        report(import, line->number, outcome->status, &outcome->error);
    } else if (outcome->dropped || outcome->parked) {
        report_set_aside(import, line->number, outcome->parked);
    } else if (outcome->replayed) {
        import->replayed++;
    } else if (outcome->unchanged) {
        import->unchanged++;
    } else {
        import->imported++;
    }
    stet_command_destroy(command);
    line->next_free = import->free_lines;
    import->free_lines = line;
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
        report(import, line->number, status, &err);
        stet_command_destroy(command);
        line->next_free = import->free_lines;
        import->free_lines = line;
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
        if (text->size > 0) return true;
    }
    return false;
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
    if (import->flying >= WINDOW || import->free_lines == NULL) return false;
    if (!next_line(import, &text)) {
        import->over = true;
        return false;
    }
    stet_command *command = stet_command_create(import->request->loop->client);
    arena_reset(&import->arena);
    stet_status status = command == NULL ? error_set(&err, STET_NO_MEMORY, "out of memory")
                                         : fill_line(import, command, text, &err);
    if (status != STET_OK) {
        report(import, import->line_number, status, &err);
        stet_command_destroy(command);
        return true;
    }
    struct line *line = import->free_lines;
    import->free_lines = line->next_free;
    line->number = import->line_number;
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
    bool whole = put_array(&writer, VIEW("errors"), &import->errors, &request->arena);
    if (import->set_aside_count > 0 &&
        !put_array(&writer, VIEW("set_aside"), &import->set_aside, &request->arena))
        whole = false;
    if (import->skipped_errors > 0)
        json_member_u64(&writer, VIEW("errors_left_out"), import->skipped_errors);
    if (import->stopped) json_member_u64(&writer, VIEW("stopped_at_line"), import->line_number);
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
    for (int i = 0; i < STEPS_MAX && !import->over && import_step(import); i++)
        continue;
    import->running = false;
    if (import->over && import->flying == 0 && import->held == NULL) {
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
    if (import->over) return;
    import->over = true;
    import->stopped = true;
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
    bool dry_run = false;
    stet_status status = params_flag(&request->params, "dry_run", &dry_run, &err);
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
    import_continue(import);
}
