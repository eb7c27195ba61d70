#include "outbound/delivery.h"

#include "base/error.h"
#include "base/view.h"
#include "core/access.h"
#include "core/outbound.h"
#include "core/render.h"
#include "doc/write.h"
#include "modules/handlers/definition.h"
#include "outbound/sign.h"

enum { OWN_HEADERS = 7 };

/* Where it goes, and with what. In the arena. */
struct target {
    stet_view url, secret;
    const struct handler_header *headers;
    size_t header_count;
    unsigned timeout_s;
};

struct composing {
    stet_client *client;
    struct space *space;
    struct arena *arena;
    const struct doc *doc;
    doc_node node;
    stet_error *err;
};

static stet_status no_memory(stet_error *err) {
    return error_set(err, STET_NO_MEMORY, "out of memory for a webhook");
}

static stet_view text_of(struct arena *arena, const struct doc *doc, doc_node object,
                         const char *name) {
    doc_node node = object == DOC_NONE ? DOC_NONE : doc_member(doc, object, view_of(name));
    stet_view text = {0};
    if (node != DOC_NONE && doc_string(arena, doc, node, &text) != STET_OK) text = (stet_view){0};
    return text;
}

static uint64_t number_of(const struct doc *doc, doc_node object, const char *name) {
    doc_node node = doc_member(doc, object, view_of(name));
    uint64_t value = 0;
    if (node != DOC_NONE) doc_u64(doc, node, &value);
    return value;
}

/* ---- Where to ---------------------------------------------------------------------------- */

static bool keep_view(struct arena *arena, stet_view *view) {
    *view = arena_copy(arena, *view);
    return view->bytes != NULL;
}

static stet_status take_handler(struct composing *composing, struct handler *handler,
                                struct target *target) {
    struct arena *arena = composing->arena;
    if (handler->kind != REACTION_WEBHOOK)
        return error_set(composing->err, STET_NOT_FOUND, "the handler is no webhook any more");
    struct handler_header *headers =
        arena_zalloc(arena, handler->header_count + 1, sizeof *headers);
    *target = (struct target){.url = handler->target,
                              .secret = handler->secret,
                              .headers = headers,
                              .header_count = handler->header_count,
                              .timeout_s = handler->timeout_s};
    bool kept =
        headers != NULL && keep_view(arena, &target->url) && keep_view(arena, &target->secret);
    for (size_t i = 0; kept && i < handler->header_count; i++) {
        headers[i] = handler->headers[i];
        kept = keep_view(arena, &headers[i].name) && keep_view(arena, &headers[i].value);
    }
    return kept ? STET_OK : no_memory(composing->err);
}

/* The data of a record of the system as it is now, private members included. Copied. STET_NOT_FOUND: there is none. */
static stet_status read_system(struct composing *composing, stet_view type, stet_view id,
                               stet_view *data) {
    struct change *head = NULL;
    stet_status status =
        client_head(composing->client, composing->space, type, id, &head, composing->err);
    if (status != STET_OK) return status;
    if (change_is_delete(head)) {
        status = error_set(composing->err, STET_NOT_FOUND, "it is deleted");
    } else {
        *data = arena_copy(composing->arena, head->row.data);
        if (data->bytes == NULL) status = no_memory(composing->err);
    }
    change_unref(head);
    return status;
}

static stet_status find_handler(struct composing *composing, stet_view name,
                                struct target *target) {
    struct handler *handler = NULL;
    stet_view data;
    stet_status status = read_system(composing, VIEW("stet.handler"), name, &data);
    if (status == STET_NOT_FOUND)
        return error_set(composing->err, STET_NOT_FOUND, "the handler is deleted");
    if (status == STET_OK) status = handler_compile(name, data, &handler, composing->err);
    if (status == STET_OK) status = take_handler(composing, handler, target);
    handler_unref(handler);
    return status;
}

/* An alert's: /alerts/NAME/webhook of the space's settings. */
static stet_status find_alert(struct composing *composing, struct target *target) {
    struct arena *arena = composing->arena;
    struct doc settings;
    stet_view data;
    stet_status status = read_system(composing, VIEW("stet.settings"), VIEW("space"), &data);
    if (status == STET_OK) status = change_parse(arena, data, &settings, composing->err);
    if (status != STET_OK) return status;
    doc_node input = doc_member(composing->doc, composing->node, VIEW("input"));
    stet_view name = text_of(arena, composing->doc, input, "alert");
    doc_node alerts = doc_member(&settings, 0, VIEW("alerts"));
    doc_node alert = alerts == DOC_NONE ? DOC_NONE : doc_member(&settings, alerts, name);
    doc_node webhook = alert == DOC_NONE ? DOC_NONE : doc_member(&settings, alert, VIEW("webhook"));
    *target = (struct target){
        .url = text_of(arena, &settings, webhook, "url"),
        .secret = text_of(arena, &settings, doc_member(&settings, 0, VIEW("_secrets")),
                          arena_format(arena, "%.*s", VIEW_ARG(name)).bytes),
    };
    if (view_is_empty(target->url))
        return error_set(composing->err, STET_NOT_FOUND, "the alert has no webhook any more");
    return keep_view(arena, &target->url) ? STET_OK : no_memory(composing->err);
}

/* ---- With what --------------------------------------------------------------------------- */

/* The data that an address "type/id@version" names, as others may see them. Empty: they are no longer kept. */
static stet_status read_data(struct composing *composing, stet_view at, stet_view *data) {
    struct arena *arena = composing->arena;
    struct store_reader *reader;
    struct store_head head;
    struct store_change row;
    stet_view type, id;
    uint64_t version;
    const char *sign = memrchr(at.bytes, '@', at.size);
    *data = (stet_view){0};
    if (sign == NULL) return STET_OK;
    stet_view digits = view_make(sign + 1, at.size - (size_t)(sign + 1 - at.bytes));
    if (!view_parse_u64(digits, &version) ||
        address_parse(arena, view_make(at.bytes, (size_t)(sign - at.bytes)), &type, &id, NULL) !=
            STET_OK)
        return STET_OK;
    stet_status status = space_reader_take(composing->space, &reader, composing->err);
    if (status != STET_OK) return status;
    status = store_head(reader, type, id, &head, composing->err);
    if (status == STET_OK && head.version != 0)
        status =
            store_find(reader, arena, &head, STORE_BOUND_VERSION, version, &row, composing->err);
    space_reader_give(composing->space, reader);
    bool gone = status == STET_PRUNED || status == STET_NOT_FOUND || head.version == 0;
    if (gone || (status == STET_OK && (row.pruned || row.version != version))) return STET_OK;
    return status == STET_OK ? viewer_data(NULL, arena, &row, data) : status;
}

static stet_status write_change(struct composing *composing, struct json_writer *writer,
                                doc_node change) {
    const struct doc *doc = composing->doc;
    json_object_begin(writer);
    for (doc_node one = doc_first(doc, change); one != DOC_NONE; one = doc_next(doc, one)) {
        stet_view key = doc_key_raw(doc, one), data;
        if (!view_equal(key, VIEW("data_at"))) {
            json_key_raw(writer, key);
            json_raw(writer, doc_text(doc, one));
            continue;
        }
        stet_status status =
            read_data(composing, text_of(composing->arena, doc, change, "data_at"), &data);
        if (status != STET_OK) return status;
        if (view_is_empty(data)) {
            json_member_bool(writer, VIEW("pruned"), true);
        } else {
            json_member_raw(writer, VIEW("data"), data);
        }
    }
    json_object_end(writer);
    return STET_OK;
}

static stet_status write_body(struct composing *composing, stet_view id, stet_view *body) {
    const struct doc *doc = composing->doc;
    doc_node input = doc_member(doc, composing->node, VIEW("input"));
    struct buffer buffer;
    struct json_writer writer;
    buffer_init(&buffer, composing->arena, 0);
    json_begin(&writer, &buffer);
    json_object_begin(&writer);
    json_member_text(&writer, VIEW("delivery"), id);
    json_member_text(&writer, VIEW("space"), view_of(composing->space->name));
    doc_node one =
        input == DOC_NONE || doc_kind(doc, input) != DOC_OBJECT ? DOC_NONE : doc_first(doc, input);
    for (; one != DOC_NONE; one = doc_next(doc, one)) {
        stet_view key = doc_key_raw(doc, one);
        if (view_equal(key, VIEW("delivery")) || view_equal(key, VIEW("space"))) continue;
        json_key_raw(&writer, key);
        if (view_equal(key, VIEW("change")) && doc_kind(doc, one) == DOC_OBJECT) {
            stet_status status = write_change(composing, &writer, one);
            if (status != STET_OK) return status;
        } else {
            json_raw(&writer, doc_text(doc, one));
        }
    }
    json_object_end(&writer);
    if (json_end(&writer) != STET_OK) return no_memory(composing->err);
    *body = buffer_view(&buffer);
    return STET_OK;
}

/* ---- All of it --------------------------------------------------------------------------- */

static stet_status write_headers(struct composing *composing, const struct target *target,
                                 stet_view id, int64_t seconds, struct post_request *request) {
    struct arena *arena = composing->arena;
    struct post_header *headers =
        arena_zalloc(arena, target->header_count + OWN_HEADERS, sizeof *headers);
    size_t count = 0;
    if (headers == NULL) return no_memory(composing->err);
    for (size_t i = 0; i < target->header_count; i++)
        headers[count++] = (struct post_header){.name = target->headers[i].name,
                                                .value = target->headers[i].value};
    /* Runs that failed, and those that nobody knows the end of. */
    uint64_t attempt = 1 + number_of(composing->doc, composing->node, "retries") +
                       number_of(composing->doc, composing->node, "attempts");
    stet_view event = text_of(arena, composing->doc, composing->node, "op_type");
    headers[count++] =
        (struct post_header){VIEW("Content-Type"), VIEW("application/json; charset=utf-8")};
    headers[count++] = (struct post_header){VIEW("Stet-Event"), event};
    headers[count++] = (struct post_header){VIEW("Stet-Delivery"), id};
    headers[count++] = (struct post_header){
        VIEW("Stet-Attempt"), arena_format(arena, "%llu", (unsigned long long)attempt)};
    headers[count++] = (struct post_header){VIEW("Stet-Timestamp"),
                                            arena_format(arena, "%lld", (long long)seconds)};
    if (target->secret.size > 0)
        headers[count++] = (struct post_header){
            VIEW("Stet-Signature"), sign_body(arena, target->secret, seconds, request->body)};
    for (size_t i = 0; i < count; i++)
        if (headers[i].value.size > 0 && headers[i].value.bytes == NULL)
            return no_memory(composing->err);
    request->headers = headers;
    request->header_count = count;
    return STET_OK;
}

stet_status delivery_compose(stet_client *client, struct space *space, struct arena *arena,
                             const struct doc *operation, doc_node node, int64_t seconds,
                             struct post_request *request, stet_error *err) {
    struct composing composing = {.client = client,
                                  .space = space,
                                  .arena = arena,
                                  .doc = operation,
                                  .node = node,
                                  .err = err};
    struct target target = {0};
    stet_view id = text_of(arena, operation, node, "id");
    stet_view name = text_of(arena, operation, node, "handler");
    stet_status status;
    *request = (struct post_request){0};
    if (view_equal(name, VIEW("stet.settings"))) {
        status = find_alert(&composing, &target);
    } else if (view_is_empty(name)) {
        status = error_set(err, STET_NOT_FOUND, "no handler asked for it");
    } else {
        status = find_handler(&composing, name, &target);
    }
    if (status == STET_OK) status = write_body(&composing, id, &request->body);
    if (status == STET_OK) status = write_headers(&composing, &target, id, seconds, request);
    request->url = target.url;
    request->timeout_s = target.timeout_s > 0 ? target.timeout_s : WEBHOOK_TIMEOUT_S_DEFAULT;
    return status;
}
