#include "core/addresses.h"

#include "base/limits.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

static_assert((ADDRESSES_CACHED_MAX & (ADDRESSES_CACHED_MAX - 1)) == 0,
              "slots are found by a mask");

struct known_address {
    uint64_t instance;
    uint64_t record;
    size_t size;
    char bytes[];
};

/* Numbers of records created one after the other are neighbours; the factor keeps spaces apart. */
static size_t slot_of(uint64_t instance, uint64_t record) {
    return (size_t)((record + instance * UINT64_C(0x9E3779B97F4A7C15)) &
                    (ADDRESSES_CACHED_MAX - 1));
}

void addresses_init(struct addresses *addresses) { *addresses = (struct addresses){0}; }

void addresses_done(struct addresses *addresses) {
    for (size_t i = 0; addresses->slots != NULL && i < ADDRESSES_CACHED_MAX; i++)
        free(addresses->slots[i]);
    free(addresses->slots);
    *addresses = (struct addresses){0};
}

stet_view addresses_find(const struct addresses *addresses, uint64_t instance, uint64_t record) {
    if (addresses->slots == NULL) return (stet_view){0};
    const struct known_address *known = addresses->slots[slot_of(instance, record)];
    if (known == NULL || known->instance != instance || known->record != record)
        return (stet_view){0};
    return (stet_view){.bytes = known->bytes, .size = known->size};
}

void addresses_put(struct addresses *addresses, uint64_t instance, uint64_t record,
                   stet_view address) {
    if (addresses->slots == NULL)
        addresses->slots = calloc(ADDRESSES_CACHED_MAX, sizeof(struct known_address *));
    if (addresses->slots == NULL || address.size == 0) return;
    struct known_address **slot = &addresses->slots[slot_of(instance, record)];
    struct known_address *known = realloc(*slot, sizeof *known + address.size);
    if (known == NULL) return; /* What stood there still stands. */
    *known = (struct known_address){.instance = instance, .record = record, .size = address.size};
    memcpy(known->bytes, address.bytes, address.size);
    *slot = known;
}
