/*
 * The module: which handlers there are, how far each has come, and when there is something to follow.
 *
 * The projection is a function of the records of both types but for one thing: `progress`, which runs ahead of what is noted down.
 */
#include "modules/handlers/handlers.h"

#include "base/error.h"
#include "base/view.h"
#include "core/staging.h"
#include "doc/write.h"
#include "modules/handlers/internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

/* ---- Progress as a record ---------------------------------------------------------------- */

static uint64_t number_of(const struct doc *doc, const char *name) {
    doc_node node = doc_member(doc, 0, view_of(name));
    uint64_t value = 0;
    if (node != DOC_NONE) doc_u64(doc, node, &value);
    return value;
}

stet_status progress_read(struct arena *arena, stet_view data, struct progress *progress,
                          stet_error *err) {
    struct doc doc;
    stet_view text = {0};
    stet_status status = change_parse(arena, data, &doc, err);
    if (status != STET_OK) return status;
    *progress = (struct progress){
        .born = number_of(&doc, "born"),
        .position = number_of(&doc, "position"),
        .reactions = number_of(&doc, "reactions"),
        .failed = number_of(&doc, "failed"),
        .missed = number_of(&doc, "missed"),
    };
    doc_node error = doc_member(&doc, 0, VIEW("last_error"));
    doc_node at = doc_member(&doc, 0, VIEW("last_error_at"));
    if (error != DOC_NONE && doc_string(arena, &doc, error, &text) == STET_OK &&
        text.size < sizeof progress->last_error)
        memcpy(progress->last_error, text.bytes, text.size);
    if (at != DOC_NONE && doc_string(arena, &doc, at, &text) == STET_OK)
        clock_parse_rfc3339(text, &progress->last_error_at);
    return STET_OK;
}

stet_view progress_write(struct arena *arena, const struct progress *progress) {
    struct buffer buffer;
    struct json_writer writer;
    buffer_init(&buffer, arena, 0);
    json_begin(&writer, &buffer);
    json_object_begin(&writer);
    json_member_u64(&writer, VIEW("born"), progress->born);
    json_member_u64(&writer, VIEW("position"), progress->position);
    json_member_u64(&writer, VIEW("reactions"), progress->reactions);
    json_member_u64(&writer, VIEW("failed"), progress->failed);
    json_member_u64(&writer, VIEW("missed"), progress->missed);
    if (progress->last_error_at != 0) {
        json_member_text(&writer, VIEW("last_error"), view_of(progress->last_error));
        json_key(&writer, VIEW("last_error_at"));
        json_rfc3339(&writer, progress->last_error_at);
    }
    json_object_end(&writer);
    return json_end(&writer) == STET_OK ? buffer_view(&buffer) : (stet_view){0};
}

/* ---- Entries ----------------------------------------------------------------------------- */

struct entry *handlers_find(const struct handlers *handlers, stet_view name) {
    struct entry *entry = handlers->entries;
    while (entry != NULL && !view_equal(view_of(entry->name), name))
        entry = entry->next;
    return entry;
}

static struct entry *need_entry(struct handlers *handlers, stet_view name) {
    struct entry *entry = handlers_find(handlers, name);
    if (entry != NULL || name.size > HANDLER_NAME_BYTES_MAX) return entry;
    entry = calloc(1, sizeof *entry);
    if (entry == NULL) return NULL;
    memcpy(entry->name, name.bytes, name.size);
    pthread_mutex_lock(&handlers->lock);
    entry->next = handlers->entries;
    handlers->entries = entry;
    pthread_mutex_unlock(&handlers->lock);
    return entry;
}

/* It has to be looked at anew before it follows. */
static void forget_definition(struct entry *entry) {
    handler_unref(entry->handler);
    free((char *)(uintptr_t)entry->by.bytes);
    entry->handler = NULL;
    entry->by = (stet_view){0};
    entry->blocked_until = 0;
}

/* Those without any record: made for what was then refused, or all is gone. */
static void drop_unused(struct handlers *handlers) {
    struct entry **slot = &handlers->entries;
    pthread_mutex_lock(&handlers->lock);
    while (*slot != NULL) {
        struct entry *entry = *slot;
        if (entry->version != 0 || entry->has_state) {
            slot = &entry->next;
            continue;
        }
        *slot = entry->next;
        forget_definition(entry);
        free(entry);
    }
    pthread_mutex_unlock(&handlers->lock);
}

static size_t count_entries(const struct handlers *handlers) {
    size_t count = 0;
    for (const struct entry *entry = handlers->entries; entry != NULL; entry = entry->next)
        count += entry->version != 0;
    return count;
}

/* ---- Projection -------------------------------------------------------------------------- */

static stet_status open_state(struct space *space, void **state, stet_error *err) {
    struct handlers *handlers = calloc(1, sizeof *handlers);
    if (handlers == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for handlers");
    handlers->space = space;
    pthread_mutex_init(&handlers->lock, NULL);
    *state = handlers;
    return STET_OK;
}

static void reset(void *state) {
    struct handlers *handlers = state;
    pthread_mutex_lock(&handlers->lock);
    for (struct entry *entry = handlers->entries; entry != NULL; entry = entry->next) {
        entry->version = 0;
        entry->has_state = false;
    }
    pthread_mutex_unlock(&handlers->lock);
    drop_unused(handlers);
    handlers->generation++;
}

static void close_state(void *state) {
    struct handlers *handlers = state;
    if (handlers == NULL) return;
    reset(handlers);
    pthread_mutex_destroy(&handlers->lock);
    free(handlers);
}

static stet_status load(void *state, const struct store_change *head, stet_error *err) {
    struct handlers *handlers = state;
    struct entry *entry = need_entry(handlers, head->id);
    struct arena arena;
    if (entry == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a handler");
    if (view_equal(head->type, HANDLER_TYPE)) {
        pthread_mutex_lock(&handlers->lock);
        entry->version = head->version;
        pthread_mutex_unlock(&handlers->lock);
        return STET_OK;
    }
    arena_init(&arena, 1024);
    stet_status status = progress_read(&arena, head->data, &entry->noted, err);
    arena_done(&arena);
    entry->has_state = true;
    return status;
}

static stet_status loaded(void *state, stet_error *err) {
    struct handlers *handlers = state;
    (void)err;
    handlers->wants_look = true;
    return STET_OK;
}

static stet_status check(void *state, const struct proposal *proposal, stet_error *err) {
    struct handlers *handlers = state;
    if (!view_equal(proposal->type, HANDLER_TYPE)) return STET_OK;
    if (!proposal->actor->admin)
        return error_set(err, STET_FORBIDDEN, "only an administrator may manage handlers");
    if (proposal->op != STORE_CREATE) return STET_OK;
    if (count_entries(handlers) >= HANDLERS_MAX) {
        error_set(err, STET_TOO_LARGE, "there are %d handlers already", HANDLERS_MAX);
        error_field(err, "handlers", HANDLERS_MAX);
        return STET_TOO_LARGE;
    }
    /* So that apply cannot fail. */
    return need_entry(handlers, proposal->id) == NULL
               ? error_set(err, STET_NO_MEMORY, "out of memory for a handler")
               : STET_OK;
}

static void apply_state(struct handlers *handlers, const struct store_change *change) {
    struct entry *entry = handlers_find(handlers, change->id);
    struct arena arena;
    assert(entry != NULL);
    entry->has_state = change->op != STORE_DELETE;
    if (!entry->has_state) return;
    /* Short of memory the older one stays: what is looked at twice is queued once. */
    arena_init(&arena, 1024);
    progress_read(&arena, change->data, &entry->noted, NULL);
    arena_done(&arena);
}

static void apply(void *state, const struct store_change *change) {
    struct handlers *handlers = state;
    if (view_equal(change->type, STATE_TYPE)) apply_state(handlers, change);
    if (!view_equal(change->type, HANDLER_TYPE)) return;
    struct entry *entry = handlers_find(handlers, change->id);
    assert(entry != NULL);
    forget_definition(entry);
    pthread_mutex_lock(&handlers->lock);
    entry->version = change->op == STORE_DELETE ? 0 : change->version;
    if (change->op != STORE_UPDATE) {
        entry->created = change->op == STORE_CREATE;
        entry->born_here = change->seq;
        entry->placed = false;
    }
    pthread_mutex_unlock(&handlers->lock);
}

/* ---- Time -------------------------------------------------------------------------------- */

/* Without a handler its state is nothing to anybody. */
static struct entry *find_left_over(const struct handlers *handlers) {
    struct entry *entry = handlers->entries;
    while (entry != NULL && (entry->version != 0 || !entry->has_state))
        entry = entry->next;
    return entry;
}

/* Since when it could follow; MODULE_NEVER: it has come to the end, or is paused. */
static int64_t follows_at(const struct handlers *handlers, const struct entry *entry) {
    if (entry->version == 0) return MODULE_NEVER;
    bool known = entry->handler != NULL && entry->placed;
    if (known && (entry->handler->paused || entry->progress.position >= handlers->space->seq))
        return MODULE_NEVER;
    return entry->blocked_until;
}

static void next_due(void *state, struct module_time *at) {
    struct handlers *handlers = state;
    drop_unused(handlers);
    int64_t next = handlers->wants_look ? 0 : MODULE_NEVER;
    if (!handlers->under_way && find_left_over(handlers) != NULL) next = 0;
    for (const struct entry *entry = handlers->entries; entry != NULL && !handlers->under_way;
         entry = entry->next) {
        int64_t follows = follows_at(handlers, entry);
        if (follows < next) next = follows;
    }
    if (next != MODULE_NEVER && !handlers->wants_look && next < handlers->blocked_until)
        next = handlers->blocked_until;
    at->monotonic = next;
}

static bool fill_task(struct handlers *handlers, struct stet_command *command, enum task_kind kind,
                      struct follow **out) {
    struct follow *follow = arena_zalloc(&command->arena, 1, sizeof *follow);
    if (follow == NULL) return false;
    follow->kind = kind;
    follow->generation = handlers->generation;
    follow->last = &follow->first;
    command->kind = COMMAND_MODULE;
    command->owner = &handlers_module;
    command->actor.id = VIEW("stet");
    command->module_data = follow;
    *out = follow;
    return true;
}

static bool fill_follower(struct stet_command *command, const struct entry *entry,
                          struct follower *follower) {
    *follower = (struct follower){
        .name = arena_copy(&command->arena, view_of(entry->name)),
        .by = arena_copy(&command->arena, entry->by),
        .version = entry->version,
        .created = entry->created,
        .born_here = entry->born_here,
        .placed = entry->placed,
        .has_state = entry->has_state,
        /* What is noted is where one goes on that was not followed since the space was opened. */
        .progress = entry->placed      ? entry->progress
                    : entry->has_state ? entry->noted
                                       : (struct progress){0},
        .noted_position = entry->has_state ? entry->noted.position : 0,
    };
    if (follower->name.bytes == NULL || follower->by.bytes == NULL) return false;
    if (entry->handler != NULL) follower->handler = handler_ref(entry->handler);
    return true;
}

static bool fill_follow(struct handlers *handlers, const struct module_time *now,
                        struct stet_command *command) {
    struct follow *follow;
    size_t count = 0;
    for (const struct entry *entry = handlers->entries; entry != NULL; entry = entry->next)
        count += follows_at(handlers, entry) <= now->monotonic;
    if (count == 0 || !fill_task(handlers, command, TASK_FOLLOW, &follow)) return false;
    command->release = follow_release;
    follow->followers = arena_zalloc(&command->arena, count, sizeof *follow->followers);
    if (follow->followers == NULL) return false;
    for (const struct entry *entry = handlers->entries; entry != NULL; entry = entry->next) {
        if (follows_at(handlers, entry) > now->monotonic) continue;
        if (!fill_follower(command, entry, &follow->followers[follow->count++])) return false;
    }
    command->hop = follow_hop;
    handlers->under_way = true;
    return true;
}

/* Whether something in this space may have to be posted: by a handler, or for an alert. */
static bool may_have_webhooks(const struct handlers *handlers) {
    struct store_head head;
    if (handlers->entries != NULL) return true;
    return store_head(store_writer_reader(handlers->space->store), VIEW("stet.settings"),
                      VIEW("space"), &head, NULL) != STET_OK ||
           head.version != 0;
}

static bool due(void *state, const struct module_time *now, bool refused,
                struct stet_command *command) {
    struct handlers *handlers = state;
    struct follow *follow;
    if (refused) {
        /* Nothing was begun, or nothing could be stored. */
        handlers->under_way = false;
        handlers->blocked_until = now->monotonic + HANDLER_RECHECK_S * CLOCK_NS_PER_S;
        return false;
    }
    if (handlers->wants_look) {
        handlers->wants_look = false;
        if (may_have_webhooks(handlers)) outbound_wish(handlers->space, &handlers->wish);
    }
    if (handlers->under_way || handlers->blocked_until > now->monotonic) return false;
    struct entry *left = find_left_over(handlers);
    if (left == NULL) return fill_follow(handlers, now, command);
    if (!fill_task(handlers, command, TASK_FORGET, &follow)) return false;
    follow->name = arena_copy(&command->arena, view_of(left->name));
    return follow->name.bytes != NULL;
}

/* What is stored is so: the entries go on from there. */
static void ended(void *state, struct stet_command *command) {
    struct handlers *handlers = state;
    struct follow *follow = command->module_data;
    handlers->under_way = false;
    handlers->blocked_until = 0;
    if (command->status != STET_OK) {
        bool blocked = false;
        for (const struct entry *entry = handlers->entries; entry != NULL; entry = entry->next)
            blocked = blocked || entry->blocked_until != 0;
        /* A handler that is blocked is left out of the next turn, so that may begin at once. */
        if (!blocked)
            handlers->blocked_until = clock_monotonic_ns(handlers->space->engine->clock) +
                                      HANDLER_RECHECK_S * CLOCK_NS_PER_S;
        return;
    }
    if (follow->generation != handlers->generation) return;
    for (size_t i = 0; i < follow->count; i++) {
        struct follower *follower = &follow->followers[i];
        struct entry *entry = handlers_find(handlers, follower->name);
        if (!follower->ready || entry == NULL || entry->version != follower->version) continue;
        if (entry->handler == NULL) {
            char *by = strndup(follower->by.bytes, follower->by.size);
            if (by == NULL) continue; /* Looked at once more. */
            entry->by = view_make(by, follower->by.size);
            entry->handler = handler_ref(follower->handler);
        }
        entry->blocked_until = 0;
        pthread_mutex_lock(&handlers->lock);
        entry->placed = true;
        entry->progress = follower->progress;
        pthread_mutex_unlock(&handlers->lock);
    }
}

/* ---- Deciding ---------------------------------------------------------------------------- */

static stet_status decide(void *state, struct staging *staging, struct stet_command *command,
                          const struct module_time *now, stet_error *err) {
    struct follow *follow = command->module_data;
    (void)now;
    switch (follow->kind) {
    case TASK_FOLLOW: return follow_decide(state, staging, follow, err);
    case TASK_FORGET:
        return staging_delete(staging, STATE_TYPE, follow->name, VIEW("handlers"), err);
    case TASK_SHOW: return show_decide(state, command, err);
    }
    return STET_OK;
}

/* A delivery was queued: its runner is told. What a client wrote into an operation may look like it, and costs a look. */
static void published(void *state, struct space *space, const struct store_change *change) {
    struct handlers *handlers = state;
    static const char agent[] = "\"agent\":\"webhook:\"";
    static const char queued[] = "\"OperationQueued\"";
    if (!view_equal(change->type, OPERATION_TYPE) || view_is_empty(change->data)) return;
    if (memmem(change->data.bytes, change->data.size, agent, sizeof agent - 1) != NULL &&
        memmem(change->data.bytes, change->data.size, queued, sizeof queued - 1) != NULL)
        outbound_wish(space, &handlers->wish);
}

/* ---- Metrics: any thread ----------------------------------------------------------------- */

static uint64_t lag_of(const struct handlers *handlers, const struct entry *entry) {
    uint64_t published = ring_published(&handlers->space->ring);
    return published > entry->progress.position ? published - entry->progress.position : 0;
}

static uint64_t reactions_of(const struct handlers *handlers, const struct entry *entry) {
    (void)handlers;
    return entry->progress.reactions;
}

static uint64_t failures_of(const struct handlers *handlers, const struct entry *entry) {
    (void)handlers;
    return entry->progress.failed;
}

/* Names need no escaping: see the check of a definition's name. */
static void visit_entries(struct handlers *handlers, module_sample *sample, void *context,
                          uint64_t (*value)(const struct handlers *, const struct entry *)) {
    char labels[HANDLER_NAME_BYTES_MAX + 16];
    pthread_mutex_lock(&handlers->lock);
    for (const struct entry *entry = handlers->entries; entry != NULL; entry = entry->next) {
        if (entry->version == 0 || !entry->placed) continue;
        snprintf(labels, sizeof labels, ",handler=\"%s\"", entry->name);
        sample(context, "", labels, (double)value(handlers, entry));
    }
    pthread_mutex_unlock(&handlers->lock);
}

static void visit_lag(void *state, module_sample *sample, void *context) {
    visit_entries(state, sample, context, lag_of);
}

static void visit_reactions(void *state, module_sample *sample, void *context) {
    visit_entries(state, sample, context, reactions_of);
}

static void visit_failures(void *state, module_sample *sample, void *context) {
    visit_entries(state, sample, context, failures_of);
}

static const struct module_metric metrics[] = {
    {"stet_handler_lag", "Changes published since the last one that a handler looked at.",
     STET_METRIC_GAUGE, visit_lag},
    {"stet_handler_reactions_total", "Operations that a handler asked for.", STET_METRIC_COUNTER,
     visit_reactions},
    {"stet_handler_failures_total", "Those of them that failed, were rejected or expired.",
     STET_METRIC_COUNTER, visit_failures},
    {0},
};

static bool may_read(const struct space *space, const stet_actor *actor,
                     const struct store_change *change) {
    (void)space;
    return actor->admin && view_equal(change->type, HANDLER_TYPE);
}

static const char *const types[] = {"stet.handler", "stet.handler_state", NULL};

const struct module handlers_module = {
    .name = "handlers",
    .types = types,
    .open = open_state,
    .close = close_state,
    .reset = reset,
    .load = load,
    .loaded = loaded,
    .check = check,
    .decide = decide,
    .next_due = next_due,
    .due = due,
    .ended = ended,
    .metrics = metrics,
    .apply = apply,
    .published = published,
    .may_read = may_read,
};
