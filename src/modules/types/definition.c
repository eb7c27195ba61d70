#include "modules/types/definition.h"

#include "base/buffer.h"
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "calendar/zone.h"
#include "core/access.h"
#include "core/exclusive.h"
#include "core/validate.h"
#include "doc/pointer.h"
#include "doc/write.h"

#include <stdio.h>

enum { ARENA_BLOCK_BYTES = 4096 };

struct compiler {
    struct arena *arena;
    struct doc doc;
    struct policy *policy;
    stet_error *err;
};

/* ---- Failing ----------------------------------------------------------------------------- */

static stet_status no_memory(struct compiler *compiler) {
    return error_set(compiler->err, STET_NO_MEMORY, "out of memory for a type");
}

/* err has its message; this adds the place. index < 0: none. */
static stet_status place(struct compiler *compiler, const char *where, int index, uint64_t limit) {
    char field[sizeof compiler->err->field];
    if (index < 0) {
        error_field(compiler->err, where, limit);
    } else {
        snprintf(field, sizeof field, "%s/%d", where, index);
        error_field(compiler->err, field, limit);
    }
    return STET_INVALID_TYPE;
}

#define REFUSE_AT(compiler, where, index, ...)                                                     \
    (error_set((compiler)->err, STET_INVALID_TYPE, __VA_ARGS__), place(compiler, where, index, 0))
#define REFUSE(compiler, where, ...) REFUSE_AT(compiler, where, -1, __VA_ARGS__)

/* ---- Reading ----------------------------------------------------------------------------- */

/* Refuses members that are not among the names, which end with NULL. where: of the object. */
static stet_status check_names(struct compiler *compiler, doc_node object, const char *where,
                               const char *const *names, const char *known) {
    const struct doc *doc = &compiler->doc;
    for (doc_node member = doc_first(doc, object); member != DOC_NONE;
         member = doc_next(doc, member)) {
        stet_view raw = doc_key_raw(doc, member);
        size_t i = 0;
        while (names[i] != NULL && !view_equal(raw, view_of(names[i])))
            i++;
        if (names[i] != NULL) continue;
        bool top = where[0] == '\0';
        struct pointer_path root = {0};
        struct pointer_path parent = {.parent = &root, .key = view_of(top ? where : where + 1)};
        struct pointer_path at = path_member(top ? &root : &parent, doc, member);
        stet_view pointer;
        if (pointer_format(compiler->arena, &at, &pointer) != STET_OK) return no_memory(compiler);
        error_set(compiler->err, STET_INVALID_TYPE, "is not known here; possible are %s", known);
        error_field_view(compiler->err, pointer, 0);
        return STET_INVALID_TYPE;
    }
    return STET_OK;
}

/* A whole number from low to high, or left alone where it is absent. */
static stet_status read_number(struct compiler *compiler, doc_node object, const char *name,
                               const char *where, uint32_t low, uint32_t high, uint32_t *out) {
    doc_node node = doc_member(&compiler->doc, object, view_of(name));
    uint64_t value;
    if (node == DOC_NONE) return STET_OK;
    if (doc_u64(&compiler->doc, node, &value) && value >= low && value <= high) {
        *out = (uint32_t)value;
        return STET_OK;
    }
    error_set(compiler->err, STET_INVALID_TYPE, "is a whole number from %u to %u", low, high);
    return place(compiler, where, -1, high);
}

static stet_status read_words(struct compiler *compiler, const char *name, const char *where,
                              size_t bytes_max) {
    doc_node node = doc_member(&compiler->doc, 0, view_of(name));
    stet_view text;
    if (node == DOC_NONE) return STET_OK;
    stet_status status = doc_string(compiler->arena, &compiler->doc, node, &text);
    if (status == STET_NO_MEMORY) return no_memory(compiler);
    if (status == STET_OK && text.size <= bytes_max) return STET_OK;
    error_set(compiler->err, STET_INVALID_TYPE, "is a string of at most %zu bytes", bytes_max);
    return place(compiler, where, -1, bytes_max);
}

/* An object, or DOC_NONE where it is absent. */
static stet_status read_object(struct compiler *compiler, const char *name, const char *where,
                               doc_node *out) {
    *out = doc_member(&compiler->doc, 0, view_of(name));
    if (*out == DOC_NONE || doc_kind(&compiler->doc, *out) == DOC_OBJECT) return STET_OK;
    return REFUSE(compiler, where, "is an object");
}

static stet_status read_list(struct compiler *compiler, doc_node object, const char *name,
                             const char *where, uint32_t count_max, doc_node *out) {
    *out = doc_member(&compiler->doc, object, view_of(name));
    if (*out == DOC_NONE) return STET_OK;
    if (doc_kind(&compiler->doc, *out) == DOC_ARRAY && doc_count(&compiler->doc, *out) <= count_max)
        return STET_OK;
    error_set(compiler->err, STET_INVALID_TYPE, "is a list of at most %u", count_max);
    return place(compiler, where, -1, count_max);
}

/* ---- Strategies -------------------------------------------------------------------------- */

static stet_status read_strategy(struct compiler *compiler, doc_node node, const char *where,
                                 int index, stet_strategy *strategy) {
    stet_view text = {0};
    stet_status status = doc_string(compiler->arena, &compiler->doc, node, &text);
    if (status == STET_NO_MEMORY) return no_memory(compiler);
    if (status == STET_OK && strategy_parse(text, strategy, compiler->err) == STET_OK)
        return STET_OK;
    if (view_starts(text, VIEW("function:")))
        return REFUSE_AT(compiler, where, index,
                         "a function is the type's own strategy: it stands in \"on_conflict\"");
    return REFUSE_AT(compiler, where, index,
                     "is reject, merge, last_writer_wins, newest, server_wins or ask");
}

/*
 * "function:NAME" is the strategy merge with one rule, for the record as a whole: it is applied, shown, reopened and told of as any other. Which
 * functions there are is looked up when it is needed.
 */
static stet_status read_function(struct compiler *compiler, doc_node node) {
    struct policy *policy = compiler->policy;
    struct doc_rules *rules;
    stet_view text = {0};
    stet_status status = doc_string(compiler->arena, &compiler->doc, node, &text);
    if (status == STET_NO_MEMORY) return no_memory(compiler);
    if (status != STET_OK || !view_starts(text, VIEW("function:"))) return STET_OK;
    stet_view name = view_make(text.bytes + 9, text.size - 9);
    if (name.size == 0 || name.size > ID_BYTES_MAX)
        return REFUSE(compiler, "/on_conflict", "names a function: \"function:NAME\"");
    if (rules_of_function(compiler->arena, name, &rules) != STET_OK) return no_memory(compiler);
    policy->rules = rules;
    policy->on_conflict = STET_STRATEGY_MERGE;
    return STET_OK;
}

static stet_status read_strategies(struct compiler *compiler) {
    struct policy *policy = compiler->policy;
    const struct doc *doc = &compiler->doc;
    policy->on_conflict = STET_STRATEGY_REJECT;
    policy->overrides = 1u << STET_STRATEGY_MERGE | 1u << STET_STRATEGY_ASK;
    doc_node node = doc_member(doc, 0, VIEW("on_conflict"));
    if (node != DOC_NONE) {
        stet_status status = read_function(compiler, node);
        if (status == STET_OK && policy->rules == NULL)
            status = read_strategy(compiler, node, "/on_conflict", -1, &policy->on_conflict);
        if (status != STET_OK) return status;
    }
    stet_status status =
        read_list(compiler, 0, "allow_overrides", "/allow_overrides", STET_STRATEGY_ASK + 1, &node);
    if (status != STET_OK || node == DOC_NONE) return status;
    policy->overrides = 0;
    int index = 0;
    for (doc_node one = doc_first(doc, node); one != DOC_NONE; one = doc_next(doc, one), index++) {
        stet_strategy strategy = STET_STRATEGY_DEFAULT;
        status = read_strategy(compiler, one, "/allow_overrides", index, &strategy);
        if (status != STET_OK) return status;
        policy->overrides |= 1u << strategy;
    }
    return STET_OK;
}

static stet_status read_persons(struct compiler *compiler, doc_node ask) {
    struct policy *policy = compiler->policy;
    const struct doc *doc = &compiler->doc;
    doc_node list;
    stet_status status = read_list(compiler, ask, "for", "/ask/for", ASK_PERSONS_MAX, &list);
    if (status != STET_OK || list == DOC_NONE) return status;
    stet_view *who = arena_zalloc(compiler->arena, doc_count(doc, list) + 1, sizeof *who);
    if (who == NULL) return no_memory(compiler);
    int count = 0;
    for (doc_node one = doc_first(doc, list); one != DOC_NONE; one = doc_next(doc, one), count++) {
        status = doc_string(compiler->arena, doc, one, &who[count]);
        if (status == STET_NO_MEMORY) return no_memory(compiler);
        if (status != STET_OK || who[count].size == 0 || who[count].size > ACTOR_BYTES_MAX)
            return REFUSE_AT(compiler, "/ask/for", count,
                             "is the name of an actor, of 1 to %d bytes", ACTOR_BYTES_MAX);
        for (int i = 0; i < count; i++)
            if (view_equal(who[i], who[count]))
                return REFUSE_AT(compiler, "/ask/for", count, "is in the list already");
    }
    policy->ask.who = who;
    policy->ask.who_count = (size_t)count;
    return STET_OK;
}

static stet_status read_ask(struct compiler *compiler) {
    static const char *const names[] = {"deadline_s", "fallback", "for", NULL};
    struct policy *policy = compiler->policy;
    doc_node ask;
    policy->ask.deadline_s = ASK_DEADLINE_S_DEFAULT;
    policy->ask.fallback = STET_STRATEGY_SERVER_WINS;
    stet_status status = read_object(compiler, "ask", "/ask", &ask);
    if (status != STET_OK || ask == DOC_NONE) return status;
    status = check_names(compiler, ask, "/ask", names, "deadline_s, fallback and for");
    if (status == STET_OK)
        status = read_number(compiler, ask, "deadline_s", "/ask/deadline_s", 1, ASK_DEADLINE_S_MAX,
                             &policy->ask.deadline_s);
    doc_node fallback = doc_member(&compiler->doc, ask, VIEW("fallback"));
    if (status == STET_OK && fallback != DOC_NONE) {
        status = read_strategy(compiler, fallback, "/ask/fallback", -1, &policy->ask.fallback);
        bool possible = policy->ask.fallback == STET_STRATEGY_SERVER_WINS ||
                        policy->ask.fallback == STET_STRATEGY_MERGE ||
                        policy->ask.fallback == STET_STRATEGY_LAST_WRITER_WINS;
        if (status == STET_OK && !possible)
            status = REFUSE(compiler, "/ask/fallback",
                            "is server_wins, merge or last_writer_wins: it settles what nobody "
                            "has settled by the deadline");
    }
    return status == STET_OK ? read_persons(compiler, ask) : status;
}

static stet_status read_preconditions(struct compiler *compiler) {
    doc_node node = doc_member(&compiler->doc, 0, VIEW("preconditions"));
    stet_view text = {0};
    if (node == DOC_NONE) return STET_OK;
    if (doc_string(compiler->arena, &compiler->doc, node, &text) == STET_NO_MEMORY)
        return no_memory(compiler);
    compiler->policy->preconditions_optional = view_equal(text, VIEW("optional"));
    if (compiler->policy->preconditions_optional || view_equal(text, VIEW("required")))
        return STET_OK;
    return REFUSE(compiler, "/preconditions", "is required or optional");
}

/* ---- Indexes ----------------------------------------------------------------------------- */

static stet_status read_index_field(struct compiler *compiler, doc_node node, const char *where,
                                    int index, struct index_field *field) {
    stet_view text;
    stet_status status = doc_string(compiler->arena, &compiler->doc, node, &text);
    if (status == STET_NO_MEMORY) return no_memory(compiler);
    field->descending = status == STET_OK && text.size > 0 && text.bytes[0] == '-';
    field->pointer =
        status != STET_OK || !field->descending ? text : view_make(text.bytes + 1, text.size - 1);
    if (status != STET_OK || field->pointer.size == 0 || !pointer_is_valid(field->pointer))
        return REFUSE_AT(compiler, where, index,
                         "is the JSON pointer of a field, such as \"/stage\"; \"-/stage\" puts the "
                         "greatest first; a list of them for several fields");
    stet_view rest = field->pointer, token;
    while (pointer_next(&rest, &token))
        if (view_equal(token, VIEW("*")))
            return REFUSE_AT(compiler, where, index,
                             "names many values with \"*\"; an index holds one for each record");
    return STET_OK;
}

bool definition_same_index(const struct index_def *a, const struct index_def *b) {
    if (a->exclusive != NULL || b->exclusive != NULL)
        return a->exclusive != NULL && b->exclusive != NULL &&
               view_equal(a->exclusive->source, b->exclusive->source);
    bool same = a->unique == b->unique && a->field_count == b->field_count;
    for (size_t i = 0; same && i < a->field_count; i++)
        same = view_equal(a->fields[i].pointer, b->fields[i].pointer) &&
               a->fields[i].descending == b->fields[i].descending;
    return same;
}

static stet_status read_index(struct compiler *compiler, doc_node node, const char *where,
                              int index, bool unique, struct index_def *def) {
    const struct doc *doc = &compiler->doc;
    bool list = doc_kind(doc, node) == DOC_ARRAY;
    uint32_t count = list ? doc_count(doc, node) : 1;
    if (count == 0 || count > INDEX_FIELDS_MAX) {
        error_set(compiler->err, STET_INVALID_TYPE, "has 1 to %d fields", INDEX_FIELDS_MAX);
        return place(compiler, where, index, INDEX_FIELDS_MAX);
    }
    struct index_field *fields = arena_zalloc(compiler->arena, count, sizeof *fields);
    if (fields == NULL) return no_memory(compiler);
    doc_node one = list ? doc_first(doc, node) : node;
    for (uint32_t i = 0; i < count; i++) {
        stet_status status = read_index_field(compiler, one, where, index, &fields[i]);
        if (status != STET_OK) return status;
        for (uint32_t j = 0; j < i; j++)
            if (view_equal(fields[i].pointer, fields[j].pointer))
                return REFUSE_AT(compiler, where, index, "names a field twice");
        if (list) one = doc_next(doc, one);
    }
    *def = (struct index_def){.unique = unique, .field_count = count, .fields = fields};
    return STET_OK;
}

static stet_status read_numbers(struct compiler *compiler) {
    struct policy *policy = compiler->policy;
    doc_node tzdata = doc_member(&compiler->doc, 0, VIEW("_tzdata"));
    if (tzdata != DOC_NONE && doc_kind(&compiler->doc, tzdata) == DOC_STRING &&
        doc_string(compiler->arena, &compiler->doc, tzdata, &policy->tzdata) != STET_OK)
        return no_memory(compiler);
    doc_node list = doc_member(&compiler->doc, 0, VIEW("_indexes"));
    if (list == DOC_NONE || doc_kind(&compiler->doc, list) != DOC_ARRAY) return STET_OK;
    size_t i = 0;
    for (doc_node one = doc_first(&compiler->doc, list); one != DOC_NONE && i < policy->index_count;
         one = doc_next(&compiler->doc, one)) {
        uint64_t number;
        if (!doc_u64(&compiler->doc, one, &number) || number > UINT32_MAX) break;
        policy->indexes[i++]->number = (uint32_t)number;
    }
    return STET_OK;
}

/* What must not overlap has an index each, behind those with fields. */
static stet_status read_exclusive(struct compiler *compiler, struct index_def **defs) {
    struct policy *policy = compiler->policy;
    size_t count;
    stet_status status = exclusive_compile(compiler->arena, &compiler->doc,
                                           doc_member(&compiler->doc, 0, VIEW("exclusive")),
                                           &policy->exclusive, &count, compiler->err);
    if (status != STET_OK) return status;
    if (policy->index_count + count > TYPE_ALL_INDEXES_MAX) {
        error_set(compiler->err, STET_INVALID_TYPE, "and the indexes together are more than %d",
                  TYPE_ALL_INDEXES_MAX);
        return place(compiler, "/exclusive", -1, TYPE_ALL_INDEXES_MAX);
    }
    for (const struct exclusive *one = policy->exclusive; one != NULL; one = one->next)
        defs[policy->index_count++] = one->index;
    return STET_OK;
}

static stet_status read_indexes(struct compiler *compiler) {
    static const char *const names[] = {"index", "unique"};
    static const char *const places[] = {"/index", "/unique"};
    struct policy *policy = compiler->policy;
    const struct doc *doc = &compiler->doc;
    struct index_def **defs =
        arena_zalloc(compiler->arena, TYPE_ALL_INDEXES_MAX, sizeof(struct index_def *));
    if (defs == NULL) return no_memory(compiler);
    for (size_t kind = 0; kind < 2; kind++) {
        doc_node list;
        int index = 0;
        stet_status status =
            read_list(compiler, 0, names[kind], places[kind], TYPE_INDEXES_MAX, &list);
        if (status != STET_OK) return status;
        if (list == DOC_NONE) continue;
        for (doc_node one = doc_first(doc, list); one != DOC_NONE;
             one = doc_next(doc, one), index++) {
            struct index_def *def = arena_zalloc(compiler->arena, 1, sizeof *def);
            if (def == NULL) return no_memory(compiler);
            status = read_index(compiler, one, places[kind], index, kind == 1, def);
            if (status != STET_OK) return status;
            for (size_t i = 0; i < policy->index_count; i++) {
                struct index_def other = *defs[i];
                other.unique = def->unique;
                if (definition_same_index(&other, def))
                    return REFUSE_AT(compiler, places[kind], index, "is declared already%s",
                                     defs[i]->unique == def->unique
                                         ? ""
                                         : ": what is unique has an index by that");
            }
            defs[policy->index_count++] = def;
        }
    }
    stet_status status = read_exclusive(compiler, defs);
    if (status != STET_OK) return status;
    policy->indexes = (struct index_def *const *)defs;
    return read_numbers(compiler);
}

/* ---- The rest ---------------------------------------------------------------------------- */

/* "project:{/project_id}": text with pointers in braces. */
static bool is_tag(stet_view text) {
    if (text.size == 0 || text.size > TYPE_TAG_BYTES_MAX) return false;
    for (size_t i = 0; i < text.size; i++) {
        if (text.bytes[i] == '}') return false;
        if (text.bytes[i] != '{') continue;
        const char *end = memchr(text.bytes + i, '}', text.size - i);
        if (end == NULL) return false;
        stet_view pointer = view_make(text.bytes + i + 1, (size_t)(end - text.bytes) - i - 1);
        if (pointer.size == 0 || !pointer_is_valid(pointer)) return false;
        i = (size_t)(end - text.bytes);
    }
    return true;
}

static stet_status read_tags(struct compiler *compiler) {
    doc_node list;
    int index = 0;
    stet_status status = read_list(compiler, 0, "tags", "/tags", TYPE_TAGS_MAX, &list);
    if (status != STET_OK || list == DOC_NONE) return status;
    for (doc_node one = doc_first(&compiler->doc, list); one != DOC_NONE;
         one = doc_next(&compiler->doc, one), index++) {
        stet_view text = {0};
        if (doc_string(compiler->arena, &compiler->doc, one, &text) == STET_NO_MEMORY)
            return no_memory(compiler);
        if (!is_tag(text))
            return REFUSE_AT(compiler, "/tags", index,
                             "is text of 1 to %d bytes, with JSON pointers in braces: "
                             "\"project:{/project_id}\"",
                             TYPE_TAG_BYTES_MAX);
    }
    return STET_OK;
}

static stet_status read_retention(struct compiler *compiler) {
    static const char *const retain_names[] = {"versions", "days", NULL};
    static const char *const cache_names[] = {"ttl_s", NULL};
    struct policy *policy = compiler->policy;
    uint32_t ttl_s = 0;
    doc_node retain, cache;
    stet_status status = read_object(compiler, "retain", "/retain", &retain);
    if (status == STET_OK && retain != DOC_NONE) {
        status = check_names(compiler, retain, "/retain", retain_names, "versions and days");
        if (status == STET_OK)
            status = read_number(compiler, retain, "versions", "/retain/versions", 1,
                                 RETAIN_VERSIONS_MAX, &policy->retain_versions);
        if (status == STET_OK)
            status = read_number(compiler, retain, "days", "/retain/days", 1, RETAIN_DAYS_MAX,
                                 &policy->retain_days);
        if (status == STET_OK && policy->retain_versions == 0 && policy->retain_days == 0)
            status = REFUSE(compiler, "/retain",
                            "says how many versions to keep, for how many days, or both");
    }
    if (status == STET_OK) status = read_object(compiler, "cache", "/cache", &cache);
    if (status != STET_OK || cache == DOC_NONE) return status;
    status = check_names(compiler, cache, "/cache", cache_names, "ttl_s");
    if (status != STET_OK) return status;
    return read_number(compiler, cache, "ttl_s", "/cache/ttl_s", 0, CACHE_TTL_S_MAX, &ttl_s);
}

static stet_status check_top(struct compiler *compiler) {
    static const char *const names[] = {
        "title",  "description", "on_conflict", "allow_overrides", "ask",       "preconditions",
        "fields", "units",       "index",       "unique",          "exclusive", "tags",
        "retain", "cache",       "access",      "forced",          "_indexes",  "_tzdata",
        NULL};
    return check_names(compiler, 0, "", names,
                       "title, description, on_conflict, allow_overrides, ask, preconditions, "
                       "fields, units, index, unique, exclusive, tags, retain, cache and access");
}

static stet_status read_fields(struct compiler *compiler) {
    struct policy *policy = compiler->policy;
    const struct doc *doc = &compiler->doc;
    struct doc_rules *rules = NULL;
    doc_node fields = doc_member(doc, 0, VIEW("fields"));
    stet_status status = rules_compile(compiler->arena, doc, fields,
                                       doc_member(doc, 0, VIEW("units")), &rules, compiler->err);
    if (status != STET_OK) return status;
    if (rules != NULL && policy->rules != NULL)
        return REFUSE(compiler, "/on_conflict",
                      "merges the record as a whole: rules for fields and units have no say then");
    if (rules != NULL) policy->rules = rules;
    policy->counts = rules_count(rules);
    return validator_compile(compiler->arena, doc, fields, &policy->validator, &policy->checks_old,
                             compiler->err);
}

static stet_status compile(struct compiler *compiler, stet_view type, stet_view text) {
    struct policy *policy = compiler->policy;
    policy->type = arena_copy(compiler->arena, type);
    stet_view kept = arena_copy(compiler->arena, text);
    if (policy->type.bytes == NULL || kept.bytes == NULL) return no_memory(compiler);
    stet_status status = doc_parse(compiler->arena, kept, NULL, &compiler->doc, compiler->err);
    if (status != STET_OK) return status;
    if (doc_kind(&compiler->doc, 0) != DOC_OBJECT)
        return REFUSE(compiler, "", "a type definition is a JSON object");
    status = check_top(compiler);
    if (status == STET_OK) status = read_words(compiler, "title", "/title", TYPE_TITLE_BYTES_MAX);
    if (status == STET_OK)
        status = read_words(compiler, "description", "/description", TYPE_DESCRIPTION_BYTES_MAX);
    if (status == STET_OK) status = read_strategies(compiler);
    if (status == STET_OK) status = read_ask(compiler);
    if (status == STET_OK) status = read_preconditions(compiler);
    if (status == STET_OK) status = read_fields(compiler);
    if (status == STET_OK) status = read_indexes(compiler);
    if (status == STET_OK) status = read_tags(compiler);
    if (status == STET_OK) status = read_retention(compiler);
    if (status == STET_OK)
        status = access_compile(compiler->arena, &compiler->doc,
                                doc_member(&compiler->doc, 0, VIEW("access")), &policy->access,
                                compiler->err);
    return status;
}

stet_status definition_compile(stet_view type, stet_view text, struct policy **out,
                               stet_error *err) {
    struct arena arena;
    stet_error own;
    arena_init(&arena, ARENA_BLOCK_BYTES);
    struct compiler compiler = {.arena = &arena, .err = err == NULL ? &own : err};
    compiler.policy = arena_zalloc(&arena, 1, sizeof *compiler.policy);
    /* The definition's nodes lie in the policy: a validator refers to them. */
    struct compiler *kept = arena_zalloc(&arena, 1, sizeof *kept);
    stet_status status = STET_NO_MEMORY;
    if (compiler.policy == NULL || kept == NULL) {
        no_memory(&compiler);
    } else {
        *kept = compiler;
        status = compile(kept, type, text);
    }
    if (status != STET_OK) {
        arena_done(&arena);
        return status;
    }
    struct policy *policy = compiler.policy;
    atomic_init(&policy->refs, 1);
    policy->arena = arena;
    *out = policy;
    return STET_OK;
}

/* ---- What is stored ---------------------------------------------------------------------- */

size_t definition_take_numbers(struct policy *policy, const struct policy *old) {
    size_t without = 0;
    policy->tzdata = zone_data_version();
    bool same_times = old != NULL && view_equal(policy->tzdata, old->tzdata);
    for (size_t i = 0; i < policy->index_count; i++) {
        struct index_def *def = policy->indexes[i];
        def->number = 0;
        /* By other time zone data a record may take other times: the rows would be found no more. */
        for (size_t j = 0; old != NULL && j < old->index_count; j++)
            if ((def->exclusive == NULL || same_times) &&
                definition_same_index(def, old->indexes[j]))
                def->number = old->indexes[j]->number;
        without += def->number == 0;
    }
    return without;
}

bool definition_is_current(const struct policy *policy) {
    return policy->exclusive == NULL || view_equal(policy->tzdata, zone_data_version());
}

bool definition_is_private(stet_view raw_name) {
    return view_equal(raw_name, VIEW("_indexes")) || view_equal(raw_name, VIEW("_tzdata")) ||
           view_equal(raw_name, VIEW("forced"));
}

stet_status definition_text(struct arena *arena, const struct doc *definition,
                            const struct policy *policy, stet_view forced, stet_view *text,
                            stet_error *err) {
    struct buffer buffer;
    struct json_writer writer;
    buffer_init(&buffer, arena, DATA_BYTES_MAX);
    json_begin(&writer, &buffer);
    json_object_begin(&writer);
    for (doc_node member = doc_first(definition, 0); member != DOC_NONE;
         member = doc_next(definition, member)) {
        stet_view name = doc_key_raw(definition, member);
        if (definition_is_private(name)) continue;
        json_key_raw(&writer, name);
        json_raw(&writer, doc_text(definition, member));
    }
    if (policy->index_count > 0) {
        json_key(&writer, VIEW("_indexes"));
        json_array_begin(&writer);
        for (size_t i = 0; i < policy->index_count; i++)
            json_u64(&writer, policy->indexes[i]->number);
        json_array_end(&writer);
    }
    if (policy->exclusive != NULL) json_member_text(&writer, VIEW("_tzdata"), policy->tzdata);
    if (forced.size > 0) json_member_raw(&writer, VIEW("forced"), forced);
    json_object_end(&writer);
    stet_status status = json_end(&writer);
    if (status != STET_OK) {
        error_set(err, status, "could not store the type");
        if (status == STET_TOO_LARGE) error_field(err, "data", DATA_BYTES_MAX);
        return status;
    }
    *text = buffer_view(&buffer);
    return STET_OK;
}
