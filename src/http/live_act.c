/*
 * What the messages of a live connection make happen. Each is answered, now or when its command is done; a refusal ends nothing.
 */
#include "base/error.h"
#include "base/log.h"
#include "base/view.h"
#include "doc/write.h"
#include "http/live_connection.h"
#include "http/live_frame.h"
#include "http/problem.h"

#define ARENA_BYTES 2048

/* ---- Answers ---- */

void live_answer(struct live *live, uint64_t id, int status, stet_view body) {
    const struct live_answer answer = {.id = id, .status = status, .body = body};
    live_put_answer(live->out, &answer);
}

static void write_problem(struct live *live, const stet_error *err, stet_view members,
                          struct arena *arena, struct buffer *document) {
    const struct problem problem = {
        .status = err->status,
        .http = status_http(err->status),
        .detail = view_of(err->message[0] != '\0' ? err->message : status_words(err->status)),
        .field = view_of(err->field),
        .limit = err->limit,
        .request_id = live->request_id,
        .members = members,
    };
    problem_write(document, arena, &problem);
    if (buffer_status(document) != STET_OK) live->failed = true;
    if (err->cause[0] != '\0' && problem.http >= 500)
        LOG(LOG_ERROR, "live message failed", log_text("request_id", live->request_id),
            log_text("code", view_of(status_code(err->status))),
            log_text("message", view_of(err->message)), log_text("cause", view_of(err->cause)));
}

void live_refuse(struct live *live, uint64_t id, const stet_error *err,
                 const stet_outcome *outcome) {
    struct arena arena;
    struct buffer document;
    arena_init(&arena, ARENA_BYTES);
    buffer_init(&document, &arena, 0);
    write_problem(live, err, outcome == NULL ? (stet_view){0} : outcome->body, &arena, &document);
    struct live_answer answer = {
        .id = id,
        .status = status_http(err->status),
        .body = buffer_view(&document),
    };
    if (outcome != NULL) answer.retry_after_s = problem_outcome_retry_after_s(&arena, outcome);
    if (answer.retry_after_s == 0) answer.retry_after_s = problem_retry_after_s(err->status);
    if (answer.retry_after_s > 0) metric_add(&live->loop->metrics.retries_told, 1);
    if (!live->failed) live_put_answer(live->out, &answer);
    arena_done(&arena);
}

/* Of a message whose id could not be read. */
static void refuse_unnamed(struct live *live, const stet_error *err) {
    struct arena arena;
    struct buffer document;
    arena_init(&arena, ARENA_BYTES);
    buffer_init(&document, &arena, 0);
    write_problem(live, err, (stet_view){0}, &arena, &document);
    if (!live->failed)
        live_put_event(live->out, (stet_view){0}, VIEW("error"), 0, buffer_view(&document));
    arena_done(&arena);
}

/* ---- hello ---- */

static bool equal_in_constant_time(stet_view a, stet_view b) {
    if (a.size != b.size) return false;
    unsigned char differs = 0;
    for (size_t i = 0; i < a.size; i++)
        differs |= (unsigned char)(a.bytes[i] ^ b.bytes[i]);
    return differs == 0;
}

static void hello(struct live *live, const struct live_message *message, struct arena *arena) {
    struct buffer body;
    struct json_writer writer;
    stet_error err;
    if (message->csrf.size > 0 && live->csrf.size > 0) {
        if (!equal_in_constant_time(message->csrf, live->csrf)) {
            error_set(&err, STET_CSRF_REQUIRED,
                      "/csrf is not that of this session: ask for the session again");
            error_field(&err, "/csrf", 0);
            live_refuse(live, message->id, &err, NULL);
            return;
        }
        live->proven = true;
    }
    stet_view version = view_of(stet_version_text());
    buffer_init(&body, arena, 0);
    json_begin(&writer, &body);
    json_object_begin(&writer);
    json_member_text(&writer, VIEW("version"), version);
    json_key(&writer, VIEW("fits"));
    if (message->client.size == 0) {
        json_null(&writer);
    } else {
        json_bool(&writer, live_versions_fit(message->client, version));
    }
    json_member_text(&writer, VIEW("space"), live->space_name);
    json_member_text(&writer, VIEW("actor"), live->actor.id);
    json_member_u64(&writer, VIEW("heartbeat_s"), live->loop->server->options.bookmark_s);
    json_member_u64(&writer, VIEW("seq"), stet_space_seq(live->space));
    json_object_end(&writer);
    if (json_end(&writer) != STET_OK) {
        live->failed = true;
        return;
    }
    live_answer(live, message->id, 200, buffer_view(&body));
}

/* ---- All ---- */

static void act(struct live *live, const struct live_message *message, struct arena *arena) {
    switch (message->op) {
    case LIVE_HELLO: hello(live, message, arena); break;
    case LIVE_SUBSCRIBE: live_subscribe(live, message, arena); break;
    case LIVE_UNSUBSCRIBE: live_unsubscribe(live, message); break;
    case LIVE_MUTATE: live_mutate(live, message); break;
    case LIVE_PRESENT: live_present(live, message); break;
    case LIVE_ABSENT: live_absent(live, message, arena); break;
    }
}

void live_act(struct live *live, stet_view text) {
    struct arena arena;
    struct live_message message;
    stet_error err;
    arena_init(&arena, ARENA_BYTES);
    if (live_message_read(&arena, text, &message, &err) == STET_OK) {
        act(live, &message, &arena);
    } else if (message.has_id) {
        live_refuse(live, message.id, &err, NULL);
    } else if (err.status == STET_NO_MEMORY) {
        /* There is an id, and who waits for its answer has to hear that none will come. */
        live->failed = true;
    } else {
        refuse_unnamed(live, &err);
    }
    arena_done(&arena);
}
