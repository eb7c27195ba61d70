#include "core/function.h"

#include "base/error.h"

stet_status function_stage(struct staging *staging, struct function_call *call, stet_error *err) {
    stet_status status = staging_validate_reads(staging, &call->reads, NULL, err);
    if (status != STET_OK) return status;
    return staging_decide(staging);
}
