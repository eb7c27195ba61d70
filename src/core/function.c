#include "core/function.h"

#include "base/clock.h"
#include "base/limits.h"

stet_status function_stage(struct staging *staging, struct function_call *call, stet_error *err) {
    stet_status status = staging_validate_reads(staging, &call->reads, NULL, err);
    if (status != STET_OK) return status;
    return staging_decide(staging);
}

bool function_reserve(struct staging *staging, const struct function_call *call,
                      const struct rank *rank) {
    const struct read_set *reads = &call->reads;
    struct reserved_record *records =
        arena_alloc(staging_arena(staging), (reads->point_count + 1) * sizeof *records);
    size_t count = 0;
    if (records == NULL) return false;
    for (size_t i = 0; i < reads->point_count; i++)
        if (!type_is_system(reads->points[i].type))
            records[count++] =
                (struct reserved_record){.type = reads->points[i].type, .id = reads->points[i].id};
    reservations_take(staging->space, rank, records, count,
                      staging->time.monotonic + RESERVATION_MS_MAX * CLOCK_NS_PER_MS);
    return true;
}
