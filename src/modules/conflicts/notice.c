/*
 * Notices: whoever wrote a value that a stale write replaced is told. One notice for each record and person, which says of each field
 * where the lost value stands. Until it is dismissed or opened again, further losses are added to it; of a field that is lost once
 * more, the newest value counts (the notice's versions keep each). lost.c puts together what a notice offers.
 */
#include "base/error.h"
#include "base/view.h"
#include "doc/merge.h"
#include "modules/conflicts/internal.h"

#include <sodium.h>
#include <string.h>

enum { HASH_BYTES = 16 };
#define NOTICE_PREFIX "notice-"

static void mix(crypto_generichash_state *state, stet_view view) {
    uint64_t size = view.size;
    crypto_generichash_update(state, (const unsigned char *)&size, sizeof size);
    if (size > 0) crypto_generichash_update(state, (const unsigned char *)view.bytes, view.size);
}

/* The same for the same person and record. Without a record: the one notice for all that do not fit. */
static stet_view notice_id(struct arena *arena, stet_view person, stet_view type, stet_view id,
                           unsigned round) {
    crypto_generichash_state state;
    uint8_t hash[HASH_BYTES];
    char hex[HASH_BYTES * 2 + 1];
    crypto_generichash_init(&state, NULL, 0, sizeof hash);
    mix(&state, person);
    mix(&state, type);
    mix(&state, id);
    if (round > 0) mix(&state, view_make((const char *)&round, sizeof round));
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

/* ---- What was lost ----------------------------------------------------------------------- */

/* Whether `pointer` names the same place as `other`, or one inside it. */
static bool within(stet_view pointer, stet_view other) {
    return view_starts(pointer, other) &&
           (pointer.size == other.size || pointer.bytes[other.size] == '/');
}

/* Whether a later loss takes the place of an earlier one: whoever lost it had written that anew. */
static bool superseded(const struct lost_value *lost, const struct lost_value *later,
                       size_t later_count) {
    for (size_t i = 0; i < later_count; i++)
        if (within(lost->pointer, later[i].pointer)) return true;
    return false;
}

static stet_view rule_of(const struct settlement *settlement, stet_view pointer) {
    const struct doc_merge_result *merge = settlement->merge;
    if (settlement->kind != SETTLEMENT_MERGED || merge == NULL) return (stet_view){0};
    for (size_t i = 0; i < merge->field_count; i++) {
        const struct doc_merge_field *field = &merge->fields[i];
        if (field->dropped == DOC_DROPPED_CURRENT &&
            view_equal(field->list.bytes != NULL ? field->list : field->pointer, pointer))
            return view_of(field->rule);
    }
    return (stet_view){0};
}

/* What this settlement costs one person; the whole record, where it was lost whole, and then its fields. */
static size_t collect_losses(const struct settlement *settlement, stet_view person,
                             struct lost_value *lost) {
    size_t count = 0;
    for (int whole = 1; whole >= 0; whole--)
        for (size_t i = 0; i < settlement->loss_count; i++) {
            const struct settlement_loss *loss = &settlement->losses[i];
            if (!view_equal(loss->by, person) || (loss->pointer.size == 0) != (whole == 1))
                continue;
            lost[count++] = (struct lost_value){
                .pointer = loss->pointer,
                .version = loss->version,
                .base_version = settlement->base_version,
                .replaced_version = settlement->mutation->after_version,
                .replaced_seq = settlement->mutation->after_seq,
                .replaced_by = settlement->command->actor.id,
                .strategy = settlement->strategy,
                .rule = rule_of(settlement, loss->pointer),
            };
        }
    return count;
}

/* Keeps the newest that fit, and counts those before them. */
static void keep_newest(struct conflict_record *record, const struct lost_value *lost,
                        size_t count) {
    size_t kept = 0, bytes = 0;
    while (kept < count && kept < CONFLICT_POINTERS_MAX) {
        bytes += lost[count - kept - 1].pointer.size;
        if (bytes > NOTICE_POINTER_BYTES_MAX) break;
        kept++;
    }
    record->pointers_left_out += count - kept;
    record->lost = lost + (count - kept);
    record->lost_count = kept;
}

/* old: what the person lost here before and has not dealt with; NULL: nothing. */
static stet_status set_lost(struct arena *arena, const struct settlement *settlement,
                            stet_view person, const struct conflict_record *old,
                            struct conflict_record *record, stet_error *err) {
    size_t old_count = old == NULL ? 0 : old->lost_count, count = 0;
    size_t room = settlement->loss_count + old_count;
    struct lost_value *later = arena_alloc(arena, (settlement->loss_count + 1) * sizeof *later);
    struct lost_value *lost = arena_alloc(arena, (room + 1) * sizeof *lost);
    stet_view *pointers = arena_alloc(arena, (CONFLICT_POINTERS_MAX + 1) * sizeof *pointers);
    if (later == NULL || lost == NULL || pointers == NULL)
        return error_set(err, STET_NO_MEMORY, "out of memory for a notice");
    size_t later_count = collect_losses(settlement, person, later);
    /* More of them than are named would all be looked through for each of the earlier ones. */
    size_t looked = later_count < CONFLICT_POINTERS_MAX ? later_count : CONFLICT_POINTERS_MAX;
    for (size_t i = 0; i < old_count; i++)
        if (!superseded(&old->lost[i], later + (later_count - looked), looked))
            lost[count++] = old->lost[i];
    memcpy(lost + count, later, later_count * sizeof *later);
    if (old != NULL) record->pointers_left_out = old->pointers_left_out;
    keep_newest(record, lost, count + later_count);
    record->base_version = 0;
    for (size_t i = 0; i < record->lost_count; i++) {
        const struct lost_value *value = &record->lost[i];
        uint64_t base = value->base_version;
        if (base == 0 && value->version > 0) base = value->version - 1;
        if (base != 0 && (record->base_version == 0 || base < record->base_version))
            record->base_version = base;
        if (value->version > record->lost_version) record->lost_version = value->version;
        pointers[i] = value->pointer;
    }
    record->pointers = (struct view_list){.items = pointers, .count = record->lost_count};
    return STET_OK;
}

/* ---- Telling ----------------------------------------------------------------------------- */

/* The notice this person gets about this record, and what stands there. */
struct addressee {
    stet_view person, id;
    struct conflict_record old;
    bool shown,
        unread; /* What stands there is a notice they have not dealt with, or not even seen. */
    bool taken; /* It is no notice any more. */
    bool full;  /* It stands for many records. */
};

/* What stands under to->id. */
static stet_status find_notice(struct staging *staging, struct addressee *to, stet_error *err) {
    struct store_head head;
    to->shown = to->unread = to->taken = false;
    stet_status status = conflicts_get(staging, to->id, &head, &to->old, err);
    if (status == STET_NOT_FOUND) {
        if (err != NULL) *err = (stet_error){0};
        return STET_OK;
    }
    if (status != STET_OK) return status;
    bool notice = record_is_notice(&to->old);
    bool shown = record_concerns(&to->old, to->person);
    to->taken = to->old.state == CONFLICT_OPEN || (shown && !notice);
    to->shown = shown && notice;
    to->unread = to->shown && !record_is_read(&to->old, to->person);
    return STET_OK;
}

/*
 * A notice that was opened again is a question now, and its answer is news: they stay, and what is lost from then on has a notice
 * beside them.
 */
static stet_status find_place(struct staging *staging, stet_view type, stet_view id,
                              struct addressee *to, stet_error *err) {
    struct arena *arena = staging_arena(staging);
    unsigned rounds = OPEN_CONFLICTS_PER_RECORD_MAX + 1;
    for (unsigned round = 0; round < 2 * rounds; round++) {
        to->id = notice_id(arena, to->person, type, id, round % rounds);
        if (to->id.bytes == NULL)
            return error_set(err, STET_NO_MEMORY, "out of memory for a notice");
        stet_status status = find_notice(staging, to, err);
        if (status != STET_OK || !to->taken) return status;
        /* Answers that nobody ever put away make room; questions do not. */
        if (round >= rounds && to->old.state != CONFLICT_OPEN) return STET_OK;
    }
    return error_set(
        err, STET_TOO_MANY_CONFLICTS,
        "\"%.*s\" has too many questions about this record to be told of one more loss",
        VIEW_ARG(to->person));
}

static stet_status address(const struct conflicts *conflicts, struct staging *staging,
                           const struct mutation *mutation, struct addressee *to, stet_error *err) {
    stet_status status = find_place(staging, mutation->type, mutation->id, to, err);
    if (status != STET_OK || to->shown) return status;
    to->full = count_notices(&conflicts->board, to->person) >= NOTICES_PER_PERSON_MAX;
    if (!to->full) return STET_OK;
    return find_place(staging, (stet_view){0}, (stet_view){0}, to, err);
}

static stet_status tell(struct conflicts *conflicts, struct staging *staging,
                        const struct settlement *settlement, stet_view person, stet_error *err) {
    struct arena *arena = staging_arena(staging);
    const struct mutation *mutation = settlement->mutation;
    struct addressee to = {.person = person};
    stet_view *persons = arena_alloc(arena, sizeof *persons);
    if (persons == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a notice");
    stet_status status = address(conflicts, staging, mutation, &to, err);
    if (status != STET_OK) return status;
    persons[0] = person;
    struct conflict_record record = {
        .state = settlement->kind == SETTLEMENT_APPLIED ? CONFLICT_OVERWRITTEN : CONFLICT_SETTLED,
        .type = mutation->type,
        .id = mutation->id,
        .current_version = settlement->head->version,
        .by = person,
        .persons = {.items = persons, .count = 1},
        .conflict_type = VIEW("concurrent_edit"),
        .strategy = settlement->strategy,
        .opened_at = staging->now,
        .overwritten_by = staging->command->actor.id,
        .result_version = mutation->after_version,
        .previous_version = settlement->head->version,
        .change_seq = mutation->after_seq,
        .times = to.unread ? to.old.times + 1 : 1,
        .others = to.full ? (to.unread ? to.old.others : 0) + 1 : 0,
    };
    record.event = view_of(conflict_state_name(record.state));
    bool same_record =
        to.shown && view_equal(to.old.type, record.type) && view_equal(to.old.id, record.id);
    status = set_lost(arena, settlement, person, same_record ? &to.old : NULL, &record, err);
    if (status != STET_OK) return status;
    return conflicts_put(conflicts, staging, to.id, &record, NULL, err);
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
