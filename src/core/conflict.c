#include "core/conflict.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/merging.h"
#include "core/render.h"
#include "core/resolve.h"
#include "core/veil.h"
#include "doc/merge.h"

#include <stdio.h>
#include <string.h>

enum { BLAME_CHUNK = 8 };

/* One version of the record in a conflict, as whoever looks sees it: a version that they may not see is as one that is not kept. */
struct side {
    bool there; /* The version is known and is not a deletion. */
    struct store_change row;
    stet_view data; /* Of row, without what is hidden. */
    struct doc doc;
};

/* Who changed a field last, before the writer came. */
struct blame {
    bool known;
    uint64_t version;
    stet_view by;
    int64_t at;
};

struct conflict {
    struct stet_command *command;
    const struct mutation *mutation;
    struct arena *arena;
    struct store_reader *reader;
    uint64_t expected; /* 0: the writer named none. */
    struct side base, current;
    /* current was staged by an earlier mutation of the same command, which is refused. */
    bool is_own;
    bool has_yours;
    stet_view yours_data;
    struct doc yours;
    const struct policy *policy; /* NULL: the default rules. */
    struct veil veil;            /* Of the command's actor. */
    bool merged_known;
    struct doc_merge_result merge;
    struct blame *blames; /* Beside merge.fields. */
};

/* What the actor sees of a version: not the version by itself alone, for the record as it is now decides, too. */
static stet_status show_side(struct conflict *conflict, struct side *side, stet_error *err) {
    stet_error why = {0};
    stet_status status = veil_base(&conflict->veil, &side->row, &why);
    if (status == STET_NOT_FOUND) {
        side->row = (struct store_change){0};
        return STET_OK;
    }
    if (status != STET_OK) *err = why;
    if (status != STET_OK || side->row.op == STORE_DELETE) return status;
    status = veil_show(&conflict->veil, &side->row, &side->data, err);
    if (status != STET_OK) return status;
    side->there = true;
    return change_parse(conflict->arena, side->data, &side->doc, err);
}

static stet_status load_side(struct conflict *conflict, enum store_bound kind, uint64_t bound,
                             struct side *side, stet_error *err) {
    stet_status status =
        kind == STORE_BOUND_SEQ
            ? store_change_at(conflict->reader, conflict->arena, bound, &side->row, err)
            : store_find(conflict->reader, conflict->arena, &conflict->mutation->before, kind,
                         bound, &side->row, err);
    if (status == STET_NOT_FOUND || status == STET_PRUNED) {
        side->row = (struct store_change){0};
        return STET_OK;
    }
    if (status != STET_OK) return status;
    if (kind == STORE_BOUND_VERSION && side->row.version != bound) {
        side->row = (struct store_change){0};
        return STET_OK;
    }
    return side->row.pruned ? STET_OK : show_side(conflict, side, err);
}

/* What an earlier mutation of the same transaction made of the record; never stored, for the transaction is refused. */
static stet_status load_own(struct conflict *conflict, const struct mutation *own,
                            stet_error *err) {
    conflict->is_own = true;
    conflict->current.row = own->change->row;
    return show_side(conflict, &conflict->current, err);
}

/* What its writer sent, to themselves. */
static stet_status load_yours(struct conflict *conflict, stet_error *err) {
    const struct mutation *mutation = conflict->mutation;
    const struct store_change *beside[2];
    size_t count = 0;
    stet_status status = STET_OK;
    if (!mutation->has_yours) return STET_OK;
    if (conflict->base.there) beside[count++] = &conflict->base.row;
    if (conflict->current.there) beside[count++] = &conflict->current.row;
    conflict->yours_data = mutation->shown;
    if (mutation->shown.bytes == NULL)
        status = veil_yours(&conflict->veil, mutation->yours_data, beside, count,
                            &conflict->yours_data, err);
    if (status == STET_OK && conflict->yours_data.bytes != NULL) {
        status = doc_parse(conflict->arena, conflict->yours_data, NULL, &conflict->yours, err);
        conflict->has_yours = status == STET_OK;
    }
    return status;
}

static bool is_current_changed(enum doc_field_state state) { return state != DOC_CLEAN_YOURS; }

/* Looking back from version to version: `newer` is the document of the change `by`. */
struct look_back {
    struct store_change by;
    struct doc newer;
    size_t open; /* Fields whose author is not known yet. */
    size_t left; /* Versions that may still be looked at. */
    size_t bytes;
    uint64_t steps;
};

/* Notes for which fields `by` made the difference to the version before it. */
static void blame_change(struct conflict *conflict, struct look_back *back,
                         const struct doc *older) {
    const struct store_change *by = &back->by;
    back->steps += conflict->merge.field_count;
    for (size_t i = 0; i < conflict->merge.field_count; i++) {
        const struct doc_merge_field *field = &conflict->merge.fields[i];
        struct blame *blame = &conflict->blames[i];
        if (blame->known || !is_current_changed(field->state)) continue;
        /* An element stands elsewhere in each version: of its list it is known who changed it last. */
        stet_view pointer = field->list.bytes != NULL ? field->list : field->pointer;
        if (doc_equal(older, doc_pointer(older, pointer), &back->newer,
                      doc_pointer(&back->newer, pointer)))
            continue;
        *blame = (struct blame){
            .known = true,
            .version = by->version,
            .by = change_updated_by(conflict->arena, by),
            .at = change_updated_at(conflict->arena, by),
        };
        back->open--;
    }
}

/* Goes a few versions further back. */
static stet_status blame_chunk(struct conflict *conflict, struct look_back *back, stet_error *err) {
    struct store_change versions[BLAME_CHUNK];
    size_t limit = back->left < BLAME_CHUNK ? back->left : BLAME_CHUNK;
    size_t count;
    stet_status status =
        store_history(conflict->reader, conflict->arena, &conflict->mutation->before,
                      back->by.version, limit, true, versions, &count, err);
    if (status != STET_OK) return status;
    back->left = count < limit ? 0 : back->left - count;
    for (size_t v = 0; v < count && back->open > 0; v++) {
        struct doc older;
        back->bytes += versions[v].data.size;
        if (versions[v].op == STORE_DELETE || versions[v].pruned ||
            back->bytes > CONFLICT_BLAME_BYTES_MAX || back->steps > CONFLICT_BLAME_STEPS_MAX) {
            back->left = 0;
            break;
        }
        struct side seen = {.row = versions[v]};
        status = show_side(conflict, &seen, err);
        if (status != STET_OK) return status;
        if (!seen.there) {
            back->left = 0;
            break;
        }
        older = seen.doc;
        blame_change(conflict, back, &older);
        back->newer = older;
        back->by = versions[v];
    }
    return STET_OK;
}

/*
 * Finds, for each field that current changed, the newest version between base and current that changed it. How far it looks
 * back is bounded in versions, in bytes and in fields compared, for it happens on the thread that serves others too; what is
 * older stays unknown.
 */
static stet_status find_blames(struct conflict *conflict, stet_error *err) {
    uint64_t behind = conflict->current.row.version - conflict->expected;
    struct look_back back = {
        .by = conflict->current.row,
        .newer = conflict->current.doc,
        .left = behind < CONFLICT_BLAME_VERSIONS_MAX ? (size_t)behind : CONFLICT_BLAME_VERSIONS_MAX,
    };
    stet_status status = STET_OK;
    conflict->blames =
        arena_zalloc(conflict->arena, conflict->merge.field_count + 1, sizeof *conflict->blames);
    if (conflict->blames == NULL)
        return error_set(err, STET_NO_MEMORY, "out of memory for a conflict document");
    for (size_t i = 0; i < conflict->merge.field_count; i++)
        back.open += is_current_changed(conflict->merge.fields[i].state);
    while (status == STET_OK && back.left > 0 && back.open > 0)
        status = blame_chunk(conflict, &back, err);
    return status;
}

static stet_status load(struct conflict *conflict, stet_error *err) {
    const struct mutation *mutation = conflict->mutation;
    const struct mutation *own = command_find_staged(conflict->command, mutation->before.seq);
    stet_status status = own != NULL ? load_own(conflict, own, err)
                                     : load_side(conflict, STORE_BOUND_SEQ, mutation->before.seq,
                                                 &conflict->current, err);
    if (status != STET_OK) return status;
    if (mutation->base.kind == STET_BASE_VERSION && mutation->base.value != UINT64_MAX)
        conflict->expected = mutation->base.value;
    /* The way back from a head that was never stored leads nowhere. */
    if (own == NULL && conflict->expected > 0 && conflict->expected <= mutation->before.version) {
        status = load_side(conflict, STORE_BOUND_VERSION, conflict->expected, &conflict->base, err);
        if (status != STET_OK) return status;
    }
    if (conflict->current.row.version == 0) conflict->base = (struct side){0};
    status = load_yours(conflict, err);
    if (status != STET_OK) return status;
    if (!conflict->base.there || !conflict->current.there || !conflict->has_yours) return STET_OK;
    stet_error why = {0};
    struct merging_runner runner = {.space = conflict->command->space,
                                    .functions = MERGING_BRIEFLY};
    const struct doc_functions functions = merging_functions(&runner);
    status =
        doc_merge_with(conflict->arena, &conflict->base.doc, &conflict->current.doc,
                       &conflict->yours, conflict->policy == NULL ? NULL : conflict->policy->rules,
                       &functions, MERGE_FORCED_STEPS_MAX, &conflict->merge, &why);
    if (status == STET_TOO_LARGE) return STET_OK; /* Shown without. */
    if (status != STET_OK) {
        *err = why;
        return status;
    }
    merging_report(conflict->command->space, &conflict->merge);
    conflict->merged_known = true;
    return find_blames(conflict, err);
}

enum { SECONDS_BYTES = 19 }; /* Of an RFC 3339 text, up to the whole second. */

/* ---- Words ------------------------------------------------------------------------------- */

static const struct doc_merge_field *first_conflict(const struct conflict *conflict,
                                                    size_t *count) {
    const struct doc_merge_field *first = NULL;
    *count = 0;
    for (size_t i = 0; i < conflict->merge.field_count; i++) {
        if (conflict->merge.fields[i].state != DOC_CONFLICT) continue;
        if (first == NULL) first = &conflict->merge.fields[i];
        (*count)++;
    }
    return first;
}

static stet_view describe(struct conflict *conflict) {
    struct arena *arena = conflict->arena;
    const struct store_change *current = &conflict->current.row;
    stet_view by = change_updated_by(arena, current);
    struct buffer address;
    char at[CLOCK_RFC3339_BYTES];
    size_t count;
    buffer_init(&address, arena, 0);
    address_format(&address, conflict->mutation->type, conflict->mutation->id);
    stet_view name = buffer_view(&address);
    clock_format_rfc3339(change_updated_at(arena, current), at);
    if (conflict->is_own)
        return arena_format(
            arena, "an earlier mutation of this transaction changed \"%.*s\" to version %llu",
            VIEW_ARG(name), (unsigned long long)current->version);
    if (current->op == STORE_DELETE)
        return arena_format(
            arena,
            "%.*s deleted \"%.*s\" at %.*sZ (version %llu) after you read version %llu; "
            "decide whether to bring it back with your changes or to let it go",
            VIEW_ARG(by), VIEW_ARG(name), SECONDS_BYTES, at, (unsigned long long)current->version,
            (unsigned long long)conflict->expected);
    if (conflict->expected == current->version)
        return arena_format(arena,
                            "a \"test\" of the patch does not hold for \"%.*s\" at version %llu",
                            VIEW_ARG(name), (unsigned long long)current->version);
    if (conflict->expected == 0)
        return arena_format(arena,
                            "\"%.*s\" is at version %llu, last changed by %.*s at %.*sZ; you wrote "
                            "from another state of it",
                            VIEW_ARG(name), (unsigned long long)current->version, VIEW_ARG(by),
                            SECONDS_BYTES, at);
    if (!conflict->merged_known)
        return arena_format(
            arena,
            "\"%.*s\" is at version %llu, last changed by %.*s at %.*sZ; you wrote from version "
            "%llu",
            VIEW_ARG(name), (unsigned long long)current->version, VIEW_ARG(by), SECONDS_BYTES, at,
            (unsigned long long)conflict->expected);
    const struct doc_merge_field *field = first_conflict(conflict, &count);
    if (field == NULL)
        return arena_format(
            arena,
            "\"%.*s\" is at version %llu, last changed by %.*s at %.*sZ; you wrote from version "
            "%llu, and no field was changed by both: \"merged\" holds both changes",
            VIEW_ARG(name), (unsigned long long)current->version, VIEW_ARG(by), SECONDS_BYTES, at,
            (unsigned long long)conflict->expected);
    const struct blame *blame = &conflict->blames[field - conflict->merge.fields];
    stet_view who = blame->known ? blame->by : VIEW("somebody");
    char others[48] = "";
    if (field->pointer.size == 0) /* The record as a whole, where a function merges it. */
        return arena_format(arena,
                            "%.*s changed \"%.*s\" after you read version %llu, and you changed it "
                            "too; the record is at version %llu",
                            VIEW_ARG(who), VIEW_ARG(name), (unsigned long long)conflict->expected,
                            (unsigned long long)current->version);
    if (count > 1)
        snprintf(others, sizeof others, " and %zu other field%s", count - 1, count > 2 ? "s" : "");
    return arena_format(
        arena,
        "%.*s changed %.*s%s of \"%.*s\" after you read version %llu, and you changed %s too; "
        "the record is at version %llu",
        VIEW_ARG(who), VIEW_ARG(field->pointer), others, VIEW_ARG(name),
        (unsigned long long)conflict->expected, count > 1 ? "them" : "it",
        (unsigned long long)current->version);
}

/* ---- JSON -------------------------------------------------------------------------------- */

static const char *state_name(enum doc_field_state state) {
    switch (state) {
    case DOC_SAME: return "same";
    case DOC_CLEAN_YOURS: return "clean_yours";
    case DOC_CLEAN_CURRENT: return "clean_current";
    case DOC_MERGED: return "merged";
    case DOC_CONFLICT: return "conflict";
    }
    return "conflict";
}

static void render_value(struct json_writer *writer, stet_view key, const struct doc *doc,
                         doc_node node) {
    if (node != DOC_NONE) json_member_raw(writer, key, doc_text(doc, node));
}

static void render_rule_error(struct json_writer *writer, const struct doc_rule_error *error) {
    json_key(writer, VIEW("rule_error"));
    json_object_begin(writer);
    json_member_text(writer, VIEW("function"), error->function);
    json_member_text(writer, VIEW("code"), view_of(status_code(error->status)));
    json_member_text(writer, VIEW("detail"), error->detail);
    json_object_end(writer);
}

static void render_fields(struct conflict *conflict, struct json_writer *writer) {
    json_key(writer, VIEW("fields"));
    json_object_begin(writer);
    for (size_t i = 0; i < conflict->merge.field_count; i++) {
        const struct doc_merge_field *field = &conflict->merge.fields[i];
        const struct blame *blame = &conflict->blames[i];
        json_key(writer, field->pointer);
        json_object_begin(writer);
        json_member_text(writer, VIEW("state"), view_of(state_name(field->state)));
        render_value(writer, VIEW("base"), &conflict->base.doc, field->base);
        render_value(writer, VIEW("current"), &conflict->current.doc, field->current);
        render_value(writer, VIEW("yours"), &conflict->yours, field->yours);
        if (field->state == DOC_MERGED && !view_is_empty(field->merged))
            json_member_raw(writer, VIEW("merged"), field->merged);
        json_member_text(writer, VIEW("rule"), view_of(field->rule));
        if (field->error != NULL) render_rule_error(writer, field->error);
        if (blame->known) {
            json_member_text(writer, VIEW("by"), blame->by);
            json_key(writer, VIEW("at"));
            json_rfc3339(writer, blame->at);
            json_member_u64(writer, VIEW("version"), blame->version);
        }
        json_object_end(writer);
    }
    json_object_end(writer);
}

static void render_data(struct json_writer *writer, stet_view key, bool there, stet_view data) {
    json_key(writer, key);
    if (there) {
        json_raw(writer, data);
    } else {
        json_null(writer);
    }
}

static void render_current(struct conflict *conflict, struct json_writer *writer) {
    const struct store_change *current = &conflict->current.row;
    json_member_u64(writer, VIEW("current_version"), current->version);
    json_member_text(writer, VIEW("last_modified_by"), change_updated_by(conflict->arena, current));
    json_key(writer, VIEW("last_modified_at"));
    json_rfc3339(writer, change_updated_at(conflict->arena, current));
    if (current->op == STORE_DELETE) json_member_bool(writer, VIEW("deleted"), true);
}

static void render_options(struct conflict *conflict, struct json_writer *writer) {
    json_key(writer, VIEW("resolution_options"));
    json_array_begin(writer);
    json_text(writer, VIEW("yours"));
    json_text(writer, VIEW("current"));
    if (conflict->merged_known && conflict->merge.clean) json_text(writer, VIEW("merged"));
    if (conflict->merged_known) json_text(writer, VIEW("fields"));
    json_text(writer, VIEW("custom"));
    json_array_end(writer);
}

/* A conflict can be settled by token when the writer said what it wanted: data, or a deletion. */
static bool is_resolvable(const struct conflict *conflict) {
    bool known = conflict->has_yours || conflict->mutation->op == STET_OP_DELETE;
    return known && !conflict->is_own && conflict->current.row.version > 0;
}

/* What was said when it was refused, where that is more than that somebody was faster: a limit, or what a merge would break. */
static bool says_more(const struct mutation *mutation) {
    return mutation->error != NULL && mutation->error->message[0] != '\0' &&
           mutation->prepare_status != STET_CONCURRENT_MODIFICATION &&
           strcmp(mutation->error->message, status_words(STET_CONCURRENT_MODIFICATION)) != 0;
}

stet_status conflict_write(struct stet_command *command, const struct mutation *mutation,
                           struct json_writer *writer, struct conflict_summary *summary,
                           stet_error *err) {
    struct conflict conflict = {.command = command, .mutation = mutation, .arena = &command->arena};
    size_t both = 0;
    stet_status status = space_reader_take(command->space, &conflict.reader, err);
    if (status != STET_OK) return status;
    conflict.policy = policy_find(command->space, mutation->type);
    conflict.veil = (struct veil){.space = command->space,
                                  .policy = conflict.policy,
                                  .actor = &command->actor,
                                  .arena = &command->arena};
    status = load(&conflict, err);
    policy_unref(conflict.policy); /* Names of rules live for ever. */
    space_reader_give(command->space, conflict.reader);
    if (status != STET_OK) return status;
    const struct store_change *current = &conflict.current.row;
    const struct doc_merge_field *first =
        conflict.merged_known ? first_conflict(&conflict, &both) : NULL;
    bool sees = current->version > 0;
    summary->detail = says_more(mutation) ? view_of(mutation->error->message)
                      : sees              ? describe(&conflict)
                                          : VIEW("the record is not yours to read");
    summary->same_fields = both > 0;
    summary->first_field = first == NULL ? (stet_view){0} : first->pointer;

    summary->by_operation =
        command->made.operation.size > 0 || (sees && change_by_operation(conflict.arena, current));
    if (!summary->sides_only)
        json_member_text(writer, VIEW("conflict_type"),
                         summary->by_operation ? VIEW("agent_override")
                         : both > 0            ? VIEW("concurrent_edit")
                                               : VIEW("version_mismatch"));
    json_key(writer, VIEW("address"));
    render_address(writer, mutation->type, mutation->id);
    if (conflict.expected > 0) json_member_u64(writer, VIEW("expected_version"), conflict.expected);
    if (sees) render_current(&conflict, writer);
    render_data(writer, VIEW("base"), conflict.base.there, conflict.base.data);
    render_data(writer, VIEW("current"), conflict.current.there, conflict.current.data);
    render_data(writer, VIEW("yours"), conflict.has_yours, conflict.yours_data);
    if (conflict.merged_known) {
        json_member_raw(writer, VIEW("merged"), conflict.merge.merged);
        render_fields(&conflict, writer);
        json_member_bool(writer, VIEW("clean"), conflict.merge.clean);
    } else {
        json_key(writer, VIEW("merged"));
        json_null(writer);
        json_key(writer, VIEW("fields"));
        json_object_begin(writer);
        json_object_end(writer);
        json_member_bool(writer, VIEW("clean"), false);
    }
    if (is_resolvable(&conflict) && !summary->sides_only) {
        char token[RESOLUTION_TOKEN_BYTES_MAX + 1];
        uint64_t yours = conflict.has_yours ? doc_hash(&conflict.yours, 0) : 0;
        resolve_make_token(command, mutation, conflict.expected, current->version, yours, token);
        render_options(&conflict, writer);
        json_member_text(writer, VIEW("resolution_token"), view_of(token));
    }
    return STET_OK;
}

stet_status conflict_render(struct stet_command *command, const struct mutation *mutation,
                            struct json_writer *writer, stet_view *detail, stet_error *err) {
    struct conflict_summary summary = {0};
    stet_status status = conflict_write(command, mutation, writer, &summary, err);
    if (status != STET_OK) return status;
    *detail = summary.detail;
    size_t kind = summary.by_operation ? 2 : summary.same_fields;
    atomic_fetch_add_explicit(&command->space->counters.conflicts[kind], 1, memory_order_relaxed);
    contention_note(&command->space->contention, mutation->type, summary.first_field,
                    mutation->strategy);
    return STET_OK;
}
