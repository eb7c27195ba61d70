#include "http/live_message.h"

#include "base/error.h"
#include "base/view.h"
#include "http/feed.h"

/* ---- hello ---- */

static stet_status read_hello(const struct body *body, struct live_message *message,
                              stet_error *err) {
    stet_status status = body_text(body, MEMBER_CLIENT, &message->client, err);
    return status == STET_OK ? body_text(body, MEMBER_CSRF, &message->csrf, err) : status;
}

/* The next number of a version; false: there is none. */
static bool next_number(stet_view *rest, uint64_t *out) {
    stet_view piece;
    if (!text_next(rest, '.', &piece)) return false;
    /* "1-beta" and "1+build" count as 1. */
    size_t digits = 0;
    while (digits < piece.size && piece.bytes[digits] >= '0' && piece.bytes[digits] <= '9')
        digits++;
    return view_parse_u64(view_make(piece.bytes, digits), out);
}

bool live_versions_fit(stet_view client, stet_view server) {
    uint64_t major[2] = {0, 0};
    uint64_t minor[2] = {0, 0};
    if (!next_number(&client, &major[0]) || !next_number(&server, &major[1]) ||
        !next_number(&client, &minor[0]) || !next_number(&server, &minor[1]))
        return false;
    return major[0] == major[1] && (major[0] > 0 || minor[0] == minor[1]);
}

/* ---- subscribe ---- */

static stet_status read_sub(const struct body *body, struct live_message *message,
                            stet_error *err) {
    stet_status status = body_text(body, MEMBER_SUB, &message->sub, err);
    if (status != STET_OK) return status;
    if (message->sub.size == 0) return body_bad(body, MEMBER_SUB, "is missing", err);
    if (message->sub.size > LIVE_SUB_BYTES_MAX) {
        status = body_bad(body, MEMBER_SUB, "must have 1 to 64 bytes", err);
        error_field(err, "/sub", LIVE_SUB_BYTES_MAX);
    }
    return status;
}

static stet_status read_list(const struct body *body, enum member member, const stet_view **list,
                             size_t *count, stet_error *err) {
    stet_status status = body_texts(body, member, list, count, err);
    if (status != STET_OK) return status;
    for (size_t i = 0; i < *count; i++)
        if ((*list)[i].size == 0) return body_bad(body, member, "must not hold empty texts", err);
    if (*count <= SUBSCRIPTION_FILTERS_MAX) return STET_OK;
    (void)body_bad(body, member, "has too many values", err);
    err->status = STET_TOO_LARGE;
    error_field(err, err->field, SUBSCRIPTION_FILTERS_MAX);
    return STET_TOO_LARGE;
}

/* A position, or "now". */
static stet_status read_since(const struct body *body, stet_feed_options *feed, stet_error *err) {
    doc_node node = body->nodes[MEMBER_SINCE];
    feed->from_now = true;
    if (node == DOC_NONE || view_equal(doc_text(body->doc, node), VIEW("\"now\""))) return STET_OK;
    feed->from_now = false;
    if (doc_u64(body->doc, node, &feed->since)) return STET_OK;
    return body_bad(body, MEMBER_SINCE, "must be a position or \"now\"", err);
}

static stet_status read_subscribe(const struct body *body, struct live_message *message,
                                  stet_error *err) {
    stet_feed_options *feed = &message->feed;
    const stet_view *events = NULL;
    size_t event_count = 0;
    stet_status status = read_sub(body, message, err);
    if (status == STET_OK)
        status = read_list(body, MEMBER_TYPE, &feed->types, &feed->type_count, err);
    if (status == STET_OK)
        status = read_list(body, MEMBER_IDS, &feed->addresses, &feed->address_count, err);
    if (status == STET_OK) status = read_list(body, MEMBER_EVENTS, &events, &event_count, err);
    for (size_t i = 0; status == STET_OK && i < event_count; i++)
        status = feed_add_events(body->arena, feed, events[i], err);
    if (status == STET_OK) status = body_text(body, MEMBER_WHERE, &feed->where, err);
    if (status == STET_OK) status = read_since(body, feed, err);
    if (status != STET_OK) body_point(body, err);
    return status;
}

/* ---- mutate ---- */

static stet_status read_mutate(const struct body *body, struct live_message *message,
                               stet_error *err) {
    stet_status status = terms_read_mutations(&message->terms, body, &message->mutations,
                                              &message->mutation_count, err);
    if (status == STET_OK) status = body_flag(body, MEMBER_TRANSACTION, &message->transaction, err);
    if (message->mutation_count > 1) {
        if (body_has(body, MEMBER_TRANSACTION) && !message->transaction)
            return body_bad(body, MEMBER_TRANSACTION, "cannot be false for several mutations", err);
        message->transaction = true;
    }
    return status;
}

/* ---- present ---- */

static stet_status read_record(const struct body *body, struct live_message *message,
                               stet_error *err) {
    stet_view address = {0};
    stet_status status = body_text(body, MEMBER_ADDRESS, &address, err);
    if (status != STET_OK) return status;
    const char *slash = address.size == 0 ? NULL : memchr(address.bytes, '/', address.size);
    if (slash == NULL || slash == address.bytes || slash + 1 == address.bytes + address.size)
        return body_bad(body, MEMBER_ADDRESS, "must be like \"tasks/1\"", err);
    size_t type_size = (size_t)(slash - address.bytes);
    stet_view id = view_make(slash + 1, address.size - type_size - 1);
    if (memchr(id.bytes, '/', id.size) != NULL)
        return body_bad(body, MEMBER_ADDRESS, "must have one slash: others are %2F", err);
    status = percent_decode(body->arena, view_make(address.bytes, type_size), false, "/address",
                            &message->type, err);
    return status == STET_OK
               ? percent_decode(body->arena, id, false, "/address", &message->id_of, err)
               : status;
}

static stet_status read_present(const struct body *body, struct live_message *message,
                                stet_error *err) {
    stet_status status = read_record(body, message, err);
    if (status == STET_OK) status = body_u64(body, MEMBER_VERSION, &message->version, err);
    if (status == STET_OK && body_has(body, MEMBER_VERSION) &&
        message->version == STET_VERSION_NONE)
        status = body_bad(body, MEMBER_VERSION, "must be at least 1, or null", err);
    return status;
}

/* ---- All ---- */

static const struct op {
    stet_view name;
    enum live_op op;
    enum terms_part terms;
    uint8_t members[6];
    uint8_t member_count;
    stet_status (*read)(const struct body *body, struct live_message *message, stet_error *err);
} ops[] = {
#define NAME(text)                                                                                 \
    { text, sizeof(text) - 1 }
    {NAME("hello"), LIVE_HELLO, 0, {MEMBER_CLIENT, MEMBER_CSRF}, 2, read_hello},
    {NAME("subscribe"),
     LIVE_SUBSCRIBE,
     0,
     {MEMBER_SUB, MEMBER_TYPE, MEMBER_IDS, MEMBER_WHERE, MEMBER_EVENTS, MEMBER_SINCE},
     6,
     read_subscribe},
    {NAME("unsubscribe"), LIVE_UNSUBSCRIBE, 0, {MEMBER_SUB}, 1, read_sub},
    {NAME("mutate"),
     LIVE_MUTATE,
     TERMS_KEY,
     {MEMBER_MUTATIONS, MEMBER_TRANSACTION},
     2,
     read_mutate},
    {NAME("present"), LIVE_PRESENT, 0, {MEMBER_ADDRESS, MEMBER_VERSION}, 2, read_present},
    {NAME("absent"), LIVE_ABSENT, 0, {MEMBER_ADDRESS}, 1, read_record},
#undef NAME
};

static stet_status find_op(struct arena *arena, const struct doc *doc, const struct op **out,
                           stet_error *err) {
    doc_node node = doc_member(doc, 0, VIEW("op"));
    stet_view name = {0};
    if (node != DOC_NONE && doc_kind(doc, node) == DOC_STRING &&
        doc_string(arena, doc, node, &name) != STET_OK)
        return error_set(err, STET_NO_MEMORY, "out of memory");
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        if (!view_equal(name, ops[i].name)) continue;
        *out = &ops[i];
        return STET_OK;
    }
    error_set(err, STET_BAD_REQUEST,
              "/op must be hello, subscribe, unsubscribe, mutate, present or absent");
    error_field(err, "/op", 0);
    return STET_BAD_REQUEST;
}

/* Before anything else, so that a refusal can be answered. */
static stet_status find_id(const struct doc *doc, struct live_message *message, stet_error *err) {
    if (doc_kind(doc, 0) != DOC_OBJECT) {
        error_set(err, STET_BAD_REQUEST, "a message must be a JSON object");
        error_field(err, "", 0);
        return STET_BAD_REQUEST;
    }
    doc_node node = doc_member(doc, 0, VIEW("id"));
    message->has_id = node != DOC_NONE && doc_u64(doc, node, &message->id);
    if (message->has_id) return STET_OK;
    error_set(err, STET_BAD_REQUEST, "/id must be a whole number");
    error_field(err, "/id", 0);
    return STET_BAD_REQUEST;
}

stet_status live_message_read(struct arena *arena, stet_view text, struct live_message *message,
                              stet_error *err) {
    struct doc *doc = arena_zalloc(arena, 1, sizeof *doc);
    struct body *body = arena_zalloc(arena, 1, sizeof *body);
    const struct op *op = NULL;
    *message = (struct live_message){0};
    if (doc == NULL || body == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    stet_status status = doc_parse(arena, text, &body_limits, doc, err);
    if (status == STET_OK) status = find_id(doc, message, err);
    if (status == STET_OK) status = find_op(arena, doc, &op, err);
    if (status != STET_OK) return status;
    member_set allowed = terms_members(op->terms) | MEMBER_BIT(MEMBER_ID) | MEMBER_BIT(MEMBER_OP);
    for (int i = 0; i < op->member_count; i++)
        allowed |= MEMBER_BIT(op->members[i]);
    message->op = op->op;
    status = body_read(body, arena, doc, 0, allowed, "", err);
    return status == STET_OK ? op->read(body, message, err) : status;
}
