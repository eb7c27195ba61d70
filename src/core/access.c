/*
 * Rules are expressions that are settled as far as the actor alone settles them, before any data is looked at: for somebody from
 * sales, `owner = actor.id || actor.roles contains "sales"` is true and no record is parsed for it. What remains is matched against
 * the record.
 *
 * Hidden fields. Pointers of rules lead through objects. Where a list stands on the way, the list as a whole is what is hidden: its
 * elements have no names by which they would be found again when somebody writes who does not see all of them.
 */
#include "core/access.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/engine.h"
#include "core/query.h"
#include "core/read.h"
#include "core/render.h"
#include "core/validate.h"
#include "doc/glimpse.h"
#include "doc/pointer.h"
#include "doc/write.h"

#include <assert.h>

enum { SCRATCH_BYTES = 4096, REPORT_PAUSE_S = 60 };

struct rule {
    const struct expr *expr; /* NULL: */
    bool allows;             /* that. */
};

struct field_rules {
    stet_view pointer;
    struct rule hidden, readonly;
    struct doc
        fallback; /* The default of the type's definition: nobody's to answer for. count 0: none. */
};

/* The read rule looks at few members of the data, most often: these, and no others. */
enum { GLIMPSE_KEYS_MAX = 8 };

struct access_rules {
    struct rule verbs[ACCESS_DELETE + 1];
    bool glimpses; /* What `keys` names is enough to judge the read rule by. */
    stet_view keys[GLIMPSE_KEYS_MAX];
    size_t key_count;
    const struct field_rules *fields;
    size_t field_count;
};

/* ---- Compiling --------------------------------------------------------------------------- */

struct compiler {
    struct arena *arena;
    const struct doc *doc;
    stet_error *err;
};

static stet_status no_memory(stet_error *err) {
    return error_set(err, STET_NO_MEMORY, "out of memory for access rules");
}

static struct pointer_path path_name(const struct pointer_path *parent, const char *name) {
    return (struct pointer_path){.parent = parent, .key = view_of(name)};
}

/* A message that is set already gets its place. */
static stet_status place(struct compiler *compiler, const struct pointer_path *where,
                         stet_status status, uint64_t limit) {
    stet_view pointer;
    if (pointer_format(compiler->arena, where, &pointer) != STET_OK)
        return no_memory(compiler->err);
    error_field_view(compiler->err, pointer, limit);
    return status;
}

#define REFUSE(compiler, where, ...)                                                               \
    (error_set((compiler)->err, STET_INVALID_TYPE, __VA_ARGS__),                                   \
     place(compiler, where, STET_INVALID_TYPE, 0))

/* What of old and new a rule may speak of. */
enum speaks { SPEAKS_OF_NEITHER, SPEAKS_OF_OLD, SPEAKS_OF_NEW, SPEAKS_OF_BOTH };

static stet_status compile_text(struct compiler *compiler, doc_node node, enum speaks speaks,
                                const struct pointer_path *where, struct rule *rule) {
    struct expr_options options = {.roots = EXPR_ROOT_ACTOR | EXPR_ROOT_OLD_NEW};
    struct expr *expr = NULL;
    stet_view text;
    stet_error own;
    if (doc_string(compiler->arena, compiler->doc, node, &text) == STET_NO_MEMORY)
        return no_memory(compiler->err);
    stet_error *err = compiler->err == NULL ? &own : compiler->err;
    stet_status status = expr_parse(compiler->arena, text, &options, &expr, err);
    if (status == STET_NO_MEMORY) return status;
    if (status == STET_TOO_LARGE) return place(compiler, where, status, err->limit);
    if (status != STET_OK) {
        err->status = STET_INVALID_TYPE;
        return place(compiler, where, STET_INVALID_TYPE, 0);
    }
    if (expr_names_old(expr) && (speaks & SPEAKS_OF_OLD) == 0)
        return REFUSE(compiler, where, "speaks of \"old\", and there is no record before");
    if (expr_names_new(expr) && (speaks & SPEAKS_OF_NEW) == 0)
        return REFUSE(compiler, where, "speaks of \"new\", and nothing is written");
    rule->expr = expr;
    return STET_OK;
}

/* Left alone where it is not mentioned. */
static stet_status compile_rule(struct compiler *compiler, doc_node object, const char *name,
                                enum speaks speaks, const struct pointer_path *parent,
                                struct rule *rule) {
    doc_node node = doc_member(compiler->doc, object, view_of(name));
    struct pointer_path where = path_name(parent, name);
    if (node == DOC_NONE) return STET_OK;
    switch (doc_kind(compiler->doc, node)) {
    case DOC_TRUE: rule->allows = true; return STET_OK;
    case DOC_FALSE: rule->allows = false; return STET_OK;
    case DOC_STRING: return compile_text(compiler, node, speaks, &where, rule);
    case DOC_NULL:
    case DOC_NUMBER:
    case DOC_ARRAY:
    case DOC_OBJECT: break;
    }
    return REFUSE(compiler, &where,
                  "is true, false or an expression, such as \"owner = actor.id\"");
}

static stet_status check_names(struct compiler *compiler, doc_node object,
                               const struct pointer_path *where, const char *const *names,
                               const char *known) {
    const struct doc *doc = compiler->doc;
    for (doc_node member = doc_first(doc, object); member != DOC_NONE;
         member = doc_next(doc, member)) {
        stet_view raw = doc_key_raw(doc, member);
        size_t i = 0;
        while (names[i] != NULL && !view_equal(raw, view_of(names[i])))
            i++;
        if (names[i] != NULL) continue;
        struct pointer_path at = path_member(where, doc, member);
        return REFUSE(compiler, &at, "is not known here; possible are %s", known);
    }
    return STET_OK;
}

/* The default that the definition gives a field. */
static stet_status find_fallback(struct compiler *compiler, struct field_rules *field) {
    const struct doc *doc = compiler->doc;
    doc_node fields = doc_member(doc, 0, VIEW("fields"));
    doc_node entry = fields == DOC_NONE ? DOC_NONE : doc_member(doc, fields, field->pointer);
    doc_node fallback = entry == DOC_NONE ? DOC_NONE : doc_member(doc, entry, VIEW("default"));
    if (fallback == DOC_NONE) return STET_OK;
    return doc_parse(compiler->arena, doc_text(doc, fallback), NULL, &field->fallback,
                     compiler->err);
}

static stet_status compile_field(struct compiler *compiler, doc_node entry,
                                 const struct pointer_path *where, struct field_rules *field) {
    static const char *const names[] = {"hidden", "readonly", NULL};
    const struct doc *doc = compiler->doc;
    if (doc_key(compiler->arena, doc, entry, &field->pointer) != STET_OK)
        return no_memory(compiler->err);
    bool good = field->pointer.size > 0 && pointer_is_valid(field->pointer);
    stet_view rest = field->pointer, token;
    while (good && pointer_next(&rest, &token))
        good = !view_equal(token, VIEW("*"));
    if (!good)
        return REFUSE(compiler, where,
                      "is the JSON pointer of a field, such as \"/salary\"; a list is named as a "
                      "whole");
    if (doc_kind(doc, entry) != DOC_OBJECT)
        return REFUSE(compiler, where, "is an object with hidden, readonly or both");
    stet_status status = check_names(compiler, entry, where, names, "hidden and readonly");
    if (status == STET_OK)
        status = compile_rule(compiler, entry, "hidden", SPEAKS_OF_NEITHER, where, &field->hidden);
    if (status == STET_OK)
        status = compile_rule(compiler, entry, "readonly", SPEAKS_OF_BOTH, where, &field->readonly);
    return status == STET_OK ? find_fallback(compiler, field) : status;
}

static stet_status compile_fields(struct compiler *compiler, doc_node access,
                                  const struct pointer_path *parent, struct access_rules *rules) {
    const struct doc *doc = compiler->doc;
    struct pointer_path where = path_name(parent, "fields");
    doc_node object = doc_member(doc, access, VIEW("fields"));
    if (object == DOC_NONE) return STET_OK;
    if (doc_kind(doc, object) != DOC_OBJECT)
        return REFUSE(compiler, &where, "is an object with JSON pointers for names");
    if (doc_count(doc, object) > ACCESS_FIELDS_MAX) {
        error_set(compiler->err, STET_TOO_LARGE, "names at most %d fields", ACCESS_FIELDS_MAX);
        return place(compiler, &where, STET_TOO_LARGE, ACCESS_FIELDS_MAX);
    }
    struct field_rules *fields =
        arena_zalloc(compiler->arena, doc_count(doc, object) + 1, sizeof *fields);
    if (fields == NULL) return no_memory(compiler->err);
    for (doc_node entry = doc_first(doc, object); entry != DOC_NONE; entry = doc_next(doc, entry)) {
        struct pointer_path at = path_member(&where, doc, entry);
        stet_status status = compile_field(compiler, entry, &at, &fields[rules->field_count++]);
        if (status != STET_OK) return status;
    }
    rules->fields = fields;
    return STET_OK;
}

/* Finds out which members the read rule looks at. */
static stet_status note_keys(struct compiler *compiler, struct access_rules *rules) {
    const struct expr *expr = rules->verbs[ACCESS_READ].expr;
    stet_view pointers[GLIMPSE_KEYS_MAX], key;
    if (expr == NULL) return STET_OK;
    size_t count = expr_fields(expr, pointers, GLIMPSE_KEYS_MAX);
    if (count > GLIMPSE_KEYS_MAX) return STET_OK;
    for (size_t i = 0; i < count; i++) {
        stet_view rest = pointers[i];
        if (!pointer_next(&rest, &key)) return STET_OK; /* The data as a whole. */
        if (pointer_decode(compiler->arena, key, &key) != STET_OK) return no_memory(compiler->err);
        size_t known = 0;
        while (known < rules->key_count && !view_equal(rules->keys[known], key))
            known++;
        rules->keys[known] = key;
        if (known == rules->key_count) rules->key_count++;
    }
    rules->glimpses = true;
    return STET_OK;
}

stet_status access_compile(struct arena *arena, const struct doc *definition, doc_node access,
                           const struct access_rules **out, stet_error *err) {
    static const char *const names[] = {"read", "create", "update", "delete", "fields", NULL};
    static const enum speaks speaks[] = {
        [ACCESS_READ] = SPEAKS_OF_NEITHER,
        [ACCESS_CREATE] = SPEAKS_OF_NEW,
        [ACCESS_UPDATE] = SPEAKS_OF_BOTH,
        [ACCESS_DELETE] = SPEAKS_OF_OLD,
    };
    struct compiler compiler = {.arena = arena, .doc = definition, .err = err};
    struct pointer_path root = {0};
    struct pointer_path where = path_name(&root, "access");
    *out = NULL;
    if (access == DOC_NONE) return STET_OK;
    if (doc_kind(definition, access) != DOC_OBJECT)
        return REFUSE(&compiler, &where, "is an object with read, create, update, delete, fields");
    struct access_rules *rules = arena_zalloc(arena, 1, sizeof *rules);
    if (rules == NULL) return no_memory(err);
    stet_status status =
        check_names(&compiler, access, &where, names, "read, create, update, delete and fields");
    for (int verb = ACCESS_READ; status == STET_OK && verb <= ACCESS_DELETE; verb++)
        status =
            compile_rule(&compiler, access, names[verb], speaks[verb], &where, &rules->verbs[verb]);
    if (status == STET_OK) status = compile_fields(&compiler, access, &where, rules);
    if (status == STET_OK) status = note_keys(&compiler, rules);
    if (status == STET_OK) *out = rules;
    return status;
}

/* ---- For an actor alone ------------------------------------------------------------------ */

static struct expr_subject subject_of(const stet_actor *actor) {
    static const stet_view member = {.bytes = "member", .size = sizeof "member" - 1};
    bool none = actor->role_count == 0;
    return (struct expr_subject){.actor_id = actor->id,
                                 .actor_roles = none ? &member : actor->roles,
                                 .actor_role_count = none ? 1 : actor->role_count};
}

static enum expr_truth rule_truth(const struct rule *rule, const stet_actor *actor) {
    if (rule->expr == NULL) return rule->allows ? EXPR_TRUE : EXPR_FALSE;
    struct expr_subject subject = subject_of(actor);
    return expr_truth(rule->expr, &subject);
}

static const struct access_rules *rules_of(const struct policy *policy) {
    return policy == NULL ? NULL : policy->access;
}

static enum expr_truth verb_truth(const struct policy *policy, const stet_actor *actor,
                                  enum access_verb verb) {
    const struct access_rules *rules = rules_of(policy);
    if (actor->admin) return EXPR_TRUE;
    if (rules == NULL) return actor_has_role(actor, ROLE_MEMBER) ? EXPR_TRUE : EXPR_FALSE;
    return rule_truth(&rules->verbs[verb], actor);
}

/* What exists can only be changed by who may read it. */
static bool needs_read(enum access_verb verb) {
    return verb == ACCESS_UPDATE || verb == ACCESS_DELETE;
}

/* Whether some field may be hidden from the actor, or (writes) be readonly for them. */
static bool fields_bind(const struct policy *policy, const stet_actor *actor, bool writes) {
    const struct access_rules *rules = rules_of(policy);
    for (size_t i = 0; rules != NULL && !actor->admin && i < rules->field_count; i++) {
        const struct field_rules *field = &rules->fields[i];
        if (rule_truth(&field->hidden, actor) != EXPR_FALSE) return true;
        if (writes && rule_truth(&field->readonly, actor) != EXPR_FALSE) return true;
    }
    return false;
}

bool access_binds(const struct policy *policy, const stet_actor *actor, enum access_verb verb) {
    if (actor->admin) return false;
    if (verb_truth(policy, actor, verb) != EXPR_TRUE) return true;
    if (needs_read(verb) && verb_truth(policy, actor, ACCESS_READ) != EXPR_TRUE) return true;
    return verb != ACCESS_DELETE &&
           fields_bind(policy, actor, verb == ACCESS_CREATE || verb == ACCESS_UPDATE);
}

bool access_never(const struct policy *policy, const stet_actor *actor, enum access_verb verb) {
    return verb_truth(policy, actor, verb) == EXPR_FALSE ||
           (needs_read(verb) && verb_truth(policy, actor, ACCESS_READ) == EXPR_FALSE);
}

/* Whether one pointer leads to the other one, or they are the same. */
static bool touches(stet_view a, stet_view b) {
    stet_view longer = a.size > b.size ? a : b;
    size_t size = a.size > b.size ? b.size : a.size;
    if (size > 0 && memcmp(a.bytes, b.bytes, size) != 0) return false;
    return longer.size == size || longer.bytes[size] == '/';
}

bool access_may_hide(const struct policy *policy, const stet_actor *actor, stet_view pointer) {
    const struct access_rules *rules = rules_of(policy);
    for (size_t i = 0; rules != NULL && !actor->admin && i < rules->field_count; i++)
        if (touches(rules->fields[i].pointer, pointer) &&
            rule_truth(&rules->fields[i].hidden, actor) != EXPR_FALSE)
            return true;
    return false;
}

/* ---- With a record ----------------------------------------------------------------------- */

struct judging {
    const struct policy *policy;
    const stet_actor *actor;
    const struct access_record *about; /* Whose metadata rules see. */
    const struct doc *old_data, *new_data;
    struct arena arena; /* Scratch for metadata. */
    struct query_record record;
};

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

static void judging_begin(struct judging *judging, const struct policy *policy,
                          const stet_actor *actor, const struct access_record *about) {
    *judging = (struct judging){.policy = policy, .actor = actor, .about = about};
    arena_init(&judging->arena, SCRATCH_BYTES);
    judging->record = (struct query_record){.change = about->change,
                                            .arena = &judging->arena,
                                            .find_created = find_created,
                                            .context = judging};
}

static stet_status judging_end(struct judging *judging) {
    arena_done(&judging->arena);
    return judging->record.status;
}

/* Whether a rule holds for this data. What fails sticks in the record's status. */
static bool holds(struct judging *judging, const struct rule *rule, const struct doc *data) {
    if (rule->expr == NULL) return rule->allows;
    struct expr_subject subject = subject_of(judging->actor);
    subject.data = data;
    subject.old_data = judging->old_data;
    subject.new_data = judging->new_data;
    subject.meta = judging_meta;
    subject.context = judging;
    return expr_matches(rule->expr, &subject) && judging->record.status == STET_OK;
}

/* Likewise, but what fails makes it hold: for rules that take something away. */
static bool forbids(struct judging *judging, const struct rule *rule, const struct doc *data) {
    return holds(judging, rule, data) || judging->record.status != STET_OK;
}

/* The value that a field's pointer leads to, or the list that stands in its way. */
static doc_node find_field(const struct doc *doc, stet_view pointer) {
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

static stet_status cannot_judge(stet_status status, stet_error *err) {
    return error_set(err, status, "an access rule could not be judged");
}

static bool same_value(const struct doc *a, doc_node an, const struct doc *b, doc_node bn) {
    if (an == DOC_NONE || bn == DOC_NONE) return an == bn;
    return doc_equal(a, an, b, bn);
}

static bool is_fallback(const struct field_rules *field, const struct doc *doc, doc_node node) {
    return field->fallback.count > 0 && doc_equal(&field->fallback, 0, doc, node);
}

/* Whether the field was given a value, or another value than it had. */
static bool field_changes(const struct field_rules *field, const struct doc *before,
                          const struct doc *after) {
    doc_node is = find_field(after, field->pointer);
    if (before != NULL) return !same_value(before, find_field(before, field->pointer), after, is);
    return is != DOC_NONE && !is_fallback(field, after, is);
}

static stet_status check_fields(struct judging *judging, const struct doc *before,
                                const struct doc *after, stet_error *err) {
    const struct access_rules *rules = judging->policy->access;
    for (size_t i = 0; i < rules->field_count; i++) {
        const struct field_rules *field = &rules->fields[i];
        if (!field_changes(field, before, after)) continue;
        bool hidden = forbids(judging, &field->hidden, before == NULL ? after : before);
        bool readonly = !hidden && (forbids(judging, &field->readonly, after) ||
                                    (before != NULL && forbids(judging, &field->readonly, before)));
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
        bool readable = holds(judging, &policy->access->verbs[ACCESS_READ], before);
        if (judging->record.status != STET_OK) return STET_OK;
        if (!readable) return not_found(err);
        judging->new_data = new_data;
        judging->old_data = old_data;
    }
    if (verb == ACCESS_READ) return STET_OK;
    bool allowed = true;
    if (verb != ACCESS_CREATE) allowed = holds(judging, rule, before);
    if (allowed && verb != ACCESS_DELETE) allowed = holds(judging, rule, after);
    if (judging->record.status != STET_OK) return STET_OK;
    if (!allowed) return forbidden(policy, verb, err);
    return verb == ACCESS_DELETE ? STET_OK : check_fields(judging, before, after, err);
}

stet_status access_check(const struct policy *policy, const stet_actor *actor,
                         enum access_verb verb, const struct access_record *before,
                         const struct access_record *after, stet_error *err) {
    struct judging judging;
    if (actor->admin) return STET_OK;
    if (rules_of(policy) == NULL) {
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
    return failed == STET_OK ? status : cannot_judge(failed, err);
}

/* ---- Leaving hidden fields out ----------------------------------------------------------- */

struct hidden {
    size_t count;
    const struct field_rules *fields[ACCESS_FIELDS_MAX];
    doc_node nodes[ACCESS_FIELDS_MAX]; /* Where they are in a document; DOC_NONE: nowhere. */
};

/* What is hidden from the actor in a record with this data. */
static stet_status find_hidden(const struct policy *policy, const stet_actor *actor,
                               const struct access_record *record, struct hidden *hidden,
                               stet_error *err) {
    const struct access_rules *rules = rules_of(policy);
    struct judging judging;
    hidden->count = 0;
    if (rules == NULL || actor->admin || rules->field_count == 0) return STET_OK;
    judging_begin(&judging, policy, actor, record);
    for (size_t i = 0; i < rules->field_count; i++)
        if (forbids(&judging, &rules->fields[i].hidden, record->data))
            hidden->fields[hidden->count++] = &rules->fields[i];
    stet_status failed = judging_end(&judging);
    return failed == STET_OK ? STET_OK : cannot_judge(failed, err);
}

/* How many of them there are. */
static size_t find_nodes(struct hidden *hidden, const struct doc *doc) {
    size_t found = 0;
    for (size_t i = 0; i < hidden->count; i++) {
        hidden->nodes[i] = find_field(doc, hidden->fields[i]->pointer);
        found += hidden->nodes[i] != DOC_NONE;
    }
    return found;
}

enum part { PART_SHOWN, PART_MIXED, PART_HIDDEN };

/* Whether a value is hidden, or holds something hidden: nodes below a node are those that follow it. */
static enum part part_of(const struct hidden *hidden, const struct doc *doc, doc_node node) {
    enum part part = PART_SHOWN;
    doc_node end = node + doc_weight(doc, node);
    for (size_t i = 0; i < hidden->count; i++) {
        if (hidden->nodes[i] == node) return PART_HIDDEN;
        if (hidden->nodes[i] != DOC_NONE && hidden->nodes[i] > node && hidden->nodes[i] < end)
            part = PART_MIXED;
    }
    return part;
}

/* Recurses as deep as the pointers are. */
static void write_shown(struct json_writer *writer, const struct hidden *hidden,
                        const struct doc *doc, doc_node object) {
    json_object_begin(writer);
    for (doc_node child = doc_first(doc, object); child != DOC_NONE; child = doc_next(doc, child)) {
        enum part part = part_of(hidden, doc, child);
        if (part == PART_HIDDEN) continue;
        json_key_raw(writer, doc_key_raw(doc, child));
        if (part == PART_SHOWN)
            json_raw(writer, doc_text(doc, child));
        else
            write_shown(writer, hidden, doc, child);
    }
    json_object_end(writer);
}

static stet_status end_data(struct json_writer *writer, struct buffer *buffer, stet_view *data,
                            stet_error *err) {
    stet_status status = json_end(writer);
    if (status != STET_OK) return error_set(err, status, "out of memory for a record");
    *data = buffer_view(buffer);
    return STET_OK;
}

static stet_status leave_out(struct hidden *hidden, struct arena *arena, const struct doc *doc,
                             stet_view *data, stet_error *err) {
    struct buffer buffer;
    struct json_writer writer;
    *data = doc->text;
    if (find_nodes(hidden, doc) == 0) return STET_OK;
    buffer_init(&buffer, arena, 0);
    json_begin(&writer, &buffer);
    write_shown(&writer, hidden, doc, 0);
    return end_data(&writer, &buffer, data, err);
}

stet_status access_redact(const struct policy *policy, const stet_actor *actor, struct arena *arena,
                          const struct access_record *record, stet_view *data, stet_error *err) {
    struct hidden hidden;
    stet_status status = find_hidden(policy, actor, record, &hidden, err);
    return status == STET_OK ? leave_out(&hidden, arena, record->data, data, err) : status;
}

/* ---- And putting them back --------------------------------------------------------------- */

struct restoring {
    struct hidden hidden; /* nodes: in from. */
    const struct doc *from, *given;
    struct json_writer writer;
    doc_node
        in_the_way; /* In from: something hidden is below it, and given has another value there. DOC_NONE: nothing. */
};

/* Only what is hidden in a value, with what leads there. */
static void write_hidden(struct restoring *restoring, doc_node value, enum part part) {
    const struct doc *from = restoring->from;
    struct json_writer *writer = &restoring->writer;
    if (part == PART_HIDDEN) {
        json_raw(writer, doc_text(from, value));
        return;
    }
    json_object_begin(writer);
    for (doc_node child = doc_first(from, value); child != DOC_NONE;
         child = doc_next(from, child)) {
        enum part inner = part_of(&restoring->hidden, from, child);
        if (inner == PART_SHOWN) continue;
        json_key_raw(writer, doc_key_raw(from, child));
        write_hidden(restoring, child, inner);
    }
    json_object_end(writer);
}

static void write_restored(struct restoring *restoring, doc_node given, doc_node from) {
    struct json_writer *writer = &restoring->writer;
    const struct doc *mine = restoring->given, *theirs = restoring->from;
    json_object_begin(writer);
    for (doc_node child = doc_first(mine, given); child != DOC_NONE;
         child = doc_next(mine, child)) {
        doc_node other = doc_member_like(theirs, from, mine, child);
        enum part part =
            other == DOC_NONE ? PART_SHOWN : part_of(&restoring->hidden, theirs, other);
        json_key_raw(writer, doc_key_raw(mine, child));
        if (part == PART_SHOWN) {
            json_raw(writer, doc_text(mine, child));
        } else if (part == PART_HIDDEN) {
            json_raw(writer, doc_text(theirs, other)); /* Given was its default. */
        } else if (doc_kind(mine, child) == DOC_OBJECT) {
            write_restored(restoring, child, other);
        } else {
            restoring->in_the_way = other;
            json_null(writer);
        }
    }
    for (doc_node child = doc_first(theirs, from); child != DOC_NONE;
         child = doc_next(theirs, child)) {
        enum part part = part_of(&restoring->hidden, theirs, child);
        if (part == PART_SHOWN || doc_member_like(mine, given, theirs, child) != DOC_NONE) continue;
        json_key_raw(writer, doc_key_raw(theirs, child));
        write_hidden(restoring, child, part);
    }
    json_object_end(writer);
}

static stet_status not_yours(stet_view pointer, stet_error *err) {
    error_set(err, STET_FORBIDDEN, "this field is not yours to see or to give a value");
    error_field_view(err, pointer, 0);
    return STET_FORBIDDEN;
}

/* Gives nothing hidden a value: defaults were put in by the server. */
static stet_status check_given(const struct hidden *hidden, const struct doc *given,
                               stet_error *err) {
    for (size_t i = 0; i < hidden->count; i++) {
        doc_node node = find_field(given, hidden->fields[i]->pointer);
        if (node != DOC_NONE && !is_fallback(hidden->fields[i], given, node))
            return not_yours(hidden->fields[i]->pointer, err);
    }
    return STET_OK;
}

stet_status access_restore(const struct policy *policy, const stet_actor *actor,
                           struct arena *arena, const struct access_record *from, stet_view data,
                           stet_view *whole, stet_error *err) {
    struct restoring restoring = {.in_the_way = DOC_NONE};
    struct buffer buffer;
    struct doc given;
    *whole = data;
    if (!fields_bind(policy, actor, false)) return STET_OK;
    stet_status status = doc_parse(arena, data, NULL, &given, err);
    if (status != STET_OK) return status;
    struct access_record judged = *from;
    if (judged.data == NULL || judged.data->count == 0) judged.data = &given;
    status = find_hidden(policy, actor, &judged, &restoring.hidden, err);
    if (status == STET_OK) status = check_given(&restoring.hidden, &given, err);
    if (status != STET_OK || judged.data == &given ||
        find_nodes(&restoring.hidden, from->data) == 0 || doc_kind(&given, 0) != DOC_OBJECT)
        return status;
    restoring.from = from->data;
    restoring.given = &given;
    buffer_init(&buffer, arena, 0);
    json_begin(&restoring.writer, &buffer);
    write_restored(&restoring, 0, 0);
    status = end_data(&restoring.writer, &buffer, whole, err);
    if (status != STET_OK || restoring.in_the_way == DOC_NONE) return status;
    *whole = data;
    doc_node end = restoring.in_the_way + doc_weight(from->data, restoring.in_the_way);
    size_t i = 0;
    while (restoring.hidden.nodes[i] == DOC_NONE ||
           restoring.hidden.nodes[i] <= restoring.in_the_way || restoring.hidden.nodes[i] >= end)
        i++;
    return not_yours(restoring.hidden.fields[i]->pointer, err);
}

/* ---- Who looks --------------------------------------------------------------------------- */

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
    sight->reads = verb_truth(sight->policy, viewer->actor, ACCESS_READ);
    sight->hides = fields_bind(sight->policy, viewer->actor, false);
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
    bool sees = holds(&judging, &sight->policy->access->verbs[ACCESS_READ], doc);
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
    const struct access_rules *rules = rules_of(sight->policy);
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
    return end_data(&writer, &buffer, data, err);
}

/* What is hidden in the change; parses its data. */
static stet_status hidden_in(const struct sight *sight, struct arena *arena,
                             const struct store_change *change, const struct doc **doc,
                             struct doc *own, struct hidden *hidden, stet_error *err) {
    const struct viewer *viewer = sight->viewer;
    stet_status status = data_of(arena, change, doc, own, err);
    if (status == STET_OK) {
        struct access_record record = {.change = change, .data = *doc, .space = viewer->space};
        status = find_hidden(sight->policy, viewer->actor, &record, hidden, err);
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
    return status == STET_OK ? leave_out(&hidden, arena, doc, data, err) : status;
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
    if (all == NULL) return no_memory(err);
    for (size_t i = 0; i < hidden.count; i++)
        all[i] = hidden.fields[i]->pointer;
    *pointers = all;
    *count = hidden.count;
    return STET_OK;
}

bool hidden_touches(const stet_view *pointers, size_t count, stet_view pointer) {
    for (size_t i = 0; i < count; i++)
        if (touches(pointers[i], pointer)) return true;
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
    const struct access_rules *rules = rules_of(sight->policy);
    struct expr *expr = NULL;
    *out = NULL;
    if (sight->reads != EXPR_DEPENDS || rules == NULL) return STET_OK;
    struct expr_subject subject = subject_of(sight->viewer->actor);
    stet_status status =
        expr_for_actor(arena, rules->verbs[ACCESS_READ].expr, &subject, also, &expr);
    if (status != STET_OK) return error_set(err, status, "out of memory for a list");
    *out = expr;
    return STET_OK;
}

struct viewer command_viewer(const struct stet_command *command) {
    return (struct viewer){.space = command->space, .actor = &command->actor};
}

bool viewer_sees(const struct viewer *viewer, const struct store_change *change) {
    struct sight sight;
    struct arena arena;
    if (viewer == NULL) return true;
    arena_init(&arena, SCRATCH_BYTES);
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
    sight_begin(&sight, viewer, change->type);
    stet_status status = sight_data(&sight, arena, change, NULL, data, NULL);
    sight_end(&sight);
    return status;
}
