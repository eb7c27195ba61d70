/*
 * Three-way merge in three steps. Judging goes down all three documents at once and notes what changed; then all states are
 * known, and fields that only merge together are looked at; writing goes down current and applies the notes. What nobody
 * changed has no note and is copied as it stands.
 *
 * Recursion is bounded by the depth of the documents.
 */
#include "doc/merge.h"

#include "base/error.h"
#include "doc/item.h"
#include "doc/merger.h"
#include "doc/result.h"
#include "doc/splice.h"

/* ---- Judging ---- */

stet_status merger_spend(struct merger *merger, uint64_t steps) {
    merger->steps += steps;
    if (merger->steps <= merger->steps_max) return STET_OK;
    error_set(merger->err, STET_TOO_LARGE, "the merge takes more than %llu steps",
              (unsigned long long)merger->steps_max);
    error_field(merger->err, "steps", merger->steps_max);
    return STET_TOO_LARGE;
}

stet_status merger_fail_memory(struct merger *merger) {
    return error_set(merger->err, STET_NO_MEMORY, "could not merge two documents");
}

stet_status merger_compare(struct merger *merger, const struct doc *a, doc_node an,
                           const struct doc *b, doc_node bn, bool *equal) {
    if (an != DOC_NONE && bn != DOC_NONE) {
        uint32_t a_weight = doc_weight(a, an);
        uint32_t b_weight = doc_weight(b, bn);
        stet_status status = merger_spend(merger, a_weight < b_weight ? a_weight : b_weight);
        if (status != STET_OK) return status;
    }
    *equal = doc_equal(a, an, b, bn);
    return STET_OK;
}

stet_status merger_changes(struct merger *merger, const struct site *site,
                           struct changes *changes) {
    bool same;
    *changes = (struct changes){0};
    stet_status status =
        merger_compare(merger, merger->base, site->base, merger->current, site->current, &same);
    if (status != STET_OK) return status;
    changes->current = !same;
    status = merger_compare(merger, merger->base, site->base, merger->yours, site->yours, &same);
    if (status != STET_OK) return status;
    changes->yours = !same;
    if (!changes->current || !changes->yours) return STET_OK;
    return merger_compare(merger, merger->current, site->current, merger->yours, site->yours,
                          &changes->equal);
}

stet_status merger_note(struct merger *merger, const struct site *site, struct note **out) {
    struct note *note = arena_zalloc(merger->arena, 1, sizeof *note);
    if (note == NULL) return merger_fail_memory(merger);
    note->field.base = site->base;
    note->field.current = site->current;
    note->field.yours = site->yours;
    *out = note;
    return STET_OK;
}

static stet_view text_or_absent(const struct doc *doc, doc_node node) {
    return node == DOC_NONE ? (stet_view){0} : doc_text(doc, node);
}

/* Lets the note have its say in every unit that has fields here or below. */
static stet_status link_units(struct merger *merger, const struct doc_rules *rules,
                              struct note *note) {
    if (rules == NULL || !rules->has_units) return STET_OK;
    if (rules->unit != 0) {
        struct unit_link *link = arena_alloc(merger->arena, sizeof *link);
        if (link == NULL) return merger_fail_memory(merger);
        *link = (struct unit_link){.next = merger->units[rules->unit - 1], .note = note};
        merger->units[rules->unit - 1] = link;
    }
    for (size_t i = 0; i < rules->child_count; i++) {
        stet_status status = link_units(merger, rules->children[i], note);
        if (status != STET_OK) return status;
    }
    return STET_OK;
}

stet_status merger_note_field(struct merger *merger, const struct site *site,
                              const struct rule_answer *answer, struct note **out) {
    struct note *note = NULL;
    stet_status status = merger_note(merger, site, &note);
    if (status != STET_OK) return status;
    if (pointer_format(merger->arena, site->path, &note->field.pointer) != STET_OK)
        return merger_fail_memory(merger);
    note->field.list = site->list;
    note->field.state = answer->state;
    note->field.dropped = answer->dropped;
    note->field.rule = site_rule(site)->name;
    note->field.error = answer->error;
    switch (answer->state) {
    case DOC_CONFLICT:
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
    return link_units(merger, site->rules, note);
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
        .functions = merger->functions,
        .steps_max = merger->steps_max - merger->steps,
    };
    stet_status status = site_rule(site)->settle(&question, answer, merger->err);
    if (status != STET_OK) return status;
    return merger_spend(merger, answer->steps);
}

bool merger_guarded(const struct doc_rules *rules, const struct doc *base, doc_node node) {
    if (rules == NULL || !rules->has_guards || node == DOC_NONE) return false;
    if (rules->rule != NULL && rules->rule->guards) return true;
    enum doc_kind kind = doc_kind(base, node);
    if (kind != DOC_OBJECT && kind != DOC_ARRAY) return false;
    for (doc_node child = doc_first(base, node); child != DOC_NONE; child = doc_next(base, child)) {
        /* The elements of a list have rules only when it is merged by key. */
        const struct doc_rules *below =
            rules->rule != NULL && rules->rule->keyed ? rules->any : NULL;
        if (kind == DOC_OBJECT) {
            const struct doc_item *item = item_at(base, child);
            below =
                rules_member(rules, item_key(base, item), (item->flags & ITEM_KEY_ESCAPED) != 0);
        }
        if (merger_guarded(below, base, child)) return true;
    }
    return false;
}

stet_status merger_judge_field(struct merger *merger, const struct site *site,
                               const struct changes *changes, struct note **out) {
    const struct doc_rule *rule = site_rule(site);
    struct rule_answer answer = {.state = DOC_CLEAN_CURRENT};
    bool ask = false;
    bool guarded = false;
    if (changes->yours) {
        answer.state = changes->current ? DOC_SAME : DOC_CLEAN_YOURS;
        ask = changes->current ? !changes->equal || rule->counts : rule->guards;
        /* Yours replaces or removes as a whole what holds something that must stay. */
        guarded = !changes->equal && !rule->guards &&
                  merger_guarded(site->rules, merger->base, site->base);
        if (guarded) {
            answer.state = DOC_CONFLICT;
            ask = false;
        }
    }
    if (ask) {
        stet_status status = ask_rule(merger, site, &answer);
        if (status != STET_OK) return status;
    }
    stet_status status = merger_note_field(merger, site, &answer, out);
    if (status != STET_OK) return status;
    if (guarded) (*out)->field.rule = rule_immutable.name;
    (*out)->current_changed = changes->current;
    (*out)->yours_changed = changes->yours;
    return STET_OK;
}

static bool is_kind(const struct doc *doc, doc_node node, enum doc_kind kind) {
    return node != DOC_NONE && item_at(doc, node)->kind == kind;
}

/* Objects, or lists, in current and yours, and in base if it is there. */
static bool are_kind(const struct merger *merger, const struct site *site, enum doc_kind kind) {
    return is_kind(merger->current, site->current, kind) &&
           is_kind(merger->yours, site->yours, kind) &&
           (site->base == DOC_NONE || is_kind(merger->base, site->base, kind));
}

static doc_node find(const struct doc *doc, doc_node object, doc_node hint,
                     const struct pointer_path *member) {
    if (object == DOC_NONE) return DOC_NONE;
    return member_find_near(doc, object, hint, member->key, member->key_escaped);
}

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
    const struct doc_rule *policy = site_rule(site);
    stet_status status;

    for (doc_node child = doc_first(current, site->current); child != DOC_NONE;
         child = doc_next(current, child)) {
        struct pointer_path path = path_member(site->path, current, child);
        struct site member = {
            .path = &path,
            .list = site->list,
            .policy = policy,
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
        status = merger_judge(merger, &member, end);
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
                .list = site->list,
                .policy = policy,
                .rules = rules_member(site->rules, path.key, path.key_escaped),
                .base = find(base, site->base, DOC_NONE, &path),
                .current = DOC_NONE,
                .yours = child,
            };
            if (member.base != DOC_NONE) base_found++;
            status = merger_judge(merger, &member, end);
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
            .list = site->list,
            .policy = policy,
            .rules = rules_member(site->rules, path.key, path.key_escaped),
            .base = child,
            .current = DOC_NONE,
            .yours = DOC_NONE,
        };
        status = merger_judge(merger, &member, end);
        if (status != STET_OK) return status;
        if (*end != NULL) end = &(*end)->next;
    }
    return STET_OK;
}

/* Past this, objects are walked even when they look alike: deep ones would have their text compared at every level. */
enum { SAME_TEXT_BYTES_MAX = 4096 };

/* Whether three objects are spelled alike: then nobody changed anything in them. */
static bool are_untouched(const struct merger *merger, const struct site *site) {
    if (site->base == DOC_NONE) return false;
    const struct doc_item *base = item_at(merger->base, site->base);
    return base->size <= SAME_TEXT_BYTES_MAX &&
           item_same_text(merger->base, base, merger->current,
                          item_at(merger->current, site->current)) &&
           item_same_text(merger->base, base, merger->yours, item_at(merger->yours, site->yours));
}

static stet_status judge_object(struct merger *merger, const struct site *site, struct note **out) {
    if (are_untouched(merger, site)) return STET_OK;
    struct note *first = NULL;
    stet_status status = judge_members(merger, site, &first);
    if (status != STET_OK) return status;
    if (first == NULL) {
        if (site->base != DOC_NONE) return STET_OK;
        /* Both added an empty object: no member tells of it. */
        struct changes changes = {.current = true, .yours = true, .equal = true};
        return merger_judge_field(merger, site, &changes, out);
    }
    struct note *note = NULL;
    status = merger_note(merger, site, &note);
    if (status != STET_OK) return status;
    note->recursed = true;
    note->first = first;
    *out = note;
    return STET_OK;
}

stet_status merger_judge(struct merger *merger, const struct site *site, struct note **out) {
    stet_status status = merger_spend(merger, 1);
    if (status != STET_OK) return status;
    const struct doc_rule *rule = site_rule(site);
    if (rule->descends && are_kind(merger, site, DOC_OBJECT))
        return judge_object(merger, site, out);
    struct changes changes;
    status = merger_changes(merger, site, &changes);
    if (status != STET_OK || (!changes.current && !changes.yours)) return status;
    if (rule->keyed && are_kind(merger, site, DOC_ARRAY))
        return merger_judge_list(merger, site, &changes, out);
    return merger_judge_field(merger, site, &changes, out);
}

/* ---- Units ---- */

/* A unit is one value: when both sides changed it and not alike, all of it that changed is in conflict. */
static void settle_unit(const struct merger *merger, const struct unit_link *links) {
    bool current = false;
    bool yours = false;
    bool alike = true;
    for (const struct unit_link *link = links; link != NULL; link = link->next) {
        current |= link->note->current_changed;
        yours |= link->note->yours_changed;
        alike &= link->note->field.state == DOC_SAME;
    }
    if (!current || !yours || alike) return;
    for (const struct unit_link *link = links; link != NULL; link = link->next) {
        struct doc_merge_field *field = &link->note->field;
        field->state = DOC_CONFLICT;
        field->dropped = DOC_DROPPED_NONE;
        field->rule = rule_unit.name;
        field->merged = text_or_absent(merger->current, field->current);
    }
}

/* ---- Writing ---- */

static void write_members(const struct merger *merger, const struct note *note, struct buffer *out);

void merger_write(const struct merger *merger, const struct note *note, struct buffer *out) {
    if (note->list != NULL) {
        merger_write_list(merger, note, out);
    } else if (note->recursed) {
        write_members(merger, note, out);
    } else {
        buffer_append_view(out, note->field.merged);
    }
}

/* A member with a note. */
static void write_noted(const struct merger *merger, struct splice *splice,
                        const struct note *note) {
    const struct doc_merge_field *field = &note->field;
    if (note->recursed || note->list != NULL) {
        splice_value(splice, doc_key_raw(merger->current, field->current));
        merger_write(merger, note, splice->out);
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

stet_status doc_merge(struct arena *arena, const struct doc *base, const struct doc *current,
                      const struct doc *yours, const struct doc_rules *rules, uint64_t steps_max,
                      struct doc_merge_result *result, stet_error *err) {
    return doc_merge_with(arena, base, current, yours, rules, NULL, steps_max, result, err);
}

stet_status doc_merge_with(struct arena *arena, const struct doc *base, const struct doc *current,
                           const struct doc *yours, const struct doc_rules *rules,
                           const struct doc_functions *functions, uint64_t steps_max,
                           struct doc_merge_result *result, stet_error *err) {
    struct merger merger = {
        .arena = arena,
        .base = base,
        .current = current,
        .yours = yours,
        .functions = functions,
        .steps_max = steps_max == 0 ? UINT64_MAX : steps_max,
        .err = err,
    };
    merger.fields_end = &merger.fields;
    struct pointer_path path = {0};
    struct site site = {.path = &path, .rules = rules, .policy = &rule_reject};
    struct note *root = NULL;
    uint32_t unit_count = rules == NULL ? 0 : rules->unit_count;
    if (unit_count > 0) {
        merger.units = arena_zalloc(arena, unit_count, sizeof(struct unit_link *));
        if (merger.units == NULL) return merger_fail_memory(&merger);
    }
    stet_status status = merger_judge(&merger, &site, &root);
    if (status == STET_TOO_LARGE && merger.steps > merger.steps_max) result->steps = merger.steps;
    if (status != STET_OK) return status;

    for (uint32_t i = 0; i < unit_count; i++)
        settle_unit(&merger, merger.units[i]);
    struct buffer buffer;
    result_begin(&buffer, arena, current->text.size + yours->text.size);
    if (root == NULL) {
        buffer_append_view(&buffer, current->text);
    } else {
        merger_write(&merger, root, &buffer);
    }
    stet_view merged;
    status = result_end(&buffer, "the merged document", &merged, err);
    if (status != STET_OK) return status;
    merger_fill_lists(&merger, merged.bytes);
    struct doc_merge_field *fields = NULL;
    bool clean = true;
    if (merger.field_count > 0) {
        fields = arena_alloc(arena, merger.field_count * sizeof *fields);
        if (fields == NULL) return merger_fail_memory(&merger);
        size_t i = 0;
        for (const struct note *note = merger.fields; note != NULL; note = note->next_field) {
            fields[i++] = note->field;
            if (note->field.state == DOC_CONFLICT) clean = false;
        }
    }
    *result = (struct doc_merge_result){
        .clean = clean,
        .merged = merged,
        .fields = fields,
        .field_count = merger.field_count,
        .steps = merger.steps,
    };
    return STET_OK;
}
