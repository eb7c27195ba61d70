#include "core/births.h"

#include "base/limits.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static_assert((BIRTHS_CACHED_MAX & (BIRTHS_CACHED_MAX - 1)) == 0, "slots are found by a mask");

/* Records created one after the other take neighbouring slots; the factor keeps spaces apart. */
static size_t slot_of(uint64_t instance, uint64_t first) {
    return (size_t)((first + instance * UINT64_C(0x9E3779B97F4A7C15)) & (BIRTHS_CACHED_MAX - 1));
}

void births_init(struct births *births) { *births = (struct births){0}; }

void births_done(struct births *births) {
    for (size_t i = 0; births->slots != NULL && i < BIRTHS_CACHED_MAX; i++)
        free(births->slots[i]);
    free(births->slots);
    *births = (struct births){0};
}

const struct birth *births_find(const struct births *births, uint64_t instance, uint64_t first) {
    if (births->slots == NULL) return NULL;
    const struct birth *birth = births->slots[slot_of(instance, first)];
    if (birth == NULL || birth->instance != instance || birth->first != first) return NULL;
    return birth;
}

void births_put(struct births *births, uint64_t instance, uint64_t first, int64_t at,
                stet_view by) {
    if (births->slots == NULL) births->slots = calloc(BIRTHS_CACHED_MAX, sizeof *births->slots);
    if (births->slots == NULL) return;
    struct birth **slot = &births->slots[slot_of(instance, first)];
    struct birth *birth = realloc(*slot, sizeof *birth + by.size);
    if (birth == NULL) return; /* What stood there still stands. */
    *birth = (struct birth){.instance = instance, .first = first, .at = at, .by_bytes = by.size};
    if (by.size > 0) memcpy(birth->by, by.bytes, by.size);
    *slot = birth;
}
