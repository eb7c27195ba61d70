/*
 * space, token, check: what an administrator does. Tokens belong to the whole server and live in its space "stet".
 */
#include "base/clock.h"
#include "base/error.h"
#include "base/view.h"
#include "cli/address.h"
#include "cli/answer.h"
#include "cli/cli.h"
#include "cli/span.h"
#include "doc/write.h"

#include <string.h>

static int spaces_get(struct cli *cli, struct arena *arena, struct answer *answer,
                      struct doc *doc) {
    struct buffer path;
    buffer_init(&path, arena, 0);
    buffer_append_text(&path, "/v1");
    return cli_get(cli, &path, arena, answer, doc);
}

/* A space in the list is an object with a name, or the name itself. */
static stet_view space_name(struct arena *arena, const struct doc *doc, doc_node space) {
    stet_view name = {0};
    if (doc_kind(doc, space) == DOC_OBJECT) return answer_text(arena, doc, space, "name");
    return doc_string(arena, doc, space, &name) == STET_OK ? name : (stet_view){0};
}

int run_space_list(struct cli *cli) {
    struct answer answer;
    struct doc doc;
    int code = spaces_get(cli, cli->arena, &answer, &doc);
    if (code != EXIT_DONE) return code;
    doc_node spaces = answer_member(&doc, 0, "spaces");
    if (cli->json) {
        fputs("{\"spaces\":", cli->out.stream);
        fwrite(answer_value(&doc, spaces).bytes, 1, answer_value(&doc, spaces).size,
               cli->out.stream);
        fputs("}\n", cli->out.stream);
        return EXIT_DONE;
    }
    if (spaces == DOC_NONE) return EXIT_DONE;
    for (doc_node space = doc_first(&doc, spaces); space != DOC_NONE;
         space = doc_next(&doc, space)) {
        terminal_text(&cli->out, COLOR_NONE, space_name(cli->arena, &doc, space));
        fputc('\n', cli->out.stream);
    }
    return EXIT_DONE;
}

static int space_send(struct cli *cli, const char *method, stet_view body, const char *done,
                      const char *done_before) {
    struct buffer path;
    struct answer answer;
    struct doc doc;
    stet_error err;
    buffer_init(&path, cli->arena, 0);
    buffer_append_text(&path, "/v1/");
    address_encode(&path, view_of(cli->args->arguments[0]));
    buffer_append_char(&path, '\0');
    if (buffer_status(&path) != STET_OK) {
        error_set(&err, buffer_status(&path), "out of memory");
        return cli_fail(cli, &err);
    }
    struct call call = {
        .method = method, .path = path.bytes, .content_type = "application/json", .body = body};
    int code = cli_send(cli, &call, cli->arena, &answer, &doc);
    if (code != EXIT_DONE) return code;
    if (cli->json) {
        cli_print_json(cli, answer.body.size > 0 ? answer.body : VIEW("{}"));
    } else {
        fprintf(cli->out.stream, "space %s %s\n", cli->args->arguments[0],
                answer.http == 200 ? done_before : done);
    }
    return EXIT_DONE;
}

int run_space_create(struct cli *cli) {
    return space_send(cli, "PUT", VIEW("{}"), "created", "was there already");
}

int run_space_delete(struct cli *cli) {
    return space_send(cli, "DELETE", (stet_view){0}, "deleted", "deleted");
}

/* "24h" from now, or an instant, in nanoseconds. */
static bool expiry_parse(stet_view text, int64_t now_ns, int64_t *out) {
    uint64_t seconds;
    if (clock_parse_rfc3339(text, out)) return true;
    if (!span_parse(text, &seconds)) return false;
    *out = now_ns + (int64_t)seconds * CLOCK_NS_PER_S;
    return true;
}

static void token_texts(const struct args *args, enum option_id option, const char *member,
                        struct json_writer *writer) {
    const struct args_value *value = &args->values[option];
    if (value->count == 0) return;
    json_key(writer, view_of(member));
    json_array_begin(writer);
    for (size_t i = 0; i < value->count; i++)
        json_text(writer, view_of(value->texts[i]));
    json_array_end(writer);
}

static stet_status token_request(struct cli *cli, struct buffer *body, stet_error *err) {
    const struct args *args = cli->args;
    struct json_writer writer;
    const char *actor = args_text(args, OPTION_TOKEN_ACTOR);
    const char *expires = args_text(args, OPTION_EXPIRES);
    int64_t expires_ns = 0;
    if (actor == NULL)
        return error_set(err, STET_BAD_REQUEST, "say who the token stands for: --actor NAME");
    if (!view_is_utf8(view_of(actor)) ||
        !view_is_utf8(view_of(args_given(args, OPTION_NAME) ? args_text(args, OPTION_NAME) : ""))) {
        return error_set(err, STET_BAD_REQUEST, "a name must be UTF-8");
    }
    if (expires != NULL &&
        !expiry_parse(view_of(expires), clock_wall_ns(clock_system()), &expires_ns)) {
        return error_set(err, STET_BAD_REQUEST,
                         "--expires must be like 24h, 7d or 2026-03-01T12:00:00Z, not \"%s\"",
                         expires);
    }
    json_begin(&writer, body);
    json_object_begin(&writer);
    json_member_text(&writer, VIEW("actor"), view_of(actor));
    if (args_given(args, OPTION_NAME))
        json_member_text(&writer, VIEW("name"), view_of(args_text(args, OPTION_NAME)));
    json_member_bool(&writer, VIEW("admin"), args_switch(args, OPTION_ADMIN));
    json_member_bool(&writer, VIEW("replace"), args_switch(args, OPTION_REPLACE));
    token_texts(args, OPTION_ROLE, "roles", &writer);
    token_texts(args, OPTION_SCOPE, "scopes", &writer);
    if (expires != NULL) {
        json_key(&writer, VIEW("expires_at"));
        json_rfc3339(&writer, expires_ns);
    }
    json_object_end(&writer);
    return json_end(&writer) == STET_OK ? STET_OK : error_set(err, STET_NO_MEMORY, "out of memory");
}

int run_token_create(struct cli *cli) {
    struct buffer body;
    struct answer answer;
    struct doc doc;
    stet_error err;
    buffer_init(&body, cli->arena, 0);
    if (token_request(cli, &body, &err) != STET_OK) return cli_fail(cli, &err);
    struct call call = {.method = "POST",
                        .path = "/v1/stet/tokens",
                        .content_type = "application/json",
                        .body = buffer_view(&body)};
    int code = cli_send(cli, &call, cli->arena, &answer, &doc);
    if (code != EXIT_DONE) return code;
    if (cli->json) {
        cli_print_json(cli, answer.body);
        return EXIT_DONE;
    }
    terminal_text(&cli->out, COLOR_NONE, answer_text(cli->arena, &doc, 0, "token"));
    fputc('\n', cli->out.stream);
    fflush(cli->out.stream);
    if (cli->out.width > 0) {
        fprintf(cli->errors.stream,
                "This is the only time it is shown. To revoke it: stet token revoke %.*s\n",
                VIEW_ARG(answer_text(cli->arena, &doc, 0, "id")));
    }
    return EXIT_DONE;
}

static int tokens_get(struct cli *cli, struct answer *answer, struct doc *doc, doc_node *tokens) {
    struct buffer path;
    buffer_init(&path, cli->arena, 0);
    buffer_append_text(&path, "/v1/stet/tokens");
    int code = cli_get(cli, &path, cli->arena, answer, doc);
    if (code != EXIT_DONE) return code;
    *tokens = answer_member(doc, 0, "tokens");
    return EXIT_DONE;
}

/* Whether a token is one of --actor and --name, as far as they are given. */
static bool token_is_meant(struct cli *cli, const struct doc *doc, doc_node token) {
    static const struct {
        enum option_id option;
        const char *member;
    } filters[] = {{OPTION_TOKEN_ACTOR, "actor"}, {OPTION_NAME, "name"}};
    for (size_t i = 0; i < 2; i++) {
        const char *wanted = args_text(cli->args, filters[i].option);
        if (wanted == NULL) continue;
        if (!view_equal(answer_text(cli->arena, doc, token, filters[i].member), view_of(wanted)))
            return false;
    }
    return true;
}

static doc_node token_next(struct cli *cli, const struct doc *doc, doc_node tokens,
                           doc_node token) {
    if (tokens == DOC_NONE) return DOC_NONE;
    token = token == DOC_NONE ? doc_first(doc, tokens) : doc_next(doc, token);
    while (token != DOC_NONE && !token_is_meant(cli, doc, token))
        token = doc_next(doc, token);
    return token;
}

static void print_tokens_json(struct cli *cli, const struct doc *doc, doc_node tokens) {
    const char *separator = "";
    fputs("{\"tokens\":[", cli->out.stream);
    for (doc_node token = DOC_NONE; (token = token_next(cli, doc, tokens, token)) != DOC_NONE;
         separator = ",") {
        fprintf(cli->out.stream, "%s%.*s", separator, VIEW_ARG(doc_text(doc, token)));
    }
    fputs("]}\n", cli->out.stream);
}

int run_token_list(struct cli *cli) {
    static const char *const names[] = {"ID", "ADMIN", "CREATED", "EXPIRES", "ACTOR", "NAME"};
    struct answer answer;
    struct doc doc;
    struct table table;
    stet_error err;
    doc_node tokens;
    int code = tokens_get(cli, &answer, &doc, &tokens);
    if (code != EXIT_DONE) return code;
    if (cli->json) {
        print_tokens_json(cli, &doc, tokens);
        return EXIT_DONE;
    }
    table_init(&table, cli->arena, 6);
    table_titles(&table, names);
    for (doc_node token = DOC_NONE; (token = token_next(cli, &doc, tokens, token)) != DOC_NONE;) {
        stet_view expires =
            answer_time(cli->arena, answer_text(cli->arena, &doc, token, "expires_at"));
        table_add(&table, COLOR_BOLD, answer_text(cli->arena, &doc, token, "id"));
        table_add(&table, COLOR_NONE, answer_bool(&doc, token, "admin") ? VIEW("yes") : VIEW("no"));
        table_add(&table, COLOR_NONE,
                  answer_time(cli->arena, answer_text(cli->arena, &doc, token, "created_at")));
        table_add(&table, COLOR_NONE, expires.size > 0 ? expires : VIEW("never"));
        table_add(&table, COLOR_NONE, answer_text(cli->arena, &doc, token, "actor"));
        table_add(&table, COLOR_NONE, answer_text(cli->arena, &doc, token, "name"));
    }
    return table_print(&table, &cli->out, "", &err) == STET_OK ? EXIT_DONE : cli_fail(cli, &err);
}

static int token_revoke(struct cli *cli, stet_view id) {
    struct buffer path;
    struct answer answer;
    struct doc doc;
    stet_error err;
    buffer_init(&path, cli->arena, 0);
    buffer_append_text(&path, "/v1/stet/tokens/");
    address_encode(&path, id);
    buffer_append_char(&path, '\0');
    if (buffer_status(&path) != STET_OK) {
        error_set(&err, buffer_status(&path), "out of memory");
        return cli_fail(cli, &err);
    }
    int code = cli_send(cli, &(struct call){.method = "DELETE", .path = path.bytes}, cli->arena,
                        &answer, &doc);
    if (code != EXIT_DONE) return code;
    if (cli->json) {
        cli_print_json(cli, answer.body.size > 0 ? answer.body : VIEW("{}"));
    } else {
        fputs("token ", cli->out.stream);
        terminal_text(&cli->out, COLOR_NONE, id);
        fputs(" revoked\n", cli->out.stream);
    }
    return EXIT_DONE;
}

int run_token_revoke(struct cli *cli) {
    struct answer answer;
    struct doc doc;
    stet_error err;
    doc_node tokens;
    bool by_actor = args_given(cli->args, OPTION_TOKEN_ACTOR);
    bool by_id = cli->args->argument_count == 1;
    if (by_id == by_actor || (by_id && args_given(cli->args, OPTION_NAME))) {
        error_set(&err, STET_BAD_REQUEST,
                  "say which tokens: an ID, or --actor NAME with or without --name");
        return cli_fail(cli, &err);
    }
    if (by_id) return token_revoke(cli, view_of(cli->args->arguments[0]));
    int code = tokens_get(cli, &answer, &doc, &tokens);
    for (doc_node token = DOC_NONE;
         code == EXIT_DONE && (token = token_next(cli, &doc, tokens, token)) != DOC_NONE;) {
        code = token_revoke(cli, answer_text(cli->arena, &doc, token, "id"));
    }
    return code;
}

static int check_one(struct cli *cli, stet_view space) {
    struct arena arena;
    struct buffer path;
    struct answer answer;
    struct doc doc;
    arena_init(&arena, 16 * 1024);
    buffer_init(&path, &arena, 0);
    buffer_append_text(&path, "/v1/");
    address_encode(&path, space);
    buffer_append_text(&path, "/check");
    int code = cli_get(cli, &path, &arena, &answer, &doc);
    if (code != EXIT_DONE) goto done;
    if (!answer_bool(&doc, 0, "ok")) code = EXIT_FAILED;
    if (cli->json) {
        cli_print_json(cli, answer.body);
        goto done;
    }
    terminal_text(&cli->out, COLOR_BOLD, space);
    fputc(' ', cli->out.stream);
    terminal_text(&cli->out, code == EXIT_DONE ? COLOR_GREEN : COLOR_RED,
                  code == EXIT_DONE ? VIEW("is sound") : VIEW("IS DAMAGED"));
    fprintf(cli->out.stream, " up to position %llu\n",
            (unsigned long long)answer_u64(&doc, 0, "seq"));
    doc_node findings = answer_member(&doc, 0, "findings");
    for (doc_node finding = findings == DOC_NONE ? DOC_NONE : doc_first(&doc, findings);
         finding != DOC_NONE; finding = doc_next(&doc, finding)) {
        stet_view text = doc_text(&doc, finding);
        doc_string(&arena, &doc, finding, &text);
        fputs("  ", cli->out.stream);
        terminal_text(&cli->out, COLOR_NONE, text);
        fputc('\n', cli->out.stream);
    }
done:
    arena_done(&arena);
    return code;
}

int run_check(struct cli *cli) {
    struct answer answer;
    struct doc doc;
    bool system_seen = false;
    if (args_given(cli->args, OPTION_SPACE))
        return check_one(cli, view_of(args_text(cli->args, OPTION_SPACE)));
    int code = spaces_get(cli, cli->arena, &answer, &doc);
    if (code != EXIT_DONE) return code;
    doc_node spaces = answer_member(&doc, 0, "spaces");
    for (doc_node space = spaces == DOC_NONE ? DOC_NONE : doc_first(&doc, spaces);
         space != DOC_NONE; space = doc_next(&doc, space)) {
        stet_view name = space_name(cli->arena, &doc, space);
        if (view_equal(name, VIEW("stet"))) system_seen = true;
        int one = check_one(cli, name);
        if (code == EXIT_DONE) code = one;
    }
    if (!system_seen) {
        int one = check_one(cli, VIEW("stet"));
        if (code == EXIT_DONE) code = one;
    }
    if (code == EXIT_DONE && !cli->json) {
        fputs("Verified: the files' own structure; positions and times in order; transactions "
              "whole; versions\n"
              "without gap or fork; each record's current state the one its history ends in.\n",
              cli->out.stream);
    }
    return code;
}
