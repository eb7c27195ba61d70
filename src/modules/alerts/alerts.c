/*
 * The module. What is due is one record at a time: made, resolved, or let go. Each is decided before the next is looked for, so the book
 * knows of it by then.
 */
#include "base/error.h"
#include "base/uuid.h"
#include "base/view.h"
#include "core/operation.h"
#include "core/outbound.h"
#include "core/staging.h"
#include "doc/write.h"
#include "modules/alerts/internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    SAMPLE_S = 1,
    TIDY_S = 60,   /* How often alerts that are over are looked through. */
    RECHECK_S = 5, /* After something could not be stored. */
    PARSE_BYTES = 2048,
};
#define REJECTED "operation_rejected"
static_assert(ALERT_ID_BYTES_MAX >= sizeof REJECTED + UUID_TEXT_BYTES, "such an id fits");

/* An operation that was rejected, to be told. */
struct rejection {
    char operation[UUID_TEXT_BYTES + 1];
    char lane[LANE_BYTES_MAX + 1];
    stet_class class_;
};

struct alerts {
    struct space *space;
    struct book book;
    struct watch watch;
    bool settings_moved; /* The thresholds are to be read anew. */
    int64_t sample_at, tidy_at, blocked_until;
    struct rejection rejections[ALERT_REJECTIONS_MAX];
    size_t rejection_count;
    uint64_t rejections_more; /* For which there was no room. */
    struct outbound_wish wish;
};

/* What a command of this module does; in its arena. */
struct task {
    stet_view id;
    stet_view data;     /* Empty: the record is let go. */
    stet_view delivery; /* What is posted; empty: nothing. */
    char operation[UUID_TEXT_BYTES];
    bool critical;
};

/* ---- Projection -------------------------------------------------------------------------- */

static stet_status open_state(struct space *space, void **state, stet_error *err) {
    struct alerts *alerts = calloc(1, sizeof *alerts);
    if (alerts == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for alerts");
    alerts->space = space;
    watch_init(&alerts->watch);
    *state = alerts;
    return STET_OK;
}

static void close_state(void *state) {
    struct alerts *alerts = state;
    if (alerts == NULL) return;
    watch_done(&alerts->watch);
    book_done(&alerts->book);
    free(alerts);
}

static void reset(void *state) {
    struct alerts *alerts = state;
    book_clear(&alerts->book);
    alerts->settings_moved = true;
}

static stet_status load(void *state, const struct store_change *head, stet_error *err) {
    struct alerts *alerts = state;
    stet_status status = book_reserve(&alerts->book, err);
    if (status == STET_OK) book_note(&alerts->book, head);
    return status;
}

static void apply(void *state, const struct store_change *change) {
    struct alerts *alerts = state;
    if (view_equal(change->type, SETTINGS_TYPE)) alerts->settings_moved = true;
    if (!view_equal(change->type, ALERT_TYPE)) return;
    book_note(&alerts->book, change);
    if (change->op == STORE_CREATE)
        atomic_fetch_add_explicit(&alerts->book.raised, 1, memory_order_relaxed);
}

/* ---- Rejections -------------------------------------------------------------------------- */

static void note_rejection(struct alerts *alerts, stet_view operation, stet_view lane,
                           stet_class class_) {
    if (class_ < STET_CLASS_HIGH) return;
    if (alerts->rejection_count == ALERT_REJECTIONS_MAX || lane.size > LANE_BYTES_MAX ||
        operation.size > UUID_TEXT_BYTES) {
        alerts->rejections_more++;
        return;
    }
    struct rejection *rejection = &alerts->rejections[alerts->rejection_count++];
    *rejection = (struct rejection){.class_ = class_};
    memcpy(rejection->operation, operation.bytes, operation.size);
    memcpy(rejection->lane, lane.bytes, lane.size);
}

/* What a client wrote into an operation may look like it, and costs a look. */
static void published(void *state, struct space *space, const struct store_change *change) {
    struct alerts *alerts = state;
    static const char rejected[] = "\"OperationRejected\"";
    struct arena arena;
    struct doc doc;
    stet_view event = {0}, lane = {0}, name = {0};
    stet_class class_ = STET_CLASS_NORMAL;
    (void)space;
    if (!view_equal(change->type, OPERATION_TYPE) || view_is_empty(change->data) ||
        memmem(change->data.bytes, change->data.size, rejected, sizeof rejected - 1) == NULL)
        return;
    arena_init(&arena, PARSE_BYTES);
    if (doc_parse(&arena, change->data, NULL, &doc, NULL) == STET_OK) {
        const struct {
            stet_view name;
            stet_view *text;
        } members[] = {{VIEW("event"), &event}, {VIEW("lane"), &lane}, {VIEW("class"), &name}};
        for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
            doc_node node = doc_member(&doc, 0, members[i].name);
            if (node != DOC_NONE) doc_string(&arena, &doc, node, members[i].text);
        }
        threshold_class_parse(name, &class_);
        if (view_equal(event, VIEW("OperationRejected"))) {
            watch_rejected(&alerts->watch, lane, class_);
            note_rejection(alerts, change->id, lane, class_);
        }
    } else {
        alerts->rejections_more++; /* Short of memory. */
    }
    arena_done(&arena);
}

/* ---- Records ----------------------------------------------------------------------------- */

/* What a record says. book.c reads the first members by their places. */
struct said {
    bool event, firing, critical;
    stet_view name, measure, lane, class_, operation;
    stet_view value, threshold; /* Numbers; empty: there are none. */
    uint64_t more;
    int64_t since, resolved_at;
};

static void write_said(struct json_writer *writer, const struct said *said) {
    if (said->event) json_member_bool(writer, VIEW("event"), true);
    json_member_text(writer, VIEW("state"), said->firing ? VIEW("firing") : VIEW("resolved"));
    json_member_text(writer, VIEW("severity"), said->critical ? VIEW("critical") : VIEW("warning"));
    json_member_text(writer, VIEW("name"), said->name);
    json_member_text(writer, VIEW("measure"), said->measure);
    if (said->lane.size > 0) json_member_text(writer, VIEW("lane"), said->lane);
    if (said->class_.size > 0) json_member_text(writer, VIEW("class"), said->class_);
    if (said->operation.size > 0) json_member_text(writer, VIEW("operation"), said->operation);
    if (said->value.size > 0) json_member_raw(writer, VIEW("value"), said->value);
    if (said->threshold.size > 0) json_member_raw(writer, VIEW("threshold"), said->threshold);
    if (said->more > 0) json_member_u64(writer, VIEW("more"), said->more);
    json_key(writer, VIEW("since"));
    json_rfc3339(writer, said->since);
}

/* The record's data, and what is posted: the same with "alert" and the record's id. */
static bool write_task(struct stet_command *command, struct task *task, const struct said *said,
                       bool posts) {
    for (int delivery = 0; delivery <= posts; delivery++) {
        struct buffer buffer;
        struct json_writer writer;
        buffer_init(&buffer, &command->arena, 0);
        json_begin(&writer, &buffer);
        json_object_begin(&writer);
        if (delivery) {
            json_member_text(&writer, VIEW("alert"), said->name);
            json_member_text(&writer, VIEW("id"), task->id);
        }
        write_said(&writer, said);
        json_object_end(&writer);
        if (json_end(&writer) != STET_OK) return false;
        *(delivery ? &task->delivery : &task->data) = buffer_view(&buffer);
    }
    task->critical = said->critical;
    return true;
}

static struct task *fill(struct alerts *alerts, struct stet_command *command, stet_view id) {
    const stet_engine *engine = alerts->space->engine;
    struct task *task = arena_zalloc(&command->arena, 1, sizeof *task);
    uint8_t uuid[UUID_BYTES];
    if (task == NULL) return NULL;
    task->id = arena_copy(&command->arena, id);
    if (task->id.bytes == NULL) return NULL;
    uuid_v7(engine->clock, engine->entropy, uuid);
    uuid_format(uuid, task->operation);
    command->kind = COMMAND_MODULE;
    command->actor.id = VIEW("stet");
    command->module_data = task;
    return task;
}

static bool fill_fire(struct alerts *alerts, const struct watched *watched,
                      const struct module_time *now, struct stet_command *command) {
    const struct threshold *threshold = &watched->threshold;
    stet_view id = arena_format(&command->arena, "%.*s-%lld", VIEW_ARG(threshold->name),
                                (long long)(now->wall / 1000000));
    struct said said = {
        .firing = true,
        .critical = threshold->critical,
        .name = threshold->name,
        .measure = view_of(measure_name(threshold->measure)),
        .lane = threshold->lane,
        .class_ = view_of(threshold_class_name(threshold->class_)),
        .value = threshold_number(&command->arena, watched->value),
        .threshold = threshold_number(&command->arena, threshold->above),
        .since = now->wall,
    };
    struct task *task = id.bytes == NULL ? NULL : fill(alerts, command, id);
    return task != NULL && said.value.bytes != NULL && said.threshold.bytes != NULL &&
           write_task(command, task, &said, threshold->webhook);
}

static bool fill_rejection(struct alerts *alerts, const struct rejection *rejection,
                           const struct module_time *now, struct stet_command *command) {
    stet_view id = arena_format(&command->arena, REJECTED "-%s", rejection->operation);
    struct said said = {
        .event = true,
        .firing = true,
        .critical = rejection->class_ >= STET_CLASS_URGENT,
        .name = VIEW(REJECTED),
        .measure = VIEW("rejected"),
        .lane = view_of(rejection->lane),
        .class_ = view_of(threshold_class_name(rejection->class_)),
        .operation = view_of(rejection->operation),
        .more = alerts->rejections_more,
        .since = now->wall,
    };
    struct task *task = id.bytes == NULL ? NULL : fill(alerts, command, id);
    return task != NULL && write_task(command, task, &said, false);
}

/* The rest of what was said stays: only the state changes, and when is added. Its threshold may be gone. */
static bool fill_resolve(struct alerts *alerts, const struct alert *alert,
                         struct stet_command *command) {
    struct task *task = fill(alerts, command, view_of(alert->id));
    if (task == NULL) return false;
    const struct watched *watched = watch_find(&alerts->watch, view_of(alert->name));
    bool posts = !alert->event && watched != NULL && watched->threshold.webhook;
    task->data = VIEW("{}"); /* Made from the record, where it can be read: decide. */
    task->critical = alert->critical;
    if (posts) task->delivery = VIEW("{}");
    return true;
}

static bool fill_drop(struct alerts *alerts, const struct alert *alert,
                      struct stet_command *command) {
    return fill(alerts, command, view_of(alert->id)) != NULL;
}

/* ---- Time -------------------------------------------------------------------------------- */

static void next_due(void *state, struct module_time *at) {
    struct alerts *alerts = state;
    int64_t next = MODULE_NEVER;
    if (alerts->watch.count > 0) next = alerts->sample_at;
    if (alerts->book.count > 0 && alerts->tidy_at < next) next = alerts->tidy_at;
    if (alerts->settings_moved || alerts->rejection_count > 0) next = 0;
    if (next != MODULE_NEVER && next < alerts->blocked_until) next = alerts->blocked_until;
    at->monotonic = next;
}

static stet_status read_settings(struct alerts *alerts, stet_error *err) {
    struct store_reader *reader = store_writer_reader(alerts->space->store);
    struct store_head head;
    struct store_change row = {0};
    struct arena arena;
    arena_init(&arena, PARSE_BYTES);
    stet_status status = store_head(reader, SETTINGS_TYPE, VIEW("space"), &head, err);
    if (status == STET_OK && head.version != 0 && !head.deleted)
        status = store_change_at(reader, &arena, head.seq, &row, err);
    if (status == STET_OK) {
        status = watch_set(&alerts->watch, row.data, err);
        /* What another version of the program stored and this one cannot read watches nothing. */
        if (status == STET_INVALID_SETTINGS)
            status = watch_set(&alerts->watch, (stet_view){0}, err);
    }
    arena_done(&arena);
    return status;
}

/* The oldest that is over, where it is time or there are too many. */
static const struct alert *find_stale(const struct alerts *alerts, const struct module_time *now) {
    const struct alert *oldest = NULL;
    for (size_t i = 0; i < alerts->book.count; i++) {
        const struct alert *alert = &alerts->book.alerts[i];
        if (!alert->firing && (oldest == NULL || alert->stamp < oldest->stamp)) oldest = alert;
    }
    if (oldest == NULL || alerts->book.count > ALERTS_KEPT_MAX) return oldest;
    if (now->wall_held) return NULL;
    return oldest->stamp + ALERT_KEEP_S * CLOCK_NS_PER_S <= now->wall ? oldest : NULL;
}

static bool is_over(const struct alerts *alerts, const struct alert *alert,
                    const struct module_time *now) {
    if (!alert->firing) return false;
    if (alert->event)
        return !now->wall_held && alert->stamp + ALERT_EVENT_S * CLOCK_NS_PER_S <= now->wall;
    const struct watched *watched = watch_find(&alerts->watch, view_of(alert->name));
    return watched == NULL || watch_clears(watched, now->monotonic);
}

static bool fill_next(struct alerts *alerts, const struct module_time *now,
                      struct stet_command *command) {
    for (size_t i = 0; i < alerts->book.count; i++)
        if (is_over(alerts, &alerts->book.alerts[i], now))
            return fill_resolve(alerts, &alerts->book.alerts[i], command);
    for (size_t i = 0; i < alerts->watch.count; i++) {
        const struct watched *watched = &alerts->watch.list[i];
        if (watch_fires(watched, now->monotonic) &&
            book_firing(&alerts->book, watched->threshold.name) == NULL)
            return fill_fire(alerts, watched, now, command);
    }
    if (alerts->rejection_count > 0)
        return fill_rejection(alerts, &alerts->rejections[alerts->rejection_count - 1], now,
                              command);
    const struct alert *stale = find_stale(alerts, now);
    return stale != NULL && fill_drop(alerts, stale, command);
}

/* A rejection is forgotten once its alert is in the book. */
static void drop_told(struct alerts *alerts) {
    while (alerts->rejection_count > 0) {
        char id[ALERT_ID_BYTES_MAX + 1];
        snprintf(id, sizeof id, REJECTED "-%s",
                 alerts->rejections[alerts->rejection_count - 1].operation);
        if (book_find(&alerts->book, view_of(id)) == NULL) return;
        alerts->rejection_count--;
        alerts->rejections_more = 0;
    }
}

static bool due(void *state, const struct module_time *now, bool refused,
                struct stet_command *command) {
    struct alerts *alerts = state;
    if (refused) alerts->blocked_until = now->monotonic + RECHECK_S * CLOCK_NS_PER_S;
    if (now->monotonic < alerts->blocked_until) return false;
    drop_told(alerts);
    if (alerts->settings_moved) {
        /* A batch begins with what is due, so what was put is stored by now. */
        alerts->settings_moved = false;
        if (read_settings(alerts, NULL) != STET_OK) {
            alerts->settings_moved = true;
            alerts->blocked_until = now->monotonic + RECHECK_S * CLOCK_NS_PER_S;
            return false;
        }
    }
    if (now->monotonic >= alerts->sample_at) {
        watch_sample(&alerts->watch, alerts->space, now);
        alerts->sample_at = now->monotonic + SAMPLE_S * CLOCK_NS_PER_S;
    }
    if (now->monotonic >= alerts->tidy_at)
        alerts->tidy_at = now->monotonic + TIDY_S * CLOCK_NS_PER_S;
    return fill_next(alerts, now, command);
}

/* ---- Deciding ---------------------------------------------------------------------------- */

/* What the record said, with its state changed: its first version's own words. */
static stet_status resolved_data(struct staging *staging, struct task *task, stet_error *err) {
    struct arena *arena = staging_arena(staging);
    struct store_head head;
    struct store_change row;
    struct doc doc;
    stet_status status = staging_read(staging, ALERT_TYPE, task->id, &head, &row, err);
    if (status == STET_OK) status = doc_parse(arena, row.data, NULL, &doc, err);
    if (status != STET_OK) return status;
    for (int delivery = 0; delivery <= (task->delivery.size > 0); delivery++) {
        struct buffer buffer;
        struct json_writer writer;
        buffer_init(&buffer, arena, 0);
        json_begin(&writer, &buffer);
        json_object_begin(&writer);
        if (delivery) {
            json_member_raw(&writer, VIEW("alert"),
                            doc_text(&doc, doc_member(&doc, 0, VIEW("name"))));
            json_member_text(&writer, VIEW("id"), task->id);
        }
        for (doc_node one = doc_first(&doc, 0); one != DOC_NONE; one = doc_next(&doc, one)) {
            stet_view key = doc_key_raw(&doc, one);
            json_member_raw(&writer, key,
                            view_equal(key, VIEW("state")) ? VIEW("\"resolved\"")
                                                           : doc_text(&doc, one));
        }
        json_key(&writer, VIEW("resolved_at"));
        json_rfc3339(&writer, staging->now);
        json_object_end(&writer);
        if (json_end(&writer) != STET_OK)
            return error_set(err, STET_NO_MEMORY, "out of memory for an alert");
        *(delivery ? &task->delivery : &task->data) = buffer_view(&buffer);
    }
    return STET_OK;
}

/* An alert is raised also where it cannot be posted: without a queue, or with a lane that takes nothing. */
static stet_status post(struct staging *staging, const struct task *task, stet_error *err) {
    const struct operation_spawn spawn = {
        .by = VIEW("stet"),
        .handler = SETTINGS_TYPE,
        .request = {.id = view_make(task->operation, sizeof task->operation),
                    .lane = VIEW("webhook-alerts"),
                    .class_ = task->critical ? STET_CLASS_HIGH : STET_CLASS_NORMAL,
                    .op_type = VIEW("alert"),
                    .agent = WEBHOOK_AGENT,
                    .input = task->delivery},
    };
    stet_status status = staging_spawn(staging, &spawn, err);
    bool passing = status == STET_NO_MEMORY || status == STET_IO || status == STET_NO_SPACE ||
                   status == STET_CORRUPT;
    return passing ? status : STET_OK;
}

static stet_status decide(void *state, struct staging *staging, struct stet_command *command,
                          const struct module_time *now, stet_error *err) {
    struct alerts *alerts = state;
    struct task *task = command->module_data;
    (void)now;
    stet_status status = book_reserve(&alerts->book, err); /* So that apply cannot fail. */
    if (status != STET_OK) return status;
    if (view_is_empty(task->data))
        return staging_delete(staging, ALERT_TYPE, task->id, VIEW("alerts"), err);
    if (view_equal(task->data, VIEW("{}"))) status = resolved_data(staging, task, err);
    if (status == STET_OK)
        status = staging_put(staging, ALERT_TYPE, task->id, task->data, VIEW("alerts"), NULL, err);
    if (status == STET_OK && task->delivery.size > 0) status = post(staging, task, err);
    return status;
}

static bool may_read(const struct space *space, const stet_actor *actor,
                     const struct store_change *change) {
    (void)space;
    (void)actor;
    (void)change;
    return true;
}

/* ---- Metrics ----------------------------------------------------------------------------- */

static void visit_firing(void *state, module_sample *sample, void *context) {
    const struct alerts *alerts = state;
    static const char *const labels[] = {",severity=\"warning\"", ",severity=\"critical\""};
    for (int i = 0; i < 2; i++)
        sample(context, "", labels[i],
               (double)atomic_load_explicit(&alerts->book.firing[i], memory_order_relaxed));
}

static void visit_raised(void *state, module_sample *sample, void *context) {
    const struct alerts *alerts = state;
    sample(context, "", "",
           (double)atomic_load_explicit(&alerts->book.raised, memory_order_relaxed));
}

static const struct module_metric metrics[] = {
    {"stet_alerts_firing", "Alerts that stand.", STET_METRIC_GAUGE, visit_firing},
    {"stet_alerts_total", "Alerts raised.", STET_METRIC_COUNTER, visit_raised},
    {0},
};

static const char *const types[] = {"stet.alert", NULL};

const struct module alerts_module = {
    .name = "alerts",
    .types = types,
    .open = open_state,
    .close = close_state,
    .reset = reset,
    .load = load,
    .decide = decide,
    .next_due = next_due,
    .due = due,
    .apply = apply,
    .published = published,
    .metrics = metrics,
    .may_read = may_read,
};
