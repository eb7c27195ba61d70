/*
 * Lists merged by key: elements are told apart by a value inside them, so that a list merges as an object does, element by
 * element, and keeps an order besides.
 *
 * Which elements remain and in what order is settled before any of them is judged, from their keys alone. Whatever stands in the
 * way of that (an element without its key, a key twice, an element deleted on one side and edited on the other, both sides having
 * moved elements differently) leaves the list as one value in conflict, at the pointer of the list, which every side can be
 * asked for. So a pointer into a list always names an element that is there, by its place in the merged list.
 *
 * Order: the side that moved elements gives it, current when none did. What only the other side added stands behind the element
 * it stood behind there, and behind what the first side added at the same place.
 */
#include "base/error.h"
#include "doc/item.h"
#include "doc/merger.h"
#include "doc/splice.h"
#include "doc/value_table.h"

#include <stdio.h>

enum side { BASE, CURRENT, YOURS, SIDES };

/* An element of the result. */
struct element {
    const struct doc *doc;
    doc_node node;
    struct note *note; /* NULL: as it stands. */
};

struct merged_list {
    struct merged_list *next; /* Among those whose text is a field. */
    struct note *note;
    struct element *elements;
    uint32_t count;
    size_t begin, size; /* In what was written. */
};

#define ENTRY_NONE UINT32_MAX

/* Elements with the same key. */
struct entry {
    doc_node nodes[SIDES];
    uint32_t places[SIDES]; /* In the list, from 0. */
    bool kept;
    uint32_t
        attached; /* The first of the other side's additions that follow it; ENTRY_NONE: none. */
    uint32_t attached_last; /* Of an entry that has some. */
    uint32_t attached_next; /* Of an addition. */
};

struct keyed {
    struct merger *merger;
    const struct site *site;
    const struct doc *docs[SIDES];
    doc_node lists[SIDES];
    uint32_t counts[SIDES];
    uint32_t *orders[SIDES]; /* The entries of each list. */
    struct entry *entries;
    uint32_t entry_count;
    bool moved[SIDES]; /* Against base. */
    uint32_t *result;
    uint32_t result_count;
};

static inline bool has(const struct entry *entry, enum side side) {
    return entry->nodes[side] != DOC_NONE;
}

/* ---- Which elements belong together ---- */

static doc_node find_key(const struct doc *doc, doc_node element, stet_view pointer) {
    stet_view token;
    while (element != DOC_NONE && pointer_next(&pointer, &token)) {
        if (doc_kind(doc, element) != DOC_OBJECT) return DOC_NONE;
        element = pointer_member(doc, element, token);
    }
    return element;
}

/* Fills entries and orders. *usable: every element has a key of its own. */
static stet_status keys_read(struct keyed *keyed, bool *usable) {
    struct merger *merger = keyed->merger;
    uint32_t total = keyed->counts[BASE] + keyed->counts[CURRENT] + keyed->counts[YOURS];
    stet_status status = merger_spend(merger, total);
    if (status != STET_OK) return status;
    struct value_table table;
    keyed->entries = arena_alloc(merger->arena, total * sizeof *keyed->entries);
    keyed->result = arena_alloc(merger->arena, total * sizeof *keyed->result);
    if (keyed->entries == NULL || keyed->result == NULL ||
        value_table_init(&table, merger->arena, total) != STET_OK)
        return merger_fail_memory(merger);
    *usable = false;
    for (int side = 0; side < SIDES; side++) {
        const struct doc *doc = keyed->docs[side];
        keyed->orders[side] = arena_alloc(merger->arena, keyed->counts[side] * sizeof(uint32_t));
        if (keyed->orders[side] == NULL) return merger_fail_memory(merger);
        if (keyed->lists[side] == DOC_NONE) continue;
        uint32_t place = 0;
        for (doc_node element = doc_first(doc, keyed->lists[side]); element != DOC_NONE;
             element = doc_next(doc, element)) {
            if (doc_kind(doc, element) != DOC_OBJECT) return STET_OK;
            doc_node key = find_key(doc, element, keyed->site->rules->options.key);
            if (key == DOC_NONE) return STET_OK;
            if (doc_kind(doc, key) != DOC_STRING && doc_kind(doc, key) != DOC_NUMBER)
                return STET_OK;
            uint32_t index;
            if (!value_table_add(&table, doc, key, &index))
                return merger_spend(merger, table.steps);
            struct entry *entry = &keyed->entries[index];
            if (index == keyed->entry_count) {
                *entry = (struct entry){.nodes = {DOC_NONE, DOC_NONE, DOC_NONE}};
                keyed->entry_count++;
            }
            if (has(entry, (enum side)side)) return STET_OK;
            entry->nodes[side] = element;
            entry->places[side] = place;
            keyed->orders[side][place++] = index;
        }
    }
    *usable = true;
    return merger_spend(merger, table.steps);
}

/* ---- What remains, and where ---- */

/* Decides which elements remain. *settled: no side deleted what the other edited. */
static stet_status entries_keep(struct keyed *keyed, bool *settled) {
    const struct doc_rules *rules = keyed->site->rules->any;
    *settled = false;
    for (uint32_t i = 0; i < keyed->entry_count; i++) {
        struct entry *entry = &keyed->entries[i];
        entry->kept = has(entry, CURRENT) && has(entry, YOURS);
        if (entry->kept) continue;
        if (!has(entry, BASE)) {
            entry->kept = true; /* Added by one side. */
            continue;
        }
        if (!has(entry, CURRENT) && !has(entry, YOURS)) continue; /* Deleted by both. */
        enum side left = has(entry, CURRENT) ? CURRENT : YOURS;
        bool same;
        stet_status status = merger_compare(keyed->merger, keyed->docs[BASE], entry->nodes[BASE],
                                            keyed->docs[left], entry->nodes[left], &same);
        if (status != STET_OK) return status;
        if (!same) return STET_OK;
        if (left == CURRENT && merger_guarded(rules, keyed->docs[BASE], entry->nodes[BASE]))
            return STET_OK;
    }
    *settled = true;
    return STET_OK;
}

/* Whether the elements that two lists share stand in the same order in both. */
static bool order_agrees(const struct keyed *keyed, enum side a, enum side b) {
    uint32_t least = 0;
    for (uint32_t i = 0; i < keyed->counts[a]; i++) {
        const struct entry *entry = &keyed->entries[keyed->orders[a][i]];
        if (!has(entry, b)) continue;
        if (entry->places[b] < least) return false;
        least = entry->places[b];
    }
    return true;
}

static void attach(struct keyed *keyed, uint32_t *first, uint32_t *last, uint32_t addition) {
    keyed->entries[addition].attached_next = ENTRY_NONE;
    if (*first == ENTRY_NONE) {
        *first = addition;
    } else {
        keyed->entries[*last].attached_next = addition;
    }
    *last = addition;
}

static void result_flush(struct keyed *keyed, uint32_t *pending) {
    for (; *pending != ENTRY_NONE; *pending = keyed->entries[*pending].attached_next)
        keyed->result[keyed->result_count++] = *pending;
}

/* Puts what is kept in order: that of `first`, with the additions of `second` among it. */
static void result_order(struct keyed *keyed, enum side first, enum side second) {
    for (uint32_t i = 0; i < keyed->entry_count; i++)
        keyed->entries[i].attached = ENTRY_NONE;
    uint32_t front = ENTRY_NONE;
    uint32_t front_last = ENTRY_NONE;
    struct entry *anchor = NULL;
    for (uint32_t i = 0; i < keyed->counts[second]; i++) {
        uint32_t index = keyed->orders[second][i];
        struct entry *entry = &keyed->entries[index];
        if (!entry->kept) continue;
        if (has(entry, first)) {
            anchor = entry;
        } else if (anchor == NULL) {
            attach(keyed, &front, &front_last, index);
        } else {
            attach(keyed, &anchor->attached, &anchor->attached_last, index);
        }
    }
    uint32_t pending = front;
    for (uint32_t i = 0; i < keyed->counts[first]; i++) {
        uint32_t index = keyed->orders[first][i];
        const struct entry *entry = &keyed->entries[index];
        if (!entry->kept) continue;
        if (has(entry, second)) result_flush(keyed, &pending);
        keyed->result[keyed->result_count++] = index;
        if (has(entry, second)) pending = entry->attached;
    }
    result_flush(keyed, &pending);
}

/* ---- Judging ---- */

/* Whether elements came, went or moved on some side. */
static bool structure_changed(const struct keyed *keyed) {
    if (keyed->moved[CURRENT] || keyed->moved[YOURS]) return true;
    for (uint32_t i = 0; i < keyed->entry_count; i++) {
        const struct entry *entry = &keyed->entries[i];
        if (!has(entry, CURRENT) || !has(entry, YOURS)) return true;
    }
    return false;
}

/* Judges the elements of the result that both sides have. *noted: some has a note. */
static stet_status judge_elements(struct keyed *keyed, struct merged_list *list, bool *noted) {
    const struct site *site = keyed->site;
    stet_view pointer = site->list;
    if (pointer.bytes == NULL &&
        pointer_format(keyed->merger->arena, site->path, &pointer) != STET_OK)
        return merger_fail_memory(keyed->merger);
    for (uint32_t i = 0; i < keyed->result_count; i++) {
        const struct entry *entry = &keyed->entries[keyed->result[i]];
        struct element *element = &list->elements[list->count++];
        enum side side = has(entry, CURRENT) ? CURRENT : YOURS;
        *element = (struct element){.doc = keyed->docs[side], .node = entry->nodes[side]};
        if (side == YOURS || !has(entry, YOURS)) continue;
        char digits[12];
        int size = snprintf(digits, sizeof digits, "%u", i);
        struct pointer_path path = {.parent = site->path, .key = {digits, (size_t)size}};
        struct site below = {
            .path = &path,
            .list = pointer,
            .rules = site->rules->any,
            .policy = site->policy,
            .base = entry->nodes[BASE],
            .current = entry->nodes[CURRENT],
            .yours = entry->nodes[YOURS],
        };
        stet_status status = merger_judge(keyed->merger, &below, &element->note);
        if (status != STET_OK) return status;
        if (element->note != NULL) *noted = true;
    }
    return STET_OK;
}

/* The order is settled: makes the note of the list and those of its elements. */
static stet_status judge_settled(struct keyed *keyed, const struct changes *changes,
                                 struct note **out) {
    struct merger *merger = keyed->merger;
    bool noted = structure_changed(keyed);
    struct merged_list *list = arena_zalloc(merger->arena, 1, sizeof *list);
    if (list == NULL) return merger_fail_memory(merger);
    list->elements = arena_alloc(merger->arena, keyed->result_count * sizeof *list->elements);
    if (list->elements == NULL) return merger_fail_memory(merger);
    stet_status status;
    if (noted) {
        struct rule_answer answer = {.state = changes->current ? DOC_MERGED : DOC_CLEAN_YOURS};
        status = merger_note_field(merger, keyed->site, &answer, &list->note);
        list->next = merger->lists;
        merger->lists = list;
    } else {
        status = merger_note(merger, keyed->site, &list->note);
    }
    if (status == STET_OK) status = judge_elements(keyed, list, &noted);
    if (status != STET_OK) return status;
    /* Two empty lists that both added. */
    if (!noted) return merger_judge_field(merger, keyed->site, changes, out);
    list->note->list = list;
    *out = list->note;
    return STET_OK;
}

/* Whether looking at the elements could say more than that one side, or both alike, changed the list. */
static bool is_whole(const struct site *site, const struct changes *changes) {
    const struct doc_rules *rules = site->rules->any;
    if (!changes->yours) return true;
    if (!changes->current) return rules == NULL || !rules->has_guards;
    return changes->equal && (rules == NULL || !rules->has_counts);
}

stet_status merger_judge_list(struct merger *merger, const struct site *site,
                              const struct changes *changes, struct note **out) {
    if (is_whole(site, changes)) return merger_judge_field(merger, site, changes, out);
    struct keyed keyed = {
        .merger = merger,
        .site = site,
        .docs = {merger->base, merger->current, merger->yours},
        .lists = {site->base, site->current, site->yours},
    };
    for (int side = 0; side < SIDES; side++) {
        if (keyed.lists[side] != DOC_NONE)
            keyed.counts[side] = doc_count(keyed.docs[side], keyed.lists[side]);
    }
    bool usable = false;
    stet_status status = keys_read(&keyed, &usable);
    if (status == STET_OK && usable) status = entries_keep(&keyed, &usable);
    if (status != STET_OK) return status;
    if (usable) {
        keyed.moved[CURRENT] = !order_agrees(&keyed, CURRENT, BASE);
        keyed.moved[YOURS] = !order_agrees(&keyed, YOURS, BASE);
        usable =
            !keyed.moved[CURRENT] || !keyed.moved[YOURS] || order_agrees(&keyed, CURRENT, YOURS);
    }
    if (!usable) return merger_judge_field(merger, site, changes, out);
    bool yours_first = keyed.moved[YOURS] && !keyed.moved[CURRENT];
    result_order(&keyed, yours_first ? YOURS : CURRENT, yours_first ? CURRENT : YOURS);
    return judge_settled(&keyed, changes, out);
}

/* ---- Writing ---- */

void merger_write_list(const struct merger *merger, const struct note *note, struct buffer *out) {
    struct merged_list *list = note->list;
    struct splice splice;
    list->begin = out->size;
    splice_begin(&splice, out, false);
    for (uint32_t i = 0; i < list->count; i++) {
        const struct element *element = &list->elements[i];
        if (element->note == NULL) {
            splice_keep(&splice, element->doc, element->node);
        } else {
            splice_value(&splice, (stet_view){0});
            merger_write(merger, element->note, out);
        }
    }
    splice_end(&splice);
    list->size = out->size - list->begin;
}

void merger_fill_lists(struct merger *merger, const char *bytes) {
    for (struct merged_list *list = merger->lists; list != NULL; list = list->next) {
        if (list->note->list != NULL)
            list->note->field.merged = view_make(bytes + list->begin, list->size);
    }
}
