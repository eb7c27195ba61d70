/*
 * The server and its spaces: health, limits, spaces, statistics, tokens.
 */
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "doc/write.h"
#include "http/body.h"
#include "http/handlers.h"
#include "http/people.h"
#include "http/request.h"

#define SYSTEM_SPACE VIEW("stet")

static void reply_buffer(struct request *request, const struct buffer *buffer) {
    if (buffer_status(buffer) != STET_OK) {
        stet_error err;
        error_set(&err, STET_NO_MEMORY, "out of memory");
        request_refuse(request, &err);
        return;
    }
    struct reply reply = {.http = 200, .body = buffer_view(buffer)};
    request_reply(request, &reply);
}

void handle_health(struct request *request) {
    struct buffer buffer;
    struct json_writer writer;
    if (!request_params_done(request)) return;
    buffer_init(&buffer, &request->arena, 0);
    json_begin(&writer, &buffer);
    json_object_begin(&writer);
    json_member_text(&writer, VIEW("status"), VIEW("ok"));
    json_member_text(&writer, VIEW("version"), view_of(stet_version_text()));
    json_object_end(&writer);
    (void)json_end(&writer);
    reply_buffer(request, &buffer);
}

/* ---- /v1 ---- */

static const struct {
    const char *name;
    uint64_t value;
} limits[] = {
    {"space_name_bytes_max", SPACE_NAME_BYTES_MAX},
    {"type_bytes_max", TYPE_BYTES_MAX},
    {"id_bytes_max", ID_BYTES_MAX},
    {"actor_bytes_max", ACTOR_BYTES_MAX},
    {"mutation_key_bytes_max", MUTATION_KEY_BYTES_MAX},
    {"data_bytes_max", DATA_BYTES_MAX},
    {"json_depth_max", JSON_DEPTH_MAX},
    {"json_nodes_max", JSON_NODES_MAX},
    {"patch_ops_max", PATCH_OPS_MAX},
    {"transaction_mutations_max", TRANSACTION_MUTATIONS_MAX},
    {"transaction_bytes_max", TRANSACTION_BYTES_MAX},
    {"import_bytes_max", HTTP_IMPORT_BYTES_MAX},
    {"list_limit_default", LIST_LIMIT_DEFAULT},
    {"list_limit_max", LIST_LIMIT_MAX},
    {"history_limit_default", HISTORY_LIMIT_DEFAULT},
    {"history_limit_max", HISTORY_LIMIT_MAX},
    {"changes_limit_default", CHANGES_LIMIT_DEFAULT},
    {"changes_limit_max", CHANGES_LIMIT_MAX},
    {"wait_s_max", WAIT_S_MAX},
    {"min_seq_wait_ms_max", MIN_SEQ_WAIT_MS_MAX},
    {"subscription_filters_max", SUBSCRIPTION_FILTERS_MAX},
    {"header_bytes_max", HTTP_HEADER_BYTES_MAX},
    {"key_retention_s", KEY_RETENTION_S},
    {"resolution_token_ttl_s", RESOLUTION_TOKEN_TTL_S},
    {"bookmark_s", FEED_BOOKMARK_S},
};

/* Everybody sees every space but the server's own, which is for administrators. */
static void write_spaces(struct request *request, struct json_writer *writer, stet_view list) {
    struct doc doc;
    json_key(writer, VIEW("spaces"));
    json_array_begin(writer);
    if (doc_parse(&request->arena, list, &body_limits, &doc, NULL) == STET_OK) {
        doc_node spaces = doc_member(&doc, 0, VIEW("spaces"));
        doc_node space = spaces == DOC_NONE ? DOC_NONE : doc_first(&doc, spaces);
        for (; space != DOC_NONE; space = doc_next(&doc, space)) {
            stet_view name = {0};
            doc_node node = doc_member(&doc, space, VIEW("name"));
            if (node == DOC_NONE || doc_string(&request->arena, &doc, node, &name) != STET_OK ||
                (view_equal(name, SYSTEM_SPACE) && !request_is_server_admin(request)))
                continue;
            json_raw(writer, doc_text(&doc, space));
        }
    }
    json_array_end(writer);
}

static void root_reply(struct request *request) {
    struct buffer buffer;
    struct json_writer writer;
    const stet_outcome *outcome = stet_command_outcome(request->command);
    if (outcome->status != STET_OK) {
        request_reply_outcome(request);
        return;
    }
    buffer_init(&buffer, &request->arena, 0);
    json_begin(&writer, &buffer);
    json_object_begin(&writer);
    json_member_text(&writer, VIEW("name"), VIEW("stet"));
    json_member_text(&writer, VIEW("version"), view_of(stet_version_text()));
    json_member_text(&writer, VIEW("actor"), request->actor.id);
    json_member_bool(&writer, VIEW("admin"), request->actor.admin);
    json_key(&writer, VIEW("limits"));
    json_object_begin(&writer);
    for (size_t i = 0; i < sizeof limits / sizeof limits[0]; i++)
        json_member_u64(&writer, view_of(limits[i].name), limits[i].value);
    json_object_end(&writer);
    write_spaces(request, &writer, outcome->body);
    json_object_end(&writer);
    (void)json_end(&writer);
    reply_buffer(request, &buffer);
}

void handle_root(struct request *request) {
    stet_error err;
    stet_actor actor = {.id = request->actor.id, .admin = true};
    if (!request_params_done(request) || !request_open_space_named(request, SYSTEM_SPACE)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    stet_status status = stet_command_space_list(command, &err);
    if (request_ok(request, status, &err)) request_submit_as(request, &actor, root_reply);
}

/* ---- Spaces ---- */

void handle_stats(struct request *request) {
    stet_error err;
    if (!request_params_done(request) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    stet_status status = stet_command_stats(command, &err);
    if (request_ok(request, status, &err)) request_submit(request, request_reply_outcome);
}

void handle_space_get(struct request *request) { handle_stats(request); }

void handle_check(struct request *request) {
    stet_error err;
    if (!request_params_done(request) || !request_open_space(request)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    stet_status status = stet_command_check(command, &err);
    if (request_ok(request, status, &err)) request_submit(request, request_reply_outcome);
}

/* The ETag of a space or a token would be that of a record nobody can address. */
static void created_reply(struct request *request) {
    const stet_outcome *outcome = stet_command_outcome(request->command);
    if (outcome->status != STET_OK) {
        request_reply_outcome(request);
        return;
    }
    struct reply reply = {.http = outcome->created ? 201 : 200, .body = outcome->body};
    if (outcome->created && request->method == METHOD_PUT) {
        stet_view base = request->loop->server->gate.base_path;
        stet_view path =
            arena_format(&request->arena, "%.*s%.*s", VIEW_ARG(base), VIEW_ARG(request->path));
        if (path.bytes != NULL) {
            reply.extra[0].name = "Location";
            reply.extra[0].value = path.bytes;
            reply.extra_count = 1;
        }
    }
    request_reply(request, &reply);
}

/* PUT is idempotent: a space that is there already is answered as it is. */
static void reply_as_it_is(struct request *request) {
    stet_command_destroy(request->command);
    request->command = NULL;
    stet_space_close(request->space);
    request->space = NULL;
    handle_stats(request);
}

static void space_put_reply(struct request *request) {
    if (stet_command_outcome(request->command)->status == STET_ALREADY_EXISTS) {
        reply_as_it_is(request);
    } else {
        created_reply(request);
    }
}

static bool empty_body(struct request *request) {
    struct doc doc;
    struct body body;
    stet_error err;
    if (request->body.size == 0) return true;
    if (media_parse(request->headers.content_type) != MEDIA_JSON) {
        request_refuse_field(request, STET_UNSUPPORTED_MEDIA_TYPE, "Content-Type",
                             "the Content-Type must be application/json");
        return false;
    }
    stet_status status = request_parse_body(request, &doc, &err);
    if (status == STET_OK) status = body_read(&body, &request->arena, &doc, 0, 0, "", &err);
    return request_ok(request, status, &err);
}

void handle_space_put(struct request *request) {
    stet_error err;
    if (!request_params_done(request) || !empty_body(request) ||
        !request_open_space_named(request, SYSTEM_SPACE))
        return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    stet_status status =
        stet_command_space_create(command, request->match.captures[CAPTURE_SPACE], &err);
    if (status == STET_ALREADY_EXISTS) { /* The ones that always exist. */
        reply_as_it_is(request);
    } else if (request_ok(request, status, &err)) {
        request_submit(request, space_put_reply);
    }
}

/* That its record once was there is nobody's concern. */
static void space_delete_reply(struct request *request) {
    if (stet_command_outcome(request->command)->status == STET_DELETED) {
        request_refuse_field(request, STET_NOT_FOUND, "space", "there is no space \"%.*s\"",
                             VIEW_ARG(request->match.captures[CAPTURE_SPACE]));
    } else {
        created_reply(request);
    }
}

void handle_space_delete(struct request *request) {
    stet_error err;
    if (!request_params_done(request) || !request_open_space_named(request, SYSTEM_SPACE)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    stet_status status =
        stet_command_space_delete(command, request->match.captures[CAPTURE_SPACE], &err);
    if (request_ok(request, status, &err)) request_submit(request, space_delete_reply);
}

/* ---- Tokens ---- */

void handle_token_list(struct request *request) {
    stet_error err;
    if (!request_params_done(request) || !request_open_space_named(request, SYSTEM_SPACE)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    stet_status status = stet_command_token_list(command, &err);
    if (request_ok(request, status, &err)) request_submit(request, request_reply_outcome);
}

static void token_created(struct request *request) {
    const stet_outcome *outcome = stet_command_outcome(request->command);
    if (outcome->status != STET_OK) {
        request_reply_outcome(request);
        return;
    }
    /* The only time the token is seen: nobody may keep this answer. */
    struct reply reply = {.http = 201, .body = outcome->body, .cache = "no-store"};
    request_reply(request, &reply);
}

static stet_status read_token_request(struct request *request, stet_token_request *token,
                                      stet_error *err) {
    struct doc *doc = arena_zalloc(&request->arena, 1, sizeof *doc);
    struct body body;
    if (doc == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    if (media_parse(request->headers.content_type) != MEDIA_JSON) {
        error_set(err, STET_UNSUPPORTED_MEDIA_TYPE, "the Content-Type must be application/json");
        error_field(err, "Content-Type", 0);
        return STET_UNSUPPORTED_MEDIA_TYPE;
    }
    stet_status status = request_parse_body(request, doc, err);
    if (status == STET_OK) {
        status = body_read(&body, &request->arena, doc, 0,
                           MEMBER_BIT(MEMBER_ACTOR) | MEMBER_BIT(MEMBER_NAME) |
                               MEMBER_BIT(MEMBER_ADMIN) | MEMBER_BIT(MEMBER_EXPIRES_AT) |
                               MEMBER_BIT(MEMBER_REPLACE) | MEMBER_BIT(MEMBER_ROLES) |
                               MEMBER_BIT(MEMBER_SCOPES),
                           "", err);
    }
    if (status == STET_OK) status = body_text(&body, MEMBER_ACTOR, &token->actor, err);
    if (status == STET_OK && token->actor.size == 0)
        status = body_bad(&body, MEMBER_ACTOR, "is missing", err);
    if (status == STET_OK) status = body_text(&body, MEMBER_NAME, &token->name, err);
    if (status == STET_OK) status = body_flag(&body, MEMBER_ADMIN, &token->admin, err);
    if (status == STET_OK) status = body_flag(&body, MEMBER_REPLACE, &token->replace, err);
    if (status == STET_OK) status = body_time(&body, MEMBER_EXPIRES_AT, &token->expires_at, err);
    if (status == STET_OK)
        status = body_texts(&body, MEMBER_ROLES, &token->roles, &token->role_count, err);
    if (status == STET_OK) status = people_scopes(&body, &token->scopes, err);
    return status;
}

void handle_token_create(struct request *request) {
    stet_error err;
    stet_token_request token = {0};
    if (!request_params_done(request)) return;
    stet_status status = read_token_request(request, &token, &err);
    if (!request_ok(request, status, &err) || !request_open_space_named(request, SYSTEM_SPACE))
        return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    status = stet_command_token_create(command, &token, &err);
    if (request_ok(request, status, &err)) request_submit(request, token_created);
}

void handle_token_revoke(struct request *request) {
    stet_error err;
    if (!request_params_done(request) || !request_open_space_named(request, SYSTEM_SPACE)) return;
    stet_command *command = request_command(request);
    if (command == NULL) return;
    stet_status status =
        stet_command_token_revoke(command, request->match.captures[CAPTURE_TOKEN], &err);
    if (request_ok(request, status, &err)) request_submit(request, created_reply);
}
