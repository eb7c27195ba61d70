/* Changes in memory: one block each, so that sharing one costs a counter and freeing one costs a free. */
#include "core/change.h"

#include "base/error.h"
#include "base/view.h"

#include <assert.h>
#include <stdlib.h>

/* Copies a view behind the block's end and moves the end. */
static stet_view place(char **end, stet_view view) {
    stet_view placed = {.bytes = *end, .size = view.size};
    if (view.size > 0) memcpy(*end, view.bytes, view.size);
    *end += view.size;
    return placed;
}

static struct change *allocate(size_t text_bytes) {
    struct change *change = malloc(sizeof *change + text_bytes);
    if (change == NULL) return NULL;
    memset(change, 0, sizeof *change);
    atomic_init(&change->refs, 1);
    change->footprint = sizeof *change + text_bytes;
    return change;
}

struct change *change_create(const struct change_parts *parts) {
    struct change *change =
        allocate(parts->type.size + parts->id.size + parts->by.size + parts->key.size +
                 parts->source.size + parts->merge.size + parts->origin.size + parts->parent.size +
                 parts->forked_from.size + parts->data.size);
    if (change == NULL) return NULL;
    char *end = change->bytes;
    change->hash = parts->hash;
    change->row = (struct store_change){
        .op = parts->op,
        .base_version = parts->base_version,
        .type = place(&end, parts->type),
        .id = place(&end, parts->id),
        .by = place(&end, parts->by),
        .key = place(&end, parts->key),
        .source = place(&end, parts->source),
        .merge = place(&end, parts->merge),
        .origin = place(&end, parts->origin),
        .parent = place(&end, parts->parent),
        .forked_from = place(&end, parts->forked_from),
        .data = place(&end, parts->data),
    };
    return change;
}

struct change *change_from_row(const struct store_change *row) {
    struct change *change = allocate(row->type.size + row->id.size + row->by.size + row->key.size +
                                     row->source.size + row->merge.size + row->origin.size +
                                     row->parent.size + row->forked_from.size + row->data.size);
    if (change == NULL) return NULL;
    char *end = change->bytes;
    change->row = *row;
    change->row.type = place(&end, row->type);
    change->row.id = place(&end, row->id);
    change->row.by = place(&end, row->by);
    change->row.key = place(&end, row->key);
    change->row.source = place(&end, row->source);
    change->row.merge = place(&end, row->merge);
    change->row.origin = place(&end, row->origin);
    change->row.parent = place(&end, row->parent);
    change->row.forked_from = place(&end, row->forked_from);
    change->row.data = place(&end, row->data);
    return change;
}

struct change *change_ref(struct change *change) {
    atomic_fetch_add_explicit(&change->refs, 1, memory_order_relaxed);
    return change;
}

void change_unref(struct change *change) {
    if (change == NULL) return;
    unsigned before = atomic_fetch_sub_explicit(&change->refs, 1, memory_order_acq_rel);
    assert(before > 0);
    if (before == 1) free(change);
}

stet_status change_parse(struct arena *arena, stet_view data, struct doc *doc, stet_error *err) {
    stet_error cause = {0};
    stet_status status = doc_parse(arena, data, NULL, doc, &cause);
    if (status == STET_OK) return STET_OK;
    if (status == STET_NO_MEMORY) return error_set(err, status, "out of memory for a record");
    error_set(err, STET_CORRUPT, "stored data is not valid JSON");
    error_cause(err, "%s", cause.message);
    return STET_CORRUPT;
}

bool type_is_system(stet_view type) { return view_starts(type, VIEW("stet.")); }
