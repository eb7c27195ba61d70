#include "cli/settled.h"

#include "base/buffer.h"
#include "base/view.h"
#include "cli/answer.h"

enum { POINTERS_SHOWN = 4 };

static uint64_t parent(const struct doc *doc, doc_node merge, uint32_t index) {
    doc_node parents = answer_member(doc, merge, "parents");
    uint64_t version = 0;
    if (parents == DOC_NONE || doc_kind(doc, parents) != DOC_ARRAY) return 0;
    doc_node node = doc_element(doc, parents, index);
    if (node != DOC_NONE) doc_u64(doc, node, &version);
    return version;
}

/* What is said of a field: whose value stands, or the rule that made it. */
static stet_view origin_words(struct arena *arena, const struct doc *doc, doc_node field) {
    stet_view from = answer_text(arena, doc, field, "from");
    stet_view dropped = answer_text(arena, doc, field, "dropped");
    stet_view rule = answer_text(arena, doc, field, "rule");
    if (view_equal(from, VIEW("yours"))) return VIEW("writer's");
    if (view_equal(from, VIEW("current"))) return VIEW("kept");
    if (view_equal(from, VIEW("both"))) return VIEW("the same");
    if (view_equal(from, VIEW("base"))) return VIEW("as before");
    if (view_equal(from, VIEW("custom"))) return VIEW("written anew");
    if (view_is_empty(dropped)) return rule;
    return arena_format(arena, "%.*s (%s gave way)", VIEW_ARG(rule),
                        view_equal(dropped, VIEW("yours")) ? "the writer" : "the other");
}

/* The pointers of one origin, from `first` on; those of others in between are left for their turn. */
static void write_origin(struct arena *arena, struct buffer *out, const struct doc *doc,
                         doc_node first, stet_view words) {
    unsigned shown = 0, more = 0;
    buffer_append_view(out, words);
    for (doc_node field = first; field != DOC_NONE; field = doc_next(doc, field)) {
        stet_view pointer;
        if (!view_equal(origin_words(arena, doc, field), words)) continue;
        if (shown == POINTERS_SHOWN || doc_key(arena, doc, field, &pointer) != STET_OK) {
            more++;
            continue;
        }
        buffer_append_text(out, shown == 0 ? " " : ", ");
        buffer_append_view(out, pointer);
        shown++;
    }
    if (more > 0) buffer_append_format(out, " and %u more", more);
}

static bool was_said(struct arena *arena, const struct doc *doc, doc_node fields, doc_node until,
                     stet_view words) {
    for (doc_node field = doc_first(doc, fields); field != until; field = doc_next(doc, field))
        if (view_equal(origin_words(arena, doc, field), words)) return true;
    return false;
}

/* fields: DOC_NONE when there are none. */
static stet_view merge_words(struct arena *arena, const struct doc *doc, doc_node merge,
                             doc_node fields) {
    struct buffer out;
    bool first = true;
    stet_view choice = answer_text(arena, doc, merge, "choice");
    buffer_init(&out, arena, 0);
    if (view_is_empty(choice)) {
        buffer_append_format(&out, "merged %llu", (unsigned long long)parent(doc, merge, 0));
    } else {
        buffer_append_format(&out, "resolved (%.*s)", VIEW_ARG(choice));
    }
    buffer_append_format(&out, " onto %llu", (unsigned long long)parent(doc, merge, 1));
    if (fields == DOC_NONE) return buffer_view(&out);
    for (doc_node field = doc_first(doc, fields); field != DOC_NONE; field = doc_next(doc, field)) {
        stet_view words = origin_words(arena, doc, field);
        if (was_said(arena, doc, fields, field, words)) continue;
        buffer_append_text(&out, first ? ": " : "; ");
        first = false;
        write_origin(arena, &out, doc, field, words);
    }
    return buffer_view(&out);
}

stet_view settled_words(struct arena *arena, const struct doc *doc, doc_node merge) {
    if (merge == DOC_NONE || doc_kind(doc, merge) != DOC_OBJECT) return (stet_view){0};
    stet_view strategy = answer_text(arena, doc, merge, "strategy");
    doc_node fields = answer_member(doc, merge, "fields");
    doc_node over = answer_member(doc, merge, "over");
    if (fields != DOC_NONE && doc_kind(doc, fields) == DOC_OBJECT)
        return merge_words(arena, doc, merge, fields);
    if (view_equal(strategy, VIEW("resolve"))) return merge_words(arena, doc, merge, DOC_NONE);
    if (over == DOC_NONE) return strategy;
    return arena_format(arena, "%.*s over %llu to %llu", VIEW_ARG(strategy),
                        (unsigned long long)answer_u64(doc, over, "from"),
                        (unsigned long long)answer_u64(doc, over, "to"));
}
