/*
 * POST …/conflicts/resolve: many conflicts at once, each in a transaction of its own, named one by one or by what a list of them is
 * asked for. One that cannot be settled is told of by its id, and the others go on.
 */
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "doc/write.h"
#include "http/conflicts.h"
#include "http/handlers.h"

#include <stdio.h>

enum { WINDOW = 64, BUSY_PAUSE_MS = 20 };

struct bulk;

struct bulk_item {
    struct waiter waiter; /* First: the command's context. */
    struct bulk *bulk;
    stet_conflict_resolution resolution;
    bool done;
    stet_status status;
    stet_error error;
    stet_version version;
    bool unchanged;
};

struct bulk {
    struct request *request;
    struct bulk_item *items;
    size_t count, next; /* next: the first that was not submitted. */
    unsigned flying;
    size_t resolved;
    bool running, over, stopped;
    stet_command *held; /* Of items[next], refused as busy. */
    struct timer timer;
    struct doc doc;
    stet_choice choice; /* For a filter. */
    stet_view more;     /* Where the filter's next page begins. */
    bool dry_run;
};

/* ---- The answer ---- */

static void render_item(struct json_writer *writer, const struct bulk_item *item) {
    json_object_begin(writer);
    json_member_text(writer, VIEW("id"), item->resolution.id);
    json_member_bool(writer, VIEW("resolved"), item->done && item->status == STET_OK);
    if (!item->done) {
        json_member_text(writer, VIEW("code"), view_of(status_code(STET_SHUTTING_DOWN)));
    } else if (item->status == STET_OK) {
        json_member_u64(writer, VIEW("result_version"), item->version);
        if (item->unchanged) json_member_bool(writer, VIEW("unchanged"), true);
    } else {
        json_member_text(writer, VIEW("code"), view_of(status_code(item->status)));
        json_member_text(writer, VIEW("detail"),
                         view_of(item->error.message[0] == '\0' ? status_words(item->status)
                                                                : item->error.message));
        if (item->error.field[0] != '\0')
            json_member_text(writer, VIEW("field"), view_of(item->error.field));
    }
    json_object_end(writer);
}

static void bulk_reply(struct bulk *bulk) {
    struct request *request = bulk->request;
    struct buffer body;
    struct json_writer writer;
    buffer_init(&body, &request->arena, 0);
    json_begin(&writer, &body);
    json_object_begin(&writer);
    json_key(&writer, VIEW("results"));
    json_array_begin(&writer);
    for (size_t i = 0; i < bulk->count; i++)
        render_item(&writer, &bulk->items[i]);
    json_array_end(&writer);
    json_member_u64(&writer, VIEW("resolved"), bulk->resolved);
    json_member_u64(&writer, VIEW("refused"), bulk->count - bulk->resolved);
    if (bulk->more.size > 0) json_member_text(&writer, VIEW("next"), bulk->more);
    json_object_end(&writer);
    if (json_end(&writer) != STET_OK) {
        stet_error err;
        error_set(&err, STET_NO_MEMORY, "out of memory");
        request_refuse(request, &err);
        return;
    }
    if (bulk->stopped) {
        stet_error err;
        error_set(&err, STET_SHUTTING_DOWN, "the server stopped in the middle");
        request_refuse_http(request, &err, status_http(err.status), buffer_view(&body));
        return;
    }
    struct reply reply = {.http = 200, .body = buffer_view(&body)};
    request_reply(request, &reply);
}

/* ---- The window ---- */

static void bulk_continue(struct bulk *bulk);

static void item_failed(struct bulk_item *item, stet_status status, const stet_error *err) {
    item->done = true;
    item->status = status;
    item->error = *err;
}

static void item_done(struct bulk_item *item, stet_command *command) {
    const stet_outcome *outcome = stet_command_outcome(command);
    item->done = true;
    item->status = outcome->status;
    item->error = outcome->error;
    item->version = outcome->version;
    item->unchanged = outcome->unchanged;
    if (outcome->status == STET_OK) item->bulk->resolved++;
    stet_command_destroy(command);
}

static void item_completed(struct waiter *waiter, stet_command *command) {
    struct bulk_item *item = (struct bulk_item *)waiter;
    struct bulk *bulk = item->bulk;
    bulk->request->loop->commands--;
    bulk->flying--;
    item_done(item, command);
    if (!bulk->running) bulk_continue(bulk);
}

/* Submits the next one. False: stop for now. */
static bool bulk_step(struct bulk *bulk) {
    struct request *request = bulk->request;
    stet_actor actor = request_actor(request);
    stet_error err;
    if (bulk->next == bulk->count) bulk->over = true;
    if (bulk->over || bulk->flying >= WINDOW) return false;
    struct bulk_item *item = &bulk->items[bulk->next];
    stet_command *command = bulk->held;
    stet_status status = STET_OK;
    bulk->held = NULL;
    if (command == NULL) {
        command = stet_command_create(request->loop->client);
        status = command == NULL ? error_set(&err, STET_NO_MEMORY, "out of memory")
                                 : stet_command_conflict_resolve(command, &item->resolution, &err);
    }
    if (status == STET_OK) {
        item->waiter.done = item_completed;
        status = stet_submit(request->space, &actor, command, &item->waiter, &err);
    }
    if (status == STET_BUSY) {
        bulk->held = command;
        return false;
    }
    bulk->next++;
    if (status != STET_OK) {
        item_failed(item, status, &err);
        stet_command_destroy(command);
    } else if (stet_command_is_done(command)) {
        item_done(item, command);
    } else {
        bulk->flying++;
        request->loop->commands++;
    }
    return true;
}

static void bulk_continue(struct bulk *bulk) {
    bulk->running = true;
    while (!bulk->over && bulk_step(bulk))
        continue;
    bulk->running = false;
    if (bulk->over && bulk->flying == 0) {
        bulk_reply(bulk);
        return;
    }
    if (bulk->flying == 0)
        timer_set(&bulk->request->loop->wheel, &bulk->timer,
                  bulk->request->loop->now_ms + BUSY_PAUSE_MS);
    request_wait(bulk->request);
}

static void bulk_pause_over(struct timer *timer) {
    bulk_continue((struct bulk *)((char *)timer - offsetof(struct bulk, timer)));
}

static void bulk_stop(struct request *request) {
    struct bulk *bulk = request->state;
    if (bulk->over || bulk->items == NULL) return;
    bulk->over = bulk->stopped = true;
    stet_command_destroy(bulk->held);
    bulk->held = NULL;
    timer_cancel(&request->loop->wheel, &bulk->timer);
    if (bulk->flying == 0) bulk_reply(bulk);
}

static void bulk_release(struct request *request) {
    struct bulk *bulk = request->state;
    timer_cancel(&request->loop->wheel, &bulk->timer);
    stet_command_destroy(bulk->held);
}

/* ---- What is to be settled ---- */

static stet_status make_items(struct bulk *bulk, size_t count, stet_error *err) {
    bulk->items = arena_zalloc(&bulk->request->arena, count + 1, sizeof *bulk->items);
    if (bulk->items == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    bulk->count = count;
    for (size_t i = 0; i < count; i++) {
        bulk->items[i].bulk = bulk;
        bulk->items[i].resolution.dry_run = bulk->dry_run;
    }
    return STET_OK;
}

static stet_status read_named(struct bulk *bulk, const struct body *body, stet_error *err) {
    struct arena *arena = &bulk->request->arena;
    doc_node list = body->nodes[MEMBER_CONFLICTS];
    if (doc_kind(body->doc, list) != DOC_ARRAY)
        return body_bad(body, MEMBER_CONFLICTS, "must be an array", err);
    size_t count = doc_count(body->doc, list), i = 0;
    if (count == 0 || count > BULK_RESOLVE_MAX) {
        error_set(err, STET_TOO_LARGE, "1 to %d conflicts are settled at once", BULK_RESOLVE_MAX);
        error_field(err, "/conflicts", BULK_RESOLVE_MAX);
        return STET_TOO_LARGE;
    }
    stet_status status = make_items(bulk, count, err);
    for (doc_node node = doc_first(body->doc, list); status == STET_OK && node != DOC_NONE;
         node = doc_next(body->doc, node), i++) {
        struct body one;
        char prefix[32];
        snprintf(prefix, sizeof prefix, "/conflicts/%zu", i);
        status = body_read(&one, arena, body->doc, node,
                           CONFLICTS_CHOICE_MEMBERS | MEMBER_BIT(MEMBER_ID), prefix, err);
        if (status == STET_OK)
            status = body_text(&one, MEMBER_ID, &bulk->items[i].resolution.id, err);
        if (status == STET_OK && !body_has(&one, MEMBER_ID))
            status = body_bad(&one, MEMBER_ID, "is missing", err);
        if (status == STET_OK)
            status = conflicts_read_choice(&one, &bulk->items[i].resolution, err);
    }
    return status;
}

/* The answer of a list: settle all of them. */
static stet_status take_listed(struct bulk *bulk, stet_view list, stet_error *err) {
    struct arena *arena = &bulk->request->arena;
    struct doc doc;
    size_t i = 0;
    stet_status status = doc_parse(arena, list, &body_limits, &doc, err);
    if (status != STET_OK) return status;
    doc_node conflicts = doc_member(&doc, 0, VIEW("conflicts"));
    doc_node next = doc_member(&doc, 0, VIEW("next"));
    status = make_items(bulk, doc_count(&doc, conflicts), err);
    for (doc_node node = doc_first(&doc, conflicts); status == STET_OK && node != DOC_NONE;
         node = doc_next(&doc, node), i++) {
        bulk->items[i].resolution.choice = bulk->choice;
        status = doc_string(arena, &doc, doc_member(&doc, node, VIEW("id")),
                            &bulk->items[i].resolution.id);
    }
    if (status == STET_OK && next != DOC_NONE) status = doc_string(arena, &doc, next, &bulk->more);
    return status;
}

static void bulk_listed(struct request *request) {
    struct bulk *bulk = request->state;
    const stet_outcome *outcome = stet_command_outcome(request->command);
    stet_error err;
    if (outcome->status != STET_OK) {
        request_reply_outcome(request);
        return;
    }
    stet_status status = take_listed(bulk, outcome->body, &err);
    if (request_ok(request, status, &err)) bulk_continue(bulk);
}

static stet_status read_filter(struct bulk *bulk, const struct body *body, stet_conflict_list *list,
                               stet_error *err) {
    struct body filter;
    uint64_t older = 0;
    stet_status status =
        body_read(&filter, &bulk->request->arena, body->doc, body->nodes[MEMBER_FILTER],
                  MEMBER_BIT(MEMBER_TYPE) | MEMBER_BIT(MEMBER_RECORD) | MEMBER_BIT(MEMBER_PERSON) |
                      MEMBER_BIT(MEMBER_OLDER_THAN) | MEMBER_BIT(MEMBER_AFTER),
                  "/filter", err);
    if (status == STET_OK) status = body_text(&filter, MEMBER_TYPE, &list->type, err);
    if (status == STET_OK) status = body_text(&filter, MEMBER_RECORD, &list->record, err);
    if (status == STET_OK) status = body_text(&filter, MEMBER_PERSON, &list->person, err);
    if (status == STET_OK) status = body_text(&filter, MEMBER_AFTER, &list->after, err);
    if (status == STET_OK) status = body_u64(&filter, MEMBER_OLDER_THAN, &older, err);
    if (status == STET_OK && older > UINT32_MAX)
        status = body_bad(&filter, MEMBER_OLDER_THAN, "is too long ago", err);
    if (status == STET_OK) status = body_choice(body, &bulk->choice, err);
    if (status == STET_OK && bulk->choice != STET_CHOICE_CURRENT &&
        bulk->choice != STET_CHOICE_MERGED)
        status = body_bad(body, MEMBER_CHOICE,
                          "must be current or merged: nothing is lost that nobody has seen", err);
    list->older_than_s = (uint32_t)older;
    list->limit = BULK_RESOLVE_MAX;
    return status;
}

void handle_conflict_resolve_many(struct request *request) {
    stet_error err;
    struct body body;
    stet_conflict_list list = {0};
    struct bulk *bulk = arena_zalloc(&request->arena, 1, sizeof *bulk);
    stet_status status = bulk == NULL ? error_set(&err, STET_NO_MEMORY, "out of memory") : STET_OK;
    if (status == STET_OK) status = conflicts_take_terms(request, &bulk->dry_run, &err);
    if (status == STET_OK) status = request_json_body(request, &bulk->doc, &err);
    if (!request_ok(request, status, &err)) return;
    bulk->request = request;
    bulk->timer.fire = bulk_pause_over;
    status = body_read(&body, &request->arena, &bulk->doc, 0,
                       MEMBER_BIT(MEMBER_CONFLICTS) | MEMBER_BIT(MEMBER_FILTER) |
                           MEMBER_BIT(MEMBER_CHOICE),
                       "", &err);
    bool filtered = status == STET_OK && body_has(&body, MEMBER_FILTER);
    if (status == STET_OK && filtered == body_has(&body, MEMBER_CONFLICTS))
        status =
            body_bad(&body, MEMBER_CONFLICTS, "or \"filter\" must be given, and not both", &err);
    if (status == STET_OK && filtered) status = read_filter(bulk, &body, &list, &err);
    if (status == STET_OK && !filtered) status = read_named(bulk, &body, &err);
    if (!request_ok(request, status, &err) || !request_open_space(request)) return;
    request->state = bulk;
    request->release = bulk_release;
    request->stop = bulk_stop;
    if (!filtered) {
        bulk_continue(bulk);
        return;
    }
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_conflict_list(command, &list, &err);
    if (request_ok(request, status, &err)) request_submit(request, bulk_listed);
}
