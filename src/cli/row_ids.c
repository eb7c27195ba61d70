#include "cli/row_ids.h"

#include "base/view.h"

#include <stdlib.h>

enum { SLOTS_FIRST = 4096 };

static void place(struct row_ids *ids, uint64_t hash, uint32_t line) {
    size_t at = (size_t)hash & (ids->slots - 1);
    while (ids->hashes[at] != 0)
        at = (at + 1) & (ids->slots - 1);
    ids->hashes[at] = hash;
    ids->lines[at] = line;
}

static bool grow(struct row_ids *ids) {
    struct row_ids more = {.slots = ids->slots == 0 ? SLOTS_FIRST : ids->slots * 2,
                           .count = ids->count};
    more.hashes = calloc(more.slots, sizeof *more.hashes);
    more.lines = calloc(more.slots, sizeof *more.lines);
    if (more.hashes == NULL || more.lines == NULL) {
        row_ids_done(&more);
        return false;
    }
    for (size_t i = 0; i < ids->slots; i++)
        if (ids->hashes[i] != 0) place(&more, ids->hashes[i], ids->lines[i]);
    row_ids_done(ids);
    *ids = more;
    return true;
}

stet_status row_ids_add(struct row_ids *ids, stet_view id, uint64_t at_line, uint64_t *line) {
    uint64_t hash = view_hash(id, 0x5374657469647321);
    *line = 0;
    if (hash == 0) hash = 1;
    if (ids->slots > 0) {
        size_t at = (size_t)hash & (ids->slots - 1);
        for (; ids->hashes[at] != 0; at = (at + 1) & (ids->slots - 1)) {
            if (ids->hashes[at] != hash) continue;
            *line = ids->lines[at];
            return STET_OK;
        }
    }
    ids->full = ids->full || ids->count == ROW_IDS_MAX || at_line > UINT32_MAX;
    if (ids->full) return STET_OK;
    if (ids->count >= ids->slots / 4 * 3 && !grow(ids)) return STET_NO_MEMORY;
    place(ids, hash, (uint32_t)at_line);
    ids->count += 1;
    return STET_OK;
}

void row_ids_done(struct row_ids *ids) {
    free(ids->hashes);
    free(ids->lines);
    *ids = (struct row_ids){0};
}
