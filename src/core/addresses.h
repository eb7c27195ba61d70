/*
 * Addresses: "type/id" by a record's number. A number never gets another address, so what is remembered here stays true whatever is
 * written since, as in core/births.h: keyed by space instance and number, direct-mapped, for one thread. Refusals of bookings name
 * what is in the way, and where many want the same thing it is the same record.
 */
#ifndef CORE_ADDRESSES_H
#define CORE_ADDRESSES_H

#include "stet.h"

struct known_address;

struct addresses {
    struct known_address **slots; /* ADDRESSES_CACHED_MAX of them, allocated with the first. */
};

void addresses_init(struct addresses *addresses);
void addresses_done(struct addresses *addresses);

/* Empty: not remembered. Borrowed until the next addresses_ call. */
stet_view addresses_find(const struct addresses *addresses, uint64_t instance, uint64_t record);

/* The record must be durable. Forgets quietly when memory is out. */
void addresses_put(struct addresses *addresses, uint64_t instance, uint64_t record,
                   stet_view address);

#endif
