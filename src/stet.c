/*
 * The public interface: checks what a stranger may have got wrong, and hands over to core and the modules. Which modules there
 * are is decided here and nowhere else.
 */
#include "stet.h"

#include "base/error.h"
#include "base/view.h"
#include "core/client.h"
#include "core/export.h"
#include "core/metrics.h"
#include "core/purge.h"
#include "core/query.h"
#include "core/resolve.h"
#include "core/submit.h"
#include "modules/alerts/alerts.h"
#include "modules/auth/auth.h"
#include "modules/conflicts/conflicts.h"
#include "modules/feed/feed.h"
#include "modules/functions/functions.h"
#include "modules/handlers/handlers.h"
#include "modules/locks/locks.h"
#include "modules/operations/operations.h"
#include "modules/people/people.h"
#include "modules/settings/settings.h"
#include "modules/spaces/spaces.h"
#include "modules/trees/trees.h"
#include "modules/types/types.h"
#include "outbound/outbound.h"
#include "stet_wiring.h"
#include "store/lock.h"

#include <sodium.h>

const struct module *const stet_modules[] = {&types_module,
                                             &auth_module,
                                             &people_module,
                                             &conflicts_module,
                                             &handlers_module,
                                             &functions_module,
                                             &locks_module,
                                             &operations_module,
                                             &spaces_module,
                                             &trees_module,
                                             &settings_module,
                                             &alerts_module,
                                             NULL};

/* A stet_space is a counted reference to a struct space; the public name hides the inner one. */
static struct space *space_of(stet_space *space) { return (struct space *)space; }

#define NEED(condition)                                                                            \
    if (!(condition)) return error_set(err, STET_MISUSE, "a null pointer")

/* ---- Statuses ---------------------------------------------------------------------------- */

const char *stet_status_code(stet_status status) { return status_code(status); }
const char *stet_status_title(stet_status status) { return status_words(status); }
int stet_status_http(stet_status status) { return status_http(status); }
const char *stet_version_text(void) { return STET_VERSION_TEXT; }

/* ---- Engine ------------------------------------------------------------------------------ */

stet_status stet_open(const stet_options *options, stet_engine **engine, stet_error *err) {
    NEED(engine != NULL);
    if (sodium_init() < 0) return error_set(err, STET_INTERNAL, "libsodium could not be started");
    stet_status status = engine_open(options, NULL, stet_modules, engine, err);
    if (status != STET_OK) return status;
    status = outbound_start(*engine, err);
    if (status != STET_OK) {
        engine_close(*engine);
        *engine = NULL;
    }
    return status;
}

void stet_close(stet_engine *engine) { engine_close(engine); }

stet_status stet_announce(stet_engine *engine, const char *url, const char *token,
                          stet_error *err) {
    NEED(engine != NULL && url != NULL && token != NULL);
    if (engine->lock == NULL) return STET_OK; /* In memory: nobody else can find it. */
    return dirlock_announce(engine->lock, view_of(url), view_of(token), err);
}

stet_status stet_find_owner(const char *data_dir, stet_owner *owner, stet_error *err) {
    NEED(data_dir != NULL && owner != NULL);
    struct arena arena;
    stet_view url, token;
    int64_t pid;
    arena_init(&arena, 1024);
    stet_status status = dirlock_read(data_dir, &arena, &pid, &url, &token, err);
    if (status == STET_OK) {
        owner->pid = pid;
        snprintf(owner->url, sizeof owner->url, "%.*s", VIEW_ARG(url));
        snprintf(owner->token, sizeof owner->token, "%.*s", VIEW_ARG(token));
    }
    arena_done(&arena);
    return status;
}

const char *stet_storage_advice(const stet_engine *engine) { return engine->advice; }

void stet_metrics(stet_engine *engine, stet_metric_visit *visit, void *context) {
    metrics_visit(engine, visit, context);
}

/* ---- Clients and spaces ------------------------------------------------------------------- */

stet_status stet_client_create(stet_engine *engine, stet_client **client, stet_error *err) {
    NEED(engine != NULL && client != NULL);
    return client_create(engine, client, err);
}

void stet_client_destroy(stet_client *client) { client_destroy(client); }
int stet_client_fd(const stet_client *client) { return client->fd; }
stet_command *stet_client_next(stet_client *client) { return client_next(client); }

stet_status stet_space_open(stet_client *client, stet_view name, stet_space **space,
                            stet_error *err) {
    NEED(client != NULL && space != NULL);
    return stet_space_open_blocking(client->engine, name, space, err);
}

void stet_space_close(stet_space *space) { space_unref(space_of(space)); }
stet_seq stet_space_seq(const stet_space *space) {
    return ring_published(&space_of((stet_space *)(uintptr_t)space)->ring);
}
stet_view stet_space_id(const stet_space *space) {
    const struct space *inner = space_of((stet_space *)(uintptr_t)space);
    return view_make(inner->id, sizeof inner->id);
}
bool stet_space_is_deleted(const stet_space *space) {
    return atomic_load(&space_of((stet_space *)(uintptr_t)space)->dropped);
}

/* ---- Commands ---------------------------------------------------------------------------- */

stet_command *stet_command_create(stet_client *client) {
    return client == NULL ? NULL : command_create(client);
}
void stet_command_destroy(stet_command *command) { command_destroy(command); }

stet_status stet_submit(stet_space *space, const stet_actor *actor, stet_command *command,
                        void *context, stet_error *err) {
    NEED(space != NULL && actor != NULL && command != NULL);
    return command_submit(space_of(space), actor, command, context, err);
}

void stet_cancel(stet_command *command) {
    if (command != NULL && !command->done) command_cancel(command);
}

bool stet_command_is_done(const stet_command *command) { return command->done; }
void *stet_command_context(const stet_command *command) { return command->context; }

const stet_outcome *stet_command_outcome(stet_command *command) {
    if (command == NULL || !command->done) return NULL;
    command_render(command);
    return &command->outcome;
}

stet_status stet_strategy_parse(stet_view text, stet_strategy *strategy, stet_error *err) {
    NEED(strategy != NULL);
    return strategy_parse(text, strategy, err);
}

stet_status stet_command_write(stet_command *command, const stet_write *write, stet_error *err) {
    NEED(command != NULL && write != NULL);
    return command_fill_write(command, write, err);
}

stet_status stet_command_resolve(stet_command *command, const stet_resolution *resolution,
                                 stet_error *err) {
    NEED(command != NULL && resolution != NULL);
    return resolve_fill(command, resolution, err);
}

stet_status stet_command_conflict_list(stet_command *command, const stet_conflict_list *list,
                                       stet_error *err) {
    NEED(command != NULL && list != NULL);
    return conflicts_fill_list(command, list, err);
}

stet_status stet_command_conflict_get(stet_command *command, stet_view id, stet_error *err) {
    NEED(command != NULL);
    return conflicts_fill_get(command, id, err);
}

stet_status stet_command_conflict_resolve(stet_command *command,
                                          const stet_conflict_resolution *resolution,
                                          stet_error *err) {
    NEED(command != NULL && resolution != NULL);
    return conflicts_fill_resolve(command, resolution, err);
}

stet_status stet_command_conflict_reopen(stet_command *command, stet_view id,
                                         stet_version precondition, stet_error *err) {
    NEED(command != NULL);
    return conflicts_fill_reopen(command, id, precondition, err);
}

stet_status stet_command_inbox_list(stet_command *command, const stet_inbox_list *list,
                                    stet_error *err) {
    NEED(command != NULL && list != NULL);
    return inbox_fill_list(command, list, err);
}

stet_status stet_command_inbox_read(stet_command *command, const stet_view *ids, size_t count,
                                    stet_error *err) {
    NEED(command != NULL);
    return inbox_fill_read(command, ids, count, err);
}

stet_status stet_command_inbox_dismiss(stet_command *command, stet_view id, stet_error *err) {
    NEED(command != NULL);
    return inbox_fill_dismiss(command, id, err);
}

/* ---- Reads ------------------------------------------------------------------------------- */

/* Copies a view into a command; false when memory is out. */
static bool keep(stet_command *command, stet_view from, stet_view *to) {
    *to = arena_copy(&command->arena, from);
    return to->bytes != NULL;
}

/* Checks and copies the record a read is about, and gives the command its kind. */
static stet_status fill_read(stet_command *command, enum command_kind kind, stet_view type,
                             stet_view id, stet_view *type_kept, stet_view *id_kept,
                             stet_error *err) {
    if (command->kind != COMMAND_EMPTY)
        return error_set(err, STET_MISUSE, "the command is filled already");
    stet_status status = check_type_name(type, "type", err);
    if (status == STET_OK && id_kept != NULL) status = check_id(id, "id", err);
    if (status != STET_OK) return status;
    if (!keep(command, type, type_kept) || (id_kept != NULL && !keep(command, id, id_kept)))
        return error_set(err, STET_NO_MEMORY, "out of memory");
    command->kind = kind;
    return STET_OK;
}

stet_status stet_command_read(stet_command *command, const stet_read *read, stet_error *err) {
    NEED(command != NULL && read != NULL);
    if (read->at < STET_AT_HEAD || read->at > STET_AT_SEQ)
        return error_set(err, STET_MISUSE, "there is no such way to read");
    stet_read kept = *read;
    stet_status status =
        fill_read(command, COMMAND_READ, read->type, read->id, &kept.type, &kept.id, err);
    if (status == STET_OK) command->read = kept;
    return status;
}

/* A limit on a page: 0 means the default, more than the most is refused. */
static stet_status check_limit(unsigned *limit, unsigned fallback, unsigned most, stet_error *err) {
    if (*limit == 0) *limit = fallback;
    if (*limit <= most) return STET_OK;
    error_set(err, STET_BAD_REQUEST, "a page has at most %u entries", most);
    error_field(err, "limit", most);
    return STET_BAD_REQUEST;
}

stet_status stet_command_list(stet_command *command, const stet_list *list, stet_error *err) {
    NEED(command != NULL && list != NULL);
    stet_list kept = *list;
    stet_status status = check_limit(&kept.limit, LIST_LIMIT_DEFAULT, LIST_LIMIT_MAX, err);
    if (status == STET_OK)
        status =
            fill_read(command, COMMAND_LIST, list->type, (stet_view){0}, &kept.type, NULL, err);
    if (status == STET_OK && list->deleted && (!view_is_empty(list->sort) || list->total)) {
        status =
            error_set(err, STET_BAD_REQUEST, "deleted records are listed by id and not counted");
        error_field(err, list->total ? "total" : "sort", 0);
    }
    if (status != STET_OK) return status;
    if (!keep(command, list->after, &kept.after))
        return error_set(err, STET_NO_MEMORY, "out of memory");
    status = query_parse(&command->arena, &kept, &command->query, err);
    if (status != STET_OK) return status;
    command->explain = query_explain;
    kept.where = kept.sort = kept.fields = (stet_view){0}; /* The caller's; compiled. */
    command->list = kept;
    return STET_OK;
}

stet_status stet_command_history(stet_command *command, const stet_history *history,
                                 stet_error *err) {
    NEED(command != NULL && history != NULL);
    stet_history kept = *history;
    stet_status status = check_limit(&kept.limit, HISTORY_LIMIT_DEFAULT, HISTORY_LIMIT_MAX, err);
    if (status == STET_OK)
        status = fill_read(command, COMMAND_HISTORY, history->type, history->id, &kept.type,
                           &kept.id, err);
    if (status == STET_OK) command->history = kept;
    return status;
}

stet_status stet_command_export(stet_command *command, const stet_export *options,
                                stet_error *err) {
    NEED(command != NULL && options != NULL);
    return export_fill(command, options, err);
}

stet_export_page stet_export_page_get(const stet_command *command) { return export_page(command); }

stet_status stet_command_diff(stet_command *command, stet_view type, stet_view id,
                              stet_version from, stet_version to, stet_error *err) {
    NEED(command != NULL);
    if (from == STET_VERSION_NONE) {
        error_set(err, STET_BAD_REQUEST, "the version to compare from is missing");
        error_field(err, "from", 0);
        return STET_BAD_REQUEST;
    }
    stet_status status =
        fill_read(command, COMMAND_DIFF, type, id, &command->read.type, &command->read.id, err);
    command->diff_from = from;
    command->diff_to = to;
    return status;
}

stet_status stet_command_concurrency(stet_command *command, stet_view type, stet_view id,
                                     stet_error *err) {
    NEED(command != NULL);
    return conflicts_fill_concurrency(command, type, id, err);
}

stet_status stet_command_receipt(stet_command *command, stet_view mutation_key, stet_error *err) {
    NEED(command != NULL);
    if (command->kind != COMMAND_EMPTY)
        return error_set(err, STET_MISUSE, "the command is filled already");
    stet_status status = command_set_key(command, mutation_key, err);
    if (status == STET_OK) command->kind = COMMAND_RECEIPT;
    return status;
}

static stet_status fill_plain(stet_command *command, enum command_kind kind, stet_error *err) {
    NEED(command != NULL);
    if (command->kind != COMMAND_EMPTY)
        return error_set(err, STET_MISUSE, "the command is filled already");
    command->kind = kind;
    return STET_OK;
}

stet_status stet_command_stats(stet_command *command, stet_error *err) {
    return fill_plain(command, COMMAND_STATS, err);
}
stet_status stet_command_check(stet_command *command, stet_error *err) {
    return fill_plain(command, COMMAND_CHECK, err);
}

/* ---- Locks ------------------------------------------------------------------------------- */

stet_status stet_command_lock_acquire(stet_command *command, const stet_lock_request *request,
                                      stet_error *err) {
    NEED(command != NULL && request != NULL);
    return locks_fill_acquire(command, request, err);
}

stet_status stet_command_lock_renew(stet_command *command, stet_view name, uint64_t token,
                                    unsigned ttl_s, stet_error *err) {
    NEED(command != NULL);
    return locks_fill_renew(command, name, token, ttl_s, err);
}

stet_status stet_command_lock_release(stet_command *command, stet_view name, uint64_t token,
                                      stet_error *err) {
    NEED(command != NULL);
    return locks_fill_release(command, name, token, err);
}

stet_status stet_command_lock_read(stet_command *command, stet_view name, stet_error *err) {
    NEED(command != NULL);
    return locks_fill_read(command, name, err);
}

stet_status stet_command_lock_list(stet_command *command, stet_view after, unsigned limit,
                                   stet_error *err) {
    NEED(command != NULL);
    return locks_fill_list(command, after, limit, err);
}

/* ---- Types ------------------------------------------------------------------------------- */

stet_status stet_command_type_write(stet_command *command, const stet_type_write *write,
                                    stet_error *err) {
    NEED(command != NULL && write != NULL);
    return types_fill_write(command, write, err);
}

stet_status stet_command_types_apply(stet_command *command, const stet_types_apply *apply,
                                     stet_error *err) {
    NEED(command != NULL && apply != NULL);
    return types_fill_apply(command, apply, err);
}

stet_status stet_command_type_get(stet_command *command, stet_view name, stet_error *err) {
    NEED(command != NULL);
    return types_fill_get(command, name, err);
}

stet_status stet_command_type_list(stet_command *command, stet_error *err) {
    NEED(command != NULL);
    return types_fill_list(command, err);
}

/* ---- Trees ------------------------------------------------------------------------------- */

stet_status stet_command_tree_read(stet_command *command, stet_view type, stet_view id,
                                   stet_seq min_seq, stet_error *err) {
    NEED(command != NULL);
    return trees_fill_read(command, type, id, min_seq, err);
}

stet_status stet_command_tree_put(stet_command *command, const stet_tree_write *write,
                                  stet_error *err) {
    NEED(command != NULL && write != NULL);
    return trees_fill_put(command, write, err);
}

stet_status stet_command_tree_delete(stet_command *command, const stet_tree_write *write,
                                     stet_error *err) {
    NEED(command != NULL && write != NULL);
    return trees_fill_delete(command, write, err);
}

stet_status stet_command_purge(stet_command *command, const stet_purge *purge, stet_error *err) {
    NEED(command != NULL && purge != NULL);
    return command_fill_purge(command, purge, err);
}

stet_status stet_command_fork(stet_command *command, const stet_fork *fork, stet_error *err) {
    NEED(command != NULL && fork != NULL);
    return trees_fill_fork(command, fork, err);
}

stet_status stet_command_merge(stet_command *command, const stet_merge *merge, stet_error *err) {
    NEED(command != NULL && merge != NULL);
    return trees_fill_merge(command, merge, err);
}

/* ---- Spaces and tokens -------------------------------------------------------------------- */

stet_status stet_command_space_create(stet_command *command, stet_view name, stet_error *err) {
    NEED(command != NULL);
    return spaces_fill_create(command, name, err);
}

stet_status stet_command_space_delete(stet_command *command, stet_view name, stet_error *err) {
    NEED(command != NULL);
    return spaces_fill_delete(command, name, err);
}

stet_status stet_command_space_list(stet_command *command, stet_error *err) {
    NEED(command != NULL);
    return spaces_fill_list(command, err);
}

stet_status stet_command_token_create(stet_command *command, const stet_token_request *request,
                                      stet_error *err) {
    NEED(command != NULL && request != NULL);
    return auth_fill_create(command, request, err);
}

stet_status stet_command_token_list(stet_command *command, stet_error *err) {
    NEED(command != NULL);
    return auth_fill_list(command, err);
}

stet_status stet_command_token_revoke(stet_command *command, stet_view id, stet_error *err) {
    NEED(command != NULL);
    return auth_fill_revoke(command, id, err);
}

/* ---- Feed -------------------------------------------------------------------------------- */

stet_status stet_subscribe(stet_client *client, stet_space *space, const stet_actor *actor,
                           const stet_feed_options *options, void *context,
                           stet_subscription **subscription, stet_error *err) {
    NEED(client != NULL && space != NULL && actor != NULL && options != NULL &&
         subscription != NULL);
    return feed_subscribe(client, space_of(space), actor, options, context, subscription, err);
}

void stet_unsubscribe(stet_subscription *subscription) { feed_unsubscribe(subscription); }
bool stet_subscription_next(stet_subscription *subscription, stet_event *event) {
    return feed_next(subscription, event);
}
void stet_subscription_rewind(stet_subscription *subscription, stet_seq resume) {
    feed_rewind(subscription, resume);
}
void stet_subscription_bookmark(stet_subscription *subscription, stet_event *event) {
    feed_bookmark(subscription, event);
}
void *stet_subscription_context(const stet_subscription *subscription) {
    return feed_context(subscription);
}
stet_subscription *stet_client_ready(stet_client *client) { return feed_ready(client); }
