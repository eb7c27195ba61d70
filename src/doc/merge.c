/*
 * Three-way merge in two walks. Judging goes down all three documents at once and notes what changed; writing goes down
 * current and applies the notes. What nobody changed has no note and is copied as it stands. Between the two all states are
 * known, which is where fields that only merge together will be looked at.
 *
 * Recursion is bounded by the depth of the documents.
 */
#include "doc/merge.h"

#include "base/error.h"
#include "doc/item.h"
#include "doc/pointer.h"
#include "doc/result.h"
#include "doc/rule.h"
#include "doc/splice.h"

/* One value that changed somewhere. The notes of an object's members are in the order of current, then those it lacks. */
struct note {
    struct note *next;       /* In its object. */
    struct note *first;      /* An object that recursed: notes of its members. */
    struct note *next_field; /* All notes that are fields, in the order they were judged. */
    struct doc_merge_field field;
    bool recursed;
};

struct merger {
    struct arena *arena;
    const struct doc *base;
    const struct doc *current;
    const struct doc *yours;
    uint64_t steps;
    uint64_t steps_max;
    struct note *fields;
    struct note **fields_end;
    size_t field_count;
    bool clean;
    stet_error *err;
};

/* The same place in the three documents. */
struct site {
    const struct pointer_path *path;
    const struct doc_rules *rules;
    doc_node base, current, yours;
};

/* ---- Judging ---- */

static stet_status spend(struct merger *merger, uint64_t steps) {
    merger->steps += steps;
    if (merger->steps <= merger->steps_max) return STET_OK;
    error_set(merger->err, STET_TOO_LARGE, "the merge takes more than %llu steps",
              (unsigned long long)merger->steps_max);
    error_field(merger->err, "steps", merger->steps_max);
    return STET_TOO_LARGE;
}

static stet_status fail_memory(struct merger *merger) {
    return error_set(merger->err, STET_NO_MEMORY, "could not merge two documents");
}

/* Equality, paid for before it is worked out. */
static stet_status compare(struct merger *merger, const struct doc *a, doc_node an,
                           const struct doc *b, doc_node bn, bool *equal) {
    if (an != DOC_NONE && bn != DOC_NONE) {
        uint32_t a_weight = doc_weight(a, an);
        uint32_t b_weight = doc_weight(b, bn);
        stet_status status = spend(merger, a_weight < b_weight ? a_weight : b_weight);
        if (status != STET_OK) return status;
    }
    *equal = doc_equal(a, an, b, bn);
    return STET_OK;
}

static stet_status note_create(struct merger *merger, const struct site *site, struct note **out) {
    struct note *note = arena_zalloc(merger->arena, 1, sizeof *note);
    if (note == NULL) return fail_memory(merger);
    note->field.base = site->base;
    note->field.current = site->current;
    note->field.yours = site->yours;
    *out = note;
    return STET_OK;
}

static stet_view text_or_absent(const struct doc *doc, doc_node node) {
    return node == DOC_NONE ? (stet_view){0} : doc_text(doc, node);
}

static stet_status field_note(struct merger *merger, const struct site *site,
                              const struct rule_answer *answer, struct note **out) {
    struct note *note = NULL;
    stet_status status = note_create(merger, site, &note);
    if (status != STET_OK) return status;
    if (pointer_format(merger->arena, site->path, &note->field.pointer) != STET_OK)
        return fail_memory(merger);
    note->field.state = answer->state;
    note->field.rule = rules_rule(site->rules)->name;
    switch (answer->state) {
    case DOC_CONFLICT: merger->clean = false; /* fall through */
    case DOC_SAME:
    case DOC_CLEAN_CURRENT:
        note->field.merged = text_or_absent(merger->current, site->current);
        break;
    case DOC_CLEAN_YOURS: note->field.merged = text_or_absent(merger->yours, site->yours); break;
    case DOC_MERGED: note->field.merged = answer->merged; break;
    }
    *merger->fields_end = note;
    merger->fields_end = &note->next_field;
    merger->field_count++;
    *out = note;
    return STET_OK;
}

static stet_status ask_rule(struct merger *merger, const struct site *site,
                            struct rule_answer *answer) {
    struct rule_question question = {
        .arena = merger->arena,
        .base_doc = merger->base,
        .current_doc = merger->current,
        .yours_doc = merger->yours,
        .base = site->base,
        .current = site->current,
        .yours = site->yours,
        .rules = site->rules,
        .steps_max = merger->steps_max - merger->steps,
    };
    stet_status status = rules_rule(site->rules)->settle(&question, answer, merger->err);
    if (status != STET_OK) return status;
    return spend(merger, answer->steps);
}

/* A value that is merged as one. *out stays NULL when nobody changed it. */
static stet_status judge_field(struct merger *merger, const struct site *site, struct note **out) {
    bool current_same;
    bool yours_same;
    stet_status status =
        compare(merger, merger->base, site->base, merger->current, site->current, &current_same);
    if (status != STET_OK) return status;
    status = compare(merger, merger->base, site->base, merger->yours, site->yours, &yours_same);
    if (status != STET_OK) return status;
    if (current_same && yours_same) return STET_OK;

    struct rule_answer answer = {.state = current_same ? DOC_CLEAN_YOURS : DOC_CLEAN_CURRENT};
    bool ask = rules_rule(site->rules)->always;
    if (!current_same && !yours_same) {
        bool equal;
        status =
            compare(merger, merger->current, site->current, merger->yours, site->yours, &equal);
        if (status != STET_OK) return status;
        answer.state = DOC_SAME;
        if (!equal) ask = true;
    }
    if (ask) {
        status = ask_rule(merger, site, &answer);
        if (status != STET_OK) return status;
    }
    return field_note(merger, site, &answer, out);
}

static bool is_object(const struct doc *doc, doc_node node) {
    return node != DOC_NONE && item_at(doc, node)->kind == DOC_OBJECT;
}

static doc_node find(const struct doc *doc, doc_node object, doc_node hint,
                     const struct pointer_path *member) {
    if (object == DOC_NONE) return DOC_NONE;
    return member_find_near(doc, object, hint, member->key, member->key_escaped);
}

static stet_status judge(struct merger *merger, const struct site *site, struct note **out);

/* Judges the members of three objects (base may be absent) and hangs their notes behind *end. */
static stet_status judge_members(struct merger *merger, const struct site *site,
                                 struct note **end) {
    const struct doc *base = merger->base;
    const struct doc *current = merger->current;
    const struct doc *yours = merger->yours;
    uint32_t base_found = 0;
    uint32_t yours_found = 0;
    doc_node base_hint = site->base == DOC_NONE ? DOC_NONE : doc_first(base, site->base);
    doc_node yours_hint = doc_first(yours, site->yours);
    stet_status status;

    for (doc_node child = doc_first(current, site->current); child != DOC_NONE;
         child = doc_next(current, child)) {
        struct pointer_path path = path_member(site->path, current, child);
        struct site member = {
            .path = &path,
            .rules = rules_member(site->rules, path.key, path.key_escaped),
            .base = find(base, site->base, base_hint, &path),
            .current = child,
            .yours = find(yours, site->yours, yours_hint, &path),
        };
        if (member.base != DOC_NONE) {
            base_found++;
            base_hint = doc_next(base, member.base);
        }
        if (member.yours != DOC_NONE) {
            yours_found++;
            yours_hint = doc_next(yours, member.yours);
        }
        status = judge(merger, &member, end);
        if (status != STET_OK) return status;
        if (*end != NULL) end = &(*end)->next;
    }
    /* Members that current lacks: yours added them, or current deleted them. */
    if (yours_found < doc_count(yours, site->yours)) {
        for (doc_node child = doc_first(yours, site->yours); child != DOC_NONE;
             child = doc_next(yours, child)) {
            struct pointer_path path = path_member(site->path, yours, child);
            if (find(current, site->current, DOC_NONE, &path) != DOC_NONE) continue;
            struct site member = {
                .path = &path,
                .rules = rules_member(site->rules, path.key, path.key_escaped),
                .base = find(base, site->base, DOC_NONE, &path),
                .current = DOC_NONE,
                .yours = child,
            };
            if (member.base != DOC_NONE) base_found++;
            status = judge(merger, &member, end);
            if (status != STET_OK) return status;
            if (*end != NULL) end = &(*end)->next;
        }
    }
    /* Members that only base has: both deleted them. */
    if (site->base == DOC_NONE || base_found == doc_count(base, site->base)) return STET_OK;
    for (doc_node child = doc_first(base, site->base); child != DOC_NONE;
         child = doc_next(base, child)) {
        struct pointer_path path = path_member(site->path, base, child);
        if (find(current, site->current, DOC_NONE, &path) != DOC_NONE) continue;
        if (find(yours, site->yours, DOC_NONE, &path) != DOC_NONE) continue;
        struct site member = {
            .path = &path,
            .rules = rules_member(site->rules, path.key, path.key_escaped),
            .base = child,
            .current = DOC_NONE,
            .yours = DOC_NONE,
        };
        status = judge(merger, &member, end);
        if (status != STET_OK) return status;
        if (*end != NULL) end = &(*end)->next;
    }
    return STET_OK;
}

/* Sets *out to a note when something changed here, else leaves it NULL. */
static stet_status judge(struct merger *merger, const struct site *site, struct note **out) {
    stet_status status = spend(merger, 1);
    if (status != STET_OK) return status;
    bool recurse = rules_rule(site->rules)->descends && is_object(merger->current, site->current) &&
                   is_object(merger->yours, site->yours) &&
                   (site->base == DOC_NONE || is_object(merger->base, site->base));
    if (!recurse) return judge_field(merger, site, out);

    struct note *first = NULL;
    status = judge_members(merger, site, &first);
    if (status != STET_OK) return status;
    if (first == NULL) {
        if (site->base != DOC_NONE) return STET_OK;
        /* Both added an empty object: no member tells of it. */
        return field_note(merger, site, &(struct rule_answer){.state = DOC_SAME}, out);
    }
    struct note *note = NULL;
    status = note_create(merger, site, &note);
    if (status != STET_OK) return status;
    note->recursed = true;
    note->first = first;
    *out = note;
    return STET_OK;
}

/* ---- Writing ---- */

static void write_members(const struct merger *merger, const struct note *note, struct buffer *out);

/* A member with a note. raw: its key. */
static void write_noted(const struct merger *merger, struct splice *splice,
                        const struct note *note) {
    const struct doc_merge_field *field = &note->field;
    if (note->recursed) {
        splice_value(splice, doc_key_raw(merger->current, field->current));
        write_members(merger, note, splice->out);
        return;
    }
    if (field->merged.size == 0) return; /* Absent. */
    switch (field->state) {
    case DOC_SAME:
    case DOC_CLEAN_CURRENT:
    case DOC_CONFLICT: splice_keep(splice, merger->current, field->current); return;
    case DOC_CLEAN_YOURS:
        if (field->current == DOC_NONE) {
            splice_keep(splice, merger->yours, field->yours);
            return;
        }
        break;
    case DOC_MERGED: break;
    }
    stet_view key = field->current != DOC_NONE ? doc_key_raw(merger->current, field->current)
                    : field->yours != DOC_NONE ? doc_key_raw(merger->yours, field->yours)
                                               : doc_key_raw(merger->base, field->base);
    splice_value(splice, key);
    buffer_append_view(splice->out, field->merged);
}

static void write_members(const struct merger *merger, const struct note *note,
                          struct buffer *out) {
    struct splice splice;
    splice_begin(&splice, out, true);
    const struct doc *current = merger->current;
    const struct note *next = note->first;
    for (doc_node child = doc_first(current, note->field.current); child != DOC_NONE;
         child = doc_next(current, child)) {
        if (next != NULL && next->field.current == child) {
            write_noted(merger, &splice, next);
            next = next->next;
        } else {
            splice_keep(&splice, current, child);
        }
    }
    for (; next != NULL; next = next->next)
        write_noted(merger, &splice, next);
    splice_end(&splice);
}

static void write_root(const struct merger *merger, const struct note *root, struct buffer *out) {
    if (root == NULL) {
        buffer_append_view(out, merger->current->text);
    } else if (root->recursed) {
        write_members(merger, root, out);
    } else {
        buffer_append_view(out, root->field.merged);
    }
}

stet_status doc_merge(struct arena *arena, const struct doc *base, const struct doc *current,
                      const struct doc *yours, const struct doc_rules *rules, uint64_t steps_max,
                      struct doc_merge_result *result, stet_error *err) {
    struct merger merger = {
        .arena = arena,
        .base = base,
        .current = current,
        .yours = yours,
        .steps_max = steps_max == 0 ? UINT64_MAX : steps_max,
        .clean = true,
        .err = err,
    };
    merger.fields_end = &merger.fields;
    struct pointer_path path = {0};
    struct site site = {.path = &path, .rules = rules};
    struct note *root = NULL;
    stet_status status = judge(&merger, &site, &root);
    if (status == STET_TOO_LARGE) result->steps = merger.steps;
    if (status != STET_OK) return status;

    struct doc_merge_field *fields = NULL;
    if (merger.field_count > 0) {
        fields = arena_alloc(arena, merger.field_count * sizeof *fields);
        if (fields == NULL) return fail_memory(&merger);
        size_t i = 0;
        for (const struct note *note = merger.fields; note != NULL; note = note->next_field)
            fields[i++] = note->field;
    }
    struct buffer buffer;
    result_begin(&buffer, arena, current->text.size + yours->text.size);
    write_root(&merger, root, &buffer);
    stet_view merged;
    status = result_end(&buffer, "the merged document", &merged, err);
    if (status != STET_OK) return status;
    *result = (struct doc_merge_result){
        .clean = merger.clean,
        .merged = merged,
        .fields = fields,
        .field_count = merger.field_count,
        .steps = merger.steps,
    };
    return STET_OK;
}
