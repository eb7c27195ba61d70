/*
 * Notices: whoever wrote a value that a stale write replaced is told. One notice for each record and person, updated in place while it
 * is unread (its versions keep each loss), and taken up again after it was read or dismissed.
 */
#include "base/error.h"
#include "base/view.h"
#include "modules/conflicts/internal.h"

#include <sodium.h>

enum { HASH_BYTES = 16 };
#define NOTICE_PREFIX "notice-"

static void mix(crypto_generichash_state *state, stet_view view) {
    uint64_t size = view.size;
    crypto_generichash_update(state, (const unsigned char *)&size, sizeof size);
    if (size > 0) crypto_generichash_update(state, (const unsigned char *)view.bytes, view.size);
}

/* The same for the same person and record. Without a record: the one notice for all that do not fit. */
static stet_view notice_id(struct arena *arena, stet_view person, stet_view type, stet_view id) {
    crypto_generichash_state state;
    uint8_t hash[HASH_BYTES];
    char hex[HASH_BYTES * 2 + 1];
    crypto_generichash_init(&state, NULL, 0, sizeof hash);
    mix(&state, person);
    mix(&state, type);
    mix(&state, id);
    crypto_generichash_final(&state, hash, sizeof hash);
    sodium_bin2hex(hex, sizeof hex, hash, sizeof hash);
    return arena_format(arena, NOTICE_PREFIX "%s", hex);
}

static size_t count_notices(const struct board *board, stet_view person) {
    size_t count = 0;
    struct place *place = NULL;
    while ((place = board_inbox(board, person, place)) != NULL)
        if (place->node.entry->notice) count++;
    return count;
}

/* What stands under this id; *unread: its reader has not seen it yet. */
static stet_status find_notice(struct staging *staging, stet_view id, stet_view person,
                               struct conflict_record *old, bool *shown, bool *unread,
                               stet_error *err) {
    struct store_head head;
    *shown = *unread = false;
    stet_status status = conflicts_get(staging, id, &head, old, err);
    if (status == STET_NOT_FOUND) {
        if (err != NULL) *err = (stet_error){0};
        return STET_OK;
    }
    if (status != STET_OK) return status;
    *shown = record_concerns(old, person);
    *unread = *shown && !record_is_read(old, person);
    return STET_OK;
}

/* Adds what one author lost, behind what was there and not read yet. */
static void add_pointer(struct conflict_record *record, stet_view *pointers, stet_view pointer) {
    if (view_list_has(&record->pointers, pointer)) return;
    if (record->pointers.count == CONFLICT_POINTERS_MAX) {
        record->pointers_left_out++;
        return;
    }
    pointers[record->pointers.count++] = pointer;
}

static stet_status tell(struct conflicts *conflicts, struct staging *staging,
                        const struct settlement *settlement, stet_view person, stet_error *err) {
    struct arena *arena = staging_arena(staging);
    const struct mutation *mutation = settlement->mutation;
    struct conflict_record old;
    bool shown, unread;
    stet_view *pointers = arena_alloc(arena, CONFLICT_POINTERS_MAX * sizeof *pointers);
    stet_view *persons = arena_alloc(arena, sizeof *persons);
    stet_view id = notice_id(arena, person, mutation->type, mutation->id);
    if (pointers == NULL || persons == NULL || id.bytes == NULL)
        return error_set(err, STET_NO_MEMORY, "out of memory for a notice");
    stet_status status = find_notice(staging, id, person, &old, &shown, &unread, err);
    if (status != STET_OK) return status;
    bool full = !shown && count_notices(&conflicts->board, person) >= NOTICES_PER_PERSON_MAX;
    if (full) {
        id = notice_id(arena, person, (stet_view){0}, (stet_view){0});
        if (id.bytes == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a notice");
        status = find_notice(staging, id, person, &old, &shown, &unread, err);
        if (status != STET_OK) return status;
    }
    persons[0] = person;
    struct conflict_record record = {
        .state = settlement->kind == SETTLEMENT_APPLIED ? CONFLICT_OVERWRITTEN : CONFLICT_SETTLED,
        .type = mutation->type,
        .id = mutation->id,
        .base_version = settlement->base_version,
        .current_version = settlement->head->version,
        .by = person,
        .persons = {.items = persons, .count = 1},
        .conflict_type = VIEW("concurrent_edit"),
        .pointers = {.items = pointers},
        .strategy = settlement->strategy,
        .opened_at = staging->now,
        .overwritten_by = staging->command->actor.id,
        .result_version = mutation->after_version,
        .previous_version = settlement->head->version,
        .change_seq = mutation->after_seq,
        .times = unread ? old.times + 1 : 1,
        .others = full ? (unread ? old.others : 0) + 1 : 0,
    };
    record.event = view_of(conflict_state_name(record.state));
    bool same_record = unread && view_equal(old.type, record.type) && view_equal(old.id, record.id);
    for (size_t i = 0; same_record && i < old.pointers.count; i++)
        add_pointer(&record, pointers, old.pointers.items[i]);
    for (size_t i = 0; i < settlement->loss_count; i++) {
        const struct settlement_loss *loss = &settlement->losses[i];
        if (!view_equal(loss->by, person)) continue;
        add_pointer(&record, pointers, loss->pointer);
        if (loss->version > record.lost_version) record.lost_version = loss->version;
    }
    status = conflicts_put(conflicts, staging, id, &record, NULL, err);
    if (status == STET_OK && !staging->command->dry_run)
        atomic_fetch_add_explicit(&conflicts->space->counters.notices, 1, memory_order_relaxed);
    return status;
}

stet_status notice_losses(struct conflicts *conflicts, struct staging *staging,
                          const struct settlement *settlement, stet_error *err) {
    for (size_t i = 0; i < settlement->loss_count; i++) {
        stet_view by = settlement->losses[i].by;
        bool told = view_is_empty(by) || view_equal(by, staging->command->actor.id);
        for (size_t j = 0; j < i && !told; j++)
            told = view_equal(settlement->losses[j].by, by);
        if (told) continue;
        stet_status status = tell(conflicts, staging, settlement, by, err);
        if (status != STET_OK) return status;
    }
    return STET_OK;
}
