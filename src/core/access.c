/*
 * Rules are expressions that are settled as far as the actor alone settles them, before any data is looked at: for somebody from
 * sales, `owner = actor.id || actor.roles contains "sales"` is true and no record is parsed for it. What remains is matched against
 * the record.
 */
#include "core/access_rules.h"

#include "base/error.h"
#include "base/view.h"
#include "core/engine.h"
#include "core/read.h"
#include "core/render.h"
#include "doc/pointer.h"

#include <assert.h>

/* ---- For an actor alone ------------------------------------------------------------------ */

struct expr_subject access_subject(const stet_actor *actor) {
    static const stet_view member = {.bytes = "member", .size = sizeof "member" - 1};
    bool none = actor->role_count == 0;
    return (struct expr_subject){.actor_id = actor->id,
                                 .actor_roles = none ? &member : actor->roles,
                                 .actor_role_count = none ? 1 : actor->role_count};
}

static enum expr_truth rule_truth(const struct rule *rule, const stet_actor *actor) {
    if (rule->expr == NULL) return rule->allows ? EXPR_TRUE : EXPR_FALSE;
    struct expr_subject subject = access_subject(actor);
    return expr_truth(rule->expr, &subject);
}

const struct access_rules *access_rules_of(const struct policy *policy) {
    return policy == NULL ? NULL : policy->access;
}

enum expr_truth access_truth(const struct policy *policy, const stet_actor *actor,
                             enum access_verb verb) {
    const struct access_rules *rules = access_rules_of(policy);
    if (actor->admin) return EXPR_TRUE;
    if (rules == NULL) return actor_has_role(actor, ROLE_MEMBER) ? EXPR_TRUE : EXPR_FALSE;
    return rule_truth(&rules->verbs[verb], actor);
}

/* What exists can only be changed by who may read it. */
static bool needs_read(enum access_verb verb) {
    return verb == ACCESS_UPDATE || verb == ACCESS_DELETE;
}

/* Whether some field may be hidden from the actor, or (writes) be readonly for them. */
bool access_fields_bind(const struct policy *policy, const stet_actor *actor, bool writes) {
    const struct access_rules *rules = access_rules_of(policy);
    for (size_t i = 0; rules != NULL && !actor->admin && i < rules->field_count; i++) {
        const struct field_rules *field = &rules->fields[i];
        if (rule_truth(&field->hidden, actor) != EXPR_FALSE) return true;
        if (writes && rule_truth(&field->readonly, actor) != EXPR_FALSE) return true;
    }
    return false;
}

bool access_binds(const struct policy *policy, const stet_actor *actor, enum access_verb verb) {
    if (actor->admin) return false;
    if (access_truth(policy, actor, verb) != EXPR_TRUE) return true;
    if (needs_read(verb) && access_truth(policy, actor, ACCESS_READ) != EXPR_TRUE) return true;
    return verb != ACCESS_DELETE &&
           access_fields_bind(policy, actor, verb == ACCESS_CREATE || verb == ACCESS_UPDATE);
}

bool access_never(const struct policy *policy, const stet_actor *actor, enum access_verb verb) {
    return access_truth(policy, actor, verb) == EXPR_FALSE ||
           (needs_read(verb) && access_truth(policy, actor, ACCESS_READ) == EXPR_FALSE);
}

/* Whether one pointer leads to the other one, or they are the same. */
bool pointers_touch(stet_view a, stet_view b) {
    stet_view longer = a.size > b.size ? a : b;
    size_t size = a.size > b.size ? b.size : a.size;
    if (size > 0 && memcmp(a.bytes, b.bytes, size) != 0) return false;
    return longer.size == size || longer.bytes[size] == '/';
}

bool access_may_hide(const struct policy *policy, const stet_actor *actor, stet_view pointer) {
    const struct access_rules *rules = access_rules_of(policy);
    for (size_t i = 0; rules != NULL && !actor->admin && i < rules->field_count; i++)
        if (pointers_touch(rules->fields[i].pointer, pointer) &&
            rule_truth(&rules->fields[i].hidden, actor) != EXPR_FALSE)
            return true;
    return false;
}

/* ---- With a record ----------------------------------------------------------------------- */

static stet_status look_up_created(struct space *space, struct arena *arena,
                                   const struct store_change *change, struct created *created) {
    struct change *first = ring_find(&space->ring, change->first);
    struct store_reader *reader;
    if (first != NULL) {
        change_created(arena, &first->row, created);
        created->by = arena_copy(arena, created->by);
        change_unref(first);
        return created->by.bytes == NULL ? STET_NO_MEMORY : STET_OK;
    }
    stet_status status = space_reader_take(space, &reader, NULL);
    if (status != STET_OK) return status;
    status = read_created(reader, arena, change, created, NULL);
    space_reader_give(space, reader);
    return status;
}

static stet_status find_created(void *context, struct arena *arena,
                                const struct store_change *change, struct created *created) {
    const struct judging *judging = context;
    const struct access_record *about = judging->about;
    if (about->created != NULL) {
        *created = *about->created;
    } else if (change->first == 0 || change->first == change->seq) {
        change_created(arena, change, created);
    } else {
        return look_up_created(about->space, arena, change, created);
    }
    return STET_OK;
}

static void judging_meta(void *context, enum expr_meta meta, struct expr_value *value) {
    struct judging *judging = context;
    const struct store_change *change = judging->about->change;
    bool of_creation = meta == EXPR_META_CREATED_AT || meta == EXPR_META_CREATED_BY;
    bool known = judging->about->created != NULL || judging->about->space != NULL ||
                 (change != NULL && (change->first == 0 || change->first == change->seq));
    if (change != NULL && of_creation && !known) return;
    if (change != NULL) {
        query_record_meta(&judging->record, meta, value);
        return;
    }
    if (meta != EXPR_META_CREATED_BY && meta != EXPR_META_UPDATED_BY && meta != EXPR_META_TYPE)
        return;
    value->kind = EXPR_STRING;
    value->text = meta == EXPR_META_TYPE ? judging->policy->type : judging->actor->id;
}

void judging_begin(struct judging *judging, const struct policy *policy, const stet_actor *actor,
                   const struct access_record *about) {
    *judging = (struct judging){.policy = policy, .actor = actor, .about = about};
    arena_init(&judging->arena, ACCESS_SCRATCH_BYTES);
    judging->record = (struct query_record){.change = about->change,
                                            .arena = &judging->arena,
                                            .find_created = find_created,
                                            .context = judging};
}

stet_status judging_end(struct judging *judging) {
    arena_done(&judging->arena);
    return judging->record.status;
}

/* Whether a rule holds for this data. What fails sticks in the record's status. */
bool rule_holds(struct judging *judging, const struct rule *rule, const struct doc *data) {
    if (rule->expr == NULL) return rule->allows;
    struct expr_subject subject = access_subject(judging->actor);
    subject.data = data;
    subject.old_data = judging->old_data;
    subject.new_data = judging->new_data;
    subject.meta = judging_meta;
    subject.context = judging;
    return expr_matches(rule->expr, &subject) && judging->record.status == STET_OK;
}

/* Likewise, but what fails makes it hold: for rules that take something away. */
bool rule_forbids(struct judging *judging, const struct rule *rule, const struct doc *data) {
    return rule_holds(judging, rule, data) || judging->record.status != STET_OK;
}

/* The value that a field's pointer leads to, or the list that stands in its way. */
doc_node access_field(const struct doc *doc, stet_view pointer) {
    doc_node node = 0;
    stet_view rest = pointer, token;
    if (doc == NULL || doc->count == 0) return DOC_NONE;
    while (pointer_next(&rest, &token)) {
        if (doc_kind(doc, node) == DOC_ARRAY) return node;
        if (doc_kind(doc, node) != DOC_OBJECT) return DOC_NONE;
        node = pointer_member(doc, node, token);
        if (node == DOC_NONE) return DOC_NONE;
    }
    return node;
}

/* ---- Checking ---------------------------------------------------------------------------- */

static stet_status forbidden(const struct policy *policy, enum access_verb verb, stet_error *err) {
    static const char *const words[] = {
        [ACCESS_READ] = "read",
        [ACCESS_CREATE] = "create",
        [ACCESS_UPDATE] = "change",
        [ACCESS_DELETE] = "delete",
    };
    if (policy == NULL)
        return error_set(err, STET_FORBIDDEN, "you may not %s records of this type", words[verb]);
    return error_set(err, STET_FORBIDDEN, "you may not %s this record of type \"%.*s\"",
                     words[verb], VIEW_ARG(policy->type));
}

static stet_status not_found(stet_error *err) {
    return error_set(err, STET_NOT_FOUND, "the record does not exist");
}

stet_status judging_failed(stet_status status, stet_error *err) {
    return error_set(err, status, "an access rule could not be judged");
}

static bool same_value(const struct doc *a, doc_node an, const struct doc *b, doc_node bn) {
    if (an == DOC_NONE || bn == DOC_NONE) return an == bn;
    return doc_equal(a, an, b, bn);
}

bool field_is_fallback(const struct field_rules *field, const struct doc *doc, doc_node node) {
    return field->fallback.count > 0 && doc_equal(&field->fallback, 0, doc, node);
}

/* Whether the field was given a value, or another value than it had. */
static bool field_changes(const struct field_rules *field, const struct doc *before,
                          const struct doc *after) {
    doc_node is = access_field(after, field->pointer);
    if (before != NULL) return !same_value(before, access_field(before, field->pointer), after, is);
    return is != DOC_NONE && !field_is_fallback(field, after, is);
}

static stet_status check_fields(struct judging *judging, const struct doc *before,
                                const struct doc *after, stet_error *err) {
    const struct access_rules *rules = judging->policy->access;
    for (size_t i = 0; i < rules->field_count; i++) {
        const struct field_rules *field = &rules->fields[i];
        if (!field_changes(field, before, after)) continue;
        bool hidden = rule_forbids(judging, &field->hidden, before == NULL ? after : before);
        bool readonly =
            !hidden && (rule_forbids(judging, &field->readonly, after) ||
                        (before != NULL && rule_forbids(judging, &field->readonly, before)));
        if (judging->record.status != STET_OK) return STET_OK; /* Said by the caller. */
        if (!hidden && !readonly) continue;
        error_set(err, STET_FORBIDDEN, "this field is not yours to %s",
                  before == NULL ? "give a value" : "change");
        error_field_view(err, field->pointer, 0);
        return STET_FORBIDDEN;
    }
    return STET_OK;
}

static stet_status check_rules(struct judging *judging, enum access_verb verb,
                               const struct doc *before, const struct doc *after, stet_error *err) {
    const struct policy *policy = judging->policy;
    const struct rule *rule = &policy->access->verbs[verb];
    if (verb != ACCESS_CREATE) {
        const struct doc *new_data = judging->new_data, *old_data = judging->old_data;
        judging->new_data = judging->old_data = NULL;
        bool readable = rule_holds(judging, &policy->access->verbs[ACCESS_READ], before);
        if (judging->record.status != STET_OK) return STET_OK;
        if (!readable) return not_found(err);
        judging->new_data = new_data;
        judging->old_data = old_data;
    }
    if (verb == ACCESS_READ) return STET_OK;
    bool allowed = true;
    if (verb != ACCESS_CREATE) allowed = rule_holds(judging, rule, before);
    if (allowed && verb != ACCESS_DELETE) allowed = rule_holds(judging, rule, after);
    if (judging->record.status != STET_OK) return STET_OK;
    if (!allowed) return forbidden(policy, verb, err);
    return verb == ACCESS_DELETE ? STET_OK : check_fields(judging, before, after, err);
}

stet_status access_check(const struct policy *policy, const stet_actor *actor,
                         enum access_verb verb, const struct access_record *before,
                         const struct access_record *after, stet_error *err) {
    struct judging judging;
    if (actor->admin) return STET_OK;
    if (access_rules_of(policy) == NULL) {
        if (actor_has_role(actor, ROLE_MEMBER)) return STET_OK;
        return verb == ACCESS_CREATE ? forbidden(policy, verb, err) : not_found(err);
    }
    if (!access_binds(policy, actor, verb)) return STET_OK;
    /* What is changed still has the metadata it had. */
    const struct access_record *about = before == NULL ? after : before;
    assert(about != NULL);
    judging_begin(&judging, policy, actor, about);
    const struct doc *old_data = before == NULL ? NULL : before->data;
    const struct doc *new_data = after == NULL ? NULL : after->data;
    judging.old_data = old_data;
    judging.new_data = new_data;
    stet_status status = check_rules(&judging, verb, old_data, new_data, err);
    stet_status failed = judging_end(&judging);
    return failed == STET_OK ? status : judging_failed(failed, err);
}
