#include "cli/answer.h"

#include "base/error.h"
#include "base/view.h"

#include <string.h>

/* What a server sends was bounded by the server; an answer may hold a thousand records. */
static const struct doc_limits limits = {
    .bytes_max = UINT32_MAX - 64,
    .depth_max = DOC_DEPTH_BOUND,
    .nodes_max = UINT32_MAX / 64,
};

stet_status answer_parse(struct arena *arena, stet_view text, struct doc *doc, stet_error *err) {
    stet_error inner;
    stet_status status = doc_parse(arena, text, &limits, doc, &inner);
    if (status == STET_NO_MEMORY) return error_set(err, status, "out of memory");
    if (status != STET_OK)
        return error_set(err, STET_INTERNAL, "the answer is not from a Stet server: %s",
                         inner.message);
    return STET_OK;
}

doc_node answer_member(const struct doc *doc, doc_node object, const char *key) {
    return object == DOC_NONE ? DOC_NONE : doc_member(doc, object, view_of(key));
}

stet_view answer_text(struct arena *arena, const struct doc *doc, doc_node object,
                      const char *key) {
    stet_view text = {0};
    doc_node node = answer_member(doc, object, key);
    if (node == DOC_NONE || doc_kind(doc, node) == DOC_NULL) return text;
    if (doc_kind(doc, node) != DOC_STRING) return doc_text(doc, node);
    if (doc_string(arena, doc, node, &text) != STET_OK) return (stet_view){0};
    return text;
}

uint64_t answer_u64(const struct doc *doc, doc_node object, const char *key) {
    uint64_t value = 0;
    doc_node node = answer_member(doc, object, key);
    if (node == DOC_NONE || !doc_u64(doc, node, &value)) return 0;
    return value;
}

bool answer_bool(const struct doc *doc, doc_node object, const char *key) {
    bool value = false;
    doc_node node = answer_member(doc, object, key);
    if (node == DOC_NONE || !doc_bool(doc, node, &value)) return false;
    return value;
}

stet_view answer_value(const struct doc *doc, doc_node node) {
    return node == DOC_NONE ? VIEW("-") : doc_text(doc, node);
}

stet_view answer_time(struct arena *arena, stet_view text) {
    if (text.size < 20 || text.bytes[10] != 'T' || text.bytes[text.size - 1] != 'Z') return text;
    stet_view copy = arena_copy(arena, view_make(text.bytes, 19));
    if (copy.bytes == NULL) return text;
    char *bytes = (char *)copy.bytes;
    bytes[10] = ' ';
    return copy;
}
