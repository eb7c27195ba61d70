#include "modules/operations/queue.h"

#include <assert.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/view.h"
#include "modules/operations/order.h"
#include "modules/operations/queue_parts.h"

#define NS_PER_S INT64_C(1000000000)
#define AGE_S_DEFAULT 300

/* ---- Small answers ----------------------------------------------------------------------- */

enum queue_level queue_level_of(unsigned class_) {
    switch ((stet_class)class_) {
    case STET_CLASS_LOW: return QUEUE_LOW;
    case STET_CLASS_DEFAULT:
    case STET_CLASS_NORMAL: return QUEUE_NORMAL;
    case STET_CLASS_HIGH: return QUEUE_HIGH;
    case STET_CLASS_URGENT:
    case STET_CLASS_STRUCTURAL: return QUEUE_TOP;
    }
    return QUEUE_NORMAL;
}

static bool waits(const struct queue_entry *entry) {
    return entry->state == QUEUE_READY || entry->state == QUEUE_DELAYED;
}

/* Entries of a level's classes that are here in any state. */
static uint32_t here(const struct queue_lane *lane, enum queue_level level) {
    uint32_t sum = 0;
    for (unsigned i = STET_CLASS_LOW; i < QUEUE_CLASSES; i++)
        if (queue_level_of(i) == level) sum += lane->ready[i] + lane->delayed[i] + lane->running[i];
    return sum;
}

struct queue_line *queue_line_find(const struct queue *queue, const struct queue_lane *lane,
                                   enum queue_for for_, stet_view agent) {
    switch (for_) {
    case QUEUE_FOR_ANYONE: return lane->anyone;
    case QUEUE_FOR_SERVER: return lane->server;
    case QUEUE_FOR_AGENT: break;
    }
    struct register_key key = {REGISTER_LINE, (struct queue_lane *)(uintptr_t)lane, for_, agent};
    return (struct queue_line *)register_find(&queue->reg, &key);
}

static struct queue_actor *actor_find(const struct queue *queue, const struct queue_lane *lane,
                                      stet_view actor) {
    struct register_key key = {
        .kind = REGISTER_ACTOR, .lane = (struct queue_lane *)(uintptr_t)lane, .name = actor};
    return (struct queue_actor *)register_find(&queue->reg, &key);
}

/* ---- The whole --------------------------------------------------------------------------- */

stet_status queue_create(uint64_t seed, struct queue **made, stet_error *err) {
    struct queue *queue = calloc(1, sizeof *queue);
    if (queue == NULL) return error_set(err, STET_NO_MEMORY, "no memory for the queue");
    queue->seed = seed;
    queue->now = INT64_MIN;
    queue->reg.seed = seed;
    queue->lanes_end = &queue->lanes;
    *made = queue;
    return STET_OK;
}

void queue_reset(struct queue *queue) {
    register_clear(&queue->reg);
    timers_done(&queue->timers);
    *queue = (struct queue){.reg = queue->reg, .seed = queue->seed, .now = queue->now};
    queue->lanes_end = &queue->lanes;
}

void queue_destroy(struct queue *queue) {
    if (queue == NULL) return;
    queue_reset(queue);
    free(queue);
}

size_t queue_bytes(const struct queue *queue) {
    return sizeof *queue + queue->reg.bytes + queue->timers.capacity * sizeof(void *) +
           queue->entry_count * sizeof(struct queue_entry);
}

size_t queue_count(const struct queue *queue) { return queue->entry_count; }
size_t queue_urgent_running(const struct queue *queue) { return queue->urgent_running; }
struct queue_lane *queue_lanes(const struct queue *queue) {
    return queue->lanes;
}
struct queue_lane *queue_server_lanes(const struct queue *queue) {
    return queue->server_lanes;
}

/* ---- Lines, trees and the times that follow from them ------------------------------------ */

/* The lane's timer: when its first entry is to be lifted. */
static void watch_lifts(struct queue *queue, struct queue_lane *lane) {
    int64_t at = QUEUE_NEVER;
    for (unsigned level = QUEUE_LOW; level < QUEUE_HIGH; level++)
        if (lane->tree[level] != NULL && lane->tree[level]->next_lift < at)
            at = lane->tree[level]->next_lift;
    if (at != lane->timer.at) timers_set(&queue->timers, &lane->timer, at);
}

/* Whether the lane is among those with something for the server. */
static void watch_server(struct queue *queue, struct queue_lane *lane) {
    bool any = false;
    for (unsigned level = 0; lane->server != NULL && level < QUEUE_LEVELS; level++)
        any = any || lane->server->tree[level] != NULL;
    if (any == (lane->server_link != NULL)) return;
    if (any) {
        lane->server_next = queue->server_lanes;
        lane->server_link = &queue->server_lanes;
        if (lane->server_next != NULL) lane->server_next->server_link = &lane->server_next;
        queue->server_lanes = lane;
    } else {
        *lane->server_link = lane->server_next;
        if (lane->server_next != NULL) lane->server_next->server_link = lane->server_link;
        lane->server_next = NULL;
        lane->server_link = NULL;
    }
}

unsigned queue_lifted_by(const struct queue *queue, const struct queue_entry *entry) {
    unsigned own = queue_level_of(entry->class_);
    unsigned age_s = entry->lane->settings.age_s;
    if (own >= QUEUE_HIGH || age_s == 0 || queue->now <= entry->since) return 0;
    /* Unsigned: a distance of two int64_t may not fit one. */
    uint64_t waited = (uint64_t)queue->now - (uint64_t)entry->since;
    uint64_t lifts = waited / ((uint64_t)age_s * NS_PER_S);
    return lifts > QUEUE_HIGH - own ? QUEUE_HIGH - own : (unsigned)lifts;
}

/* Into the trees, at the level it has come to. */
static void plant(struct queue *queue, struct queue_entry *entry) {
    entry->lifted = (uint8_t)queue_lifted_by(queue, entry);
    entry->level = (uint8_t)(queue_level_of(entry->class_) + entry->lifted);
    order_insert(&entry->lane->tree[entry->level], ORDER_BY_LEVEL, entry);
    order_insert(&entry->line->tree[entry->level], ORDER_BY_LINE, entry);
}

static void uproot(struct queue_entry *entry) {
    order_remove(&entry->lane->tree[entry->level], ORDER_BY_LEVEL, entry);
    order_remove(&entry->line->tree[entry->level], ORDER_BY_LINE, entry);
}

/* The order of the lane has changed: all are taken out and put in again. */
static void plant_anew(struct queue *queue, struct queue_lane *lane) {
    struct queue_entry *all = NULL;
    for (unsigned level = 0; level < QUEUE_LEVELS; level++) {
        struct queue_entry *entry;
        while ((entry = order_pop_any(&lane->tree[level], ORDER_BY_LEVEL)) != NULL) {
            entry->line->tree[level] = NULL;
            entry->child[ORDER_BY_LINE][0] = all;
            all = entry;
        }
    }
    while (all != NULL) {
        struct queue_entry *entry = all;
        all = entry->child[ORDER_BY_LINE][0];
        entry->child[ORDER_BY_LINE][0] = entry->child[ORDER_BY_LINE][1] = NULL;
        plant(queue, entry);
    }
    watch_lifts(queue, lane);
}

/* ---- States ------------------------------------------------------------------------------ */

/* An actor's account of what waits for it. */
static void actor_gains(struct queue_entry *entry) {
    struct queue_actor *actor = entry->actor;
    unsigned own = queue_level_of(entry->class_);
    if (actor->in_level[own]++ == 0 || actor->last[own] < entry->tag) actor->last[own] = entry->tag;
    actor->waiting++;
}

static void actor_loses(struct queue_entry *entry) {
    assert(entry->actor->waiting > 0);
    entry->actor->in_level[queue_level_of(entry->class_)]--;
    entry->actor->waiting--;
}

static void leave_ring(struct queue_entry *entry) {
    struct queue_entry **ring = entry->child[0];
    if (ring[0] == entry) {
        entry->lane->places--;
    } else {
        ring[0]->child[0][1] = ring[1];
        ring[1]->child[0][0] = ring[0];
    }
    ring[0] = ring[1] = NULL;
}

static void join_ring(struct queue_entry *entry, struct queue_entry *mate) {
    struct queue_entry **ring = entry->child[0];
    if (mate == NULL) {
        ring[0] = ring[1] = entry;
        entry->lane->places++;
        return;
    }
    assert(mate->state == QUEUE_RUNNING);
    assert(mate->lane == entry->lane);
    ring[0] = mate;
    ring[1] = mate->child[0][1];
    ring[1]->child[0][0] = entry;
    mate->child[0][1] = entry;
}

/* Out of its state, whatever it is; the counts of the lane follow. */
static void leave(struct queue *queue, struct queue_entry *entry) {
    struct queue_lane *lane = entry->lane;
    switch ((enum queue_state)entry->state) {
    case QUEUE_OUT: return;
    case QUEUE_READY:
        uproot(entry);
        lane->ready[entry->class_]--;
        lane->ready_count--;
        break;
    case QUEUE_DELAYED:
        timers_set(&queue->timers, &entry->timer, QUEUE_NEVER);
        lane->delayed[entry->class_]--;
        lane->delayed_count--;
        break;
    case QUEUE_RUNNING:
        leave_ring(entry);
        lane->running[entry->class_]--;
        lane->running_count--;
        if (queue_level_of(entry->class_) == QUEUE_TOP) queue->urgent_running--;
        break;
    }
    if (waits(entry)) actor_loses(entry);
    entry->state = QUEUE_OUT;
}

static void enter_ready(struct queue *queue, struct queue_entry *entry) {
    entry->state = QUEUE_READY;
    plant(queue, entry);
    entry->lane->ready[entry->class_]++;
    entry->lane->ready_count++;
    actor_gains(entry);
}

static void enter_delayed(struct queue *queue, struct queue_entry *entry, int64_t not_before) {
    entry->state = QUEUE_DELAYED;
    entry->lifted = (uint8_t)queue_lifted_by(queue, entry);
    entry->level = (uint8_t)(queue_level_of(entry->class_) + entry->lifted);
    timers_set(&queue->timers, &entry->timer, not_before);
    entry->lane->delayed[entry->class_]++;
    entry->lane->delayed_count++;
    actor_gains(entry);
}

static void enter_running(struct queue *queue, struct queue_entry *entry,
                          struct queue_entry *mate) {
    unsigned own = queue_level_of(entry->class_);
    uint64_t *started = &entry->lane->started[own];
    entry->state = QUEUE_RUNNING;
    join_ring(entry, mate);
    entry->lane->running[entry->class_]++;
    entry->lane->running_count++;
    if (own == QUEUE_TOP) queue->urgent_running++;
    if (*started < entry->tag) *started = entry->tag;
}

static void enter_waiting(struct queue *queue, struct queue_entry *entry, int64_t not_before) {
    if (not_before != 0 && not_before > queue->now)
        enter_delayed(queue, entry, not_before);
    else
        enter_ready(queue, entry);
}

/* After a move: what depends on who is where. */
static void settle(struct queue *queue, struct queue_lane *lane, unsigned class_) {
    enum queue_level own = queue_level_of(class_);
    if (lane->started[own] != 0 && here(lane, own) == 0) lane->started[own] = 0;
    watch_lifts(queue, lane);
    watch_server(queue, lane);
}

/* ---- Lanes ------------------------------------------------------------------------------- */

struct queue_lane *queue_lane_find(const struct queue *queue, stet_view name) {
    struct register_key key = {.kind = REGISTER_LANE, .name = name};
    struct register_item *item = register_find(&queue->reg, &key);
    return item == NULL ? NULL : &((struct lane_item *)item)->lane;
}

stet_status queue_lane_make(struct queue *queue, stet_view name, struct queue_lane **made,
                            stet_error *err) {
    struct register_key key = {.kind = REGISTER_LANE, .name = name};
    struct register_item *item = NULL;
    stet_status status = timers_reserve(
        &queue->timers, queue->entry_count + queue->lane_count + QUEUE_RESERVED_MAX + 2, err);
    if (status == STET_OK) status = register_make(&queue->reg, &key, &item, err);
    if (status != STET_OK) return status;
    struct queue_lane *lane = &((struct lane_item *)item)->lane;
    if (lane->settings.width == 0) {
        *lane = (struct queue_lane){
            .name = item->name,
            .settings = {.width = 1, .age_s = AGE_S_DEFAULT},
            .timer = {.at = QUEUE_NEVER, .lifts = true},
            .seed = queue->seed,
        };
        *queue->lanes_end = lane;
        queue->lanes_end = &lane->next;
        queue->lane_count++;
    }
    *made = lane;
    return STET_OK;
}

void queue_lane_remove(struct queue *queue, struct queue_lane *lane) {
    assert(lane->ready_count + lane->delayed_count + lane->running_count == 0);
    struct queue_lane **link = &queue->lanes;
    while (*link != lane)
        link = &(*link)->next;
    *link = lane->next;
    if (queue->lanes_end == &lane->next) queue->lanes_end = link;
    queue->lane_count--;
    register_drop_lane(&queue->reg, lane);
}

void queue_lane_set(struct queue *queue, struct queue_lane *lane,
                    const struct queue_lane_settings *settings) {
    assert(settings->width > 0);
    bool sorts = settings->fair != lane->settings.fair || settings->age_s != lane->settings.age_s;
    lane->settings = *settings;
    if (sorts) plant_anew(queue, lane);
}

int64_t queue_lane_oldest(const struct queue_lane *lane, enum queue_level level) {
    return lane->tree[level] == NULL ? QUEUE_NEVER : lane->tree[level]->oldest;
}

size_t queue_actor_waiting(const struct queue *queue, const struct queue_lane *lane,
                           stet_view actor) {
    const struct queue_actor *found = actor_find(queue, lane, actor);
    return found == NULL ? 0 : found->waiting;
}

/* ---- Moves ------------------------------------------------------------------------------- */

stet_status queue_reserve(struct queue *queue, const struct queue_place *place, stet_error *err) {
    struct queue_lane *lane = NULL;
    struct register_item *item = NULL;
    stet_status status = queue_lane_make(queue, place->lane, &lane, err);
    if (status != STET_OK) return status;

    struct register_key line = {
        .kind = REGISTER_LINE,
        .lane = lane,
        .for_ = place->for_,
        .name = place->for_ == QUEUE_FOR_AGENT ? place->agent : VIEW(""),
    };
    status = register_make(&queue->reg, &line, &item, err);
    if (status != STET_OK) return status;
    if (place->for_ == QUEUE_FOR_ANYONE) lane->anyone = (struct queue_line *)item;
    if (place->for_ == QUEUE_FOR_SERVER) lane->server = (struct queue_line *)item;

    struct register_key actor = {.kind = REGISTER_ACTOR, .lane = lane, .name = place->actor};
    return register_make(&queue->reg, &actor, &item, err);
}

uint64_t queue_tag(const struct queue *queue, stet_view lane_name, stet_class class_,
                   stet_view actor_name) {
    const struct queue_lane *lane = queue_lane_find(queue, lane_name);
    if (lane == NULL || !lane->settings.fair) return 0;
    enum queue_level own = queue_level_of(class_);
    uint64_t tag = lane->started[own];
    uint64_t first;
    if (order_own_tag(lane->tree[own], &first) && first > tag) tag = first;
    const struct queue_actor *actor = actor_find(queue, lane, actor_name);
    if (actor != NULL && actor->in_level[own] > 0 && actor->last[own] >= tag)
        tag = actor->last[own] + 1;
    return tag;
}

static void belong(struct queue *queue, struct queue_entry *entry,
                   const struct queue_place *place) {
    assert(entry->state == QUEUE_OUT);
    struct queue_lane *lane = queue_lane_find(queue, place->lane);
    assert(lane != NULL);
    *entry = (struct queue_entry){
        .lane = lane,
        .line = queue_line_find(queue, lane, place->for_, place->agent),
        .actor = actor_find(queue, lane, place->actor),
        .batch_key = place->batch_key,
        .turn = place->turn,
        .tag = place->tag,
        .since = place->since,
        .timer = {.at = QUEUE_NEVER},
        .class_ =
            (uint8_t)(place->class_ == STET_CLASS_DEFAULT ? STET_CLASS_NORMAL : place->class_),
    };
    assert(entry->line != NULL);
    assert(entry->actor != NULL);
    register_use(&queue->reg, &entry->line->item);
    register_use(&queue->reg, &entry->actor->item);
    queue->entry_count++;
}

void queue_insert(struct queue *queue, struct queue_entry *entry, const struct queue_place *place,
                  int64_t not_before) {
    belong(queue, entry, place);
    enter_waiting(queue, entry, not_before);
    settle(queue, entry->lane, entry->class_);
}

void queue_insert_running(struct queue *queue, struct queue_entry *entry,
                          const struct queue_place *place, struct queue_entry *mate) {
    belong(queue, entry, place);
    enter_running(queue, entry, mate);
}

void queue_delay(struct queue *queue, struct queue_entry *entry, int64_t not_before) {
    assert(waits(entry));
    leave(queue, entry);
    enter_waiting(queue, entry, not_before);
    settle(queue, entry->lane, entry->class_);
}

void queue_reclass(struct queue *queue, struct queue_entry *entry, stet_class class_,
                   uint64_t tag) {
    enum queue_state state = (enum queue_state)entry->state;
    unsigned old = entry->class_;
    int64_t not_before = entry->timer.at;
    struct queue_entry *mate = entry->child[0][0];
    if (mate == entry) mate = NULL;
    leave(queue, entry);
    entry->class_ = (uint8_t)(class_ == STET_CLASS_DEFAULT ? STET_CLASS_NORMAL : class_);
    entry->tag = tag;
    switch (state) {
    case QUEUE_OUT: break;
    case QUEUE_READY: enter_ready(queue, entry); break;
    case QUEUE_DELAYED: enter_delayed(queue, entry, not_before); break;
    case QUEUE_RUNNING: enter_running(queue, entry, mate); break;
    }
    settle(queue, entry->lane, old);
}

void queue_start(struct queue *queue, struct queue_entry *entry, struct queue_entry *mate) {
    assert(entry->state == QUEUE_READY);
    leave(queue, entry);
    enter_running(queue, entry, mate);
    settle(queue, entry->lane, entry->class_);
}

void queue_return(struct queue *queue, struct queue_entry *entry, int64_t not_before) {
    assert(entry->state == QUEUE_RUNNING);
    leave(queue, entry);
    enter_waiting(queue, entry, not_before);
    settle(queue, entry->lane, entry->class_);
}

void queue_remove(struct queue *queue, struct queue_entry *entry) {
    if (entry->state == QUEUE_OUT) return;
    leave(queue, entry);
    register_unuse(&queue->reg, &entry->line->item);
    register_unuse(&queue->reg, &entry->actor->item);
    queue->entry_count--;
    settle(queue, entry->lane, entry->class_);
}

/* Lifts all of a lane that have waited long enough. */
static void lift(struct queue *queue, struct queue_lane *lane) {
    for (unsigned level = QUEUE_LOW; level < QUEUE_HIGH; level++) {
        struct queue_entry *entry;
        while ((entry = order_due(lane->tree[level], queue->now)) != NULL) {
            uproot(entry);
            plant(queue, entry);
            assert(entry->level > level);
        }
    }
    watch_lifts(queue, lane);
}

void queue_tick(struct queue *queue, int64_t now, queue_ready_fn *ready, void *context) {
    if (now > queue->now) queue->now = now;
    struct queue_timer *timer;
    while ((timer = timers_first(&queue->timers)) != NULL && timer->at <= queue->now) {
        if (timer->lifts) {
            lift(queue, (struct queue_lane *)((char *)timer - offsetof(struct queue_lane, timer)));
            continue;
        }
        struct queue_entry *entry =
            (struct queue_entry *)((char *)timer - offsetof(struct queue_entry, timer));
        leave(queue, entry);
        enter_ready(queue, entry);
        settle(queue, entry->lane, entry->class_);
        if (ready != NULL) ready(context, entry);
    }
}

int64_t queue_next_tick(const struct queue *queue) {
    const struct queue_timer *timer = timers_first(&queue->timers);
    return timer == NULL ? QUEUE_NEVER : timer->at;
}
