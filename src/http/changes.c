/*
 * GET …/changes: the feed, as an event stream or as a long poll.
 *
 * A long poll is a short subscription: what is there is the answer; when nothing is, or it has to be
 * read from the store first, the connection is suspended until the subscription wakes, the time is
 * up or the client leaves. A page never ends inside a transaction.
 */
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "http/bearer.h"
#include "http/feed.h"
#include "http/handlers.h"
#include "http/stream.h"

#include <stddef.h>

struct poll {
    struct ready ready; /* First: the subscription's context. */
    struct request *request;
    stet_subscription *subscription;
    struct timer timer;
    struct buffer changes; /* The array's inside. */
    unsigned count;
    unsigned limit;
    bool patient;   /* Waits for a change when there is none. */
    bool caught_up; /* The backlog is through. */
    bool waiting;
    stet_seq next; /* Where the next poll goes on. */
    stet_seq start;
    stet_view reset;
};

/* ---- Parameters ---- */

struct question {
    stet_feed_options options;
    unsigned limit;
    unsigned wait_s;
};

static stet_status take_list(struct request *request, const char *name, const stet_view **out,
                             size_t *count, stet_error *err) {
    unsigned cursor = 0;
    stet_view value;
    size_t found = 0;
    stet_view *list = arena_zalloc(&request->arena, SUBSCRIPTION_FILTERS_MAX, sizeof *list);
    if (list == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    while (params_next(&request->params, name, &cursor, &value)) {
        if (found == SUBSCRIPTION_FILTERS_MAX) {
            error_set(err, STET_TOO_LARGE, "at most %d values of \"%s\" may be given",
                      SUBSCRIPTION_FILTERS_MAX, name);
            error_field(err, name, SUBSCRIPTION_FILTERS_MAX);
            return STET_TOO_LARGE;
        }
        if (value.size == 0) {
            error_set(err, STET_BAD_REQUEST, "the query parameter \"%s\" must not be empty", name);
            error_field(err, name, 0);
            return STET_BAD_REQUEST;
        }
        list[found++] = value;
    }
    *out = found == 0 ? NULL : list;
    *count = found;
    return STET_OK;
}

/* Last-Event-ID beats since: the browser sends it when it connects again to the same URL. */
static stet_status take_since(struct request *request, stet_feed_options *options,
                              stet_error *err) {
    uint64_t since = 0;
    bool given = params_has(&request->params, "since");
    stet_view text = {0};
    if (given) {
        stet_status status = params_text(&request->params, "since", &text, err);
        if (status != STET_OK) return status;
        if (view_equal(text, VIEW("now"))) {
            given = false;
        } else if (!view_parse_u64(text, &since)) {
            error_set(err, STET_BAD_REQUEST,
                      "the query parameter \"since\" must be a position or \"now\"");
            error_field(err, "since", 0);
            return STET_BAD_REQUEST;
        }
    }
    if (request->headers.last_event_id.size > 0) {
        if (!view_parse_u64(request->headers.last_event_id, &since)) {
            error_set(err, STET_BAD_REQUEST, "Last-Event-ID must be a position");
            error_field(err, "Last-Event-ID", 0);
            return STET_BAD_REQUEST;
        }
        given = true;
    }
    options->from_now = !given;
    options->since = since;
    return STET_OK;
}

/* events=conflict, events=operation: what happens to those, too. With nothing else named, it is all there is. */
static stet_status take_events(struct request *request, stet_feed_options *options,
                               stet_error *err) {
    unsigned cursor = 0;
    stet_view value;
    while (params_next(&request->params, "events", &cursor, &value)) {
        stet_status status = feed_add_events(&request->arena, options, value, err);
        if (status != STET_OK) return status;
    }
    return STET_OK;
}

static bool take_question(struct request *request, struct question *question) {
    stet_error err;
    uint64_t limit = CHANGES_LIMIT_DEFAULT;
    uint64_t wait_s = 0;
    struct params *params = &request->params;
    stet_view ticket; /* Used up when the actor was found out, unless Authorization beat it. */
    stet_feed_options *options = &question->options;
    stet_status status = take_since(request, options, &err);
    if (status == STET_OK) status = params_text(params, "ticket", &ticket, &err);
    if (status == STET_OK)
        status = take_list(request, "type", &options->types, &options->type_count, &err);
    if (status == STET_OK)
        status = take_list(request, "id", &options->addresses, &options->address_count, &err);
    if (status == STET_OK) status = take_events(request, options, &err);
    if (status == STET_OK) status = params_text(params, "where", &options->where, &err);
    if (status == STET_OK) status = params_u64(params, "limit", CHANGES_LIMIT_MAX, &limit, &err);
    if (status == STET_OK) status = params_u64(params, "wait_s", WAIT_S_MAX, &wait_s, &err);
    if (status == STET_OK) status = params_finish(params, &err);
    question->limit = limit == 0 ? CHANGES_LIMIT_DEFAULT : (unsigned)limit;
    question->wait_s = (unsigned)wait_s;
    return request_ok(request, status, &err);
}

/* The interface speaks of addresses; the parameter is called id. */
static stet_status subscribe(struct request *request, const struct question *question,
                             struct ready *ready, stet_subscription **subscription,
                             stet_error *err) {
    stet_actor actor = request_actor(request);
    stet_status status = stet_subscribe(request->loop->client, request->space, &actor,
                                        &question->options, ready, subscription, err);
    if (status != STET_OK && strcmp(err->field, "address") == 0) error_field(err, "id", 0);
    return status;
}

/* ---- The long poll ---- */

static void poll_release(struct request *request) {
    struct poll *poll = request->state;
    timer_cancel(&request->loop->wheel, &poll->timer);
    stet_unsubscribe(poll->subscription);
    poll->subscription = NULL;
    if (poll->waiting) metric_sub(&request->loop->metrics.long_polls, 1);
    poll->waiting = false;
    buffer_done(&poll->changes);
}

/* Takes what is there. True: the page is complete. */
static bool poll_collect(struct poll *poll) {
    stet_event event;
    bool whole = true; /* Between transactions. */
    while (!(whole && poll->count >= poll->limit)) {
        if (!stet_subscription_next(poll->subscription, &event))
            return whole && (poll->count > 0 || (poll->caught_up && !poll->patient));
        switch (event.kind) {
        case STET_EVENT_CHANGE:
        case STET_EVENT_CONFLICT:
        case STET_EVENT_OPERATION:
        case STET_EVENT_REVOKED:
            if (poll->count++ > 0) buffer_append_char(&poll->changes, ',');
            buffer_append_view(&poll->changes, event.data);
            whole = event.resume != 0;
            break;
        case STET_EVENT_RESET:
            poll->reset = arena_copy(&poll->request->arena, event.data);
            poll->next = event.resume != 0 ? event.resume : event.seq;
            return true;
        case STET_EVENT_END: return true;
        case STET_EVENT_READY: poll->caught_up = true; break;
        case STET_EVENT_BOOKMARK: break;
        }
        if (event.resume != 0) poll->next = event.resume;
    }
    return true;
}

/* Who may no longer read must not be told what happened since. Who may read something else is told nothing, and asks again. */
static bool poll_may_answer(struct poll *poll) {
    struct request *request = poll->request;
    stet_error err;
    if (!poll->waiting) return true;
    switch (bearer_check_request(request, &err)) {
    case BEARER_GOOD: break;
    case BEARER_CHANGED:
        buffer_reset(&poll->changes);
        poll->count = 1; /* Where to go on is known. */
        poll->next = poll->start;
        poll->reset = (stet_view){0};
        break;
    case BEARER_OVER:
        error_field(&err, "Authorization", 0);
        request_refuse(request, &err);
        return false;
    }
    return true;
}

static void poll_answer(struct poll *poll) {
    struct request *request = poll->request;
    struct buffer body;
    stet_event bookmark;
    timer_cancel(&request->loop->wheel, &poll->timer);
    if (!poll_may_answer(poll)) return;
    if (poll->count == 0 && poll->reset.size == 0) {
        stet_subscription_bookmark(poll->subscription, &bookmark);
        poll->next = bookmark.resume != 0 ? bookmark.resume : bookmark.seq;
    }
    buffer_init(&body, &request->arena, 0);
    buffer_append_text(&body, "{\"changes\":[");
    buffer_append_view(&body, buffer_view(&poll->changes));
    buffer_append_char(&body, ']');
    buffer_append_text(&body, ",\"next\":");
    buffer_append_u64(&body, poll->next);
    if (poll->reset.size > 0) {
        buffer_append_text(&body, ",\"reset\":");
        buffer_append_view(&body, poll->reset);
    }
    buffer_append_char(&body, '}');
    if (buffer_status(&body) != STET_OK || buffer_status(&poll->changes) != STET_OK) {
        stet_error err;
        error_set(&err, STET_NO_MEMORY, "out of memory");
        request_refuse(request, &err);
        return;
    }
    struct reply reply = {.http = 200, .body = buffer_view(&body)};
    /* A cached reset would send its readers back for ever. */
    if (poll->reset.size > 0) reply.cache = "no-store";
    request_reply(request, &reply);
}

static void poll_wake(struct ready *ready) {
    struct poll *poll = (struct poll *)ready;
    if (!poll->request->answered && poll_collect(poll)) poll_answer(poll);
}

static void poll_time_up(struct timer *timer) {
    struct poll *poll = (struct poll *)((char *)timer - offsetof(struct poll, timer));
    if (!poll->request->answered) poll_answer(poll);
}

static void poll_stop(struct request *request) {
    poll_time_up(&((struct poll *)request->state)->timer);
}

static void poll_over(struct request *request, const stet_error *why) {
    struct poll *poll = request->state;
    (void)why;
    if (!request->answered) poll_answer(poll);
}

static void poll_start(struct request *request, const struct question *question) {
    stet_error err;
    struct poll *poll = arena_zalloc(&request->arena, 1, sizeof *poll);
    if (poll == NULL) {
        error_set(&err, STET_NO_MEMORY, "out of memory");
        request_refuse(request, &err);
        return;
    }
    poll->ready.wake = poll_wake;
    poll->request = request;
    poll->timer.fire = poll_time_up;
    poll->limit = question->limit;
    stet_status status = subscribe(request, question, &poll->ready, &poll->subscription, &err);
    if (!request_ok(request, status, &err)) return;
    buffer_init(&poll->changes, NULL, 0);
    request->state = poll;
    request->release = poll_release;
    poll->patient = question->wait_s > 0;
    stet_event start;
    stet_subscription_bookmark(poll->subscription, &start);
    poll->start = start.resume != 0 ? start.resume : start.seq;
    if (poll_collect(poll) || request->loop->stopping) {
        poll_answer(poll);
        return;
    }
    poll->waiting = true;
    metric_add(&request->loop->metrics.long_polls, 1);
    request->stop = poll_stop;
    request->over = poll_over;
    bearer_watch(request->loop);
    /* Who does not wait for changes still waits until those there are have been read. */
    unsigned wait_s = poll->patient ? question->wait_s : WAIT_S_MAX;
    timer_set(&request->loop->wheel, &poll->timer, request->loop->now_ms + (int64_t)wait_s * 1000);
    request_wait(request);
    peer_watch(request->peer);
}

/* ---- The stream ---- */

/* Of the operations that are named by address their places in the queue are told, too. */
static stet_status follow_operations(struct request *request, struct stream *stream,
                                     const stet_feed_options *options, stet_error *err) {
    stet_view ids[SUBSCRIPTION_FILTERS_MAX];
    size_t count = 0;
    stet_status status = feed_operations(&request->arena, options, "id", ids, &count, err);
    return status != STET_OK || count == 0 ? status : stream_follow(stream, ids, count, err);
}

static void stream_open(struct request *request, const struct question *question) {
    stet_error err;
    stet_subscription *subscription;
    struct stream *stream = stream_create(request, &err);
    if (stream == NULL) {
        request_refuse(request, &err);
        return;
    }
    stet_status status = follow_operations(request, stream, &question->options, &err);
    if (status == STET_OK)
        status = subscribe(request, question, stream_ready(stream), &subscription, &err);
    if (status != STET_OK) {
        stream_destroy_unstarted(stream);
        request_refuse(request, &err);
        return;
    }
    stream_start(stream, subscription);
}

void handle_changes(struct request *request) {
    struct question question = {0};
    stet_view accept = request->headers.accept;
    bool stream = accept_names(accept, "text", "event-stream") &&
                  !accept_names(accept, "application", "json");
    if (!stream && !accept_allows(accept, "application", "json")) {
        request_refuse_field(request, STET_NOT_ACCEPTABLE, "Accept",
                             "there are application/json and text/event-stream");
        return;
    }
    if (!take_question(request, &question) || !request_open_space(request)) return;
    if (!stream) {
        poll_start(request, &question);
    } else if (request->head) {
        struct reply reply = {.http = 200, .content_type = "text/event-stream"};
        request_reply(request, &reply);
    } else {
        stream_open(request, &question);
    }
}
