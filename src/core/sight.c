/*
 * Who looks at what: a viewer settled for one type. See core/access.h.
 */
#include "core/access_rules.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/engine.h"
#include "core/render.h"
#include "doc/glimpse.h"

enum { REPORT_PAUSE_S = 60 };

/* A rule that could not be judged denies; the operator hears of it, once a minute at most. */
static void report_failure(struct space *space, stet_view type, stet_status failed) {
    int64_t now = clock_monotonic_ns(space->engine->clock);
    int64_t next = atomic_load_explicit(&space->access_report_next, memory_order_relaxed);
    atomic_fetch_add_explicit(&space->counters.access_failures, 1, memory_order_relaxed);
    if (now < next || !atomic_compare_exchange_strong(&space->access_report_next, &next,
                                                      now + REPORT_PAUSE_S * CLOCK_NS_PER_S))
        return;
    engine_report(space->engine, STET_REPORT_ERROR,
                  "access to a record of type \"%.*s\" in space \"%s\" is denied, for its rules "
                  "could not be judged: %s",
                  VIEW_ARG(type), space->name, status_words(failed));
}

void sight_begin(struct sight *sight, const struct viewer *viewer, stet_view type) {
    *sight = (struct sight){.viewer = viewer, .reads = EXPR_TRUE};
    sight->system = type_is_system(type);
    if (viewer == NULL) return;
    /* What is a module's own nobody is shown, and nobody asks for. */
    sight->hides = sight->system;
    sight->conflicts = sight->system && view_equal(type, VIEW("stet.conflict"));
    if (viewer->actor->admin) return;
    if (sight->system) {
        sight->reads = EXPR_DEPENDS; /* On what the module says of each. */
        return;
    }
    sight->policy = policy_find(viewer->space, type);
    sight->reads = access_truth(sight->policy, viewer->actor, ACCESS_READ);
    sight->hides = access_fields_bind(sight->policy, viewer->actor, false);
}

void sight_end(struct sight *sight) {
    policy_unref(sight->policy);
    *sight = (struct sight){0};
}

/* The change's data, parsed if it is not yet. *doc NULL: it has none. */
static stet_status data_of(struct arena *arena, const struct store_change *change,
                           const struct doc **doc, struct doc *own, stet_error *err) {
    if (*doc != NULL || view_is_empty(change->data)) return STET_OK;
    stet_status status = change_parse(arena, change->data, own, err);
    if (status == STET_OK) *doc = own;
    return status;
}

static bool module_shows(const struct viewer *viewer, const struct store_change *change) {
    const struct module *owner = space_type_owner(viewer->space, change->type);
    return owner != NULL && owner->may_read != NULL &&
           owner->may_read(viewer->space, viewer->actor, change);
}

/* Whether the read rule, which depends on the record, holds for it. */
static bool reads(const struct sight *sight, const struct store_change *change,
                  const struct doc *doc, stet_status *status) {
    const struct viewer *viewer = sight->viewer;
    const struct access_record record = {.change = change, .data = doc, .space = viewer->space};
    struct judging judging;
    judging_begin(&judging, sight->policy, viewer->actor, &record);
    bool sees = rule_holds(&judging, &sight->policy->access->verbs[ACCESS_READ], doc);
    *status = judging_end(&judging);
    return sees && *status == STET_OK;
}

bool sight_sees(const struct sight *sight, struct arena *arena, const struct store_change *change,
                const struct doc *doc) {
    const struct viewer *viewer = sight->viewer;
    struct doc own;
    if (viewer == NULL) return true;
    if (sight->system) return module_shows(viewer, change);
    if (sight->reads != EXPR_DEPENDS) return sight->reads == EXPR_TRUE;
    if (doc == NULL && view_is_empty(change->data)) return false;
    const struct access_rules *rules = access_rules_of(sight->policy);
    if (doc == NULL && rules->glimpses &&
        doc_glimpse(arena, change->data, rules->keys, rules->key_count, &own))
        doc = &own;
    stet_status status = data_of(arena, change, &doc, &own, NULL);
    bool sees = status == STET_OK && reads(sight, change, doc, &status);
    if (status != STET_OK) report_failure(viewer->space, change->type, status);
    return sees;
}

/* Of a conflict, what says nothing of the record that it is about. */
static bool is_harmless(stet_view member) {
    return view_equal(member, VIEW("state")) || view_equal(member, VIEW("event")) ||
           view_equal(member, VIEW("address"));
}

/* Whether the viewer sees all of the record that a conflict is about, whatever it holds. */
static bool sees_subject(const struct viewer *viewer, struct arena *arena, const struct doc *doc) {
    doc_node node = doc_member(doc, 0, VIEW("address"));
    stet_view address, type, id;
    struct sight sight;
    if (viewer->actor->admin) return true;
    if (node == DOC_NONE || doc_string(arena, doc, node, &address) != STET_OK ||
        address_parse(arena, address, &type, &id, NULL) != STET_OK)
        return false;
    sight_begin(&sight, viewer, type);
    bool all = sight.reads == EXPR_TRUE && !sight.hides;
    sight_end(&sight);
    return all;
}

/* Without what is its module's own. A conflict's module shows more of it to who may see more (modules/conflicts). */
static stet_status system_data(const struct sight *sight, struct arena *arena,
                               const struct store_change *change, stet_view *data,
                               stet_error *err) {
    struct buffer buffer;
    struct json_writer writer;
    struct doc doc;
    stet_status status = change_parse(arena, change->data, &doc, err);
    if (status != STET_OK) return status;
    bool brief = sight->conflicts && !sees_subject(sight->viewer, arena, &doc);
    buffer_init(&buffer, arena, 0);
    json_begin(&writer, &buffer);
    json_object_begin(&writer);
    for (doc_node child = doc_first(&doc, 0); child != DOC_NONE; child = doc_next(&doc, child)) {
        stet_view key = doc_key_raw(&doc, child);
        if (viewer_never_sees(key) || (brief && !is_harmless(key))) continue;
        json_key_raw(&writer, doc_key_raw(&doc, child));
        json_raw(&writer, doc_text(&doc, child));
    }
    json_object_end(&writer);
    return access_data_end(&writer, &buffer, data, err);
}

/* What is hidden in the change; parses its data. */
static stet_status hidden_in(const struct sight *sight, struct arena *arena,
                             const struct store_change *change, const struct doc **doc,
                             struct doc *own, struct hidden *hidden, stet_error *err) {
    const struct viewer *viewer = sight->viewer;
    stet_status status = data_of(arena, change, doc, own, err);
    if (status == STET_OK) {
        struct access_record record = {.change = change, .data = *doc, .space = viewer->space};
        status = hidden_find(sight->policy, viewer->actor, &record, hidden, err);
    }
    if (status != STET_OK) report_failure(viewer->space, change->type, status);
    return status;
}

stet_status sight_data(const struct sight *sight, struct arena *arena,
                       const struct store_change *change, const struct doc *doc, stet_view *data,
                       stet_error *err) {
    struct hidden hidden;
    struct doc own;
    *data = change->data;
    if (view_is_empty(change->data)) return STET_OK;
    if (sight->system) return system_data(sight, arena, change, data, err);
    if (!sight->hides) return STET_OK;
    stet_status status = hidden_in(sight, arena, change, &doc, &own, &hidden, err);
    return status == STET_OK ? hidden_leave_out(&hidden, arena, doc, data, err) : status;
}

stet_status sight_hidden(const struct sight *sight, struct arena *arena,
                         const struct store_change *change, const stet_view **pointers,
                         size_t *count, stet_error *err) {
    struct hidden hidden;
    struct doc own;
    const struct doc *doc = NULL;
    *count = 0;
    if (!sight->hides || sight->system) return STET_OK;
    stet_status status = hidden_in(sight, arena, change, &doc, &own, &hidden, err);
    if (status != STET_OK) return status;
    stet_view *all = arena_alloc(arena, (hidden.count + 1) * sizeof *all);
    if (all == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for access rules");
    for (size_t i = 0; i < hidden.count; i++)
        all[i] = hidden.fields[i]->pointer;
    *pointers = all;
    *count = hidden.count;
    return STET_OK;
}

bool hidden_touches(const stet_view *pointers, size_t count, stet_view pointer) {
    for (size_t i = 0; i < count; i++)
        if (pointers_touch(pointers[i], pointer)) return true;
    return false;
}

bool sight_may_hide(const struct sight *sight, stet_view pointer) {
    if (sight->system)
        return sight->hides && (view_starts(pointer, VIEW("/_")) ||
                                (sight->conflicts && !sight->viewer->actor->admin));
    return sight->hides && access_may_hide(sight->policy, sight->viewer->actor, pointer);
}

stet_status sight_bounds(const struct sight *sight, struct arena *arena, const struct expr *also,
                         const struct expr **out, stet_error *err) {
    const struct access_rules *rules = access_rules_of(sight->policy);
    struct expr *expr = NULL;
    *out = NULL;
    if (sight->reads != EXPR_DEPENDS || rules == NULL) return STET_OK;
    struct expr_subject subject = access_subject(sight->viewer->actor);
    stet_status status =
        expr_for_actor(arena, rules->verbs[ACCESS_READ].expr, &subject, also, &expr);
    if (status != STET_OK) return error_set(err, status, "out of memory for a list");
    *out = expr;
    return STET_OK;
}

struct viewer command_viewer(const struct stet_command *command) {
    return (struct viewer){.space = command->space, .actor = &command->actor};
}

/* An administrator, in front of what is no module's own: nothing is to be settled. */
static bool is_plain(const struct viewer *viewer, stet_view type) {
    return viewer->actor->admin && !type_is_system(type);
}

bool viewer_sees(const struct viewer *viewer, const struct store_change *change) {
    struct sight sight;
    struct arena arena;
    if (viewer == NULL || is_plain(viewer, change->type)) return true;
    arena_init(&arena, ACCESS_SCRATCH_BYTES);
    sight_begin(&sight, viewer, change->type);
    bool sees = sight_sees(&sight, &arena, change, NULL);
    sight_end(&sight);
    arena_done(&arena);
    return sees;
}

bool viewer_sees_all(const struct viewer *viewer, stet_view type) {
    struct sight sight;
    sight_begin(&sight, viewer, type);
    bool all = sight.reads == EXPR_TRUE;
    sight_end(&sight);
    return all;
}

stet_status viewer_data(const struct viewer *viewer, struct arena *arena,
                        const struct store_change *change, stet_view *data) {
    struct sight sight;
    *data = change->data;
    if (viewer != NULL && is_plain(viewer, change->type)) return STET_OK;
    sight_begin(&sight, viewer, change->type);
    stet_status status = sight_data(&sight, arena, change, NULL, data, NULL);
    sight_end(&sight);
    return status;
}
