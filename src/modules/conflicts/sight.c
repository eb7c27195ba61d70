/*
 * Who sees a conflict, and what of it: those who may read its record, its writer, and those it waits for. Who is concerned but may not read
 * the record learns that there is a conflict and what they did themselves, and nothing that others did.
 */
#include "base/error.h"
#include "base/view.h"
#include "core/access.h"
#include "modules/conflicts/internal.h"

static bool is_party(const struct conflict_record *record, stet_view person) {
    return view_equal(record->by, person) || view_list_has(&record->persons, person);
}

/* The record's head as of now. *there false: it never existed. */
static stet_status read_target(struct space *space, struct store_reader *reader,
                               struct arena *arena, const struct conflict_record *record,
                               struct store_change *row, bool *there, stet_error *err) {
    struct store_reader *own = NULL;
    struct store_head head;
    stet_status status = STET_OK;
    if (reader == NULL) status = space_reader_take(space, &own, err);
    if (status != STET_OK) return status;
    if (reader == NULL) reader = own;
    status = store_head(reader, record->type, record->id, &head, err);
    *there = status == STET_OK && head.version > 0;
    if (*there) status = store_change_at(reader, arena, head.seq, row, err);
    if (own != NULL) space_reader_give(space, own);
    return status;
}

/* Only what its people know by themselves. */
static void withhold(struct conflict_record *record, stet_view person) {
    if (!view_equal(record->resolved_by, person)) record->resolved_by = (stet_view){0};
    record->conflict_type = record->explanation = record->overwritten_by = (stet_view){0};
    record->pointers = (struct view_list){0};
    record->current_version = record->previous_version = record->result_version = 0;
    record->pointers_left_out = record->change_seq = record->lost_version = 0;
    if (!view_equal(record->by, person)) record->yours = record->patch = (stet_view){0};
    record->lost = NULL;
    record->lost_count = 0;
    record->clean = false;
    record->withheld = true;
}

/* Without the fields that are hidden. */
static stet_status leave_out(struct arena *arena, struct conflict_record *record,
                             const stet_view *hidden, size_t count, stet_error *err) {
    stet_view *pointers = arena_alloc(arena, (record->pointers.count + 1) * sizeof *pointers);
    struct lost_value *lost = arena_alloc(arena, (record->lost_count + 1) * sizeof *lost);
    size_t pointer_count = 0, lost_count = 0;
    if (pointers == NULL || lost == NULL)
        return error_set(err, STET_NO_MEMORY, "out of memory for a conflict");
    for (size_t i = 0; i < record->pointers.count; i++)
        if (!hidden_touches(hidden, count, record->pointers.items[i]))
            pointers[pointer_count++] = record->pointers.items[i];
    for (size_t i = 0; i < record->lost_count; i++)
        if (!hidden_touches(hidden, count, record->lost[i].pointer))
            lost[lost_count++] = record->lost[i];
    record->pointers = (struct view_list){.items = pointers, .count = pointer_count};
    record->lost = lost;
    record->lost_count = lost_count;
    return STET_OK;
}

/* reader: NULL, then one is taken where it is needed. */
static stet_status look(struct sight *sight, struct space *space, struct store_reader *reader,
                        struct arena *arena, struct conflict_record *record, bool *may,
                        stet_error *err) {
    stet_view person = sight->viewer->actor->id;
    const stet_view *hidden;
    struct store_change row;
    size_t count = 0;
    bool sees = sight->reads != EXPR_FALSE;
    stet_status status = STET_OK;
    if (sight->reads == EXPR_TRUE && !sight->hides) return STET_OK;
    if (sees) status = read_target(space, reader, arena, record, &row, &sees, err);
    if (status == STET_OK && sees) {
        sees = sight_sees(sight, arena, &row, NULL);
        if (sees) status = sight_hidden(sight, arena, &row, &hidden, &count, err);
    }
    if (status != STET_OK) return status;
    if (!sees) {
        *may = is_party(record, person);
        withhold(record, person);
        return STET_OK;
    }
    return count == 0 ? STET_OK : leave_out(arena, record, hidden, count, err);
}

stet_status conflicts_show(struct stet_command *command, struct store_reader *reader,
                           struct arena *arena, struct conflict_record *record, bool *may,
                           stet_error *err) {
    struct viewer viewer = command_viewer(command);
    struct sight sight;
    *may = true;
    if (viewer.actor->admin) return STET_OK;
    sight_begin(&sight, &viewer, record->type);
    stet_status status = look(&sight, command->space, reader, arena, record, may, err);
    sight_end(&sight);
    return status;
}

bool conflicts_may_read(const struct space *space, const stet_actor *actor,
                        const struct store_change *change) {
    /* Reading takes a lock of the space's, and changes nothing of it. */
    struct viewer viewer = {.space = (struct space *)(uintptr_t)space, .actor = actor};
    struct conflict_record record;
    struct sight sight;
    struct arena arena;
    bool may = false;
    if (actor->admin) return true;
    if (view_is_empty(change->data)) return false;
    arena_init(&arena, 4096);
    if (record_decode(&arena, change->data, &record, NULL) == STET_OK) {
        sight_begin(&sight, &viewer, record.type);
        may = true;
        if (look(&sight, viewer.space, NULL, &arena, &record, &may, NULL) != STET_OK) may = false;
        sight_end(&sight);
    }
    arena_done(&arena);
    return may;
}
