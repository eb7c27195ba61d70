#include "http/feed.h"

#include "base/error.h"
#include "base/view.h"
#include "http/params.h"

#include <assert.h>

stet_status feed_add_events(struct arena *arena, stet_feed_options *options, stet_view name,
                            stet_error *err) {
    stet_view *types = arena_alloc(arena, (options->type_count + 1) * sizeof *types);
    if (types == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    bool operations = view_equal(name, VIEW("operation"));
    if (!operations && !view_equal(name, VIEW("conflict"))) {
        error_set(err, STET_BAD_REQUEST,
                  "the events that are asked for are \"conflict\" and \"operation\"");
        error_field(err, "events", 0);
        return STET_BAD_REQUEST;
    }
    for (size_t i = 0; i < options->type_count; i++)
        types[i] = options->types[i];
    types[options->type_count++] = operations ? VIEW("stet.operation") : VIEW("stet.conflict");
    options->types = types;
    return STET_OK;
}

stet_status feed_operations(struct arena *arena, const stet_feed_options *options,
                            const char *field, stet_view ids[SUBSCRIPTION_FILTERS_MAX],
                            size_t *count, stet_error *err) {
    const stet_view prefix = VIEW("stet.operation/");
    assert(options->address_count <= SUBSCRIPTION_FILTERS_MAX);
    *count = 0;
    for (size_t i = 0; i < options->address_count; i++) {
        stet_view address = options->addresses[i];
        if (!view_starts(address, prefix)) continue;
        stet_view id = view_make(address.bytes + prefix.size, address.size - prefix.size);
        stet_status status = percent_decode(arena, id, false, field, &ids[*count], err);
        if (status != STET_OK) return status;
        ++*count;
    }
    return STET_OK;
}
