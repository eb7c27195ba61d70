/*
 * Checking and storing settings, and showing them. Secrets are kept apart: see README.md.
 */
#include "modules/settings/settings.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/quota.h"
#include "core/read.h"
#include "core/render.h"
#include "core/threshold.h"
#include "doc/write.h"

#include <stdio.h>

#define TYPE VIEW("stet.settings")
#define ID VIEW("space")

static stet_status no_memory(stet_error *err) {
    return error_set(err, STET_NO_MEMORY, "out of memory for settings");
}

/* ---- Writing ----------------------------------------------------------------------------- */

struct storing {
    struct arena *arena;
    struct doc put, kept;
    bool has_kept;
    struct json_writer writer;
    stet_error *err;
};

static doc_node secret_of(const struct doc *doc, doc_node alert) {
    doc_node webhook =
        doc_kind(doc, alert) == DOC_OBJECT ? doc_member(doc, alert, VIEW("webhook")) : DOC_NONE;
    return webhook == DOC_NONE ? DOC_NONE : doc_member(doc, webhook, VIEW("secret"));
}

/* The members of an object, with null in the place of a secret. */
static void write_hidden(struct storing *storing, doc_node object, doc_node secret) {
    const struct doc *doc = &storing->put;
    json_object_begin(&storing->writer);
    for (doc_node one = doc_first(doc, object); one != DOC_NONE; one = doc_next(doc, one)) {
        json_key_raw(&storing->writer, doc_key_raw(doc, one));
        if (one == secret) {
            json_null(&storing->writer);
        } else if (secret != DOC_NONE && view_equal(doc_key_raw(doc, one), VIEW("webhook"))) {
            write_hidden(storing, one, secret);
        } else {
            json_raw(&storing->writer, doc_text(doc, one));
        }
    }
    json_object_end(&storing->writer);
}

static stet_status write_secrets(struct storing *storing, doc_node alerts) {
    const struct doc *doc = &storing->put;
    doc_node before =
        storing->has_kept ? doc_member(&storing->kept, 0, VIEW("_secrets")) : DOC_NONE;
    json_key(&storing->writer, VIEW("_secrets"));
    json_object_begin(&storing->writer);
    for (doc_node one = doc_first(doc, alerts); one != DOC_NONE; one = doc_next(doc, one)) {
        doc_node secret = secret_of(doc, one);
        stet_view text;
        if (secret == DOC_NONE) continue;
        text = doc_text(doc, secret);
        if (doc_kind(doc, secret) == DOC_NULL) {
            doc_node kept = before == DOC_NONE
                                ? DOC_NONE
                                : doc_member(&storing->kept, before, doc_key_raw(doc, one));
            if (kept == DOC_NONE) {
                char field[ALERT_NAME_BYTES_MAX + 32];
                snprintf(field, sizeof field, "/alerts/%.*s/webhook/secret",
                         VIEW_ARG(doc_key_raw(doc, one)));
                error_set(storing->err, STET_INVALID_SETTINGS,
                          "is null, which keeps the secret that was there, and there was none");
                error_field(storing->err, field, 0);
                error_subject(storing->err, "the settings");
                return STET_INVALID_SETTINGS;
            }
            text = doc_text(&storing->kept, kept);
        }
        json_key_raw(&storing->writer, doc_key_raw(doc, one));
        json_raw(&storing->writer, text);
    }
    json_object_end(&storing->writer);
    return STET_OK;
}

/* To whom operations are shown that are others'; see core/space.h. Absent: to services. */
static const struct {
    const char *name;
    enum operations_sight sight;
} sights[] = {{"services", OPERATIONS_FOR_SERVICES},
              {"members", OPERATIONS_FOR_MEMBERS},
              {"private", OPERATIONS_PRIVATE}};
enum { SIGHTS = sizeof sights / sizeof sights[0] };

/* False: it is none of them. */
static bool read_sight(struct arena *arena, const struct doc *doc, enum operations_sight *sight) {
    doc_node node = doc_member(doc, 0, VIEW("operations"));
    stet_view text;
    *sight = OPERATIONS_FOR_SERVICES;
    if (node == DOC_NONE) return true;
    if (doc_string(arena, doc, node, &text) != STET_OK) return false;
    for (size_t i = 0; i < SIGHTS; i++) {
        if (!view_equal(text, view_of(sights[i].name))) continue;
        *sight = sights[i].sight;
        return true;
    }
    return false;
}

static stet_status write_sight(struct storing *storing) {
    enum operations_sight sight;
    if (!read_sight(storing->arena, &storing->put, &sight)) {
        error_set(storing->err, STET_INVALID_SETTINGS,
                  "is \"services\", \"members\" or \"private\"");
        error_field(storing->err, "/operations", 0);
        error_subject(storing->err, "the settings");
        return STET_INVALID_SETTINGS;
    }
    if (doc_member(&storing->put, 0, VIEW("operations")) == DOC_NONE) return STET_OK;
    for (size_t i = 0; i < SIGHTS; i++)
        if (sights[i].sight == sight)
            json_member_text(&storing->writer, VIEW("operations"), view_of(sights[i].name));
    return STET_OK;
}

static stet_status write_limits(struct storing *storing) {
    doc_node node = doc_member(&storing->put, 0, VIEW("limits"));
    struct quota_limits limits;
    stet_status status = quota_read(&storing->put, node, &limits, storing->err);
    if (status == STET_OK && node != DOC_NONE)
        json_member_raw(&storing->writer, VIEW("limits"), doc_text(&storing->put, node));
    return status;
}

/* What is stored for what was put. */
static stet_status store_text(struct storing *storing, stet_view *text) {
    const struct doc *doc = &storing->put;
    struct threshold *list;
    struct buffer buffer;
    size_t count;
    if (doc_kind(doc, 0) != DOC_OBJECT)
        return error_set(storing->err, STET_INVALID_SETTINGS, "settings are a JSON object");
    for (doc_node one = doc_first(doc, 0); one != DOC_NONE; one = doc_next(doc, one)) {
        if (view_equal(doc_key_raw(doc, one), VIEW("alerts")) ||
            view_equal(doc_key_raw(doc, one), VIEW("limits")) ||
            view_equal(doc_key_raw(doc, one), VIEW("operations")))
            continue;
        error_set(storing->err, STET_INVALID_SETTINGS,
                  "is not known here; possible are alerts, limits and operations");
        error_field(storing->err,
                    arena_format(storing->arena, "/%.*s", VIEW_ARG(doc_key_raw(doc, one))).bytes,
                    0);
        error_subject(storing->err, "the settings");
        return STET_INVALID_SETTINGS;
    }
    doc_node alerts = doc_member(doc, 0, VIEW("alerts"));
    stet_status status = threshold_read(storing->arena, doc, alerts, &list, &count, storing->err);
    if (status != STET_OK) return status;
    buffer_init(&buffer, storing->arena, 0);
    json_begin(&storing->writer, &buffer);
    json_object_begin(&storing->writer);
    json_key(&storing->writer, VIEW("alerts"));
    json_object_begin(&storing->writer);
    bool secrets = false;
    for (doc_node one = alerts == DOC_NONE ? DOC_NONE : doc_first(doc, alerts); one != DOC_NONE;
         one = doc_next(doc, one)) {
        json_key_raw(&storing->writer, doc_key_raw(doc, one));
        write_hidden(storing, one, secret_of(doc, one));
        secrets = secrets || secret_of(doc, one) != DOC_NONE;
    }
    json_object_end(&storing->writer);
    status = write_sight(storing);
    if (status == STET_OK) status = write_limits(storing);
    if (status == STET_OK && secrets) status = write_secrets(storing, alerts);
    if (status != STET_OK) return status;
    json_object_end(&storing->writer);
    if (json_end(&storing->writer) != STET_OK) return no_memory(storing->err);
    *text = buffer_view(&buffer);
    return STET_OK;
}

/* Only what the base held can be kept: a write from any other base is refused anyway. */
static stet_status read_kept(struct stet_command *command, struct storing *storing) {
    const struct mutation *mutation = &command->mutations[0];
    struct change *head = NULL;
    if (mutation->base.kind != STET_BASE_VERSION && mutation->base.kind != STET_BASE_UPDATED_AT)
        return STET_OK;
    stet_status status = client_head(command->client, command->space, mutation->type, mutation->id,
                                     &head, storing->err);
    if (status == STET_NOT_FOUND) return STET_OK;
    if (status != STET_OK) return status;
    stet_view data = arena_copy(storing->arena, head->row.data);
    change_unref(head);
    if (data.bytes == NULL) return no_memory(storing->err);
    storing->has_kept = data.size > 0;
    return storing->has_kept ? doc_parse(storing->arena, data, NULL, &storing->kept, storing->err)
                             : STET_OK;
}

static stet_status prepare(struct stet_command *command, stet_error *err) {
    struct mutation *mutation = &command->mutations[0];
    struct storing storing = {.arena = &command->arena, .err = err};
    const stet_view *given = command->module_data;
    stet_view text;
    stet_status status = doc_parse(&command->arena, *given, NULL, &storing.put, err);
    if (status == STET_OK) status = read_kept(command, &storing);
    if (status == STET_OK) status = store_text(&storing, &text);
    if (status != STET_OK) return status;
    mutation->body = text;
    return doc_parse(&command->arena, text, NULL, &mutation->body_doc, err);
}

stet_status settings_fill_put(struct stet_command *command, stet_view settings, stet_base base,
                              stet_view mutation_key, bool dry_run, stet_error *err) {
    stet_mutation mutation = {.op = STET_OP_PUT,
                              .type = TYPE,
                              .id = ID,
                              .base = base,
                              .body = settings,
                              .on_conflict = STET_STRATEGY_REJECT};
    stet_write write = {.mutations = &mutation,
                        .mutation_count = 1,
                        .mutation_key = mutation_key,
                        .dry_run = dry_run};
    stet_status status = command_fill_write(command, &write, err);
    if (status != STET_OK) return status;
    stet_view *given = arena_zalloc(&command->arena, 1, sizeof *given);
    if (given == NULL) return no_memory(err);
    *given = command->mutations[0].body;
    command->owner = &settings_module;
    command->render = RENDER_FLAT;
    command->prepare = prepare;
    command->module_data = given;
    return STET_OK;
}

static stet_status check(void *state, const struct proposal *proposal, stet_error *err) {
    (void)state;
    if (!view_equal(proposal->type, TYPE) || proposal->actor->admin) return STET_OK;
    return error_set(err, STET_FORBIDDEN, "only an administrator may change settings");
}

/* ---- What holds now ---------------------------------------------------------------------- */

static stet_status open_state(struct space *space, void **state, stet_error *err) {
    (void)err;
    *state = space;
    return STET_OK;
}

/* Of damaged settings what shows least holds, and no limit: nobody could be told which. */
static void obey(struct space *space, const struct store_change *change) {
    enum operations_sight sight = OPERATIONS_FOR_SERVICES;
    struct quota_limits limits = {.records = QUOTA_NONE, .bytes = QUOTA_NONE};
    struct arena arena;
    struct doc doc;
    if (!view_equal(change->type, TYPE)) return;
    arena_init(&arena, 1024);
    if (change->op != STORE_DELETE) {
        bool parsed = doc_parse(&arena, change->data, NULL, &doc, NULL) == STET_OK;
        if (!parsed || !read_sight(&arena, &doc, &sight)) sight = OPERATIONS_PRIVATE;
        if (parsed) (void)quota_read(&doc, doc_member(&doc, 0, VIEW("limits")), &limits, NULL);
    }
    arena_done(&arena);
    quota_limit(space, &limits);
    atomic_store_explicit(&space->operations_sight, (int)sight, memory_order_relaxed);
}

static stet_status load(void *state, const struct store_change *head, stet_error *err) {
    (void)err;
    obey(state, head);
    return STET_OK;
}

static void published(void *state, struct space *space, const struct store_change *change) {
    (void)state;
    obey(space, change);
}

/* ---- Showing ----------------------------------------------------------------------------- */

struct show {
    bool found;
    struct store_change row;
};

static stet_status show_hop(struct stet_command *command, struct store_reader *reader,
                            stet_error *err) {
    struct show *show = command->module_data;
    struct store_head head;
    stet_status status = store_head(reader, TYPE, ID, &head, err);
    if (status != STET_OK || head.version == 0 || head.deleted) return status;
    show->found = true;
    return store_change_at(reader, &command->arena, head.seq, &show->row, err);
}

static stet_status decide(void *state, struct staging *staging, struct stet_command *command,
                          const struct module_time *now, stet_error *err) {
    (void)state, (void)staging, (void)command, (void)now, (void)err;
    return STET_OK; /* A get has all it needs. */
}

/* Where alerts are posted to is not for everybody: URLs of webhooks are often secrets. */
static stet_status without_webhooks(struct arena *arena, stet_view data, stet_view *out,
                                    stet_error *err) {
    struct doc doc;
    struct json_writer writer;
    struct buffer buffer;
    stet_status status = doc_parse(arena, data, NULL, &doc, err);
    if (status != STET_OK) return status;
    doc_node alerts = doc_member(&doc, 0, VIEW("alerts"));
    buffer_init(&buffer, arena, 0);
    json_begin(&writer, &buffer);
    json_object_begin(&writer);
    json_key(&writer, VIEW("alerts"));
    json_object_begin(&writer);
    for (doc_node one = alerts == DOC_NONE ? DOC_NONE : doc_first(&doc, alerts); one != DOC_NONE;
         one = doc_next(&doc, one)) {
        json_key_raw(&writer, doc_key_raw(&doc, one));
        json_object_begin(&writer);
        for (doc_node member = doc_first(&doc, one); member != DOC_NONE;
             member = doc_next(&doc, member)) {
            stet_view key = doc_key_raw(&doc, member);
            if (view_equal(key, VIEW("webhook"))) continue;
            json_key_raw(&writer, key);
            json_raw(&writer, doc_text(&doc, member));
        }
        json_object_end(&writer);
    }
    json_object_end(&writer);
    doc_node sight = doc_member(&doc, 0, VIEW("operations"));
    if (sight != DOC_NONE) json_member_raw(&writer, VIEW("operations"), doc_text(&doc, sight));
    doc_node limits = doc_member(&doc, 0, VIEW("limits"));
    if (limits != DOC_NONE) json_member_raw(&writer, VIEW("limits"), doc_text(&doc, limits));
    json_object_end(&writer);
    if (json_end(&writer) != STET_OK) return no_memory(err);
    *out = buffer_view(&buffer);
    return STET_OK;
}

static stet_status answer_get(struct stet_command *command, struct json_writer *writer,
                              stet_error *err) {
    struct show *show = command->module_data;
    struct created created;
    stet_status status = STET_OK;
    if (!show->found) {
        json_object_begin(writer);
        json_member_text(writer, VIEW("id"), ID);
        json_member_u64(writer, VIEW("version"), 0);
        json_member_u64(writer, VIEW("seq"), command->decided_seq);
        json_member_raw(writer, VIEW("alerts"), VIEW("{}"));
        json_object_end(writer);
        return STET_OK;
    }
    if (!command->actor.admin)
        status = without_webhooks(&command->arena, show->row.data, &show->row.data, err);
    if (status == STET_OK)
        status = client_created(command->client, command->space, &show->row, &command->arena,
                                &created, err);
    if (status != STET_OK) return status;
    command->outcome.version = show->row.version;
    command->outcome.updated_at = show->row.stamp;
    json_object_begin(writer);
    render_flat_members(writer, &show->row, &created);
    json_object_end(writer);
    return STET_OK;
}

stet_status settings_fill_get(struct stet_command *command, stet_error *err) {
    if (command->kind != COMMAND_EMPTY)
        return error_set(err, STET_MISUSE, "the command is filled already");
    struct show *show = arena_zalloc(&command->arena, 1, sizeof *show);
    if (show == NULL) return no_memory(err);
    command->owner = &settings_module;
    command->module_data = show;
    command->hop = show_hop;
    command->answer = answer_get;
    command->kind = COMMAND_MODULE;
    return STET_OK;
}

static bool may_read(const struct space *space, const stet_actor *actor,
                     const struct store_change *change) {
    (void)space;
    (void)change;
    return actor->admin;
}

static const char *const types[] = {"stet.settings", NULL};

const struct module settings_module = {
    .name = "settings",
    .types = types,
    .open = open_state,
    .load = load,
    .published = published,
    .check = check,
    .decide = decide,
    .may_read = may_read,
};
