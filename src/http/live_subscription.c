/*
 * Subscriptions of a live connection. They take turns: each says one event before the next one has its own, so that a long backlog of
 * one does not hold up the others.
 */
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "doc/write.h"
#include "http/feed.h"
#include "http/frame.h"
#include "http/live_connection.h"
#include "http/live_frame.h"
#include "http/places.h"
#include "http/websocket.h"

#include <stdio.h>
#include <stdlib.h>

/* ---- The list ---- */

static void link_last(struct live *live, struct live_sub *sub) {
    sub->next = NULL;
    sub->prev = live->subs_last;
    *(live->subs_last != NULL ? &live->subs_last->next : &live->subs) = sub;
    live->subs_last = sub;
}

static void unlink_sub(struct live *live, struct live_sub *sub) {
    *(sub->prev != NULL ? &sub->prev->next : &live->subs) = sub->next;
    *(sub->next != NULL ? &sub->next->prev : &live->subs_last) = sub->prev;
}

static struct live_sub *find(struct live *live, stet_view name) {
    struct live_sub *sub = live->subs;
    while (sub != NULL && !view_equal(sub->name, name))
        sub = sub->next;
    return sub;
}

/* ---- Birth and death ---- */

static void sub_free(struct live_sub *sub) {
    for (size_t i = 0; i < sub->seat_count; i++) {
        sub->seats[i]->watches--;
        live_seat_release(sub->seats[i]);
    }
    free(sub->seats);
    places_destroy(sub->places);
    stet_unsubscribe(sub->subscription);
    free(sub);
}

static void sub_wake(struct ready *ready) {
    struct live_sub *sub = (struct live_sub *)ready;
    sub->idle = false;
    live_wake(sub->live);
}

static void places_changed(void *context) {
    struct live_sub *sub = context;
    live_wake(sub->live);
}

static struct live_sub *sub_create(struct live *live, stet_view name, stet_error *err) {
    struct buffer json;
    buffer_init(&json, NULL, 0);
    json_string(&json, name);
    struct live_sub *sub = calloc(1, sizeof *sub + name.size + json.size);
    if (sub == NULL || buffer_status(&json) != STET_OK) {
        free(sub);
        buffer_done(&json);
        error_set(err, STET_NO_MEMORY, "out of memory");
        return NULL;
    }
    memcpy(sub->bytes, name.bytes, name.size);
    memcpy(sub->bytes + name.size, json.bytes, json.size);
    sub->name = view_make(sub->bytes, name.size);
    sub->json = view_make(sub->bytes + name.size, json.size);
    sub->live = live;
    sub->ready.wake = sub_wake;
    buffer_done(&json);
    return sub;
}

/* Who is at the records that are named is told, too. */
static stet_status watch_records(struct live_sub *sub, const stet_feed_options *feed,
                                 struct arena *arena, stet_error *err) {
    if (feed->address_count == 0) return STET_OK;
    sub->seats = calloc(feed->address_count, sizeof *sub->seats);
    if (sub->seats == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < feed->address_count; i++) {
        stet_view address = feed->addresses[i];
        stet_view type;
        stet_view id;
        const char *slash = memchr(address.bytes, '/', address.size);
        if (slash == NULL || view_starts(address, VIEW("stet."))) continue;
        size_t type_size = (size_t)(slash - address.bytes);
        stet_status status =
            percent_decode(arena, view_make(address.bytes, type_size), false, "/ids", &type, err);
        if (status == STET_OK)
            status = percent_decode(arena, view_make(slash + 1, address.size - type_size - 1),
                                    false, "/ids", &id, err);
        if (status != STET_OK) return status;
        struct live_seat *seat = live_seat_get(sub->live, type, id, err);
        if (seat == NULL) return err->status;
        seat->watches++;
        sub->seats[sub->seat_count++] = seat;
        live_seat_due(seat);
    }
    return STET_OK;
}

static stet_status follow_operations(struct live_sub *sub, const stet_feed_options *feed,
                                     struct arena *arena, stet_error *err) {
    stet_view ids[SUBSCRIPTION_FILTERS_MAX];
    struct live *live = sub->live;
    struct places_options options = {
        .space = live->space_name,
        .actor = live->actor,
        .ids = ids,
        .changed = places_changed,
        .context = sub,
    };
    stet_status status = feed_operations(arena, feed, "/ids", ids, &options.count, err);
    if (status != STET_OK || options.count == 0) return status;
    return places_create(live->loop, &options, &sub->places, err);
}

/* The engine's names of what was wrong, in the message's. */
static void point(stet_error *err) {
    static const struct {
        const char *field, *pointer;
    } names[] = {{"address", "/ids"}, {"where", "/where"}, {"type", "/type"}, {"since", "/since"}};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(err->field, names[i].field) == 0) error_field(err, names[i].pointer, err->limit);
}

static stet_status sub_open(struct live_sub *sub, const stet_feed_options *feed,
                            struct arena *arena, stet_error *err) {
    struct live *live = sub->live;
    stet_status status = follow_operations(sub, feed, arena, err);
    if (status == STET_OK)
        status = stet_subscribe(live->loop->client, live->space, &live->actor, feed, &sub->ready,
                                &sub->subscription, err);
    if (status == STET_OK) status = watch_records(sub, feed, arena, err);
    if (status != STET_OK) point(err);
    return status;
}

static void answer_sub(struct live *live, uint64_t id, stet_view json) {
    char body[LIVE_SUB_BYTES_MAX * 6 + 16];
    int size = snprintf(body, sizeof body, "{\"sub\":%.*s}", VIEW_ARG(json));
    live_answer(live, id, 200, view_make(body, (size_t)size));
}

void live_subscribe(struct live *live, const struct live_message *message, struct arena *arena) {
    stet_error err = {0};
    if (find(live, message->sub) != NULL) {
        error_set(&err, STET_ALREADY_EXISTS, "there is a subscription of this name");
        error_field(&err, "/sub", 0);
        live_refuse(live, message->id, &err, NULL);
        return;
    }
    if (live->sub_count >= LIVE_SUBSCRIPTIONS_MAX) {
        error_set(&err, STET_TOO_LARGE, "a connection may have at most %d subscriptions",
                  LIVE_SUBSCRIPTIONS_MAX);
        error_field(&err, "/sub", LIVE_SUBSCRIPTIONS_MAX);
        live_refuse(live, message->id, &err, NULL);
        return;
    }
    struct live_sub *sub = sub_create(live, message->sub, &err);
    if (sub == NULL || sub_open(sub, &message->feed, arena, &err) != STET_OK) {
        if (sub != NULL) sub_free(sub);
        live_refuse(live, message->id, &err, NULL);
        return;
    }
    link_last(live, sub);
    live->sub_count++;
    answer_sub(live, message->id, sub->json);
    if (sub->places != NULL) places_wake(sub->places);
}

void live_unsubscribe(struct live *live, const struct live_message *message) {
    stet_error err = {0};
    struct live_sub *sub = find(live, message->sub);
    if (sub == NULL) {
        error_set(&err, STET_NOT_FOUND, "there is no subscription of this name");
        error_field(&err, "/sub", 0);
        live_refuse(live, message->id, &err, NULL);
        return;
    }
    answer_sub(live, message->id, sub->json);
    unlink_sub(live, sub);
    live->sub_count--;
    sub_free(sub);
}

void live_subs_drop(struct live *live) {
    while (live->subs != NULL) {
        struct live_sub *sub = live->subs;
        unlink_sub(live, sub);
        sub_free(sub);
    }
    live->sub_count = 0;
}

/* ---- Events ---- */

/* What went out of sight: who is there is none of theirs any more. */
static void take_revoked(struct live *live, stet_view data) {
    struct arena arena;
    struct doc doc;
    stet_view type = {0};
    stet_view id = {0};
    arena_init(&arena, 1024);
    if (live->seats != NULL && doc_parse(&arena, data, NULL, &doc, NULL) == STET_OK) {
        doc_node type_node = doc_member(&doc, 0, VIEW("type"));
        doc_node id_node = doc_member(&doc, 0, VIEW("id"));
        if (type_node != DOC_NONE && doc_string(&arena, &doc, type_node, &type) == STET_OK &&
            (id_node == DOC_NONE || doc_string(&arena, &doc, id_node, &id) == STET_OK))
            live_seats_revoked(live, type, id);
    }
    arena_done(&arena);
}

static void put(struct live_sub *sub, const stet_event *event) {
    struct live *live = sub->live;
    live_put_event(live->out, sub->json, frame_event_name(event->kind), event->resume, event->data);
    metric_add(&live->loop->metrics.live_events, 1);
}

/* One event, if there is one. */
static bool say_one(struct live_sub *sub) {
    struct live *live = sub->live;
    stet_event event;
    stet_view data;
    if (!sub->idle && stet_subscription_next(sub->subscription, &event)) {
        sub->spoke = true;
        sub->bookmark_due = false;
        if (event.kind == STET_EVENT_END) {
            /* All of the connection is about this space. */
            live_say_goodbye(live, WEBSOCKET_GOING_AWAY, NULL, NULL);
            live_put_event(live->out, (stet_view){0}, VIEW("end"), 0, event.data);
            return false;
        }
        put(sub, &event);
        if (event.kind == STET_EVENT_REVOKED) take_revoked(live, event.data);
        if (event.kind == STET_EVENT_OPERATION && sub->places != NULL) places_wake(sub->places);
        return true;
    }
    sub->idle = true;
    if (places_take(sub->places, &data)) {
        live_put_event(live->out, sub->json, VIEW("queue"), 0, data);
        metric_add(&live->loop->metrics.live_events, 1);
        return true;
    }
    if (!sub->bookmark_due) return false;
    sub->bookmark_due = false;
    stet_subscription_bookmark(sub->subscription, &event);
    put(sub, &event);
    return true;
}

void live_subs_fill(struct live *live) {
    unsigned silent = 0; /* In a row: when it is all of them, there is nothing. */
    while (silent < live->sub_count && live->farewell == 0 && live->out->size < LIVE_CHUNK_BYTES) {
        struct live_sub *sub = live->subs;
        silent = say_one(sub) ? 0 : silent + 1;
        unlink_sub(live, sub);
        link_last(live, sub);
    }
}

void live_subs_beat(struct live *live) {
    for (struct live_sub *sub = live->subs; sub != NULL; sub = sub->next) {
        if (!sub->spoke) sub->bookmark_due = true;
        sub->spoke = false;
    }
}
