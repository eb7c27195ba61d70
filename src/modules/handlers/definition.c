#include "modules/handlers/definition.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"

#include <stdio.h>
#include <stdlib.h>

enum { ARENA_BLOCK_BYTES = 2048 };

struct compiler {
    struct arena *arena;
    struct doc doc;
    struct handler *handler;
    stet_error *err;
};

static const char *const event_names[HANDLER_EVENTS] = {
    "create",
    "update",
    "delete",
    "conflict",
    "alert",
    "OperationQueued",
    "OperationStarted",
    "OperationProgress",
    "OperationConflict",
    "OperationRetrying",
    "OperationRejected",
    "OperationCompleted",
    "OperationFailed",
    "OperationCancelled",
    "OperationExpired",
};

static const char *const class_words[] = {
    [STET_CLASS_LOW] = "low",
    [STET_CLASS_NORMAL] = "normal",
    [STET_CLASS_HIGH] = "high",
    [STET_CLASS_URGENT] = "urgent",
    [STET_CLASS_STRUCTURAL] = "structural",
};

stet_view handler_event_name(unsigned event) { return view_of(event_names[event]); }

unsigned handler_operation_event(stet_view name) {
    unsigned event = HANDLER_OPERATION;
    while (event < HANDLER_EVENTS && !view_equal(name, view_of(event_names[event])))
        event++;
    return event;
}

/* ---- Failing ----------------------------------------------------------------------------- */

static stet_status no_memory(stet_error *err) {
    return error_set(err, STET_NO_MEMORY, "out of memory for a handler");
}

/* err's message says what something is to be; this adds what that is. */
static stet_status place(stet_error *err, const char *where, uint64_t limit) {
    error_field(err, where, limit);
    error_subject(err, "the handler");
    return STET_INVALID_HANDLER;
}

#define REFUSE_WITH(err, where, limit, ...)                                                        \
    (error_set((err), STET_INVALID_HANDLER, __VA_ARGS__), place((err), (where), (limit)))
#define REFUSE(compiler, where, ...) REFUSE_WITH((compiler)->err, where, 0, __VA_ARGS__)

/* ---- Reading ----------------------------------------------------------------------------- */

static stet_status check_names(struct compiler *compiler, doc_node object, const char *where,
                               const char *const *names, const char *known) {
    const struct doc *doc = &compiler->doc;
    char field[sizeof compiler->err->field];
    for (doc_node member = doc_first(doc, object); member != DOC_NONE;
         member = doc_next(doc, member)) {
        stet_view raw = doc_key_raw(doc, member);
        size_t i = 0;
        while (names[i] != NULL && !view_equal(raw, view_of(names[i])))
            i++;
        if (names[i] != NULL) continue;
        snprintf(field, sizeof field, "%s/%.*s", where, VIEW_ARG(raw));
        return REFUSE(compiler, field, "is not known here; possible are %s", known);
    }
    return STET_OK;
}

/* A string of 1 to bytes_max bytes without control characters, or left alone where it is absent. */
static stet_status read_text(struct compiler *compiler, doc_node object, const char *name,
                             const char *where, size_t bytes_max, stet_view *out) {
    doc_node node = doc_member(&compiler->doc, object, view_of(name));
    stet_view text = {0};
    if (node == DOC_NONE) return STET_OK;
    stet_status status = doc_string(compiler->arena, &compiler->doc, node, &text);
    if (status == STET_NO_MEMORY) return no_memory(compiler->err);
    bool fits = status == STET_OK && text.size > 0 && text.size <= bytes_max;
    for (size_t i = 0; fits && i < text.size; i++)
        fits = (unsigned char)text.bytes[i] >= ' ' && text.bytes[i] != 0x7f;
    if (!fits)
        return REFUSE_WITH(compiler->err, where, bytes_max, "is a string of 1 to %zu bytes",
                           bytes_max);
    *out = text;
    return STET_OK;
}

static stet_status read_number(struct compiler *compiler, const char *name, const char *where,
                               uint32_t low, uint32_t high, bool *given, unsigned *out) {
    doc_node node = doc_member(&compiler->doc, 0, view_of(name));
    uint64_t value;
    *given = node != DOC_NONE;
    if (node == DOC_NONE) return STET_OK;
    if (!doc_u64(&compiler->doc, node, &value) || value < low || value > high)
        return REFUSE_WITH(compiler->err, where, high, "is a whole number from %u to %u", low,
                           high);
    *out = (unsigned)value;
    return STET_OK;
}

static stet_status read_bool(struct compiler *compiler, const char *name, const char *where,
                             bool *out) {
    doc_node node = doc_member(&compiler->doc, 0, view_of(name));
    if (node == DOC_NONE || doc_bool(&compiler->doc, node, out)) return STET_OK;
    return REFUSE(compiler, where, "is true or false");
}

/* ---- When -------------------------------------------------------------------------------- */

static stet_status read_on(struct compiler *compiler) {
    const struct doc *doc = &compiler->doc;
    doc_node list = doc_member(doc, 0, VIEW("on"));
    char field[32];
    int index = 0;
    if (list == DOC_NONE || doc_kind(doc, list) != DOC_ARRAY || doc_count(doc, list) == 0)
        return REFUSE(
            compiler, "/on",
            "is a list of at least one of create, update, delete, conflict, alert and the "
            "events of operations, such as OperationCompleted");
    for (doc_node one = doc_first(doc, list); one != DOC_NONE; one = doc_next(doc, one), index++) {
        stet_view text = {0};
        unsigned event = 0;
        if (doc_string(compiler->arena, doc, one, &text) == STET_NO_MEMORY)
            return no_memory(compiler->err);
        while (event < HANDLER_EVENTS && !view_equal(text, view_of(event_names[event])))
            event++;
        snprintf(field, sizeof field, "/on/%d", index);
        if (event == HANDLER_EVENTS)
            return REFUSE(compiler, field,
                          "is create, update, delete, conflict, alert, or an event of operations, "
                          "such as OperationCompleted");
        if (compiler->handler->on & 1u << event)
            return REFUSE(compiler, field, "is in the list already");
        compiler->handler->on |= 1u << event;
    }
    return STET_OK;
}

/* Types whose every change follows from a handler's own doing would never come to rest; those of secrets are nobody's to read. */
static stet_status read_type(struct compiler *compiler) {
    static const char *const followed[] = {"stet.type",    "stet.function", "stet.handler",
                                           "stet.setting", "stet.settings", "stet.conflict",
                                           "stet.lock",    "stet.alert",    NULL};
    stet_view type = {0};
    stet_status status = read_text(compiler, 0, "type", "/type", TYPE_BYTES_MAX, &type);
    if (status != STET_OK) return status;
    compiler->handler->type = type;
    if (!view_starts(type, VIEW("stet."))) return STET_OK;
    for (size_t i = 0; followed[i] != NULL; i++)
        if (view_equal(type, view_of(followed[i]))) return STET_OK;
    return REFUSE(compiler, "/type",
                  "is a type of the system's own that handlers do not follow; for operations name "
                  "their events in \"on\"");
}

static stet_status read_where(struct compiler *compiler) {
    struct expr_options options = {.field = "/where"};
    struct expr *where = NULL;
    stet_view text = {0};
    stet_status status = read_text(compiler, 0, "where", "/where", EXPR_BYTES_MAX, &text);
    if (status != STET_OK || text.size == 0) return status;
    status = expr_parse(compiler->arena, text, &options, &where, compiler->err);
    if (status == STET_BAD_REQUEST || status == STET_TOO_LARGE) {
        if (compiler->err != NULL) compiler->err->status = STET_INVALID_HANDLER;
        status = STET_INVALID_HANDLER;
    }
    compiler->handler->where = where;
    return status;
}

static stet_status read_from(struct compiler *compiler) {
    stet_view text = VIEW("now");
    stet_status status = read_text(compiler, 0, "from", "/from", 16, &text);
    if (status != STET_OK) return status;
    compiler->handler->from_beginning = view_equal(text, VIEW("beginning"));
    if (compiler->handler->from_beginning || view_equal(text, VIEW("now"))) return STET_OK;
    return REFUSE(compiler, "/from", "is now or beginning");
}

/* ---- What -------------------------------------------------------------------------------- */

/* http or https, a host, and nothing that could begin another line of a request. */
static bool is_url(stet_view url) {
    size_t start = view_starts(url, VIEW("http://"))    ? 7
                   : view_starts(url, VIEW("https://")) ? 8
                                                        : 0;
    if (start == 0 || url.size == start || url.bytes[start] == '/' || url.bytes[start] == ':' ||
        url.bytes[start] == '?' || url.bytes[start] == '#')
        return false;
    for (size_t i = 0; i < url.size; i++)
        if (url.bytes[i] <= ' ' || url.bytes[i] >= 0x7f) return false;
    return true;
}

/* A token of RFC 9110. */
static bool is_header_name(stet_view name) {
    for (size_t i = 0; i < name.size; i++) {
        char c = name.bytes[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
        if (!letter && (c == 0 || strchr("!#$%&'*+-.^_`|~", c) == NULL)) return false;
    }
    return name.size > 0;
}

/* What the server says itself, or what would change where the message ends. */
static bool is_own_header(stet_view name) {
    static const char *const own[] = {"Content-Type",      "Content-Length", "Host", "Connection",
                                      "Transfer-Encoding", "Expect",         NULL};
    if (name.size >= 5 && view_equal_nocase(view_make(name.bytes, 5), VIEW("Stet-"))) return true;
    for (size_t i = 0; own[i] != NULL; i++)
        if (view_equal_nocase(name, view_of(own[i]))) return true;
    return false;
}

/* kept: "_headers" of the definition; DOC_NONE: values stand in the list itself. */
static stet_status read_header(struct compiler *compiler, doc_node one, doc_node kept,
                               struct handler_header *header) {
    const struct doc *doc = &compiler->doc;
    char field[sizeof compiler->err->field];
    if (doc_key(compiler->arena, doc, one, &header->name) != STET_OK)
        return no_memory(compiler->err);
    snprintf(field, sizeof field, "/webhook/headers/%.*s", VIEW_ARG(header->name));
    if (!is_header_name(header->name) || is_own_header(header->name) ||
        header->name.size > HANDLER_HEADER_BYTES_MAX)
        return REFUSE(compiler, field, "is not the name of a header that can be added");
    doc_node value = doc_kind(doc, one) == DOC_NULL && kept != DOC_NONE
                         ? doc_member_like(doc, kept, doc, one)
                         : one;
    if (value == DOC_NONE) value = one;
    stet_status status = doc_string(compiler->arena, doc, value, &header->value);
    if (status == STET_NO_MEMORY) return no_memory(compiler->err);
    bool fits = status == STET_OK && header->value.size <= HANDLER_HEADER_BYTES_MAX;
    for (size_t i = 0; fits && i < header->value.size; i++)
        fits = ((unsigned char)header->value.bytes[i] >= ' ' && header->value.bytes[i] != 0x7f) ||
               header->value.bytes[i] == '\t';
    if (fits) return STET_OK;
    return REFUSE_WITH(compiler->err, field, HANDLER_HEADER_BYTES_MAX,
                       "is a string of at most %d bytes on one line", HANDLER_HEADER_BYTES_MAX);
}

static stet_status read_headers(struct compiler *compiler, doc_node webhook) {
    const struct doc *doc = &compiler->doc;
    doc_node list = doc_member(doc, webhook, VIEW("headers"));
    doc_node kept = doc_member(doc, 0, VIEW("_headers"));
    if (list == DOC_NONE) return STET_OK;
    if (doc_kind(doc, list) != DOC_OBJECT || doc_count(doc, list) > HANDLER_HEADERS_MAX)
        return REFUSE_WITH(compiler->err, "/webhook/headers", HANDLER_HEADERS_MAX,
                           "is an object of at most %d headers", HANDLER_HEADERS_MAX);
    struct handler_header *headers =
        arena_zalloc(compiler->arena, doc_count(doc, list) + 1, sizeof *headers);
    if (headers == NULL) return no_memory(compiler->err);
    size_t count = 0;
    for (doc_node one = doc_first(doc, list); one != DOC_NONE; one = doc_next(doc, one)) {
        stet_status status = read_header(compiler, one, kept, &headers[count++]);
        if (status != STET_OK) return status;
    }
    compiler->handler->headers = headers;
    compiler->handler->header_count = count;
    return STET_OK;
}

static stet_status read_webhook(struct compiler *compiler, doc_node webhook) {
    static const char *const names[] = {"url", "secret", "headers", NULL};
    struct handler *handler = compiler->handler;
    const struct doc *doc = &compiler->doc;
    if (doc_kind(doc, webhook) != DOC_OBJECT)
        return REFUSE(compiler, "/webhook",
                      "is an object with url, and perhaps secret and headers");
    stet_status status =
        check_names(compiler, webhook, "/webhook", names, "url, secret and headers");
    if (status == STET_OK)
        status = read_text(compiler, webhook, "url", "/webhook/url", HANDLER_URL_BYTES_MAX,
                           &handler->target);
    if (status != STET_OK) return status;
    if (!is_url(handler->target))
        return REFUSE(compiler, "/webhook/url", "is a URL that begins with http:// or https://");
    doc_node secret = doc_member(doc, webhook, VIEW("secret"));
    bool hidden = secret != DOC_NONE && doc_kind(doc, secret) == DOC_NULL &&
                  doc_member(doc, 0, VIEW("_secret")) != DOC_NONE;
    status = hidden ? read_text(compiler, 0, "_secret", "/webhook/secret", HANDLER_SECRET_BYTES_MAX,
                                &handler->secret)
                    : read_text(compiler, webhook, "secret", "/webhook/secret",
                                HANDLER_SECRET_BYTES_MAX, &handler->secret);
    return status == STET_OK ? read_headers(compiler, webhook) : status;
}

/* Exactly one of function, agent and webhook. */
static stet_status read_reaction(struct compiler *compiler) {
    static const char *const names[] = {"function", "agent", "webhook"};
    static const char *const places[] = {"/function", "/agent", "/webhook"};
    struct handler *handler = compiler->handler;
    doc_node found = DOC_NONE;
    for (unsigned kind = 0; kind < 3; kind++) {
        doc_node node = doc_member(&compiler->doc, 0, view_of(names[kind]));
        if (node == DOC_NONE) continue;
        if (found != DOC_NONE)
            return REFUSE(compiler, places[kind],
                          "is one too many: a handler has one of function, agent and webhook");
        found = node;
        handler->kind = (enum reaction_kind)kind;
    }
    if (found == DOC_NONE) return REFUSE(compiler, "", "has one of function, agent and webhook");
    if (handler->kind == REACTION_WEBHOOK) return read_webhook(compiler, found);
    stet_status status = read_text(compiler, 0, names[handler->kind], places[handler->kind],
                                   handler->kind == REACTION_AGENT ? AGENT_BYTES_MAX : ID_BYTES_MAX,
                                   &handler->target);
    if (status == STET_OK && handler->kind == REACTION_AGENT &&
        memchr(handler->target.bytes, ':', handler->target.size) != NULL)
        return REFUSE(compiler, "/agent", "is the name of an agent, which has no colon");
    return status;
}

/* ---- How --------------------------------------------------------------------------------- */

static stet_status read_class(struct compiler *compiler) {
    stet_view text = VIEW("normal");
    stet_status status = read_text(compiler, 0, "class", "/class", 16, &text);
    if (status != STET_OK) return status;
    for (unsigned class_ = STET_CLASS_LOW; class_ <= STET_CLASS_STRUCTURAL; class_++)
        if (view_equal(text, view_of(class_words[class_])))
            compiler->handler->class_ = (stet_class)class_;
    if (compiler->handler->class_ != STET_CLASS_DEFAULT) return STET_OK;
    return REFUSE(compiler, "/class", "is low, normal, high, urgent or structural");
}

/* A webhook has a lane of its own, one wide: its deliveries go out in the order of the changes. */
static stet_status read_lane(struct compiler *compiler, stet_view name) {
    struct handler *handler = compiler->handler;
    stet_status status = read_text(compiler, 0, "lane", "/lane", LANE_BYTES_MAX, &handler->lane);
    if (status != STET_OK) return status;
    if (handler->lane.size > 0 &&
        (handler->kind == REACTION_WEBHOOK || view_starts(handler->lane, VIEW("webhook-"))))
        return REFUSE(compiler, "/lane", "says nothing here: a webhook has a lane of its own");
    if (handler->lane.size > 0) return STET_OK;
    switch (handler->kind) {
    case REACTION_AGENT: handler->lane = VIEW("default"); return STET_OK;
    case REACTION_FUNCTION:
        handler->lane = arena_format(compiler->arena, "handler-%.*s", VIEW_ARG(name));
        break;
    case REACTION_WEBHOOK:
        handler->lane = arena_format(compiler->arena, "webhook-%.*s", VIEW_ARG(name));
        break;
    }
    return handler->lane.bytes == NULL ? no_memory(compiler->err) : STET_OK;
}

static stet_status read_bounds(struct compiler *compiler) {
    struct handler *handler = compiler->handler;
    bool webhook = handler->kind == REACTION_WEBHOOK, given;
    stet_status status = read_number(compiler, "max_retries", "/max_retries", 0, 100,
                                     &handler->sets_max_retries, &handler->max_retries);
    if (status == STET_OK)
        status = read_number(compiler, "timeout_s", "/timeout_s", 1,
                             webhook ? WEBHOOK_TIMEOUT_S_MAX : HANDLER_TIMEOUT_S_MAX, &given,
                             &handler->timeout_s);
    if (status == STET_OK) status = read_bool(compiler, "paused", "/paused", &handler->paused);
    if (status == STET_OK)
        status = read_bool(compiler, "handlers", "/handlers", &handler->sees_handlers);
    return status;
}

static stet_status check_name(stet_view name, stet_error *err) {
    bool valid = name.size > 0 && name.size <= HANDLER_NAME_BYTES_MAX;
    for (size_t i = 0; valid && i < name.size; i++) {
        char c = name.bytes[i];
        valid = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                (i > 0 && (c == '_' || c == '-' || c == '.'));
    }
    if (valid && !view_starts(name, VIEW("stet."))) return STET_OK;
    return REFUSE_WITH(err, "name", HANDLER_NAME_BYTES_MAX,
                       "of a handler is 1 to %d letters, digits, \"_\", \"-\" and \".\"",
                       HANDLER_NAME_BYTES_MAX);
}

static stet_status compile(struct compiler *compiler, stet_view name) {
    static const char *const names[] = {
        "type",     "where",       "on",      "function", "agent",     "webhook",
        "class",    "lane",        "from",    "paused",   "timeout_s", "max_retries",
        "handlers", "description", "_secret", "_headers", NULL};
    stet_view description;
    if (doc_kind(&compiler->doc, 0) != DOC_OBJECT) return REFUSE(compiler, "", "is a JSON object");
    stet_status status = check_names(compiler, 0, "", names,
                                     "type, where, on, function, agent, webhook, class, lane, "
                                     "from, paused, handlers, timeout_s, "
                                     "max_retries and description");
    if (status == STET_OK) status = read_on(compiler);
    if (status == STET_OK) status = read_type(compiler);
    if (status == STET_OK) status = read_where(compiler);
    if (status == STET_OK) status = read_from(compiler);
    if (status == STET_OK) status = read_reaction(compiler);
    if (status == STET_OK) status = read_class(compiler);
    if (status == STET_OK) status = read_lane(compiler, name);
    if (status == STET_OK) status = read_bounds(compiler);
    if (status == STET_OK)
        status = read_text(compiler, 0, "description", "/description", TYPE_DESCRIPTION_BYTES_MAX,
                           &description);
    return status;
}

stet_status handler_compile(stet_view name, stet_view text, struct handler **out, stet_error *err) {
    stet_error own = {0};
    stet_status status = check_name(name, err);
    if (status != STET_OK) return status;
    struct handler *handler = calloc(1, sizeof *handler);
    if (handler == NULL) return no_memory(err);
    atomic_init(&handler->refs, 1);
    arena_init(&handler->arena, ARENA_BLOCK_BYTES);
    struct compiler compiler = {
        .arena = &handler->arena, .handler = handler, .err = err == NULL ? &own : err};
    stet_view kept = arena_copy(&handler->arena, text);
    status = kept.bytes == NULL ? no_memory(err)
                                : doc_parse(&handler->arena, kept, NULL, &compiler.doc, err);
    if (status == STET_OK) status = compile(&compiler, name);
    if (status == STET_OK) {
        *out = handler;
    } else {
        handler_unref(handler);
    }
    return status;
}

struct handler *handler_ref(struct handler *handler) {
    atomic_fetch_add_explicit(&handler->refs, 1, memory_order_relaxed);
    return handler;
}

void handler_unref(struct handler *handler) {
    if (handler == NULL) return;
    if (atomic_fetch_sub_explicit(&handler->refs, 1, memory_order_acq_rel) != 1) return;
    arena_done(&handler->arena);
    free(handler);
}
