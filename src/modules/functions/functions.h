/*
 * Functions over records. See README.md.
 */
#ifndef MODULES_FUNCTIONS_FUNCTIONS_H
#define MODULES_FUNCTIONS_FUNCTIONS_H

#include "core/client.h"
#include "core/function.h"

extern const struct module functions_module;
extern const struct function_runner functions_runner;

/* Each fills an empty command; submit it to the space whose functions are meant. */
stet_status functions_fill_write(struct stet_command *command, const stet_function_write *write,
                                 stet_error *err);
stet_status functions_fill_apply(struct stet_command *command, const stet_functions_apply *apply,
                                 stet_error *err);
stet_status functions_fill_get(struct stet_command *command, stet_view name, stet_error *err);
stet_status functions_fill_list(struct stet_command *command, stet_error *err);
stet_status functions_fill_call(struct stet_command *command, const stet_function_call *call,
                                stet_error *err);

#endif
