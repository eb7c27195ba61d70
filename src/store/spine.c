/* The spine and the step from one head to the next; the idea is in spine.h. Pure. */
#include "store/spine.h"

#include "base/error.h"

uint64_t spine_ordinal(uint64_t ordinal, unsigned index) {
    for (unsigned extra = spine_count(ordinal) - index - 1; extra > 0; extra--) {
        ordinal &= ordinal - 1;
    }
    return ordinal;
}

size_t spine_encode(const struct store_head *head, uint8_t out[SPINE_BYTES_MAX]) {
    size_t size = 0;
    uint64_t newer = head->seq;
    for (unsigned i = spine_count(head->ordinal) - 1; i > 0; i--) {
        uint64_t gap = newer - head->spine[i - 1];
        newer = head->spine[i - 1];
        while (gap >= 0x80) {
            out[size++] = (uint8_t)(gap | 0x80);
            gap >>= 7;
        }
        out[size++] = (uint8_t)gap;
    }
    return size;
}

bool spine_decode(struct store_head *head, const void *bytes, size_t size) {
    const uint8_t *at = bytes, *end = at + size;
    unsigned count = spine_count(head->ordinal);
    if (count == 0 || count > STORE_SPINE_MAX) return false;
    head->spine[count - 1] = head->seq;
    for (unsigned i = count - 1; i > 0; i--) {
        uint64_t gap = 0;
        for (unsigned shift = 0;; shift += 7) {
            if (at == end || shift > 63) return false;
            gap |= (uint64_t)(*at & 0x7f) << shift;
            if (!(*at++ & 0x80)) break;
        }
        if (gap == 0 || gap >= head->spine[i]) return false;
        head->spine[i - 1] = head->spine[i] - gap;
    }
    return at == end;
}

stet_status store_head_advance(struct store_head *head, struct store_change *change, uint64_t hash,
                               stet_error *err) {
    bool created = head->version == 0;
    uint64_t before = created ? 0 : head->ordinal;
    if (change->seq == 0 || change->version == 0 ||
        /* A life's first version of a record leaves those out that lost lives may have seen; check.c knows which. */
        (!created && change->version != head->version + 1 &&
         (change->version <= head->version || change->version > change->seq)) ||
        (!created && change->seq <= head->seq)) {
        return error_set(err, STET_MISUSE,
                         "version %llu at seq %llu does not follow version %llu at seq %llu",
                         (unsigned long long)change->version, (unsigned long long)change->seq,
                         (unsigned long long)head->version, (unsigned long long)head->seq);
    }
    unsigned kept = spine_count(before & (before + 1)); /* The path without its trailing ones. */
    if (kept + 1 > STORE_SPINE_MAX) {
        return error_set(err, STET_TOO_LARGE, "the record has had too many versions");
    }
    change->ordinal = before + 1;
    change->prev = created ? 0 : head->seq;
    change->skip = kept == 0 ? 0 : head->spine[kept - 1];
    change->first = created ? change->seq : head->first;

    head->version = change->version;
    head->seq = change->seq;
    head->first = change->first;
    head->ordinal = change->ordinal;
    head->parent = change->parent_number;
    head->deleted = change->op == STORE_DELETE;
    head->forked = change->forked_from.size > 0;
    head->hash = head->deleted ? 0 : hash;
    head->spine[kept] = change->seq;
    return STET_OK;
}
