/* The calls of stet.h about functions: see stet.c. */
#include "base/error.h"
#include "modules/functions/functions.h"

#define NEED(condition)                                                                            \
    if (!(condition)) return error_set(err, STET_MISUSE, "a null pointer")

stet_status stet_command_function_write(stet_command *command, const stet_function_write *write,
                                        stet_error *err) {
    NEED(command != NULL && write != NULL);
    return functions_fill_write(command, write, err);
}

stet_status stet_command_functions_apply(stet_command *command, const stet_functions_apply *apply,
                                         stet_error *err) {
    NEED(command != NULL && apply != NULL);
    return functions_fill_apply(command, apply, err);
}

stet_status stet_command_function_get(stet_command *command, stet_view name, stet_error *err) {
    NEED(command != NULL);
    return functions_fill_get(command, name, err);
}

stet_status stet_command_function_list(stet_command *command, stet_error *err) {
    NEED(command != NULL);
    return functions_fill_list(command, err);
}

stet_status stet_command_function_call(stet_command *command, const stet_function_call *call,
                                       stet_error *err) {
    NEED(command != NULL && call != NULL);
    return functions_fill_call(command, call, err);
}
