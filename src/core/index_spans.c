/*
 * The keys of a record in an index of spans.
 */
#include "core/index_internal.h"

#include "base/error.h"
#include "base/view.h"
#include "core/exclusive.h"

#include <stdlib.h>

static int compare_keys(const void *left, const void *right) {
    return view_compare(*(const stet_view *)left, *(const stet_view *)right);
}

stet_status index_span_keys(struct arena *arena, const struct index_def *def, const struct doc *doc,
                            bool lenient, uint64_t *steps, struct index_span_keys *keys,
                            stet_error *err) {
    struct span_list list;
    stet_error why;
    *keys = (struct index_span_keys){0};
    stet_status status =
        exclusive_spans(arena, def->exclusive, doc, steps, &list, lenient ? &why : err);
    if (lenient &&
        (status == STET_INVALID_TIME || status == STET_INVALID_DATA || status == STET_TOO_LARGE))
        return STET_OK;
    if (status != STET_OK) {
        if (lenient && err != NULL) *err = why;
        return status;
    }
    if (list.count == 0) return STET_OK;
    keys->keys = arena_zalloc(arena, list.count, sizeof *keys->keys);
    if (keys->keys == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for an index");
    for (size_t i = 0; i < list.count; i++)
        if (span_key_make(arena, def->exclusive, &list.spans[i], &keys->keys[i]) != STET_OK)
            return error_set(err, STET_NO_MEMORY, "out of memory for an index");
    if (list.count > 1) qsort(keys->keys, list.count, sizeof *keys->keys, compare_keys);
    keys->count = 1;
    for (size_t i = 1; i < list.count; i++)
        if (!view_equal(keys->keys[i], keys->keys[keys->count - 1]))
            keys->keys[keys->count++] = keys->keys[i];
    return STET_OK;
}
