#include "core/operation.h"

#include "base/error.h"

stet_status staging_spawn(struct staging *staging, const struct operation_spawn *spawn,
                          stet_error *err) {
    const struct space *space = staging->space;
    for (size_t i = 0; i < space->module_count; i++) {
        const struct engine_module_state *module = &space->modules[i];
        if (module->module->spawn != NULL)
            return module->module->spawn(module->state, staging, spawn, err);
    }
    return error_set(err, STET_NOT_FOUND, "space \"%s\" has no queue", space->name);
}
