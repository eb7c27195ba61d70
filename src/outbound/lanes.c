/*
 * Deliveries, lane by lane. A lane gives out one at a time, and while its head waits for a retry nothing else is taken from it: that keeps
 * the order. The queue itself would let the next one pass, so the head is asked for before anything is claimed.
 */
#include "base/error.h"
#include "base/view.h"
#include "core/submit.h"
#include "doc/write.h"
#include "outbound/delivery.h"
#include "outbound/internal.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

enum {
    AGAIN_MS = 200, /* After the head was not what was expected. */
    ERROR_BYTES = 512,
};

static int64_t now_of(const struct outbound *outbound) {
    return clock_monotonic_ns(outbound->engine->clock);
}

static bool takes_place(const struct lane *lane) {
    return lane->step != LANE_ASKING && lane->step != LANE_WAITING;
}

void lane_set_step(struct outbound *outbound, struct lane *lane, enum lane_step step) {
    if (takes_place(lane)) outbound->under_way--;
    lane->step = step;
    if (takes_place(lane)) outbound->under_way++;
}

void lane_wait(struct outbound *outbound, struct lane *lane, int64_t ms) {
    lane_set_step(outbound, lane, LANE_WAITING);
    lane->asks = true;
    lane->until = now_of(outbound) + ms * CLOCK_NS_PER_MS;
}

/* ---- Lanes and spaces ----------------------------------------------------------------------- */

static struct lane *find_lane(const struct outlet *outlet, stet_view name) {
    struct lane *lane = outlet->lanes;
    while (lane != NULL && !view_equal(view_of(lane->name), name))
        lane = lane->next;
    return lane;
}

void lane_drop_delivery(struct outbound *outbound, struct lane *lane) {
    struct delivery *delivery = lane->delivery;
    if (delivery == NULL) return;
    if (delivery->post.under_way) posts_end(&outbound->posts, &delivery->post);
    arena_done(&delivery->arena);
    free(delivery);
    lane->delivery = NULL;
}

static void remove_lane(struct outbound *outbound, struct lane *lane) {
    struct lane **slot = &lane->outlet->lanes;
    while (*slot != lane)
        slot = &(*slot)->next;
    *slot = lane->next;
    assert(!lane->telling);
    if (takes_place(lane)) outbound->under_way--;
    lane_drop_delivery(outbound, lane);
    free(lane);
}

static void remove_unused(struct outbound *outbound) {
    struct outlet **slot = &outbound->outlets;
    while (*slot != NULL) {
        struct outlet *outlet = *slot;
        if (outlet->lanes != NULL || outlet->errands > 0 || outlet->look) {
            slot = &outlet->next;
            continue;
        }
        *slot = outlet->next;
        space_unref(outlet->space);
        free(outlet);
    }
}

void lanes_wish(struct outbound *outbound, struct space *space) {
    struct outlet *outlet = outbound->outlets;
    while (outlet != NULL && outlet->space != space)
        outlet = outlet->next;
    if (outlet != NULL) {
        outlet->look = true;
        space_unref(space);
        return;
    }
    outlet = calloc(1, sizeof *outlet);
    if (outlet == NULL) {
        engine_report(outbound->engine, STET_REPORT_ERROR,
                      "space \"%s\": webhooks wait for want of memory", space->name);
        space_unref(space);
        return;
    }
    outlet->space = space;
    outlet->look = true;
    outlet->next = outbound->outlets;
    outbound->outlets = outlet;
}

/* ---- What was answered from outside --------------------------------------------------------- */

void lanes_posted(struct outbound *outbound, struct post *post) {
    struct delivery *delivery = (struct delivery *)((char *)post - offsetof(struct delivery, post));
    struct lane *lane = NULL;
    for (struct outlet *outlet = outbound->outlets; outlet != NULL && lane == NULL;
         outlet = outlet->next)
        for (lane = outlet->lanes; lane != NULL && lane->delivery != delivery;)
            lane = lane->next;
    assert(lane != NULL && lane->step == LANE_POSTING);
    atomic_fetch_sub_explicit(&outbound->running, 1, memory_order_relaxed);
    char why[ERROR_BYTES];
    if (delivery->lost) {
        lane_drop_delivery(outbound, lane);
        lane_wait(outbound, lane, 0);
    } else if (post->status >= 200 && post->status < 300) {
        errand_complete(outbound, lane);
    } else if (post->status == 0) {
        snprintf(why, sizeof why, "no answer: %s", post->error);
        errand_fail(outbound, lane, ENDING_RETRIED, view_of(why));
    } else {
        stet_view text = post_text(post);
        /* Beside the words there is room for that much; a character that is cut goes with it. */
        if (text.size > ERROR_BYTES - 64) text.size = ERROR_BYTES - 64;
        while (text.size > 0 && !view_is_utf8(text))
            text.size--;
        int size = snprintf(why, sizeof why, "answered %ld%s%.*s", post->status,
                            text.size > 0 ? ": " : "", VIEW_ARG(text));
        errand_fail(outbound, lane, ENDING_RETRIED, view_make(why, (size_t)size));
    }
}

/* ---- What commands answer ------------------------------------------------------------------- */

/* The body of an answer, parsed; false: there is none. */
static bool parse_outcome(struct stet_command *command, struct doc *doc) {
    command_render(command);
    return command->outcome.status == STET_OK &&
           doc_parse(&command->arena, command->outcome.body, NULL, doc, NULL) == STET_OK;
}

static uint64_t number_of(const struct doc *doc, doc_node object, const char *name) {
    doc_node node = object == DOC_NONE ? DOC_NONE : doc_member(doc, object, view_of(name));
    uint64_t value = 0;
    if (node != DOC_NONE) doc_u64(doc, node, &value);
    return value;
}

static stet_view text_of(struct arena *arena, const struct doc *doc, doc_node object,
                         const char *name) {
    doc_node node = object == DOC_NONE ? DOC_NONE : doc_member(doc, object, view_of(name));
    stet_view text = {0};
    if (node != DOC_NONE && doc_string(arena, doc, node, &text) != STET_OK) text = (stet_view){0};
    return text;
}

static bool has_work(const struct doc *doc, doc_node lane) {
    doc_node queued = doc_member(doc, lane, VIEW("queued"));
    uint64_t count = number_of(doc, lane, "delayed") + number_of(doc, lane, "running");
    for (doc_node one = queued == DOC_NONE ? DOC_NONE : doc_first(doc, queued); one != DOC_NONE;
         one = doc_next(doc, one)) {
        uint64_t more = 0;
        if (doc_u64(doc, one, &more)) count += more;
    }
    return count > 0;
}

static void add_lane(struct outbound *outbound, struct outlet *outlet, stet_view name) {
    struct lane *lane = find_lane(outlet, name);
    if (lane != NULL) {
        lane->again = true;
        return;
    }
    lane = name.size > LANE_BYTES_MAX ? NULL : calloc(1, sizeof *lane);
    if (lane == NULL) {
        outlet->look = true;
        outlet->look_at = now_of(outbound) + TROUBLE_MS * CLOCK_NS_PER_MS;
        return;
    }
    memcpy(lane->name, name.bytes, name.size);
    lane->outlet = outlet;
    lane->next = outlet->lanes;
    outlet->lanes = lane;
    lane->step = LANE_WAITING;
    lane->fresh = true;
    errand_ask(outbound, lane);
}

static void looked(struct outbound *outbound, struct outlet *outlet, struct stet_command *command) {
    struct doc doc;
    outlet->looking = false;
    if (!parse_outcome(command, &doc)) return;
    doc_node lanes = doc_member(&doc, 0, VIEW("lanes"));
    for (doc_node one = lanes == DOC_NONE ? DOC_NONE : doc_first(&doc, lanes); one != DOC_NONE;
         one = doc_next(&doc, one)) {
        stet_view name = text_of(&command->arena, &doc, one, "id");
        if (view_starts(name, WEBHOOK_LANE_PREFIX) && has_work(&doc, one))
            add_lane(outbound, outlet, name);
    }
}

/* A lane whose space is gone, or whose server stops, is nobody's any more. */
static bool is_over(stet_status status) {
    return status == STET_NOT_FOUND || status == STET_SHUTTING_DOWN;
}

/* A number that the queue keeps to itself, in an operation's record; 0: it is not there. */
static uint64_t private_number(struct outbound *outbound, struct space *space, struct arena *arena,
                               stet_view id, const char *name) {
    struct change *head = NULL;
    struct doc doc;
    uint64_t value = 0;
    if (client_head(outbound->client, space, VIEW("stet.operation"), id, &head, NULL) != STET_OK)
        return 0;
    if (doc_parse(arena, head->row.data, NULL, &doc, NULL) == STET_OK)
        value = number_of(&doc, 0, name);
    change_unref(head);
    return value;
}

static void asked(struct outbound *outbound, struct lane *lane, struct stet_command *command) {
    struct doc doc;
    if (!parse_outcome(command, &doc)) {
        if (is_over(command->outcome.status)) {
            remove_lane(outbound, lane);
        } else {
            lane_wait(outbound, lane, TROUBLE_MS);
        }
        return;
    }
    doc_node list = doc_member(&doc, 0, VIEW("operations"));
    doc_node first = list == DOC_NONE ? DOC_NONE : doc_first(&doc, list);
    stet_view id = text_of(&command->arena, &doc, first, "id");
    bool found = id.size > 0 && id.size <= sizeof lane->head_bytes;
    lane->head = lane->asked_to = (stet_view){0};
    lane_wait(outbound, lane, 0);
    stet_view next = text_of(&command->arena, &doc, 0, "next");
    if (!found && next.size > 0 && next.size <= sizeof lane->head_bytes) {
        /* The page was empty because many others stand before what was asked for. */
        memcpy(lane->head_bytes, next.bytes, next.size);
        lane->asked_to = view_make(lane->head_bytes, next.size);
        errand_ask(outbound, lane);
        return;
    }
    if (lane->fresh) {
        lane->fresh = false;
        if (!found) return;
        errand_give_back(
            outbound, lane, id,
            private_number(outbound, lane->outlet->space, &command->arena, id, "_token"));
        return;
    }
    lane->asks = false;
    if (!found) return;
    memcpy(lane->head_bytes, id.bytes, id.size);
    lane->head = view_make(lane->head_bytes, id.size);
    int64_t after =
        (int64_t)private_number(outbound, lane->outlet->space, &command->arena, id, "_after");
    int64_t left = after - clock_wall_ns(outbound->engine->clock);
    if (left > 0) lane->until = now_of(outbound) + left;
}

static void begin_post(struct outbound *outbound, struct lane *lane, const struct doc *doc,
                       doc_node node) {
    struct delivery *delivery = lane->delivery;
    struct post_request request;
    stet_error err = {0};
    int64_t seconds = clock_wall_ns(outbound->engine->clock) / CLOCK_NS_PER_S;
    stet_status status = delivery_compose(outbound->client, lane->outlet->space, &delivery->arena,
                                          doc, node, seconds, &request, &err);
    if (status == STET_OK) status = posts_begin(&outbound->posts, &delivery->post, &request, &err);
    if (status == STET_OK) {
        lane_set_step(outbound, lane, LANE_POSTING);
        atomic_fetch_add_explicit(&outbound->running, 1, memory_order_relaxed);
        return;
    }
    if (status == STET_UNAVAILABLE && !atomic_exchange(&outbound->warned, true))
        engine_report(outbound->engine, STET_REPORT_ERROR, "webhooks cannot be posted: %s",
                      err.message);
    errand_fail(outbound, lane, status == STET_NOT_FOUND ? ENDING_GIVEN_UP : ENDING_RETRIED,
                view_of(err.message));
}

static void claimed(struct outbound *outbound, struct lane *lane, struct stet_command *command) {
    struct doc doc;
    bool fine = parse_outcome(command, &doc);
    lane->claim = NULL;
    doc_node list = fine ? doc_member(&doc, 0, VIEW("operations")) : DOC_NONE;
    doc_node first = list == DOC_NONE ? DOC_NONE : doc_first(&doc, list);
    if (first == DOC_NONE) {
        /* A head that waited may be ready a little later than it said. */
        bool done = fine ? !lane->again && lane->head.size == 0 : is_over(command->outcome.status);
        if (done) {
            remove_lane(outbound, lane);
        } else {
            lane_wait(outbound, lane, fine ? 0 : TROUBLE_MS);
        }
        return;
    }
    struct delivery *delivery = calloc(1, sizeof *delivery);
    if (delivery == NULL) {
        lane_wait(outbound, lane, TROUBLE_MS);
        return;
    }
    lane->delivery = delivery;
    /* The answer outlives its command. */
    struct doc kept;
    arena_init(&delivery->arena, 8192);
    stet_view text = arena_copy(&delivery->arena, command->outcome.body);
    if (text.bytes == NULL || doc_parse(&delivery->arena, text, NULL, &kept, NULL) != STET_OK) {
        lane_drop_delivery(outbound, lane);
        lane_wait(outbound, lane, TROUBLE_MS);
        return;
    }
    doc_node node = doc_first(&kept, doc_member(&kept, 0, VIEW("operations")));
    delivery->id = text_of(&delivery->arena, &kept, node, "id");
    delivery->lease = number_of(&kept, doc_member(&kept, node, VIEW("lease")), "token");
    delivery->retries = number_of(&kept, node, "retries");
    delivery->told_at = now_of(outbound);
    bool expected = lane->head.size == 0 || view_equal(lane->head, delivery->id);
    lane->head = (stet_view){0};
    if (expected) {
        begin_post(outbound, lane, &kept, node);
    } else {
        errand_fail(outbound, lane, ENDING_RELEASED, (stet_view){0});
    }
}

static void told(struct outbound *outbound, struct lane *lane, struct stet_command *command) {
    struct doc doc;
    struct delivery *delivery = lane->delivery;
    bool fine = parse_outcome(command, &doc), cancel = false;
    stet_status status = command->outcome.status;
    (void)outbound;
    lane->telling = false;
    if (delivery == NULL) return;
    doc_node node = fine ? doc_member(&doc, 0, VIEW("cancel")) : DOC_NONE;
    if (node != DOC_NONE) doc_bool(&doc, node, &cancel);
    if (status == STET_LEASE_LOST || status == STET_OPERATION_FINISHED || is_over(status))
        delivery->lost = true;
    if (cancel) delivery->lost = true;
}

static void ended(struct outbound *outbound, struct lane *lane, const struct errand *errand,
                  struct stet_command *command) {
    command_render(command);
    lane_drop_delivery(outbound, lane);
    if (command->outcome.status == STET_SHUTTING_DOWN) {
        remove_lane(outbound, lane);
    } else if (command->outcome.status != STET_OK) {
        lane_wait(outbound, lane, TROUBLE_MS);
    } else if (errand->released || errand->failed) {
        lane_wait(outbound, lane, errand->released ? AGAIN_MS : 0);
    } else {
        /* The next; nothing of this lane waits for a retry. */
        lane_wait(outbound, lane, 0);
        lane->asks = false;
    }
}

void lanes_complete(struct outbound *outbound, struct stet_command *command) {
    struct errand *errand = command->context;
    struct lane *lane = errand->lane;
    errand->outlet->errands--;
    switch (errand->kind) {
    case ERRAND_LOOK: looked(outbound, errand->outlet, command); break;
    case ERRAND_ASK: asked(outbound, lane, command); break;
    case ERRAND_CLAIM: claimed(outbound, lane, command); break;
    case ERRAND_TELL: told(outbound, lane, command); break;
    case ERRAND_END: ended(outbound, lane, errand, command); break;
    }
    command_destroy(command);
}

/* ---- Going on ------------------------------------------------------------------------------- */

/* Returns when it is to be looked at again, at the latest. */
static int64_t advance_lane(struct outbound *outbound, struct lane *lane, int64_t now) {
    struct delivery *delivery = lane->delivery;
    if (lane->step == LANE_WAITING) {
        if (lane->until > now) return lane->until;
        if (lane->asks) {
            errand_ask(outbound, lane);
        } else if (outbound->under_way < WEBHOOK_RUNNING_MAX) {
            errand_claim(outbound, lane);
        }
        return lane->step == LANE_WAITING && lane->until > now ? lane->until : INT64_MAX;
    }
    if (lane->step != LANE_POSTING) return INT64_MAX;
    if (delivery->lost && delivery->post.under_way && !lane->telling) {
        posts_end(&outbound->posts, &delivery->post);
        atomic_fetch_sub_explicit(&outbound->running, 1, memory_order_relaxed);
        lane_drop_delivery(outbound, lane);
        lane_wait(outbound, lane, 0);
        return now;
    }
    int64_t next = delivery->told_at + TELL_MS * CLOCK_NS_PER_MS;
    if (next > now || lane->telling) return next;
    errand_tell(outbound, lane);
    return now + TELL_MS * CLOCK_NS_PER_MS;
}

int64_t lanes_advance(struct outbound *outbound) {
    int64_t now = now_of(outbound), next = INT64_MAX;
    for (struct outlet *outlet = outbound->outlets; outlet != NULL; outlet = outlet->next) {
        if (outlet->look && !outlet->looking && outlet->look_at <= now)
            errand_look(outbound, outlet);
        if (outlet->look && !outlet->looking && outlet->look_at < next) next = outlet->look_at;
        for (struct lane *lane = outlet->lanes, *after; lane != NULL; lane = after) {
            after = lane->next;
            int64_t at = advance_lane(outbound, lane, now);
            if (at < next) next = at;
        }
    }
    remove_unused(outbound);
    return next;
}

bool lanes_stop(struct outbound *outbound) {
    for (struct outlet *outlet = outbound->outlets; outlet != NULL; outlet = outlet->next) {
        outlet->look = false;
        for (struct lane *lane = outlet->lanes, *after; lane != NULL; lane = after) {
            after = lane->next;
            if (lane->step == LANE_CLAIMING) {
                command_cancel(lane->claim);
            } else if (lane->step == LANE_WAITING && !lane->telling) {
                remove_lane(outbound, lane);
            } else if (lane->step == LANE_POSTING && !lane->telling) {
                if (lane->delivery->post.under_way)
                    posts_end(&outbound->posts, &lane->delivery->post);
                errand_fail(outbound, lane, ENDING_RELEASED, (stet_view){0});
            }
        }
    }
    remove_unused(outbound);
    return outbound->outlets == NULL;
}
