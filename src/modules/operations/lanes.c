/*
 * Lanes as people see and set them.
 */
#include "base/error.h"
#include "base/view.h"
#include "doc/pointer.h"
#include "modules/operations/internal.h"

#include <stdlib.h>

/* ---- Settings ---------------------------------------------------------------------------- */

/* A number among the settings: its name, its bounds, and where it stands. */
struct number_setting {
    const char *name, *pointer;
    size_t offset;
    unsigned least, most;
};

#define NUMBER(member, least_, most_)                                                              \
    { #member, "/" #member, offsetof(struct lane_settings, member), least_, most_ }

static const struct number_setting number_settings[] = {
    NUMBER(width, 1, LANE_WIDTH_MAX),
    NUMBER(max_queued, 1, OPERATIONS_WAITING_MAX),
    NUMBER(max_queued_per_actor, 1, OPERATIONS_WAITING_MAX),
    NUMBER(age_s, 0, OPERATION_TIMEOUT_S_MAX),
    NUMBER(timeout_s, 1, OPERATION_TIMEOUT_S_MAX),
    NUMBER(keep_s, 0, OPERATION_KEEP_S_MAX),
};
enum { NUMBER_SETTINGS = sizeof number_settings / sizeof number_settings[0] };

static unsigned *number_of(struct lane_settings *settings, const struct number_setting *setting) {
    return (unsigned *)((char *)settings + setting->offset);
}

static stet_status apply_number(const struct doc *doc, doc_node node,
                                const struct number_setting *setting,
                                struct lane_settings *settings, stet_error *err) {
    struct lane_settings normal;
    uint64_t value;
    lane_settings_default(&normal);
    if (doc_kind(doc, node) == DOC_NULL) {
        *number_of(settings, setting) = *number_of(&normal, setting);
        return STET_OK;
    }
    if (!doc_u64(doc, node, &value) || value < setting->least || value > setting->most)
        return bad_field(err, setting->pointer, setting->most, "%s is a whole number from %u to %u",
                         setting->name, setting->least, setting->most);
    *number_of(settings, setting) = (unsigned)value;
    return STET_OK;
}

/* Changes what the object names. A lane is declared by that, unless it is set back to what every lane is. */
static stet_status apply_settings(struct arena *arena, const struct doc *doc,
                                  struct lane_settings *settings, stet_error *err) {
    bool takes_back = doc_first(doc, 0) != DOC_NONE;
    settings->declared = false;
    for (doc_node node = doc_first(doc, 0); node != DOC_NONE; node = doc_next(doc, node)) {
        const struct number_setting *setting = NULL;
        stet_view key;
        stet_status status = doc_key(arena, doc, node, &key);
        if (status != STET_OK) return no_memory(err);
        for (size_t i = 0; i < NUMBER_SETTINGS; i++)
            if (view_equal(key, view_of(number_settings[i].name))) setting = &number_settings[i];
        bool is_null = doc_kind(doc, node) == DOC_NULL;
        if (!is_null) takes_back = false;
        if (setting != NULL) {
            status = apply_number(doc, node, setting, settings, err);
            if (status != STET_OK) return status;
        } else if (view_equal(key, VIEW("paused"))) {
            settings->paused = false;
            if (!is_null && !doc_bool(doc, node, &settings->paused))
                return bad_field(err, "/paused", 0, "paused is true or false");
        } else if (view_equal(key, VIEW("fair"))) {
            stet_view text = {0};
            settings->fair = !is_null;
            if (!is_null && (doc_string(arena, doc, node, &text) != STET_OK ||
                             !view_equal(text, VIEW("actor"))))
                return bad_field(err, "/fair", 0, "fair is \"actor\", or null");
        } else {
            error_set(err, STET_BAD_REQUEST, "a lane has no setting \"%.*s\"", VIEW_ARG(key));
            char bytes[sizeof err->field];
            struct pointer_text pointer = {.bytes = bytes, .size_max = sizeof bytes};
            pointer_text_key(&pointer, key, false);
            error_field_view(err, view_make(bytes, pointer.size), 0);
            return STET_BAD_REQUEST;
        }
    }
    settings->declared = !takes_back || !lane_settings_are_default(settings);
    return STET_OK;
}

/* ---- Showing ----------------------------------------------------------------------------- */

/* A lane as an answer shows it. */
struct lane_shown {
    stet_view name;
    uint64_t version, seq;
    struct lane_settings settings;
    size_t ready[QUEUE_CLASSES], delayed, running, waiting_claims;
    unsigned places;
    bool knows_average, known;
    double average_s, wait_s, low_s, high_s, oldest_s, idle_s;
};

/* name: of the lane, living as long as the answer. */
static void note_lane(struct operations *operations, const struct lane *lane, stet_view name,
                      struct lane_shown *shown) {
    struct estimate_answer answer;
    *shown = (struct lane_shown){
        .name = name,
        .version = lane->version,
        .seq = lane->seq,
        .settings = lane->settings,
        .delayed = lane->queue->delayed_count,
        .running = lane->queue->running_count,
        .places = lane->queue->places,
        .idle_s = estimate_idle_s(lane->estimate, operations->now),
    };
    for (size_t i = 0; i < QUEUE_CLASSES; i++)
        shown->ready[i] = lane->queue->ready[i];
    for (const struct waiter *waiter = lane->first; waiter != NULL; waiter = waiter->next)
        shown->waiting_claims++;
    int64_t oldest = QUEUE_NEVER;
    for (int level = QUEUE_LOW; level < QUEUE_LEVELS; level++) {
        int64_t since = queue_lane_oldest(lane->queue, (enum queue_level)level);
        if (since < oldest) oldest = since;
    }
    if (oldest < operations->now) shown->oldest_s = (double)(operations->now - oldest) / 1e9;
    shown->knows_average = estimate_lane_processing(lane->estimate, &shown->average_s);
    lane_estimate(operations, lane, QUEUE_NORMAL, lane->queue->ready_count, 0, &answer);
    shown->known = answer.known;
    shown->wait_s = answer.wait_s;
    shown->low_s = answer.low_s;
    shown->high_s = answer.high_s;
}

static void render_lane(struct json_writer *writer, const struct lane_shown *shown) {
    const struct lane_settings *settings = &shown->settings;
    struct lane_settings copy = *settings;
    json_object_begin(writer);
    json_member_text(writer, VIEW("id"), shown->name);
    json_member_u64(writer, VIEW("version"), shown->version);
    json_member_u64(writer, VIEW("seq"), shown->seq);
    for (size_t i = 0; i < NUMBER_SETTINGS; i++)
        json_member_u64(writer, view_of(number_settings[i].name),
                        *number_of(&copy, &number_settings[i]));
    json_key(writer, VIEW("fair"));
    if (settings->fair) {
        json_text(writer, VIEW("actor"));
    } else {
        json_null(writer);
    }
    json_member_bool(writer, VIEW("paused"), settings->paused);
    json_member_bool(writer, VIEW("draining"), settings->draining);
    json_key(writer, VIEW("queued"));
    json_object_begin(writer);
    for (int i = STET_CLASS_LOW; i <= STET_CLASS_STRUCTURAL; i++)
        json_member_u64(writer, class_text((stet_class)i), shown->ready[i]);
    json_object_end(writer);
    json_member_u64(writer, VIEW("delayed"), shown->delayed);
    json_member_u64(writer, VIEW("running"), shown->running);
    json_member_u64(writer, VIEW("places_taken"), shown->places);
    json_member_u64(writer, VIEW("waiting_claims"), shown->waiting_claims);
    put_seconds(writer, VIEW("oldest_wait_s"), true, shown->oldest_s);
    put_seconds(writer, VIEW("average_processing_s"), shown->knows_average, shown->average_s);
    put_seconds(writer, VIEW("estimated_wait_s"), shown->known, shown->wait_s);
    put_range(writer, shown->known, shown->low_s, shown->high_s);
    if (shown->idle_s > 0) put_seconds(writer, VIEW("no_worker_for_s"), true, shown->idle_s);
    json_object_end(writer);
}

static stet_status no_lane(stet_view name, stet_error *err) {
    error_set(err, STET_NOT_FOUND, "there is no lane \"%.*s\"", VIEW_ARG(name));
    error_field(err, "lane", 0);
    return STET_NOT_FOUND;
}

static stet_status decide_lane(struct operations *operations, struct staging *staging,
                               struct task *task, stet_error *err) {
    const struct lane *lane = lanes_find(operations, task->id);
    stet_status status =
        rights_demand(&staging->command->actor, STET_SCOPE_READ, STET_SCOPE_OPERATE, err);
    if (status != STET_OK) return status;
    if (lane == NULL) return no_lane(task->id, err);
    note_lane(operations, lane, task->id, &task->lanes[0]);
    return STET_OK;
}

static stet_status answer_lane(struct stet_command *command, struct json_writer *writer,
                               stet_error *err) {
    const struct task *task = command->module_data;
    (void)err;
    command->outcome.version = task->lanes[0].version;
    render_lane(writer, &task->lanes[0]);
    return STET_OK;
}

static int by_name(const void *a, const void *b) {
    const struct lane_shown *left = a, *right = b;
    return view_compare(left->name, right->name);
}

static stet_status decide_lanes(struct operations *operations, struct staging *staging,
                                struct task *task, stet_error *err) {
    struct arena *arena = staging_arena(staging);
    stet_status status =
        rights_demand(&staging->command->actor, STET_SCOPE_READ, STET_SCOPE_OPERATE, err);
    if (status != STET_OK) return status;
    task->lanes = arena_zalloc(arena, operations->lane_count + 1, sizeof *task->lanes);
    task->lane_count = 0;
    if (task->lanes == NULL) return no_memory(err);
    for (const struct lane *lane = operations->lanes; lane != NULL; lane = lane->next) {
        if (lane->version == 0) continue;
        stet_view name = arena_copy(arena, lane->name);
        if (name.bytes == NULL) return no_memory(err);
        note_lane(operations, lane, name, &task->lanes[task->lane_count++]);
    }
    return STET_OK;
}

static stet_status answer_lanes(struct stet_command *command, struct json_writer *writer,
                                stet_error *err) {
    struct task *task = command->module_data;
    (void)err;
    qsort(task->lanes, task->lane_count, sizeof *task->lanes, by_name);
    json_object_begin(writer);
    json_key(writer, VIEW("lanes"));
    json_array_begin(writer);
    for (size_t i = 0; i < task->lane_count; i++)
        render_lane(writer, &task->lanes[i]);
    json_array_end(writer);
    json_member_u64(writer, VIEW("seq"), command->decided_seq);
    json_object_end(writer);
    return STET_OK;
}

/* ---- Changing ---------------------------------------------------------------------------- */

static void lane_left(struct stet_command *command) {
    struct task *task = command->module_data;
    const struct lane *lane = lanes_find(task->operations, task->id);
    if (lane != NULL) note_lane(task->operations, lane, task->id, &task->lanes[0]);
}

/* Named like any write's: a base that does not fit is refused; none is good for any. */
static stet_status check_base(const struct task *task, const struct lane *lane, stet_error *err) {
    uint64_t version = lane == NULL ? 0 : lane->version;
    if (task->base.kind == STET_BASE_NONE ||
        (task->base.kind == STET_BASE_ABSENT && version == 0) ||
        (task->base.kind == STET_BASE_VERSION && task->base.value == version))
        return STET_OK;
    if (task->base.kind == STET_BASE_ABSENT)
        return error_set(err, STET_ALREADY_EXISTS, "there is a lane \"%.*s\" already",
                         VIEW_ARG(task->id));
    return error_set(err, STET_CONCURRENT_MODIFICATION,
                     "somebody else changed lane \"%.*s\": it is at version %llu",
                     VIEW_ARG(task->id), (unsigned long long)version);
}

static stet_status put_lane(struct operations *operations, struct staging *staging,
                            struct task *task, const struct lane *lane,
                            const struct lane_settings *settings, stet_error *err) {
    stet_status status = lane == NULL ? lanes_check_count(operations, err) : STET_OK;
    if (status != STET_OK) return status;
    staging->command->left = lane_left;
    if (lane != NULL && memcmp(&lane->settings, settings, sizeof *settings) == 0) return STET_OK;
    return lanes_put(operations, staging, task->id, settings, err);
}

static stet_status decide_put(struct operations *operations, struct staging *staging,
                              struct task *task, stet_error *err) {
    const struct lane *lane = lanes_find(operations, task->id);
    struct lane_settings settings;
    struct doc doc;
    stet_status status = actor_demand(&staging->command->actor, STET_SCOPE_OPERATE, err);
    if (status == STET_OK) status = check_base(task, lane, err);
    if (status == STET_OK)
        status = doc_parse(staging_arena(staging), task->settings, NULL, &doc, err);
    if (status != STET_OK) return status;
    memset(&settings, 0, sizeof settings); /* The padding, too: they are compared as bytes. */
    lane_settings_default(&settings);
    if (lane != NULL) settings = lane->settings;
    status = apply_settings(staging_arena(staging), &doc, &settings, err);
    return status == STET_OK ? put_lane(operations, staging, task, lane, &settings, err) : status;
}

static stet_status decide_move(struct operations *operations, struct staging *staging,
                               struct task *task, stet_error *err) {
    const struct lane *lane = lanes_find(operations, task->id);
    stet_status status = actor_demand(&staging->command->actor, STET_SCOPE_OPERATE, err);
    if (status != STET_OK) return status;
    if (lane == NULL) return no_lane(task->id, err);
    struct lane_settings settings = lane->settings;
    switch (task->move) {
    case STET_LANE_PAUSE: settings.paused = true; break;
    case STET_LANE_RESUME: settings.paused = settings.draining = false; break;
    case STET_LANE_DRAIN: settings.draining = true; break;
    }
    return put_lane(operations, staging, task, lane, &settings, err);
}

/* ---- On the caller's thread -------------------------------------------------------------- */

static stet_status fill_lane(struct stet_command *command, stet_view lane, struct task **task,
                             stet_error *err) {
    stet_status status = check_id(lane, "lane", err);
    if (status != STET_OK) return status;
    *task = operations_begin(command, err);
    if (*task == NULL) return err == NULL ? STET_NO_MEMORY : err->status;
    (*task)->lanes = arena_zalloc(&command->arena, 1, sizeof *(*task)->lanes);
    if ((*task)->lanes == NULL) return no_memory(err);
    return operations_text(command, lane, LANE_BYTES_MAX, "lane", &(*task)->id, err);
}

stet_status lanes_fill_get(struct stet_command *command, stet_view lane, stet_error *err) {
    struct task *task;
    stet_status status = fill_lane(command, lane, &task, err);
    if (status != STET_OK) return status;
    task->decide = decide_lane;
    operations_finish(command, task, answer_lane);
    return STET_OK;
}

stet_status lanes_fill_list(struct stet_command *command, stet_error *err) {
    struct task *task = operations_begin(command, err);
    if (task == NULL) return err == NULL ? STET_NO_MEMORY : err->status;
    task->decide = decide_lanes;
    operations_finish(command, task, answer_lanes);
    return STET_OK;
}

stet_status lanes_fill_put(struct stet_command *command, stet_view lane, stet_view settings,
                           stet_base base, stet_error *err) {
    struct lane_settings scratch;
    struct task *task;
    struct doc doc;
    if (base.kind == STET_BASE_UPDATED_AT)
        return bad_field(err, "base_updated_at", 0, "a lane's base is a version");
    stet_status status = fill_lane(command, lane, &task, err);
    if (status != STET_OK) return status;
    task->base = base;
    task->settings = arena_copy(&command->arena, settings);
    if (task->settings.bytes == NULL) return no_memory(err);
    status = doc_parse(&command->arena, task->settings, NULL, &doc, err);
    if (status == STET_OK && doc_kind(&doc, 0) != DOC_OBJECT)
        status = bad_field(err, "settings", 0, "a lane's settings are a JSON object");
    /* What is wrong with them is known at once. */
    lane_settings_default(&scratch);
    if (status == STET_OK) status = apply_settings(&command->arena, &doc, &scratch, err);
    if (status != STET_OK) return status;
    task->decide = decide_put;
    operations_finish(command, task, answer_lane);
    return STET_OK;
}

stet_status lanes_fill_move(struct stet_command *command, stet_view lane, stet_lane_move move,
                            stet_error *err) {
    struct task *task;
    stet_status status = fill_lane(command, lane, &task, err);
    if (status != STET_OK) return status;
    task->move = move;
    task->decide = decide_move;
    operations_finish(command, task, answer_lane);
    return STET_OK;
}
