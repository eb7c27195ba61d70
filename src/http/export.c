/*
 * GET …/export: the space as of one position, as lines of JSON.
 *
 *   {"stet_export":{"format":1,"space","source","seq","history","after"?, …}}     first: what this is
 *   {"seq", "type", "id", …}                                             a record, or one version of it
 *   {"stet_export":{"end":true,"seq","lines", …}}                        last: without it something is missing
 *
 * One page is read at a time, on a worker, and the next one is asked for only when this one has been taken by the socket: a
 * slow reader costs a page of memory and no thread, and one that has left costs nothing.
 */
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "doc/write.h"
#include "http/handlers.h"
#include "http/request.h"

#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>

enum { EXPORT_FORMAT = 1, BLOCK_BYTES = 16 * 1024 };

struct export {
    struct request *request;
    stet_export options;
    stet_export_page at; /* Where the last page ended. */
    uint64_t lines, pruned, newer;
    struct buffer own; /* A line of ours, in front of what is left of the page. */
    size_t own_sent;
    size_t page_sent;
    bool has_page; /* request->command is a page that is not sent yet. */
    bool last_said;
};

/* ---- Lines of ours ---- */

static void head_write(struct export *export) {
    struct json_writer writer;
    const stet_export *options = &export->options;
    char source[17];
    snprintf(source, sizeof source, "%016" PRIx64, export->at.source);
    buffer_reset(&export->own);
    json_begin(&writer, &export->own);
    json_object_begin(&writer);
    json_key(&writer, VIEW("stet_export"));
    json_object_begin(&writer);
    json_member_u64(&writer, VIEW("format"), EXPORT_FORMAT);
    json_member_text(&writer, VIEW("space"), export->request->match.captures[CAPTURE_SPACE]);
    json_member_text(&writer, VIEW("source"), view_of(source));
    json_member_u64(&writer, VIEW("seq"), export->at.as_of);
    json_member_bool(&writer, VIEW("history"), options->history);
    if (options->type_count > 0) {
        json_key(&writer, VIEW("types"));
        json_array_begin(&writer);
        for (size_t i = 0; i < options->type_count; i++)
            json_text(&writer, options->types[i]);
        json_array_end(&writer);
    }
    if (options->where.size > 0) json_member_text(&writer, VIEW("where"), options->where);
    if (options->after > 0) json_member_u64(&writer, VIEW("after"), options->after);
    json_object_end(&writer);
    json_object_end(&writer);
    (void)json_end(&writer);
    buffer_append_char(&export->own, '\n');
}

static void tail_write(struct export *export, const stet_error *failure) {
    struct json_writer writer;
    buffer_reset(&export->own);
    export->own_sent = 0;
    export->last_said = true;
    json_begin(&writer, &export->own);
    json_object_begin(&writer);
    json_key(&writer, VIEW("stet_export"));
    json_object_begin(&writer);
    json_member_bool(&writer, VIEW("end"), failure == NULL);
    if (failure != NULL) {
        json_member_text(&writer, VIEW("code"), view_of(status_code(failure->status)));
        json_member_text(&writer, VIEW("detail"), view_of(failure->message));
    }
    json_member_u64(&writer, VIEW("seq"), export->at.as_of);
    json_member_u64(&writer, VIEW("lines"), export->lines);
    if (export->pruned > 0) json_member_u64(&writer, VIEW("pruned"), export->pruned);
    if (export->newer > 0) json_member_u64(&writer, VIEW("newer"), export->newer);
    json_object_end(&writer);
    json_object_end(&writer);
    (void)json_end(&writer);
    buffer_append_char(&export->own, '\n');
}

/* ---- Pages ---- */

static void page_take(struct export *export) {
    const stet_export_page page = stet_export_page_get(export->request->command);
    export->at = page;
    export->lines += page.lines;
    export->pruned += page.pruned;
    export->newer += page.newer;
    export->page_sent = 0;
    export->has_page = true;
}

/* A later page is there, or will never be: the library asks for it again. */
static void page_done(struct request *request) {
    struct export *export = request->state;
    const stet_outcome *outcome = stet_command_outcome(request->command);
    if (outcome->status == STET_OK) {
        page_take(export);
    } else {
        tail_write(export, &outcome->error);
    }
    if (!request->suspended) return;
    request->suspended = false;
    peer_enter(request->peer, PEER_REPLY);
    request->loop->daemon_due = true;
    MHD_resume_connection(request->peer->mhd);
}

static void waiter_done(struct waiter *waiter, stet_command *command) {
    struct request *request = (struct request *)waiter;
    (void)command;
    request->loop->commands--;
    page_done(request);
}

/* Asks for the page behind the last one. */
static void page_ask(struct export *export) {
    struct request *request = export->request;
    stet_actor actor = request_actor(request);
    stet_export options = export->options;
    stet_error err;
    options.as_of = export->at.as_of;
    options.after = export->at.next;
    export->has_page = false;
    stet_command_destroy(request->command);
    request->command = stet_command_create(request->loop->client);
    stet_status status = request->command == NULL
                             ? error_set(&err, STET_NO_MEMORY, "out of memory")
                             : stet_command_export(request->command, &options, &err);
    request->waiter.done = waiter_done;
    if (status == STET_OK)
        status = stet_submit(request->space, &actor, request->command, &request->waiter, &err);
    if (status != STET_OK) {
        tail_write(export, &err);
    } else if (stet_command_is_done(request->command)) {
        page_done(request);
    } else {
        request->loop->commands++;
        request->suspended = true;
        peer_enter(request->peer, PEER_ENGINE);
        MHD_suspend_connection(request->peer->mhd);
    }
}

static size_t copy_out(char *out, size_t size, stet_view from, size_t *sent) {
    size_t part = from.size - *sent;
    if (part > size) part = size;
    if (part > 0) memcpy(out, from.bytes + *sent, part);
    *sent += part;
    return part;
}

/* What the library sends next. It asks again when the connection has room. */
static ssize_t export_read(void *context, uint64_t position, char *out, size_t size) {
    struct export *export = context;
    struct request *request = export->request;
    size_t filled = 0;
    (void)position;
    /* The end without its last line tells whoever reads that something is missing. */
    if (request->loop->stopping) return MHD_CONTENT_READER_END_WITH_ERROR;
    for (;;) {
        if (buffer_status(&export->own) != STET_OK) return MHD_CONTENT_READER_END_WITH_ERROR;
        filled +=
            copy_out(out + filled, size - filled, buffer_view(&export->own), &export->own_sent);
        if (export->has_page && !export->last_said)
            filled += copy_out(out + filled, size - filled,
                               stet_command_outcome(request->command)->body, &export->page_sent);
        if (filled > 0) break;
        if (export->last_said) return MHD_CONTENT_READER_END_OF_STREAM;
        if (export->has_page && export->at.end) {
            tail_write(export, NULL);
            continue;
        }
        page_ask(export);
        if (request->suspended) return 0;
    }
    /* Each part that is taken gives the reader its time anew. */
    peer_enter(request->peer, PEER_REPLY);
    request->reply_bytes += filled;
    return (ssize_t)filled;
}

static void response_gone(void *context) {
    struct export *export = context;
    request_unref(export->request);
}

static void export_release(struct request *request) {
    struct export *export = request->state;
    buffer_done(&export->own);
}

/* The first page decides whether there is an answer at all. */
static void export_begin(struct request *request) {
    struct export *export = request->state;
    stet_error err;
    if (stet_command_outcome(request->command)->status != STET_OK) {
        request_reply_outcome(request);
        return;
    }
    page_take(export);
    head_write(export);
    request->references++;
    struct MHD_Response *response = MHD_create_response_from_callback(
        MHD_SIZE_UNKNOWN, BLOCK_BYTES, export_read, export, response_gone);
    if (response == NULL) {
        request->references--;
        error_set(&err, STET_NO_MEMORY, "out of memory");
        request_refuse(request, &err);
        return;
    }
    struct reply reply = {.http = 200, .content_type = "application/x-ndjson"};
    request_reply_response(request, 200, response, &reply);
}

/* ---- The question ---- */

static stet_status take_types(struct request *request, stet_export *options, stet_error *err) {
    unsigned cursor = 0;
    stet_view value;
    stet_view *types = arena_zalloc(&request->arena, PARAMS_MAX, sizeof *types);
    if (types == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    while (params_next(&request->params, "type", &cursor, &value))
        types[options->type_count++] = value; /* There are not more parameters than that. */
    options->types = types;
    return STET_OK;
}

void handle_export(struct request *request) {
    stet_error err;
    struct params *params = &request->params;
    struct export *export = arena_zalloc(&request->arena, 1, sizeof *export);
    stet_status status =
        export == NULL ? error_set(&err, STET_NO_MEMORY, "out of memory") : STET_OK;
    if (!request_ok(request, status, &err)) return;
    stet_export *options = &export->options;
    export->request = request;
    status = take_types(request, options, &err);
    if (status == STET_OK) status = params_text(params, "where", &options->where, &err);
    if (status == STET_OK) status = params_flag(params, "history", &options->history, &err);
    if (status == STET_OK) status = params_u64(params, "as_of", UINT64_MAX, &options->as_of, &err);
    if (status == STET_OK) status = params_u64(params, "after", UINT64_MAX, &options->after, &err);
    if (status == STET_OK) status = params_finish(params, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    buffer_init(&export->own, NULL, 0);
    request->state = export;
    request->release = export_release;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_export(command, options, &err);
    if (request_ok(request, status, &err)) request_submit(request, export_begin);
}
