/*
 * Trees of records: parents and children, and what is done with a record and all its descendants at once. See README.md.
 */
#ifndef MODULES_TREES_TREES_H
#define MODULES_TREES_TREES_H

#include "core/client.h"

extern const struct module trees_module;

/* Each fills an empty command; see the calls of the same names in stet.h. */
stet_status trees_fill_read(struct stet_command *command, stet_view type, stet_view id,
                            stet_seq min_seq, stet_error *err);
stet_status trees_fill_put(struct stet_command *command, const stet_tree_write *asked,
                           stet_error *err);
stet_status trees_fill_delete(struct stet_command *command, const stet_tree_write *asked,
                              stet_error *err);
stet_status trees_fill_fork(struct stet_command *command, const stet_fork *asked, stet_error *err);
stet_status trees_fill_merge(struct stet_command *command, const stet_merge *asked,
                             stet_error *err);

#endif
