/*
 * Following the feed. A turn reads some changes behind the one that the slowest handler has come to, for all handlers at once; what
 * they are to react to, and how far each has come, is one transaction. So a reaction is queued exactly once for each handler and
 * change, whatever happens in between: either both are stored or neither. Where a handler has come to without anything to react
 * to is memory, noted down once in HANDLER_NOTE_CHANGES: after a restart those changes are only looked at again.
 */
#include "base/error.h"
#include "base/uuid.h"
#include "base/view.h"
#include "doc/write.h"
#include "modules/handlers/internal.h"

#include <sodium.h>
#include <stdio.h>

enum { HISTORY_CHUNK = 64 };

static stet_status no_memory(stet_error *err) {
    return error_set(err, STET_NO_MEMORY, "out of memory for a handler");
}

/* ---- On a worker: who follows ------------------------------------------------------------ */

/* The seq of the change by which the record that lives now was created. */
static stet_status find_birth(struct stet_command *command, struct store_reader *reader,
                              const struct store_head *head, uint64_t *born, stet_error *err) {
    struct store_change *changes = arena_zalloc(&command->arena, HISTORY_CHUNK, sizeof *changes);
    uint64_t before = 0;
    size_t count;
    if (changes == NULL) return no_memory(err);
    *born = head->first;
    do {
        stet_status status = store_history(reader, &command->arena, head, before, HISTORY_CHUNK,
                                           false, changes, &count, err);
        if (status != STET_OK) return status;
        for (size_t i = 0; i < count; i++) {
            *born = changes[i].seq;
            if (changes[i].op == STORE_CREATE) return STET_OK;
            before = changes[i].version;
        }
    } while (count == HISTORY_CHUNK);
    return STET_OK;
}

/* Compiles the definition, and finds where the handler begins. One that changed since is left for the next turn. */
static stet_status prepare_follower(struct stet_command *command, struct store_reader *reader,
                                    struct follower *follower, stet_error *err) {
    struct store_head head;
    struct store_change row;
    if (follower->handler != NULL && follower->placed) {
        follower->ready = true;
        return STET_OK;
    }
    stet_status status = store_head(reader, HANDLER_TYPE, follower->name, &head, err);
    if (status != STET_OK || head.version != follower->version || head.deleted) return status;
    if (follower->handler == NULL) {
        status = store_change_at(reader, &command->arena, head.seq, &row, err);
        if (status == STET_OK)
            status = handler_compile(follower->name, row.data, &follower->handler, err);
        if (status != STET_OK) return status;
        follower->by = row.by;
    }
    if (!follower->placed) {
        uint64_t born = follower->born_here;
        if (!follower->created) status = find_birth(command, reader, &head, &born, err);
        if (status != STET_OK) return status;
        if (follower->progress.born != born)
            follower->progress = (struct progress){
                .born = born, .position = follower->handler->from_beginning ? 0 : born};
        follower->placed = true;
    }
    follower->ready = true;
    return STET_OK;
}

static bool is_active(const struct follower *follower) {
    return follower->ready && !follower->handler->paused;
}

/* ---- On a worker: what happened ---------------------------------------------------------- */

struct page {
    struct change *held[FOLLOW_CHANGES_MAX];
    struct store_change *rows;
    size_t count;
};

/* Changes behind a position, from the ring or else from the store, at most up to `published`. */
static stet_status read_page(struct stet_command *command, struct store_reader *reader,
                             uint64_t after, uint64_t published, struct page *page,
                             stet_error *err) {
    struct ring *ring = &command->space->ring;
    page->count = 0;
    page->rows = arena_zalloc(&command->arena, FOLLOW_CHANGES_MAX, sizeof *page->rows);
    if (page->rows == NULL) return no_memory(err);
    if (ring_take(ring, after, page->held, FOLLOW_CHANGES_MAX, &page->count)) {
        for (size_t i = 0; i < page->count; i++)
            page->rows[i] = page->held[i]->row;
    } else {
        stet_status status = store_since(reader, &command->arena, after, FOLLOW_CHANGES_MAX,
                                         FOLLOW_BYTES_MAX, page->rows, &page->count, err);
        memset(page->held, 0, sizeof page->held);
        if (status != STET_OK) return status;
    }
    while (page->count > 0 && page->rows[page->count - 1].seq > published) {
        page->count--;
        change_unref(page->held[page->count]);
        page->held[page->count] = NULL;
    }
    return STET_OK;
}

static void page_done(struct page *page) {
    for (size_t i = 0; i < page->count; i++)
        change_unref(page->held[i]);
}

static stet_status judge(struct stet_command *command, struct store_reader *reader,
                         struct follow *follow, const struct page *page, stet_error *err) {
    struct look look;
    stet_status status = STET_OK;
    look_init(&look, command->space, reader);
    look.arena = &command->arena;
    for (size_t i = 0; status == STET_OK && i < page->count; i++) {
        const struct store_change *change = &page->rows[i];
        status = look_at(&look, change, err);
        for (size_t f = 0; status == STET_OK && f < follow->count; f++) {
            struct follower *follower = &follow->followers[f];
            if (!is_active(follower) || follower->progress.position >= change->seq) continue;
            look_count(&look, follower);
            status = look_match(&look, follow, follower, err);
        }
        if (status == STET_OK) follow->reached = change->seq;
        /* All who follow have seen this one; the others wait for the next turn. */
        if (follow->reaction_count >= FOLLOW_REACTIONS_MAX ||
            follow->input_bytes >= FOLLOW_BYTES_MAX)
            break;
    }
    look_done(&look);
    return status;
}

stet_status follow_hop(struct stet_command *command, struct store_reader *reader, stet_error *err) {
    struct follow *follow = command->module_data;
    uint64_t published = ring_published(&command->space->ring), after = UINT64_MAX;
    struct page *page = arena_zalloc(&command->arena, 1, sizeof *page);
    if (page == NULL) return no_memory(err);
    for (size_t i = 0; i < follow->count; i++) {
        struct follower *follower = &follow->followers[i];
        stet_status status = prepare_follower(command, reader, follower, err);
        if (status != STET_OK) return status;
        if (is_active(follower) && follower->progress.position < after)
            after = follower->progress.position;
    }
    if (after >= published) return STET_OK; /* Paused, or there is nothing yet. */
    stet_status status = read_page(command, reader, after, published, page, err);
    if (status == STET_OK) {
        /* Positions that were passed over are nobody's. */
        follow->reached = page->count == 0 ? published : after;
        status = judge(command, reader, follow, page, err);
    }
    page_done(page);
    if (status != STET_OK) return status;
    for (size_t i = 0; i < follow->count; i++) {
        struct follower *follower = &follow->followers[i];
        if (is_active(follower) && follower->progress.position < follow->reached)
            follower->progress.position = follow->reached;
    }
    return STET_OK;
}

void follow_release(struct stet_command *command) {
    struct follow *follow = command->module_data;
    for (size_t i = 0; follow != NULL && i < follow->count; i++)
        handler_unref(follow->followers[i].handler);
}

/* ---- On the sequencer -------------------------------------------------------------------- */

/*
 * The same for the same change, whenever it is looked at, so that it is queued once; and known to nobody who could queue another
 * operation under it before. Laid out as a UUID of version 8.
 */
static void reaction_id(const struct space *space, const struct reaction *reaction,
                        char text[UUID_TEXT_BYTES]) {
    crypto_generichash_state hash;
    uint8_t digest[UUID_BYTES];
    uint64_t numbers[2] = {reaction->seq, reaction->follower->name.size};
    crypto_generichash_init(&hash, space->secret, sizeof space->secret, sizeof digest);
    crypto_generichash_update(&hash, (const unsigned char *)"handler", 7);
    crypto_generichash_update(&hash, (const unsigned char *)numbers, sizeof numbers);
    crypto_generichash_update(&hash, (const unsigned char *)reaction->follower->name.bytes,
                              reaction->follower->name.size);
    crypto_generichash_final(&hash, digest, sizeof digest);
    digest[6] = (uint8_t)(0x80 | (digest[6] & 0x0f));
    digest[8] = (uint8_t)(0x80 | (digest[8] & 0x3f));
    uuid_format(digest, text);
}

static stet_status spawn(struct staging *staging, const struct reaction *reaction,
                         stet_error *err) {
    const struct follower *follower = reaction->follower;
    const struct handler *handler = follower->handler;
    char text[UUID_TEXT_BYTES];
    reaction_id(staging->space, reaction, text);
    struct operation_spawn spawn = {
        .by = follower->by,
        .handler = follower->name,
        .cause_seq = reaction->seq,
        .input_for_those_who_may_read = reaction->guarded,
        .request = {.id = arena_copy(staging_arena(staging), view_make(text, sizeof text)),
                    .lane = handler->lane,
                    .class_ = handler->class_,
                    .op_type = handler_event_name(reaction->event),
                    .agent = handler->kind == REACTION_AGENT     ? handler->target
                             : handler->kind == REACTION_WEBHOOK ? WEBHOOK_AGENT
                                                                 : (stet_view){0},
                    .function =
                        handler->kind == REACTION_FUNCTION ? handler->target : (stet_view){0},
                    .input = reaction->input,
                    .target = reaction->target,
                    .parent = reaction->parent,
                    .timeout_s = handler->kind == REACTION_WEBHOOK ? 0 : handler->timeout_s,
                    .sets_max_retries = handler->sets_max_retries,
                    .max_retries = handler->max_retries},
    };
    if (spawn.request.id.bytes == NULL) return no_memory(err);
    /* What caused it may be finished for so long that it is no longer kept. */
    if (spawn.request.parent.size > 0) {
        struct store_head head;
        stet_status status =
            staging_read(staging, OPERATION_TYPE, spawn.request.parent, &head, NULL, err);
        if (status != STET_OK) return status;
        if (head.version == 0 || head.deleted) spawn.request.parent = (stet_view){0};
    }
    return staging_spawn(staging, &spawn, err);
}

static bool is_passing(stet_status status) {
    return status == STET_NO_MEMORY || status == STET_IO || status == STET_NO_SPACE ||
           status == STET_CORRUPT;
}

/* Whether the handler is still the one that was followed. */
static bool still_stands(const struct handlers *handlers, const struct follower *follower) {
    const struct entry *entry = handlers_find(handlers, follower->name);
    return follower->ready && entry != NULL && entry->version == follower->version;
}

/* How far it has come is of interest only as it is now: the version before is let go. */
static stet_status note(struct staging *staging, const struct follower *follower, stet_error *err) {
    struct store_head before;
    stet_view data = progress_write(staging_arena(staging), &follower->progress);
    if (view_is_empty(data)) return no_memory(err);
    stet_status status = staging_read(staging, STATE_TYPE, follower->name, &before, NULL, err);
    if (status == STET_OK) status = batch_reserve_prune(staging->batch, err);
    if (status == STET_OK)
        status =
            staging_put(staging, STATE_TYPE, follower->name, data, VIEW("handlers"), NULL, err);
    if (status == STET_OK && before.version != 0)
        batch_add_prune(staging->batch, before.seq, STATE_TYPE);
    return status;
}

stet_status follow_decide(struct handlers *handlers, struct staging *staging, struct follow *follow,
                          stet_error *err) {
    if (follow->generation != handlers->generation) return STET_OK; /* Looked at once more. */
    for (const struct reaction *reaction = follow->first; reaction != NULL;
         reaction = reaction->next) {
        struct follower *follower = reaction->follower;
        struct entry *entry = handlers_find(handlers, follower->name);
        stet_error why = {0};
        if (!still_stands(handlers, follower)) continue;
        stet_status status = spawn(staging, reaction, &why);
        if (status == STET_OK) continue;
        /* One that cannot queue must not keep the others from it: nothing of this turn is stored, and the next is without it. */
        if (!is_passing(status)) {
            entry->blocked_until = staging->time.monotonic + HANDLER_PAUSE_S * CLOCK_NS_PER_S;
            snprintf(entry->progress.last_error, sizeof entry->progress.last_error, "%s",
                     why.message);
            entry->progress.last_error_at = staging->now;
        }
        if (err != NULL) *err = why;
        return status;
    }
    for (size_t i = 0; i < follow->count; i++) {
        struct follower *follower = &follow->followers[i];
        if (!still_stands(handlers, follower)) continue;
        if (!follower->note &&
            follower->progress.position - follower->noted_position < HANDLER_NOTE_CHANGES)
            continue;
        stet_status status = note(staging, follower, err);
        if (status != STET_OK) return status;
    }
    return STET_OK;
}
