/*
 * Handlers, for the public interface.
 */
#include "base/error.h"
#include "modules/handlers/handlers.h"
#include "stet.h"

#define NEED(condition)                                                                            \
    if (!(condition)) return error_set(err, STET_MISUSE, "a null pointer")

stet_status stet_command_handler_write(stet_command *command, const stet_handler_write *write,
                                       stet_error *err) {
    NEED(command != NULL && write != NULL);
    return handlers_fill_write(command, write, err);
}

stet_status stet_command_handler_get(stet_command *command, stet_view name, stet_error *err) {
    NEED(command != NULL);
    return handlers_fill_get(command, name, err);
}

stet_status stet_command_handler_list(stet_command *command, stet_error *err) {
    NEED(command != NULL);
    return handlers_fill_list(command, err);
}
