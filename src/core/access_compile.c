/*
 * From the member "access" of a definition to rules. See core/access.h.
 */
#include "core/access_rules.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "core/validate.h"
#include "doc/pointer.h"

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
