#include "http/places.h"

#include "base/error.h"
#include "base/view.h"
#include "http/body.h"
#include "http/request.h"

#include <assert.h>
#include <stdlib.h>

struct places {
    struct waiter waiter; /* First: the context of the command. */
    struct loop *loop;
    stet_space *space;
    stet_command *command; /* Under way; NULL: none. */
    struct timer timer;
    int64_t asked_ms;   /* When last. */
    struct buffer text; /* The event's data. */
    uint64_t told;      /* What it says, in short. */
    bool taken;         /* There is none, or it was sent. */
    bool wanted;        /* Something happened while the command was under way. */
    bool dead;          /* Freed when the command comes back. */
    void (*changed)(void *context);
    void *context;
    struct arena arena; /* Holds what follows. */
    stet_actor actor;
    stet_view *ids;
    size_t count;
};

static void places_fire(struct timer *timer);

static void places_free(struct places *places) {
    timer_cancel(&places->loop->wheel, &places->timer);
    stet_command_destroy(places->command);
    stet_space_close(places->space);
    buffer_done(&places->text);
    arena_done(&places->arena);
    free(places);
}

static bool copy_options(struct places *places, const struct places_options *options) {
    struct arena *arena = &places->arena;
    if (!actor_keep(arena, &options->actor, &places->actor)) return false;
    places->ids = arena_alloc(arena, options->count * sizeof *places->ids);
    if (places->ids == NULL) return false;
    for (size_t i = 0; i < options->count; i++) {
        places->ids[i] = arena_copy(arena, options->ids[i]);
        if (places->ids[i].bytes == NULL) return false;
    }
    places->count = options->count;
    return true;
}

stet_status places_create(struct loop *loop, const struct places_options *options,
                          struct places **out, stet_error *err) {
    struct places *places = calloc(1, sizeof *places);
    if (places == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    assert(options->count > 0);
    places->loop = loop;
    places->timer.fire = places_fire;
    places->taken = true;
    places->changed = options->changed;
    places->context = options->context;
    arena_init(&places->arena, 512);
    buffer_init(&places->text, NULL, 0);
    stet_status status = copy_options(places, options)
                             ? stet_space_open(loop->client, options->space, &places->space, err)
                             : error_set(err, STET_NO_MEMORY, "out of memory");
    if (status != STET_OK) {
        places->space = NULL;
        places_free(places);
        return status;
    }
    places->asked_ms = loop->now_ms - loop->server->options.places_ms;
    *out = places;
    return STET_OK;
}

void places_destroy(struct places *places) {
    if (places == NULL) return;
    timer_cancel(&places->loop->wheel, &places->timer);
    places->dead = true;
    if (places->command == NULL) places_free(places);
}

/* ---- Asking ------------------------------------------------------------------------------ */

static void ask_later(struct places *places) {
    if (!timer_is_set(&places->timer))
        timer_set(&places->loop->wheel, &places->timer,
                  places->asked_ms + places->loop->server->options.places_ms);
}

void places_wake(struct places *places) {
    places->told = 0;
    if (places->command != NULL) {
        places->wanted = true;
    } else {
        ask_later(places);
    }
}

/* Whether one of them has a place, which may change. */
static bool any_waits(const struct doc *doc, doc_node operations) {
    for (doc_node one = doc_first(doc, operations); one != DOC_NONE; one = doc_next(doc, one))
        if (doc_member(doc, one, VIEW("position")) != DOC_NONE) return true;
    return false;
}

/* What is worth an event when it changes: all but what time alone moves. */
static uint64_t digest(const struct doc *doc, doc_node operations) {
    uint64_t hash = 0;
    for (doc_node one = doc_first(doc, operations); one != DOC_NONE; one = doc_next(doc, one)) {
        for (doc_node member = doc_first(doc, one); member != DOC_NONE;
             member = doc_next(doc, member)) {
            stet_view key = doc_key_raw(doc, member);
            if (view_equal(key, VIEW("estimated_completion")) ||
                view_equal(key, VIEW("no_worker_for_s")))
                continue;
            hash = view_hash(doc_text(doc, member), view_hash(key, hash));
        }
    }
    return hash;
}

/* False: memory is out; it is told the next time. */
static bool write_event(struct places *places, stet_view operations) {
    buffer_reset(&places->text);
    buffer_append_text(&places->text, "{\"operations\":");
    buffer_append_view(&places->text, operations);
    buffer_append_char(&places->text, '}');
    if (buffer_status(&places->text) == STET_OK) return true;
    buffer_done(&places->text);
    buffer_init(&places->text, NULL, 0);
    return false;
}

/* Whether to ask again. */
static bool read_answer(struct places *places) {
    const stet_outcome *outcome = stet_command_outcome(places->command);
    struct arena arena;
    struct doc doc;
    bool again = true;
    arena_init(&arena, 1024);
    if (outcome->status == STET_OK &&
        doc_parse(&arena, outcome->body, &body_limits, &doc, NULL) == STET_OK) {
        doc_node operations = doc_member(&doc, 0, VIEW("operations"));
        uint64_t said = operations == DOC_NONE ? 0 : digest(&doc, operations);
        again = operations != DOC_NONE && any_waits(&doc, operations);
        if (operations != DOC_NONE && said != places->told) {
            if (write_event(places, doc_text(&doc, operations))) {
                places->told = said;
                places->taken = false;
            } else {
                again = true;
            }
        }
    }
    arena_done(&arena);
    return again;
}

static void places_answered(struct waiter *waiter, stet_command *command) {
    struct places *places = (struct places *)waiter;
    (void)command;
    places->loop->commands--;
    bool again = !places->dead && read_answer(places);
    stet_command_destroy(places->command);
    places->command = NULL;
    if (places->dead) {
        places_free(places);
        return;
    }
    if (places->wanted) places->told = 0;
    again = again || places->wanted;
    places->wanted = false;
    if (again && !places->loop->stopping) ask_later(places);
    if (!places->taken) places->changed(places->context);
}

static void places_fire(struct timer *timer) {
    struct places *places = (struct places *)((char *)timer - offsetof(struct places, timer));
    places->asked_ms = places->loop->now_ms;
    places->command = stet_command_create(places->loop->client);
    if (places->command != NULL) {
        places->waiter.done = places_answered;
        stet_status status =
            stet_command_queue_status(places->command, places->ids, places->count, NULL);
        if (status == STET_OK)
            status =
                stet_submit(places->space, &places->actor, places->command, &places->waiter, NULL);
        if (status == STET_OK) {
            places->loop->commands++;
            if (stet_command_is_done(places->command))
                places_answered(&places->waiter, places->command);
            return;
        }
        stet_command_destroy(places->command);
        places->command = NULL;
    }
    ask_later(places); /* Too much is waiting now. */
}

/* ---- Telling ----------------------------------------------------------------------------- */

bool places_take(struct places *places, stet_view *data) {
    if (places == NULL || places->taken) return false;
    places->taken = true;
    *data = buffer_view(&places->text);
    return true;
}

void places_again(struct places *places) {
    if (places != NULL && places->text.size > 0) places->taken = false;
}
