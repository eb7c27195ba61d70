/*
 * user: the people of a space, by an administrator. Passwords are typed or come by standard input, never as arguments, which others on
 * the machine can see; or an administrator knows none and hands out a link by which its finder sets one.
 */
#include "base/error.h"
#include "base/view.h"
#include "cli/address.h"
#include "cli/answer.h"
#include "cli/cli.h"
#include "cli/password.h"
#include "cli/span.h"
#include "doc/write.h"

#include <string.h>

static void user_path(struct cli *cli, struct buffer *path) {
    cli_path(cli, path);
    buffer_append_text(path, "/users/");
    address_encode(path, view_of(cli->args->arguments[0]));
}

static void json_texts(struct json_writer *writer, const char *key, const char *const *texts,
                       size_t count) {
    json_key(writer, view_of(key));
    json_array_begin(writer);
    for (size_t i = 0; i < count; i++)
        json_text(writer, view_of(texts[i]));
    json_array_end(writer);
}

/* The members that options give: "roles", "scopes", "name", "email". */
static void write_options(const struct args *args, struct json_writer *writer) {
    static const struct {
        enum option_id option;
        const char *member;
        bool many;
    } members[] = {{OPTION_ROLE, "roles", true},
                   {OPTION_SCOPE, "scopes", true},
                   {OPTION_USER_NAME, "name", false},
                   {OPTION_EMAIL, "email", false}};
    for (size_t i = 0; i < sizeof members / sizeof members[0]; i++) {
        const struct args_value *value = &args->values[members[i].option];
        if (!args_given(args, members[i].option)) continue;
        if (members[i].many)
            json_texts(writer, members[i].member, value->texts, value->count);
        else
            json_member_text(writer, view_of(members[i].member), view_of(value->texts[0]));
    }
}

static void begin_body(struct json_writer *writer, struct buffer *body, struct cli *cli) {
    buffer_init(body, cli->arena, 0);
    json_begin(writer, body);
    json_object_begin(writer);
}

/* Ends the body and the path and sends them. */
static int send_body(struct cli *cli, const char *method, struct buffer *path,
                     struct json_writer *writer, struct buffer *body, struct answer *answer,
                     struct doc *doc) {
    stet_error err;
    json_object_end(writer);
    buffer_append_char(path, '\0');
    if (json_end(writer) != STET_OK || buffer_status(path) != STET_OK) {
        error_set(&err, STET_NO_MEMORY, "out of memory");
        return cli_fail(cli, &err);
    }
    struct call call = {.method = method,
                        .path = path->bytes,
                        .content_type = "application/json",
                        .body = buffer_view(body)};
    int code = cli_send(cli, &call, cli->arena, answer, doc);
    explicit_bzero(body->bytes, body->size);
    if (code == EXIT_DONE && cli->json) cli_print_json(cli, answer->body);
    return code;
}

static void say(struct cli *cli, stet_view user, const char *words) {
    fputs("user ", cli->out.stream);
    terminal_text(&cli->out, COLOR_NONE, user);
    fprintf(cli->out.stream, " %s\n", words);
}

/* ---- Links ---- */

/* kind: "invite" or "reset". user: NULL: who gets it chooses a login name. */
static int send_link(struct cli *cli, const char *kind, const char *user) {
    const struct args *args = cli->args;
    const char *expires = args_text(args, OPTION_LINK_EXPIRES);
    struct buffer path, body;
    struct json_writer writer;
    struct answer answer;
    struct doc doc;
    stet_error err;
    uint64_t ttl_s = 0;
    if (expires != NULL && (!span_parse(view_of(expires), &ttl_s) || ttl_s == 0)) {
        error_set(&err, STET_BAD_REQUEST, "--expires must be like 30m, 24h or 7d, not \"%s\"",
                  expires);
        return cli_fail(cli, &err);
    }
    cli_path(cli, &path);
    buffer_append_text(&path, "/links");
    begin_body(&writer, &body, cli);
    json_member_text(&writer, VIEW("kind"), view_of(kind));
    if (user != NULL) json_member_text(&writer, VIEW("user"), view_of(user));
    if (strcmp(kind, "invite") == 0) write_options(args, &writer);
    if (ttl_s > 0) json_member_u64(&writer, VIEW("ttl_s"), ttl_s);
    if (args_switch(args, OPTION_LINK_REPLACE)) json_member_bool(&writer, VIEW("replace"), true);
    int code = send_body(cli, "POST", &path, &writer, &body, &answer, &doc);
    if (code != EXIT_DONE || cli->json) return code;
    terminal_text(&cli->out, COLOR_NONE, answer_text(cli->arena, &doc, 0, "url"));
    fputc('\n', cli->out.stream);
    fflush(cli->out.stream);
    if (cli->out.width > 0)
        fputs("It works once, and this is the only time it is shown.\n", cli->errors.stream);
    return code;
}

int run_user_invite(struct cli *cli) { return send_link(cli, "invite", NULL); }

/* ---- Making and changing ---- */

int run_user_add(struct cli *cli) {
    struct buffer path, body;
    struct json_writer writer;
    struct answer answer;
    struct doc doc;
    stet_view password = {0};
    stet_error err;
    const char *id = cli->args->arguments[0];
    if (args_switch(cli->args, OPTION_LINK)) return send_link(cli, "invite", id);
    stet_status status = password_read(cli, &password, &err);
    if (status != STET_OK) return cli_fail(cli, &err);
    cli_path(cli, &path);
    buffer_append_text(&path, "/users");
    begin_body(&writer, &body, cli);
    json_member_text(&writer, VIEW("id"), view_of(id));
    write_options(cli->args, &writer);
    json_member_text(&writer, VIEW("password"), password);
    int code = send_body(cli, "POST", &path, &writer, &body, &answer, &doc);
    explicit_bzero((char *)(uintptr_t)password.bytes, password.size);
    if (code == EXIT_DONE && !cli->json) say(cli, answer_text(cli->arena, &doc, 0, "id"), "added");
    return code;
}

int run_user_passwd(struct cli *cli) {
    struct buffer path, body;
    struct json_writer writer;
    struct answer answer;
    struct doc doc;
    stet_view password = {0};
    stet_error err;
    if (args_switch(cli->args, OPTION_LINK))
        return send_link(cli, "reset", cli->args->arguments[0]);
    stet_status status = password_read(cli, &password, &err);
    if (status != STET_OK) return cli_fail(cli, &err);
    user_path(cli, &path);
    buffer_append_text(&path, "/password");
    begin_body(&writer, &body, cli);
    json_member_text(&writer, VIEW("new"), password);
    int code = send_body(cli, "POST", &path, &writer, &body, &answer, &doc);
    explicit_bzero((char *)(uintptr_t)password.bytes, password.size);
    if (code == EXIT_DONE && !cli->json)
        say(cli, answer_text(cli->arena, &doc, 0, "id"), "has a new password, and is logged out");
    return code;
}

static int set_disabled(struct cli *cli, bool disabled) {
    struct buffer path, body;
    struct json_writer writer;
    struct answer answer;
    struct doc doc;
    user_path(cli, &path);
    begin_body(&writer, &body, cli);
    json_member_bool(&writer, VIEW("disabled"), disabled);
    int code = send_body(cli, "PATCH", &path, &writer, &body, &answer, &doc);
    if (code == EXIT_DONE && !cli->json)
        say(cli, answer_text(cli->arena, &doc, 0, "id"),
            disabled ? "disabled, and logged out" : "enabled");
    return code;
}

int run_user_disable(struct cli *cli) { return set_disabled(cli, true); }
int run_user_enable(struct cli *cli) { return set_disabled(cli, false); }

/* "sales, support" */
static stet_view join(struct cli *cli, const struct doc *doc, doc_node list) {
    struct buffer text;
    buffer_init(&text, cli->arena, 0);
    for (doc_node one = list == DOC_NONE ? DOC_NONE : doc_first(doc, list); one != DOC_NONE;
         one = doc_next(doc, one)) {
        stet_view word = {0};
        if (text.size > 0) buffer_append_text(&text, ", ");
        if (doc_string(cli->arena, doc, one, &word) == STET_OK) buffer_append_view(&text, word);
    }
    return buffer_view(&text);
}

int run_user_role(struct cli *cli) {
    const struct args *args = cli->args;
    struct buffer path, body;
    struct json_writer writer;
    struct answer answer;
    struct doc doc;
    user_path(cli, &path);
    begin_body(&writer, &body, cli);
    json_texts(&writer, "roles", args->arguments + 1, args->argument_count - 1);
    int code = send_body(cli, "PATCH", &path, &writer, &body, &answer, &doc);
    if (code != EXIT_DONE || cli->json) return code;
    stet_view roles = join(cli, &doc, answer_member(&doc, 0, "roles"));
    fputs("user ", cli->out.stream);
    terminal_text(&cli->out, COLOR_NONE, answer_text(cli->arena, &doc, 0, "id"));
    fputs(" has the roles: ", cli->out.stream);
    terminal_text(&cli->out, COLOR_NONE, roles.size > 0 ? roles : VIEW("none, so is a member"));
    fputc('\n', cli->out.stream);
    return code;
}

/* ---- Looking ---- */

int run_user_list(struct cli *cli) {
    static const char *const names[] = {"LOGIN", "STATE", "PASSWORD", "CREATED", "ROLES", "NAME"};
    struct buffer path;
    struct answer answer;
    struct doc doc;
    struct table table;
    stet_error err;
    cli_path(cli, &path);
    buffer_append_text(&path, "/users");
    int code = cli_get(cli, &path, cli->arena, &answer, &doc);
    if (code != EXIT_DONE) return code;
    if (cli->json) {
        cli_print_json(cli, answer.body);
        return EXIT_DONE;
    }
    doc_node users = answer_member(&doc, 0, "users");
    table_init(&table, cli->arena, 6);
    table_titles(&table, names);
    for (doc_node user = users == DOC_NONE ? DOC_NONE : doc_first(&doc, users); user != DOC_NONE;
         user = doc_next(&doc, user)) {
        table_add(&table, COLOR_BOLD, answer_text(cli->arena, &doc, user, "id"));
        table_add(&table, COLOR_NONE,
                  answer_bool(&doc, user, "disabled") ? VIEW("disabled") : VIEW("enabled"));
        table_add(&table, COLOR_NONE,
                  answer_bool(&doc, user, "has_password") ? VIEW("set") : VIEW("none"));
        table_add(&table, COLOR_NONE,
                  answer_time(cli->arena, answer_text(cli->arena, &doc, user, "created_at")));
        table_add(&table, COLOR_NONE, join(cli, &doc, answer_member(&doc, user, "roles")));
        table_add(&table, COLOR_NONE, answer_text(cli->arena, &doc, user, "name"));
    }
    return table_print(&table, &cli->out, "", &err) == STET_OK ? EXIT_DONE : cli_fail(cli, &err);
}

static void sessions_path(struct cli *cli, struct buffer *path) {
    cli_path(cli, path);
    buffer_append_text(path, "/sessions");
    cli_query(path, "user", view_of(cli->args->arguments[0]));
}

static int sessions_end(struct cli *cli) {
    struct buffer path;
    struct answer answer;
    struct doc doc;
    stet_error err;
    sessions_path(cli, &path);
    cli_query(&path, "all", VIEW("1"));
    buffer_append_char(&path, '\0');
    if (buffer_status(&path) != STET_OK) {
        error_set(&err, STET_NO_MEMORY, "out of memory");
        return cli_fail(cli, &err);
    }
    struct call call = {.method = "DELETE", .path = path.bytes};
    int code = cli_send(cli, &call, cli->arena, &answer, &doc);
    if (code != EXIT_DONE) return code;
    if (cli->json)
        cli_print_json(cli, answer.body);
    else
        fprintf(cli->out.stream, "%llu sessions ended\n",
                (unsigned long long)answer_u64(&doc, 0, "ended"));
    return EXIT_DONE;
}

int run_user_sessions(struct cli *cli) {
    static const char *const names[] = {"ID", "CREATED", "USED", "EXPIRES", "ADDRESS", "NAME"};
    static const char *const times[] = {"created_at", "used_at", "expires_at"};
    struct buffer path;
    struct answer answer;
    struct doc doc;
    struct table table;
    stet_error err;
    if (args_switch(cli->args, OPTION_REVOKE)) return sessions_end(cli);
    sessions_path(cli, &path);
    int code = cli_get(cli, &path, cli->arena, &answer, &doc);
    if (code != EXIT_DONE) return code;
    if (cli->json) {
        cli_print_json(cli, answer.body);
        return EXIT_DONE;
    }
    doc_node sessions = answer_member(&doc, 0, "sessions");
    table_init(&table, cli->arena, 6);
    table_titles(&table, names);
    for (doc_node one = sessions == DOC_NONE ? DOC_NONE : doc_first(&doc, sessions);
         one != DOC_NONE; one = doc_next(&doc, one)) {
        table_add(&table, COLOR_BOLD, answer_text(cli->arena, &doc, one, "id"));
        for (size_t i = 0; i < 3; i++)
            table_add(&table, COLOR_NONE,
                      answer_time(cli->arena, answer_text(cli->arena, &doc, one, times[i])));
        table_add(&table, COLOR_NONE, answer_text(cli->arena, &doc, one, "address"));
        table_add(&table, COLOR_NONE, answer_text(cli->arena, &doc, one, "name"));
    }
    return table_print(&table, &cli->out, "", &err) == STET_OK ? EXIT_DONE : cli_fail(cli, &err);
}
