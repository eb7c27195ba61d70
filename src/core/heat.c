#include "core/heat.h"

#include "base/view.h"

#include <assert.h>
#include <stdlib.h>

void heat_init(struct heat *heat) {
    *heat = (struct heat){0};
    pthread_mutex_init(&heat->lock, NULL);
}

void heat_done(struct heat *heat) {
    pthread_mutex_destroy(&heat->lock);
    free(heat->records);
}

static bool is_of(const struct heat_record *record, stet_view type, stet_view id) {
    return view_equal(view_make(record->id, record->id_bytes), id) &&
           view_equal(view_make(record->type, record->type_bytes), type);
}

/* The record's place, or the one it takes over. */
static struct heat_record *place_of(struct heat *heat, stet_view type, stet_view id) {
    struct heat_record *coldest = NULL;
    for (size_t i = 0; i < heat->count; i++) {
        struct heat_record *record = &heat->records[i];
        if (is_of(record, type, id)) return record;
        if (coldest == NULL || record->count < coldest->count) coldest = record;
    }
    if (heat->count < HOT_RECORDS_COUNTED) coldest = &heat->records[heat->count++];
    /* It may have been there as often as the one it takes over from, unseen. */
    coldest->error = coldest->count;
    coldest->type_bytes = type.size;
    coldest->id_bytes = id.size;
    memcpy(coldest->type, type.bytes, type.size);
    memcpy(coldest->id, id.bytes, id.size);
    return coldest;
}

void heat_add(struct heat *heat, stet_view type, stet_view id) {
    assert(type.size > 0 && type.size <= TYPE_BYTES_MAX);
    assert(id.size > 0 && id.size <= ID_BYTES_MAX);
    pthread_mutex_lock(&heat->lock);
    if (heat->records == NULL) heat->records = calloc(HOT_RECORDS_COUNTED, sizeof *heat->records);
    if (heat->records != NULL) place_of(heat, type, id)->count++;
    pthread_mutex_unlock(&heat->lock);
}

size_t heat_top(struct heat *heat, struct heat_record *out, size_t max) {
    size_t count = 0;
    pthread_mutex_lock(&heat->lock);
    for (size_t i = 0; i < heat->count; i++) {
        const struct heat_record *record = &heat->records[i];
        if (count == max && out[max - 1].count >= record->count) continue;
        size_t at = count < max ? count++ : max - 1;
        for (; at > 0 && out[at - 1].count < record->count; at--)
            out[at] = out[at - 1];
        out[at] = *record;
    }
    pthread_mutex_unlock(&heat->lock);
    return count;
}
