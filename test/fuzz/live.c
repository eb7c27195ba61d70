/*
 * Messages of a live connection: any text is read or refused, and what is refused names a status.
 */
#include "base/arena.h"
#include "fuzz.h"
#include "http/live_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct arena arena;
    struct live_message message;
    stet_error err = {0};
    arena_init(&arena, 1024);
    stet_status status =
        live_message_read(&arena, (stet_view){(const char *)bytes, size}, &message, &err);
    if (status == STET_OK) {
        REQUIRE(message.has_id);
        REQUIRE(message.op != LIVE_MUTATE || message.mutation_count > 0);
        REQUIRE(message.op != LIVE_SUBSCRIBE || message.sub.size > 0);
        REQUIRE(message.feed.address_count <= SUBSCRIPTION_FILTERS_MAX);
        REQUIRE((message.op != LIVE_PRESENT && message.op != LIVE_ABSENT) ||
                (message.type.size > 0 && message.id_of.size > 0));
    } else {
        REQUIRE(err.status == status && err.message[0] != '\0');
    }
    arena_done(&arena);
    return 0;
}
