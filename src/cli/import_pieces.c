#include "cli/import_pieces.h"

#include "base/error.h"

#include <assert.h>
#include <pthread.h>
#include <stdlib.h>

enum slot_state { SLOT_FREE, SLOT_FILLED, SLOT_DONE, SLOT_OVER };

/*
 *   FREE ──pieces_send──▶ FILLED ──its thread──▶ DONE ──the caller takes the answer──▶ FREE
 *
 * One slot more than threads send at once is filled meanwhile; a slot's thread waits for its turn when fewer may send.
 */
struct slot {
    struct pieces *pieces;
    pthread_t thread;
    bool started;
    enum slot_state state; /* Under the lock. */
    struct peer *peer;
    struct arena arena;
    struct piece piece;
    struct piece_answer answer;
};

struct pieces {
    pthread_mutex_t lock;
    pthread_cond_t moved;
    const char *path;
    unsigned width; /* How many are sent at once. */
    unsigned sending;
    uint64_t next_turn; /* With width 1: the number of the piece that is sent next. */
    bool (*take)(void *context, struct piece_answer *answer);
    void *context;
    bool refused;  /* take said false. */
    uint64_t sent; /* Pieces, from the beginning. */
    uint64_t taken;
    unsigned slot_count;
    struct slot slots[PIECES_WIDTH_MAX + 1];
};

static void piece_post(struct slot *slot) {
    struct call call = {.method = "POST",
                        .path = slot->pieces->path,
                        .content_type = "application/x-ndjson",
                        .body = buffer_view(&slot->piece.text),
                        .repeatable = true};
    slot->answer = (struct piece_answer){.piece = &slot->piece, .arena = &slot->arena};
    slot->answer.status =
        peer_call(slot->peer, &call, &slot->arena, &slot->answer.answer, &slot->answer.err);
}

static void *slot_run(void *context) {
    struct slot *slot = context;
    struct pieces *pieces = slot->pieces;
    pthread_mutex_lock(&pieces->lock);
    for (uint64_t turn = (uint64_t)(slot - pieces->slots);; turn += pieces->slot_count) {
        while (slot->state != SLOT_OVER &&
               (slot->state != SLOT_FILLED || turn != pieces->next_turn ||
                pieces->sending >= pieces->width))
            pthread_cond_wait(&pieces->moved, &pieces->lock);
        if (slot->state == SLOT_OVER) break;
        pieces->sending += 1;
        pieces->next_turn += 1; /* They begin in their order; with width 1 they end in it, too. */
        pthread_cond_broadcast(&pieces->moved);
        pthread_mutex_unlock(&pieces->lock);
        piece_post(slot);
        pthread_mutex_lock(&pieces->lock);
        pieces->sending -= 1;
        if (slot->state != SLOT_OVER) slot->state = SLOT_DONE;
        pthread_cond_broadcast(&pieces->moved);
    }
    pthread_mutex_unlock(&pieces->lock);
    return NULL;
}

stet_status pieces_open(const struct peer *peer, const char *path, unsigned width, bool ahead,
                        bool (*take)(void *context, struct piece_answer *answer), void *context,
                        struct pieces **out, stet_error *err) {
    struct pieces *pieces = calloc(1, sizeof *pieces);
    stet_status status = STET_OK;
    assert(width >= 1 && width <= PIECES_WIDTH_MAX);
    if (pieces == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    pieces->path = path;
    pieces->width = width;
    pieces->take = take;
    pieces->context = context;
    pieces->slot_count = ahead ? width + 1 : width;
    pthread_mutex_init(&pieces->lock, NULL);
    pthread_cond_init(&pieces->moved, NULL);
    for (unsigned i = 0; i < pieces->slot_count; i++) {
        struct slot *slot = &pieces->slots[i];
        slot->pieces = pieces;
        arena_init(&slot->arena, 64 * 1024);
        buffer_init(&slot->piece.text, NULL, 0);
    }
    for (unsigned i = 0; status == STET_OK && i < pieces->slot_count; i++) {
        struct slot *slot = &pieces->slots[i];
        status = peer_share(peer, &slot->peer, err);
        if (status != STET_OK) break;
        slot->started = pthread_create(&slot->thread, NULL, slot_run, slot) == 0;
        if (!slot->started) status = error_set(err, STET_NO_MEMORY, "could not start a thread");
    }
    if (status != STET_OK) {
        pieces_close(pieces);
        return status;
    }
    *out = pieces;
    return STET_OK;
}

/* Waits for the oldest answer that was not taken, and gives it out. */
static void answer_take(struct pieces *pieces) {
    struct slot *slot = &pieces->slots[pieces->taken % pieces->slot_count];
    pthread_mutex_lock(&pieces->lock);
    while (slot->state != SLOT_DONE)
        pthread_cond_wait(&pieces->moved, &pieces->lock);
    pthread_mutex_unlock(&pieces->lock);
    pieces->taken += 1;
    if (!pieces->take(pieces->context, &slot->answer)) pieces->refused = true;
    arena_reset(&slot->arena);
    buffer_reset(&slot->piece.text);
    slot->piece.lines = slot->piece.refused = 0;
    pthread_mutex_lock(&pieces->lock);
    slot->state = SLOT_FREE;
    pthread_mutex_unlock(&pieces->lock);
}

struct piece *pieces_next(struct pieces *pieces) {
    while (!pieces->refused && pieces->sent - pieces->taken >= pieces->slot_count)
        answer_take(pieces);
    if (pieces->refused) return NULL;
    return &pieces->slots[pieces->sent % pieces->slot_count].piece;
}

void pieces_send(struct pieces *pieces) {
    struct slot *slot = &pieces->slots[pieces->sent % pieces->slot_count];
    pthread_mutex_lock(&pieces->lock);
    assert(slot->state == SLOT_FREE);
    slot->state = SLOT_FILLED;
    pieces->sent += 1;
    pthread_cond_broadcast(&pieces->moved);
    pthread_mutex_unlock(&pieces->lock);
}

void pieces_finish(struct pieces *pieces) {
    while (!pieces->refused && pieces->taken < pieces->sent)
        answer_take(pieces);
}

void pieces_close(struct pieces *pieces) {
    if (pieces == NULL) return;
    pthread_mutex_lock(&pieces->lock);
    for (unsigned i = 0; i < pieces->slot_count; i++)
        pieces->slots[i].state = SLOT_OVER;
    pthread_cond_broadcast(&pieces->moved);
    pthread_mutex_unlock(&pieces->lock);
    for (unsigned i = 0; i < pieces->slot_count; i++) {
        struct slot *slot = &pieces->slots[i];
        if (slot->started) pthread_join(slot->thread, NULL);
        peer_close(slot->peer);
        buffer_done(&slot->piece.text);
        arena_done(&slot->arena);
    }
    pthread_cond_destroy(&pieces->moved);
    pthread_mutex_destroy(&pieces->lock);
    free(pieces);
}
