#include "doc/splice.h"

#include "doc/item.h"

void splice_begin(struct splice *splice, struct buffer *out, bool object) {
    *splice = (struct splice){.out = out, .object = object};
    buffer_append_char(out, object ? '{' : '[');
}

static void comma_put(struct splice *splice) {
    if (splice->comma) buffer_append_char(splice->out, ',');
    splice->comma = true;
}

static void run_flush(struct splice *splice) {
    if (splice->doc == NULL) return;
    comma_put(splice);
    buffer_append(splice->out, splice->doc->text.bytes + splice->begin,
                  splice->end - splice->begin);
    splice->doc = NULL;
}

void splice_keep(struct splice *splice, const struct doc *doc, doc_node child) {
    const struct doc_item *item = item_at(doc, child);
    if (splice->doc != doc || splice->next != child) {
        run_flush(splice);
        splice->doc = doc;
        splice->begin =
            splice->object ? item->key - 1 : item->start; /* The quote stands before the key. */
    }
    splice->end = (size_t)item->start + item->size;
    /* In an array, a value that stands in an object of its source must not bring its neighbour's key along. */
    splice->next = splice->object || item->key == 0 ? item_next(item) : DOC_NONE;
}

void splice_value(struct splice *splice, stet_view raw) {
    run_flush(splice);
    comma_put(splice);
    if (!splice->object) return;
    char *room = buffer_reserve(splice->out, raw.size + 3);
    if (room == NULL) return;
    room[0] = '"';
    if (raw.size > 0) memcpy(room + 1, raw.bytes, raw.size);
    memcpy(room + 1 + raw.size, "\":", 2);
    buffer_advance(splice->out, raw.size + 3);
}

void splice_end(struct splice *splice) {
    run_flush(splice);
    buffer_append_char(splice->out, splice->object ? '}' : ']');
}
