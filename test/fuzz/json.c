/*
 * Parsing, reading and writing: what parses is respelled from its decoded values, and is the same value with the same hash.
 */
#include "doc/write.h"
#include "fuzz.h"

static void respell(struct arena *arena, const struct doc *doc, doc_node node, struct buffer *out) {
    enum doc_kind kind = doc_kind(doc, node);
    stet_view decoded;
    if (kind == DOC_STRING) {
        REQUIRE(doc_string(arena, doc, node, &decoded) == STET_OK);
        REQUIRE(view_is_utf8(decoded));
        json_string(out, decoded);
        return;
    }
    if (kind != DOC_ARRAY && kind != DOC_OBJECT) {
        buffer_append_view(out, doc_text(doc, node));
        return;
    }
    uint32_t count = 0;
    buffer_append_char(out, kind == DOC_OBJECT ? '{' : '[');
    for (doc_node child = doc_first(doc, node); child != DOC_NONE; child = doc_next(doc, child)) {
        if (count > 0) buffer_append_char(out, ',');
        if (kind == DOC_OBJECT) {
            REQUIRE(doc_key(arena, doc, child, &decoded) == STET_OK);
            REQUIRE(doc_member(doc, node, decoded) == child);
            json_string(out, decoded);
            buffer_append_char(out, ':');
        } else {
            REQUIRE(doc_element(doc, node, count) == child);
        }
        respell(arena, doc, child, out);
        count++;
    }
    REQUIRE(count == doc_count(doc, node));
    buffer_append_char(out, kind == DOC_OBJECT ? '}' : ']');
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size) {
    struct arena arena;
    arena_init(&arena, 4096);
    char *exact = malloc(size == 0 ? 1 : size);
    REQUIRE(exact != NULL);
    if (size > 0) memcpy(exact, bytes, size);
    struct doc doc;
    stet_error err = {0};
    stet_status status = doc_parse(&arena, view_make(exact, size), NULL, &doc, &err);
    if (status != STET_OK) {
        REQUIRE(status == STET_BAD_JSON || status == STET_TOO_LARGE);
        REQUIRE(err.status == status && err.message[0] != '\0');
    } else {
        REQUIRE(view_is_utf8(doc.text));
        struct buffer buffer;
        struct doc again;
        uint64_t number;
        buffer_init(&buffer, &arena, 0);
        respell(&arena, &doc, 0, &buffer);
        REQUIRE(buffer_status(&buffer) == STET_OK);
        /* Escapes can grow past the limit on size. */
        if (fuzz_parse_result(&arena, buffer_view(&buffer), &again)) {
            REQUIRE(doc_equal(&doc, 0, &again, 0) && doc_equal(&again, 0, &doc, 0));
            REQUIRE(doc_hash(&doc, 0) == doc_hash(&again, 0));
        }
        for (doc_node node = 0; node < doc.count; node++)
            (void)doc_u64(&doc, node, &number);
    }
    free(exact);
    arena_done(&arena);
    return 0;
}
