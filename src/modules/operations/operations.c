/*
 * The module: where its parts are put together, and what its commands have in common.
 *
 *   submit.c  asking for work       claim.c, work.c, complete.c  doing it         function_run.c  the server's own
 *   move.c    cancelling, retrying  due.c, prune.c              what time does   state.h         the lanes in memory
 *   rights.c  who may see and do what
 */
#include "modules/operations/operations.h"

#include "base/error.h"
#include "base/view.h"
#include "modules/operations/internal.h"

#include <stdarg.h>
#include <stdio.h>

/* ---- Words ------------------------------------------------------------------------------- */

stet_status no_memory(stet_error *err) {
    return error_set(err, STET_NO_MEMORY, "out of memory for an operation");
}

stet_status no_operation(stet_view id, const char *field, stet_error *err) {
    error_set(err, STET_NOT_FOUND, "there is no operation \"%.*s\"", VIEW_ARG(id));
    error_field(err, field, 0);
    return STET_NOT_FOUND;
}

stet_status bad_field(stet_error *err, const char *field, uint64_t limit, const char *format, ...) {
    char words[160];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(words, sizeof words, format, arguments);
    va_end(arguments);
    error_set(err, STET_BAD_REQUEST, "%s", words);
    error_field(err, field, limit);
    return STET_BAD_REQUEST;
}

stet_status need_text(stet_view given, const char *field, stet_error *err) {
    return view_is_empty(given) ? bad_field(err, field, 0, "\"%s\" is missing", field) : STET_OK;
}

stet_status class_parse(stet_view text, stet_class *class_, stet_error *err) {
    for (int i = STET_CLASS_LOW; i <= STET_CLASS_STRUCTURAL; i++) {
        if (!view_equal(text, class_text((stet_class)i))) continue;
        *class_ = (stet_class)i;
        return STET_OK;
    }
    return bad_field(err, "class", 0, "a class is low, normal, high, urgent or structural");
}

/* ---- Tasks ------------------------------------------------------------------------------- */

struct task *operations_begin(struct stet_command *command, stet_error *err) {
    if (command->kind != COMMAND_EMPTY) {
        error_set(err, STET_MISUSE, "the command is filled already");
        return NULL;
    }
    struct task *task = arena_zalloc(&command->arena, 1, sizeof *task);
    if (task == NULL) {
        no_memory(err);
        return NULL;
    }
    command->module_data = task;
    command->owner = &operations_module;
    return task;
}

void operations_finish(struct stet_command *command, struct task *task,
                       stet_status (*answer)(struct stet_command *command,
                                             struct json_writer *writer, stet_error *err)) {
    command->module_data = task;
    command->owner = &operations_module;
    command->kind = COMMAND_MODULE;
    command->answer = answer;
}

stet_status operations_text(struct stet_command *command, stet_view given, size_t bytes_max,
                            const char *field, stet_view *kept, stet_error *err) {
    if (given.size > bytes_max || !view_is_utf8(given))
        return bad_field(err, field, bytes_max, "\"%s\" must be UTF-8 of at most %zu bytes", field,
                         bytes_max);
    *kept = arena_copy(&command->arena, given);
    return kept->bytes == NULL ? no_memory(err) : STET_OK;
}

/* ---- The module -------------------------------------------------------------------------- */

static stet_status operations_decide(void *state, struct staging *staging,
                                     struct stet_command *command, const struct module_time *now,
                                     stet_error *err) {
    struct operations *operations = state;
    struct task *task = command->module_data;
    operations_drop_pending(operations);
    operations->monotonic = now->monotonic;
    if (now->wall > operations->now && !now->wall_held) operations->now = now->wall;
    operations_tick(operations);
    task->operations = operations;
    return task->decide(operations, staging, task, err);
}

static void operations_ended(void *state, struct stet_command *command) {
    const struct task *task = command->module_data;
    if (task->work != NULL) functions_ended(state, command);
    if (task->prune != NULL) prune_ended(state, command);
}

/* ---- A record is erased ------------------------------------------------------------------ */

/* What is over is forgotten with what it took and gave; what is not goes on, and is named. */
static void operations_concern(const struct store_change *row, struct arena *scratch,
                               const struct module_erasure *erasure) {
    struct operation_record record;
    if (!view_equal(row->type, OPERATION_TYPE) ||
        record_read(scratch, row->data, &record, NULL) != STET_OK ||
        !view_equal(record.target, erasure->address))
        return;
    if (!status_finished(record.status)) {
        erasure->add(erasure->context, CONCERN_KEEPS, row->type, row->id);
        return;
    }
    erasure->add(erasure->context, CONCERN_ERASED, row->type, row->id);
    const char *const parts[] = {"input", "result"};
    for (int i = 0; i < 2; i++) {
        stet_view id = payload_id(scratch, row->id, parts[i]);
        if (id.bytes != NULL && (i == 0 ? record.input_apart : record.result_apart))
            erasure->add(erasure->context, CONCERN_ERASED, PAYLOAD_TYPE, id);
    }
}

static stet_status operations_erase(void *state, struct staging *staging, stet_view type,
                                    stet_view id, stet_error *err) {
    (void)state;
    return staging_forget(staging, type, id, err);
}

static const char *const types[] = {"stet.operation", "stet.payload", "stet.lane", NULL};

const struct module operations_module = {
    .name = "operations",
    .types = types,
    .open = operations_open,
    .close = operations_close,
    .reset = operations_reset,
    .load = operations_load,
    .loaded = operations_loaded,
    .apply = operations_apply,
    .decide = operations_decide,
    .decided = operations_decided,
    .next_due = operations_next_due,
    .due = operations_due,
    .ended = operations_ended,
    .spawn = operations_spawn,
    .gauge = operations_gauge,
    .concerns = operations_concern,
    .erase = operations_erase,
    .metrics = operations_metrics,
    .may_read = operations_may_read,
};
