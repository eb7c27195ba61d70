#include "workload.h"

#include "base/clock.h"
#include "base/uuid.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where the counters stand, and the rest of an ordinary invoice. */
#define COUNTER_DIGITS "0000000000"
static const char template[] =
    "{\"version\":\"" COUNTER_DIGITS "\",\"number\":\"INV-" COUNTER_DIGITS "\","
    "\"customer\":{\"id\":\"c-8812\",\"name\":\"M\xc3\xbcller & S\xc3\xb6hne GmbH\","
    "\"vat\":\"DE811907980\"},\"status\":\"open\",\"currency\":\"EUR\",\"issued_on\":\"2026-03-"
    "01\","
    "\"due_on\":\"2026-03-31\",\"paid\":false,\"lines\":[{\"sku\":\"A-100\",\"text\":\"Consulting, "
    "March\","
    "\"quantity\":12,\"price\":95.50},{\"sku\":\"B-220\",\"text\":\"Travel\",\"quantity\":1,"
    "\"price\":184.20}],"
    "\"total\":1330.20,\"tax_rate\":0.19,\"notes\":null,\"tags\":[\"b2b\",\"net30\"],"
    "\"reference\":\"PO-4711 of 18 February 2026\",\"assigned_to\":\"omar.haddad\"}";
enum { VERSION_AT = 12, NUMBER_AT = VERSION_AT + 10 + 16 };

static_assert(sizeof template - 1 == WORKLOAD_DATA_BYTES, "about 500 bytes means 500");

void workload_init(struct workload *workload, size_t first, size_t count) {
    *workload = (struct workload){.first = first, .count = count};
    workload->versions = calloc(count, sizeof *workload->versions);
    workload->busy = calloc(count, sizeof *workload->busy);
    workload->random = 88172645463325252u + first;
    if (workload->versions == NULL || workload->busy == NULL) {
        fprintf(stderr, "out of memory for %zu records\n", count);
        exit(1);
    }
}

void workload_done(struct workload *workload) {
    free(workload->versions);
    free(workload->busy);
}

/* Xorshift (Marsaglia, 2003): the same choices in every run. */
uint64_t workload_random(struct workload *workload) {
    workload->random ^= workload->random << 13;
    workload->random ^= workload->random >> 7;
    workload->random ^= workload->random << 17;
    return workload->random;
}

size_t workload_take(struct workload *workload) {
    size_t index;
    do
        index = workload_random(workload) % workload->count;
    while (workload->busy[index]);
    workload->busy[index] = true;
    return workload->first + index;
}

size_t workload_take_of(struct workload *workload, size_t share, size_t shares) {
    assert(share < shares && shares <= workload->count);
    size_t own = (workload->count - share + shares - 1) / shares;
    size_t record = workload->first + share + shares * (workload_random(workload) % own);
    workload_take_this(workload, record);
    return record;
}

void workload_take_this(struct workload *workload, size_t record) {
    assert(!workload->busy[record - workload->first]);
    workload->busy[record - workload->first] = true;
}

void workload_give(struct workload *workload, size_t record, uint64_t version) {
    workload->busy[record - workload->first] = false;
    workload->versions[record - workload->first] = version;
}

uint64_t workload_version(const struct workload *workload, size_t record) {
    return workload->versions[record - workload->first];
}

static void put_digits(char *out, size_t count, uint64_t value) {
    while (count > 0) {
        out[--count] = (char)('0' + value % 10);
        value /= 10;
    }
}

void workload_id(size_t record, char out[WORKLOAD_ID_BYTES]) {
    memcpy(out, "record-", 7);
    put_digits(out + 7, WORKLOAD_ID_BYTES - 7, record);
}

void workload_data(size_t record, uint64_t version, char out[WORKLOAD_DATA_BYTES]) {
    memcpy(out, template, WORKLOAD_DATA_BYTES);
    put_digits(out + VERSION_AT, 10, version);
    put_digits(out + NUMBER_AT, 10, record);
}

/* Where the field of version v's turn stands. */
static size_t pair_at(uint64_t version) { return version % 2 == 0 ? VERSION_AT : NUMBER_AT; }

size_t workload_pair(size_t record, uint64_t seen, uint64_t made, char out[WORKLOAD_DATA_BYTES]) {
    workload_data(record, seen, out);
    put_digits(out + pair_at(seen), 10, seen);
    put_digits(out + pair_at(seen + 1), 10, seen == 0 ? 0 : seen - 1);
    put_digits(out + pair_at(made), 10, made);
    return WORKLOAD_DATA_BYTES;
}

size_t workload_pair_patch(uint64_t made, char out[WORKLOAD_DATA_BYTES]) {
    return (size_t)snprintf(out, WORKLOAD_DATA_BYTES,
                            made % 2 == 0 ? "{\"version\":\"%010llu\"}"
                                          : "{\"number\":\"INV-%010llu\"}",
                            (unsigned long long)made);
}

void workload_key(char out[WORKLOAD_KEY_BYTES]) {
    uint8_t uuid[UUID_BYTES];
    uuid_v7(clock_system(), entropy_system(), uuid);
    uuid_format(uuid, out);
}
