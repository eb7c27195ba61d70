/*
 * From what was put to what is stored: a webhook's secret and the values of its headers go where nobody reads them back (definition.h).
 */
#include "base/buffer.h"
#include "base/error.h"
#include "base/view.h"
#include "doc/write.h"
#include "modules/handlers/definition.h"

#include <stdio.h>

struct hiding {
    struct doc put, kept;
    bool has_kept;
    struct json_writer writer;
    stet_error *err;
};

static stet_status refuse(stet_error *err, const char *where, const char *words) {
    error_set(err, STET_INVALID_HANDLER, "%s", words);
    error_field(err, where, 0);
    error_subject(err, "the handler");
    return STET_INVALID_HANDLER;
}

/* What is private of one member: what was put, or with null what is kept. DOC_NONE in *of: there is none. */
static stet_status find_private(struct hiding *hiding, doc_node node, const char *where,
                                doc_node kept, const struct doc **doc, doc_node *found) {
    *doc = &hiding->put;
    *found = node;
    if (doc_kind(&hiding->put, node) != DOC_NULL) return STET_OK;
    *doc = &hiding->kept;
    *found = kept;
    if (kept != DOC_NONE) return STET_OK;
    return refuse(hiding->err, where, "is null, which stands for what is kept, and nothing is");
}

/* The webhook as others may see it. */
static void write_webhook(struct hiding *hiding, doc_node webhook) {
    const struct doc *put = &hiding->put;
    struct json_writer *writer = &hiding->writer;
    json_object_begin(writer);
    for (doc_node one = doc_first(put, webhook); one != DOC_NONE; one = doc_next(put, one)) {
        stet_view key = doc_key_raw(put, one);
        json_key_raw(writer, key);
        if (view_equal(key, VIEW("secret"))) {
            json_null(writer);
        } else if (view_equal(key, VIEW("headers")) && doc_kind(put, one) == DOC_OBJECT) {
            json_object_begin(writer);
            for (doc_node header = doc_first(put, one); header != DOC_NONE;
                 header = doc_next(put, header)) {
                json_key_raw(writer, doc_key_raw(put, header));
                json_null(writer);
            }
            json_object_end(writer);
        } else {
            json_raw(writer, doc_text(put, one));
        }
    }
    json_object_end(writer);
}

static stet_status write_private(struct hiding *hiding, doc_node webhook) {
    const struct doc *put = &hiding->put, *doc;
    struct json_writer *writer = &hiding->writer;
    doc_node secret = doc_member(put, webhook, VIEW("secret")), found;
    doc_node headers = doc_member(put, webhook, VIEW("headers"));
    doc_node kept = hiding->has_kept ? doc_member(&hiding->kept, 0, VIEW("_secret")) : DOC_NONE;
    stet_status status = STET_OK;
    if (secret != DOC_NONE) {
        status = find_private(hiding, secret, "/webhook/secret", kept, &doc, &found);
        if (status != STET_OK) return status;
        json_member_raw(writer, VIEW("_secret"), doc_text(doc, found));
    }
    if (headers == DOC_NONE || doc_kind(put, headers) != DOC_OBJECT) return STET_OK;
    doc_node kept_headers =
        hiding->has_kept ? doc_member(&hiding->kept, 0, VIEW("_headers")) : DOC_NONE;
    json_key(writer, VIEW("_headers"));
    json_object_begin(writer);
    for (doc_node one = doc_first(put, headers); one != DOC_NONE; one = doc_next(put, one)) {
        char field[sizeof hiding->err->field];
        snprintf(field, sizeof field, "/webhook/headers/%.*s", VIEW_ARG(doc_key_raw(put, one)));
        kept = kept_headers == DOC_NONE ? DOC_NONE
                                        : doc_member_like(&hiding->kept, kept_headers, put, one);
        status = find_private(hiding, one, field, kept, &doc, &found);
        if (status != STET_OK) return status;
        json_key_raw(writer, doc_key_raw(put, one));
        json_raw(writer, doc_text(doc, found));
    }
    json_object_end(writer);
    return STET_OK;
}

stet_status handler_store_text(struct arena *arena, stet_view put, stet_view kept, stet_view *text,
                               stet_error *err) {
    struct hiding hiding = {.err = err, .has_kept = kept.size > 0};
    struct buffer buffer;
    stet_status status = doc_parse(arena, put, NULL, &hiding.put, err);
    if (status == STET_OK && hiding.has_kept)
        status = doc_parse(arena, kept, NULL, &hiding.kept, err);
    if (status != STET_OK) return status;
    if (doc_kind(&hiding.put, 0) != DOC_OBJECT) return refuse(err, "", "is a JSON object");
    doc_node webhook = doc_member(&hiding.put, 0, VIEW("webhook"));
    if (webhook != DOC_NONE && doc_kind(&hiding.put, webhook) != DOC_OBJECT) webhook = DOC_NONE;
    buffer_init(&buffer, arena, 0);
    json_begin(&hiding.writer, &buffer);
    json_object_begin(&hiding.writer);
    for (doc_node one = doc_first(&hiding.put, 0); one != DOC_NONE;
         one = doc_next(&hiding.put, one)) {
        stet_view key = doc_key_raw(&hiding.put, one);
        if (key.size > 0 && key.bytes[0] == '_') continue;
        json_key_raw(&hiding.writer, key);
        if (one == webhook) {
            write_webhook(&hiding, one);
        } else {
            json_raw(&hiding.writer, doc_text(&hiding.put, one));
        }
    }
    if (webhook != DOC_NONE) status = write_private(&hiding, webhook);
    if (status != STET_OK) return status;
    json_object_end(&hiding.writer);
    if (json_end(&hiding.writer) != STET_OK)
        return error_set(err, STET_NO_MEMORY, "out of memory for a handler");
    *text = buffer_view(&buffer);
    return STET_OK;
}
