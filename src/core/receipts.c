/* A ring of refusals, searched newest first: receipts are asked for rarely and soon. */
#include "core/receipts.h"

#include "base/limits.h"

#include <stdlib.h>
#include <string.h>

void receipts_init(struct receipts *receipts) { *receipts = (struct receipts){0}; }

void receipts_done(struct receipts *receipts) {
    free(receipts->ring);
    receipts_init(receipts);
}

static bool is_for(const struct receipt *receipt, const uint8_t key[STORE_KEY_BYTES],
                   uint64_t actor_hash) {
    return receipt->status != STET_OK && receipt->actor_hash == actor_hash &&
           memcmp(receipt->key, key, STORE_KEY_BYTES) == 0;
}

void receipts_add(struct receipts *receipts, const struct receipt *receipt) {
    if (receipts->ring == NULL) {
        receipts->ring = calloc(RECEIPTS_REMEMBERED_MAX, sizeof *receipts->ring);
        if (receipts->ring == NULL) return;
    }
    receipts->ring[receipts->added++ % RECEIPTS_REMEMBERED_MAX] = *receipt;
}

void receipts_undo(struct receipts *receipts, uint64_t mark) {
    while (receipts->added > mark)
        receipts->ring[--receipts->added % RECEIPTS_REMEMBERED_MAX].status = STET_OK;
}

const struct receipt *receipts_find(const struct receipts *receipts,
                                    const uint8_t key[STORE_KEY_BYTES], uint64_t actor_hash) {
    for (size_t i = 1; i <= RECEIPTS_REMEMBERED_MAX && i <= receipts->added; i++) {
        const struct receipt *receipt =
            &receipts->ring[(receipts->added - i) % RECEIPTS_REMEMBERED_MAX];
        if (is_for(receipt, key, actor_hash)) return receipt;
    }
    return NULL;
}
