#include "http/terms.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "http/mutations.h"

static stet_status set_base(struct terms *terms, enum stet_base_kind kind, uint64_t value,
                            const char *field, stet_error *err) {
    if (terms->base.kind != STET_BASE_NONE &&
        (terms->base.kind != kind || terms->base.value != value)) {
        error_set(err, STET_BAD_REQUEST, "two different bases are given; one is in %s", field);
        error_field(err, field, 0);
        return STET_BAD_REQUEST;
    }
    if (kind == STET_BASE_VERSION && value == 0) {
        error_set(err, STET_BAD_REQUEST, "%s must be at least 1", field);
        error_field(err, field, 0);
        return STET_BAD_REQUEST;
    }
    terms->base = (stet_base){.kind = kind, .value = value};
    return STET_OK;
}

static stet_status set_key(struct terms *terms, stet_view text, const char *field,
                           stet_error *err) {
    stet_view key;
    stet_status status = key_parse(text, field, &key, err);
    if (status != STET_OK) return status;
    if (terms->key.size > 0 && !view_equal(terms->key, key)) {
        error_set(err, STET_BAD_REQUEST, "two different mutation keys are given; one is in %s",
                  field);
        error_field(err, field, 0);
        return STET_BAD_REQUEST;
    }
    terms->key = key;
    return STET_OK;
}

static stet_status set_strategy(struct terms *terms, stet_view text, const char *field,
                                stet_error *err) {
    stet_strategy strategy;
    stet_status status = stet_strategy_parse(text, &strategy, err);
    if (status != STET_OK) {
        error_field(err, field, 0);
        return status;
    }
    if (terms->on_conflict_given && terms->on_conflict != strategy) {
        error_set(err, STET_BAD_REQUEST, "two different strategies are given; one is in %s", field);
        error_field(err, field, 0);
        return STET_BAD_REQUEST;
    }
    terms->on_conflict = strategy;
    terms->on_conflict_given = true;
    return STET_OK;
}

static stet_status set_modified_at(struct terms *terms, stet_time time, const char *field,
                                   stet_error *err) {
    const char *what = NULL;
    if (time <= 0) what = "must be after 1970";
    if (terms->modified_at != 0 && terms->modified_at != time) what = "differs from the other one";
    if (what != NULL) {
        error_set(err, STET_BAD_REQUEST, "%s %s", field, what);
        error_field(err, field, 0);
        return STET_BAD_REQUEST;
    }
    terms->modified_at = time;
    return STET_OK;
}

static stet_status bad_header(const char *field, const char *message, stet_error *err) {
    error_set(err, STET_BAD_REQUEST, "%s", message);
    error_field(err, field, 0);
    return STET_BAD_REQUEST;
}

static stet_status read_preconditions(struct terms *terms, const struct headers *headers,
                                      unsigned parts, stet_error *err) {
    if (headers->if_match.bytes != NULL) {
        stet_version version;
        if ((parts & TERMS_BASE_VERSION) == 0)
            return bad_header("If-Match", "If-Match means nothing here", err);
        stet_status status = etag_parse(headers->if_match, &version, err);
        if (status != STET_OK) return status;
        if (version != STET_VERSION_NONE) {
            terms->base_in_header = true;
            status = set_base(terms, STET_BASE_VERSION, version, "If-Match", err);
            if (status != STET_OK) return status;
        }
    }
    if (headers->if_none_match.bytes == NULL) return STET_OK;
    if ((parts & TERMS_ABSENT) == 0 || !view_equal(headers->if_none_match, VIEW("*")))
        return bad_header("If-None-Match",
                          "If-None-Match must be * and is only for what may create a record", err);
    terms->base_in_header = true;
    return set_base(terms, STET_BASE_ABSENT, 0, "If-None-Match", err);
}

static stet_status read_relations_query(struct terms *terms, struct params *params, unsigned parts,
                                        stet_error *err) {
    stet_status status = STET_OK;
    if ((parts & TERMS_PARENT) != 0)
        status = params_maybe(params, "parent", &terms->sets_parent, &terms->parent, err);
    if (status != STET_OK || (parts & TERMS_LOCK) == 0) return status;
    status = params_text(params, "lock", &terms->lock, err);
    if (status == STET_OK)
        status = params_u64(params, "lock_token", UINT64_MAX, &terms->lock_token, err);
    if (status != STET_OK || (terms->lock.size > 0) == params_has(params, "lock_token"))
        return status;
    error_set(err, STET_BAD_REQUEST, "lock and lock_token belong together");
    error_field(err, "lock_token", 0);
    return STET_BAD_REQUEST;
}

static stet_status read_key_query(struct terms *terms, struct params *params, stet_error *err) {
    static const char *const names[] = {"client_mutation_id", "clientMutationId"};
    stet_status status = STET_OK;
    for (int i = 0; i < 2 && status == STET_OK; i++) {
        stet_view text = {0};
        status = params_text(params, names[i], &text, err);
        if (status == STET_OK && text.size > 0) status = set_key(terms, text, names[i], err);
    }
    return status;
}

static stet_status read_base_query(struct terms *terms, struct params *params, unsigned parts,
                                   stet_error *err) {
    uint64_t version = 0;
    stet_time time = 0;
    if ((parts & TERMS_BASE_VERSION) != 0 && params_has(params, "base_version")) {
        stet_status status = params_u64(params, "base_version", UINT64_MAX, &version, err);
        if (status == STET_OK)
            status = set_base(terms, STET_BASE_VERSION, version, "base_version", err);
        if (status != STET_OK) return status;
    }
    if ((parts & TERMS_BASE_UPDATED_AT) == 0 || !params_has(params, "base_updated_at"))
        return STET_OK;
    stet_status status = params_time(params, "base_updated_at", &time, err);
    if (status != STET_OK) return status;
    return set_base(terms, STET_BASE_UPDATED_AT, (uint64_t)time, "base_updated_at", err);
}

static stet_status read_query(struct terms *terms, struct params *params, unsigned parts,
                              stet_error *err) {
    stet_view text = {0};
    stet_time time = 0;
    stet_status status = STET_OK;
    if ((parts & TERMS_DRY_RUN) != 0) status = params_flag(params, "dry_run", &terms->dry_run, err);
    if (status == STET_OK && (parts & TERMS_KEY) != 0) status = read_key_query(terms, params, err);
    if (status == STET_OK) status = read_base_query(terms, params, parts, err);
    if (status == STET_OK && (parts & TERMS_STRATEGY) != 0)
        status = params_text(params, "on_conflict", &text, err);
    if (status == STET_OK && text.size > 0) status = set_strategy(terms, text, "on_conflict", err);
    if (status == STET_OK) status = read_relations_query(terms, params, parts, err);
    if (status != STET_OK || (parts & TERMS_MODIFIED_AT) == 0 || !params_has(params, "modified_at"))
        return status;
    status = params_time(params, "modified_at", &time, err);
    return status == STET_OK ? set_modified_at(terms, time, "modified_at", err) : status;
}

stet_status terms_read(struct terms *terms, struct request *request, unsigned parts,
                       stet_error *err) {
    const struct headers *headers = &request->headers;
    *terms = (struct terms){.prefer = prefer_parse(headers->prefer)};
    stet_status status = read_preconditions(terms, headers, parts, err);
    if (status == STET_OK && headers->idempotency_key.bytes != NULL) {
        if ((parts & TERMS_KEY) == 0)
            return bad_header("Idempotency-Key", "a mutation key means nothing here", err);
        status = set_key(terms, headers->idempotency_key, "Idempotency-Key", err);
    }
    if (status == STET_OK && request->params.count > 0)
        status = read_query(terms, &request->params, parts, err);
    return status;
}

member_set terms_members(unsigned parts) {
    static const struct {
        enum terms_part part;
        enum member member;
    } members[] = {
        {TERMS_KEY, MEMBER_CLIENT_MUTATION_ID},
        {TERMS_BASE_VERSION, MEMBER_BASE_VERSION},
        {TERMS_BASE_UPDATED_AT, MEMBER_BASE_UPDATED_AT},
        {TERMS_STRATEGY, MEMBER_ON_CONFLICT},
        {TERMS_MODIFIED_AT, MEMBER_MODIFIED_AT},
        {TERMS_PARENT, MEMBER_PARENT},
        {TERMS_LOCK, MEMBER_LOCK},
    };
    member_set bits = 0;
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++)
        if ((parts & members[i].part) != 0) bits |= MEMBER_BIT(members[i].member);
    return bits;
}

static stet_status read_lock(const struct body *body, stet_mutation *mutation, stet_error *err) {
    struct body lock;
    uint64_t token = 0;
    stet_view name = {0};
    stet_view prefix = arena_format(body->arena, "%s/lock", body->prefix);
    if (prefix.bytes == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    stet_status status =
        body_read(&lock, body->arena, body->doc, body->nodes[MEMBER_LOCK],
                  MEMBER_BIT(MEMBER_NAME) | MEMBER_BIT(MEMBER_TOKEN), prefix.bytes, err);
    if (status == STET_OK) status = body_text(&lock, MEMBER_NAME, &name, err);
    if (status == STET_OK) status = body_u64(&lock, MEMBER_TOKEN, &token, err);
    if (status != STET_OK) return status;
    if (name.size == 0) return body_bad(&lock, MEMBER_NAME, "is missing", err);
    if (!body_has(&lock, MEMBER_TOKEN)) return body_bad(&lock, MEMBER_TOKEN, "is missing", err);
    if (mutation->lock.size > 0 &&
        (!view_equal(mutation->lock, name) || mutation->lock_token != token))
        return body_bad(body, MEMBER_LOCK, "differs from the one in the query", err);
    mutation->lock = name;
    mutation->lock_token = token;
    return STET_OK;
}

stet_status terms_read_relations(const struct body *body, stet_mutation *mutation,
                                 stet_error *err) {
    if (body_has(body, MEMBER_PARENT) || body_is_null(body, MEMBER_PARENT)) {
        stet_view parent = {0};
        doc_node node = body->nodes[MEMBER_PARENT];
        /* An empty text says the same as null: a root. */
        bool is_root = node == DOC_NONE || view_equal(doc_text(body->doc, node), VIEW("\"\""));
        stet_status status = is_root ? STET_OK : body_text(body, MEMBER_PARENT, &parent, err);
        if (status != STET_OK) return status;
        if (mutation->sets_parent && !view_equal(mutation->parent, parent))
            return body_bad(body, MEMBER_PARENT, "differs from the one in the query", err);
        mutation->parent = parent;
        mutation->sets_parent = true;
    }
    return body_has(body, MEMBER_LOCK) ? read_lock(body, mutation, err) : STET_OK;
}

stet_status terms_read_body(struct terms *terms, const struct body *body, stet_error *err) {
    stet_view text = {0};
    uint64_t version = 0;
    stet_time time = 0;
    stet_status status = STET_OK;
    stet_mutation relations = {.parent = terms->parent,
                               .sets_parent = terms->sets_parent,
                               .lock = terms->lock,
                               .lock_token = terms->lock_token};
    status = terms_read_relations(body, &relations, err);
    if (status != STET_OK) return status;
    terms->parent = relations.parent;
    terms->sets_parent = relations.sets_parent;
    terms->lock = relations.lock;
    terms->lock_token = relations.lock_token;
    if (body_has(body, MEMBER_BASE_VERSION)) {
        status = body_u64(body, MEMBER_BASE_VERSION, &version, err);
        if (status == STET_OK)
            status = set_base(terms, STET_BASE_VERSION, version, "/base_version", err);
        if (status != STET_OK) return status;
    }
    if (body_has(body, MEMBER_BASE_UPDATED_AT)) {
        status = body_time(body, MEMBER_BASE_UPDATED_AT, &time, err);
        if (status == STET_OK)
            status = set_base(terms, STET_BASE_UPDATED_AT, (uint64_t)time, "/base_updated_at", err);
        if (status != STET_OK) return status;
    }
    status = body_text(body, MEMBER_ON_CONFLICT, &text, err);
    if (status == STET_OK && text.size > 0) status = set_strategy(terms, text, "/on_conflict", err);
    if (status != STET_OK) return status;
    text = (stet_view){0};
    status = body_text(body, MEMBER_CLIENT_MUTATION_ID, &text, err);
    if (status == STET_OK && text.size > 0)
        status = set_key(terms, text, "/client_mutation_id", err);
    if (status != STET_OK || !body_has(body, MEMBER_MODIFIED_AT)) return status;
    status = body_time(body, MEMBER_MODIFIED_AT, &time, err);
    return status == STET_OK ? set_modified_at(terms, time, "/modified_at", err) : status;
}

stet_status terms_read_mutations(struct terms *terms, const struct body *body,
                                 stet_mutation **mutations, size_t *count, stet_error *err) {
    stet_status status = terms_read_body(terms, body, err);
    if (status == STET_OK) status = mutations_read(body, mutations, count, err);
    if (status == STET_OK && *count == 0)
        status = body_bad(body, MEMBER_MUTATIONS, "must be an array of at least one", err);
    return status;
}

/* ---- The answer ---- */

int terms_http(const stet_outcome *outcome) {
    return outcome->parked ? 202 : outcome->created ? 201 : 200;
}

static int refusal_http(const struct terms *terms, stet_status status) {
    bool stale = status == STET_CONCURRENT_MODIFICATION && terms->base.kind != STET_BASE_ABSENT;
    bool there = status == STET_ALREADY_EXISTS && terms->base.kind == STET_BASE_ABSENT;
    return terms->base_in_header && (stale || there) ? 412 : status_http(status);
}

/* The path of the record that a path is of or about: "/v1/main/records/tasks/1" of "…/1/revert". */
static stet_view record_path(stet_view path) {
    enum { SLASHES = 5 };
    unsigned slashes = 0;
    for (size_t i = 0; i < path.size; i++) {
        slashes += path.bytes[i] == '/';
        if (slashes > SLASHES) return view_make(path.bytes, i);
    }
    return path;
}

/* Where a created record is. One that the path does not name is found by its address. */
static const char *location(struct request *request, stet_view record) {
    struct doc doc;
    stet_view address;
    if (request->match.captures[CAPTURE_ID].size > 0 || request->method == METHOD_PUT) {
        stet_view base = request->loop->server->gate.base_path;
        stet_view path = record_path(request->path);
        return arena_format(&request->arena, "%.*s%.*s", VIEW_ARG(base), VIEW_ARG(path)).bytes;
    }
    if (doc_parse(&request->arena, record, &body_limits, &doc, NULL) != STET_OK) return NULL;
    doc_node node = doc_member(&doc, 0, VIEW("address"));
    if (node == DOC_NONE || doc_string(&request->arena, &doc, node, &address) != STET_OK)
        return NULL;
    return arena_format(&request->arena, "%.*s/v1/%.*s/records/%.*s",
                        VIEW_ARG(request->loop->server->gate.base_path),
                        VIEW_ARG(request->match.captures[CAPTURE_SPACE]), VIEW_ARG(address))
        .bytes;
}

/* In decimal, at the end of `out`: printf takes ten times as long. */
static const char *format_number(uint64_t number, char out[24]) {
    char *at = out + 23;
    *at = '\0';
    do {
        *--at = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return at;
}

static void add_extra(struct reply *reply, const char *name, const char *value) {
    if (value == NULL) return;
    reply->extra[reply->extra_count].name = name;
    reply->extra[reply->extra_count++].value = value;
}

void terms_reply(struct request *request) {
    const struct terms *terms = request->state;
    const stet_outcome *outcome = stet_command_outcome(request->command);
    if (outcome->status != STET_OK) {
        request_refuse_outcome(request, refusal_http(terms, outcome->status), NULL);
        return;
    }
    char seq[24];
    struct reply reply = {
        .http = terms_http(outcome),
        .body = outcome->body,
        .etag = outcome->parked ? STET_VERSION_NONE : outcome->version,
    };
    /* Who wants no body must still learn that the write did not take effect. */
    bool minimal = terms->prefer == PREFER_MINIMAL && !outcome->dropped && !outcome->parked;
    if (outcome->created && outcome->version != STET_VERSION_NONE && !terms->dry_run)
        add_extra(&reply, "Location", location(request, outcome->body));
    if (outcome->replayed) add_extra(&reply, "Idempotency-Replayed", "true");
    if (minimal) {
        reply.body = (stet_view){.bytes = "", .size = 0};
        if (!outcome->created) reply.http = 204;
        add_extra(&reply, "Preference-Applied", "return=minimal");
        add_extra(&reply, "Stet-Seq", format_number(outcome->seq, seq));
    } else if (terms->prefer == PREFER_REPRESENTATION) {
        add_extra(&reply, "Preference-Applied", "return=representation");
    }
    request_reply(request, &reply);
}
