#include "doc/pointer.h"

#include "doc/item.h"
#include "doc/text.h"

#include <stdio.h>

bool pointer_is_valid(stet_view pointer) {
    if (pointer.size == 0) return true;
    if (pointer.bytes[0] != '/') return false;
    for (size_t i = 0; i < pointer.size; i++) {
        if (pointer.bytes[i] != '~') continue;
        if (i + 1 == pointer.size || (pointer.bytes[i + 1] != '0' && pointer.bytes[i + 1] != '1'))
            return false;
    }
    return true;
}

bool pointer_next(stet_view *rest, stet_view *token) {
    if (rest->size == 0) return false;
    assert(rest->bytes[0] == '/');
    const char *begin = rest->bytes + 1;
    const char *end = rest->bytes + rest->size;
    const char *slash = memchr(begin, '/', (size_t)(end - begin));
    if (slash == NULL) slash = end;
    *token = view_make(begin, (size_t)(slash - begin));
    *rest = view_make(slash, (size_t)(end - slash));
    return true;
}

/* The bytes a token of a valid pointer stands for; there are at most as many. */
static size_t token_decode(stet_view token, char *out) {
    size_t size = 0;
    for (size_t i = 0; i < token.size; i++) {
        char c = token.bytes[i];
        if (c == '~') c = token.bytes[++i] == '0' ? '~' : '/';
        out[size++] = c;
    }
    return size;
}

stet_status pointer_decode(struct arena *arena, stet_view token, stet_view *out) {
    if (memchr(token.bytes, '~', token.size) == NULL) {
        *out = token;
        return STET_OK;
    }
    char *bytes = arena_bytes(arena, token.size);
    if (bytes == NULL) return STET_NO_MEMORY;
    *out = view_make(bytes, token_decode(token, bytes));
    return STET_OK;
}

bool pointer_index(stet_view token, uint32_t *index) {
    uint64_t value;
    if (token.size > 1 && token.bytes[0] == '0') return false;
    if (!view_parse_u64(token, &value) || value >= UINT32_MAX) return false;
    *index = (uint32_t)value;
    return true;
}

static void text_append(struct pointer_text *text, const char *bytes, size_t size) {
    if (size > text->size_max - text->size) size = text->size_max - text->size;
    memcpy(text->bytes + text->size, bytes, size);
    text->size += size;
}

/* Decoded bytes of a key, with '~' and '/' escaped the pointer's way. NULL buffer: only counts. */
static size_t token_put(char *out, const char *bytes, size_t size) {
    size_t count = 0;
    for (size_t i = 0; i < size; i++) {
        if (bytes[i] == '~' || bytes[i] == '/') {
            if (out != NULL) memcpy(out + count, bytes[i] == '~' ? "~0" : "~1", 2);
            count += 2;
        } else {
            if (out != NULL) out[count] = bytes[i];
            count++;
        }
    }
    return count;
}

void pointer_text_key(struct pointer_text *text, stet_view raw, bool escaped) {
    text_append(text, "/", 1);
    const char *p = raw.bytes;
    const char *end = raw.bytes + raw.size;
    while (p < end) {
        char decoded[4];
        char token[8];
        size_t size = 1;
        if (escaped && *p == '\\') {
            size = text_unescape(&p, decoded);
        } else {
            decoded[0] = *p++;
        }
        text_append(text, token, token_put(token, decoded, size));
    }
}

void pointer_text_index(struct pointer_text *text, uint32_t index) {
    char token[12];
    int size = snprintf(token, sizeof token, "/%u", index);
    text_append(text, token, (size_t)size);
}

struct pointer_path path_member(const struct pointer_path *parent, const struct doc *doc,
                                doc_node child) {
    const struct doc_item *item = item_at(doc, child);
    return (struct pointer_path){
        .parent = parent,
        .key = item_key(doc, item),
        .key_escaped = (item->flags & ITEM_KEY_ESCAPED) != 0,
    };
}

stet_status pointer_format(struct arena *arena, const struct pointer_path *path, stet_view *out) {
    /* A decoded key is never longer than its source, and a token at most twice as long. */
    size_t size_max = 0;
    for (const struct pointer_path *p = path; p->parent != NULL; p = p->parent)
        size_max += 1 + 2 * p->key.size;
    char *bytes = arena_bytes(arena, size_max);
    if (bytes == NULL) return STET_NO_MEMORY;
    /* Written from the leaf up, so from the end of the text to its beginning. */
    char *begin = bytes + size_max;
    for (const struct pointer_path *p = path; p->parent != NULL; p = p->parent) {
        stet_view key = p->key;
        if (p->key_escaped) {
            stet_status status = text_decode(arena, p->key, &key);
            if (status != STET_OK) return status;
        }
        begin -= token_put(NULL, key.bytes, key.size);
        token_put(begin, key.bytes, key.size);
        *--begin = '/';
    }
    *out = view_make(begin, (size_t)(bytes + size_max - begin));
    return STET_OK;
}

doc_node pointer_member(const struct doc *doc, doc_node object, stet_view token) {
    char decoded[512];
    if (memchr(token.bytes, '~', token.size) == NULL) return doc_member(doc, object, token);
    if (token.size <= sizeof decoded)
        return doc_member(doc, object, view_make(decoded, token_decode(token, decoded)));
    /* One by one: a document has room for few keys of that length. */
    for (doc_node child = doc_first(doc, object); child != DOC_NONE; child = doc_next(doc, child)) {
        const struct doc_item *item = item_at(doc, child);
        if (text_equal_token(item_key(doc, item), (item->flags & ITEM_KEY_ESCAPED) != 0, token))
            return child;
    }
    return DOC_NONE;
}

doc_node doc_pointer(const struct doc *doc, stet_view pointer) {
    if (!pointer_is_valid(pointer)) return DOC_NONE;
    doc_node node = 0;
    stet_view token;
    while (node != DOC_NONE && pointer_next(&pointer, &token)) {
        uint32_t index;
        switch (doc_kind(doc, node)) {
        case DOC_OBJECT: node = pointer_member(doc, node, token); break;
        case DOC_ARRAY:
            node = pointer_index(token, &index) ? doc_element(doc, node, index) : DOC_NONE;
            break;
        case DOC_NULL:
        case DOC_FALSE:
        case DOC_TRUE:
        case DOC_NUMBER:
        case DOC_STRING: node = DOC_NONE; break;
        }
    }
    return node;
}
