/*
 * conflicts, inbox: what waits for a person, looking at it side by side, opening it again. Settling it: resolve.c.
 */
#include "cli/conflicts.h"

#include "base/error.h"
#include "base/view.h"
#include "cli/address.h"
#include "doc/write.h"

void cli_conflict_path(struct cli *cli, struct buffer *path, const char *what, const char *id,
                       const char *rest) {
    cli_path(cli, path);
    buffer_append_text(path, what);
    if (id == NULL) return;
    buffer_append_char(path, '/');
    address_encode(path, view_of(id));
    buffer_append_text(path, rest);
}

/* ---- Lists ------------------------------------------------------------------------------- */

static const char *const titles[] = {"ID", "STATE", "RECORD", "FIELDS", "BY", "UNTIL"};
enum { COLUMNS = 6 };

static stet_view fields_of(struct arena *arena, const struct doc *doc, doc_node item) {
    doc_node list = answer_member(doc, item, "affected_data");
    stet_view text = {0};
    if (list == DOC_NONE || doc_kind(doc, list) != DOC_ARRAY) return VIEW("-");
    for (doc_node node = doc_first(doc, list); node != DOC_NONE; node = doc_next(doc, node)) {
        stet_view pointer;
        if (doc_string(arena, doc, node, &pointer) != STET_OK) continue;
        if (pointer.size == 0) pointer = VIEW("(whole record)");
        text = text.size == 0 ? pointer
                              : arena_format(arena, "%.*s %.*s", VIEW_ARG(text), VIEW_ARG(pointer));
    }
    return text.size == 0 ? VIEW("-") : text;
}

static void add_item(struct cli *cli, struct table *table, const struct doc *doc, doc_node item) {
    struct arena *arena = cli->arena;
    stet_view state = answer_text(arena, doc, item, "state");
    bool open = view_equal(state, VIEW("open"));
    doc_node read = answer_member(doc, item, "read");
    bool unread = read != DOC_NONE && !answer_bool(doc, item, "read");
    stet_view by = answer_text(arena, doc, item, open ? "by" : "overwritten_by");
    if (by.size == 0) by = answer_text(arena, doc, item, "resolved_by");
    table_add(table, unread ? COLOR_BOLD : COLOR_NONE, answer_text(arena, doc, item, "id"));
    table_add(table, open ? COLOR_YELLOW : COLOR_NONE, state);
    table_add(table, COLOR_NONE, answer_text(arena, doc, item, "address"));
    table_add(table, COLOR_NONE, fields_of(arena, doc, item));
    table_add(table, COLOR_NONE, by.size == 0 ? VIEW("-") : by);
    table_add(table, COLOR_NONE,
              open ? answer_time(arena, answer_text(arena, doc, item, "deadline")) : VIEW("-"));
}

static int list(struct cli *cli, struct buffer *path, const char *member, const char *nothing) {
    struct table table;
    struct answer answer;
    struct doc doc;
    stet_error err;
    if (args_given(cli->args, OPTION_LIMIT))
        cli_query_u64(path, "limit", args_number(cli->args, OPTION_LIMIT));
    if (args_given(cli->args, OPTION_AFTER))
        cli_query(path, "after", view_of(args_text(cli->args, OPTION_AFTER)));
    int code = cli_get(cli, path, cli->arena, &answer, &doc);
    if (code != EXIT_DONE) return code;
    if (cli->json) {
        cli_print_json(cli, answer.body);
        return EXIT_DONE;
    }
    doc_node items = answer_member(&doc, 0, member);
    stet_view next = answer_text(cli->arena, &doc, 0, "next");
    if (items == DOC_NONE || doc_count(&doc, items) == 0) {
        /* A page may be empty and not be the last. */
        if (next.size == 0) fprintf(cli->out.stream, "%s\n", nothing);
    } else {
        table_init(&table, cli->arena, COLUMNS);
        table_titles(&table, titles);
        for (doc_node item = doc_first(&doc, items); item != DOC_NONE; item = doc_next(&doc, item))
            add_item(cli, &table, &doc, item);
        if (table_print(&table, &cli->out, "", &err) != STET_OK) return cli_fail(cli, &err);
    }
    if (answer_u64(&doc, 0, "unread") > 0)
        fprintf(cli->errors.stream, "%llu unread: --unread lists them alone\n",
                (unsigned long long)answer_u64(&doc, 0, "unread"));
    if (next.size > 0) fprintf(cli->errors.stream, "There is more: --after %.*s\n", VIEW_ARG(next));
    return EXIT_DONE;
}

int run_conflicts(struct cli *cli) {
    static const struct {
        enum option_id option;
        const char *name;
    } filters[] = {{OPTION_TYPE, "type"},
                   {OPTION_RECORD, "record"},
                   {OPTION_PERSON, "person"},
                   {OPTION_STATE, "state"}};
    struct buffer path;
    cli_conflict_path(cli, &path, "/conflicts", NULL, "");
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++)
        if (args_given(cli->args, filters[i].option))
            cli_query(&path, filters[i].name, view_of(args_text(cli->args, filters[i].option)));
    if (args_given(cli->args, OPTION_OLDER_THAN))
        cli_query_u64(&path, "older_than", args_number(cli->args, OPTION_OLDER_THAN));
    return list(cli, &path, "conflicts", "no conflicts");
}

int run_inbox(struct cli *cli) {
    struct buffer path;
    cli_conflict_path(cli, &path, "/inbox", NULL, "");
    if (args_switch(cli->args, OPTION_UNREAD)) cli_query(&path, "unread", VIEW("1"));
    return list(cli, &path, "items",
                args_switch(cli->args, OPTION_UNREAD) ? "nothing unread" : "your inbox is empty");
}

/* ---- One --------------------------------------------------------------------------------- */

int cli_conflict_get(struct cli *cli, struct answer *answer, struct doc *doc) {
    struct buffer path;
    cli_conflict_path(cli, &path, "/conflicts", cli->args->arguments[0], "");
    return cli_get(cli, &path, cli->arena, answer, doc);
}

int run_conflicts_show(struct cli *cli) {
    struct answer answer;
    struct doc doc;
    int code = cli_conflict_get(cli, &answer, &doc);
    if (code != EXIT_DONE) return code;
    if (cli->json) {
        cli_print_json(cli, answer.body);
    } else {
        conflict_show(&cli->out, cli->arena, &doc);
    }
    return EXIT_DONE;
}

/* ---- Opening again ---- */

int cli_conflict_said(struct cli *cli, const struct answer *answer, const struct doc *doc,
                      const char *done) {
    if (cli->json) {
        cli_print_json(cli, answer->body);
        return EXIT_DONE;
    }
    uint64_t version = answer_u64(doc, 0, "result_version");
    fputs(done, cli->out.stream);
    terminal_text(&cli->out, COLOR_BOLD, answer_text(cli->arena, doc, 0, "address"));
    if (version > 0)
        fprintf(cli->out.stream, " %s version %llu",
                answer_bool(doc, 0, "unchanged") ? "stays at" : "is at",
                (unsigned long long)version);
    if (answer_bool(doc, answer_member(doc, 0, "record"), "deleted"))
        fputs(" (deleted)", cli->out.stream);
    fputc('\n', cli->out.stream);
    return EXIT_DONE;
}

/* What it opens again is what it has just seen, unless --base names what somebody saw earlier. */
int run_conflicts_reopen(struct cli *cli) {
    struct buffer path;
    struct answer answer;
    struct doc doc;
    stet_error err;
    uint64_t version = args_number(cli->args, OPTION_BASE);
    if (!args_given(cli->args, OPTION_BASE)) {
        int code = cli_conflict_get(cli, &answer, &doc);
        if (code != EXIT_DONE) return code;
        version = answer_u64(&doc, 0, "version");
        if (version == 0) version = answer_u64(&doc, 0, "result_version");
    }
    stet_view header = arena_format(cli->arena, "If-Match: \"%llu\"", (unsigned long long)version);
    if (header.bytes == NULL) {
        error_set(&err, STET_NO_MEMORY, "out of memory");
        return cli_fail(cli, &err);
    }
    cli_conflict_path(cli, &path, "/conflicts", cli->args->arguments[0], "/reopen");
    buffer_append_char(&path, '\0');
    struct call call = {.method = "POST", .path = path.bytes, .headers = {header.bytes}};
    int code = cli_send(cli, &call, cli->arena, &answer, &doc);
    if (code != EXIT_DONE) return code;
    if (cli->json) {
        cli_print_json(cli, answer.body);
        return EXIT_DONE;
    }
    fputs("open again: ", cli->out.stream);
    terminal_text(&cli->out, COLOR_BOLD, answer_text(cli->arena, &doc, 0, "address"));
    fputs(", until ", cli->out.stream);
    terminal_text(&cli->out, COLOR_NONE,
                  answer_time(cli->arena, answer_text(cli->arena, &doc, 0, "deadline")));
    fputc('\n', cli->out.stream);
    return EXIT_DONE;
}

/* ---- The inbox --------------------------------------------------------------------------- */

int run_inbox_read(struct cli *cli) {
    struct buffer path, buffer;
    struct json_writer body;
    struct answer answer;
    struct doc doc;
    stet_error err;
    buffer_init(&buffer, cli->arena, 0);
    json_begin(&body, &buffer);
    json_object_begin(&body);
    if (cli->args->argument_count == 0) {
        json_member_bool(&body, VIEW("all"), true);
    } else {
        json_key(&body, VIEW("ids"));
        json_array_begin(&body);
        for (size_t i = 0; i < cli->args->argument_count; i++)
            json_text(&body, view_of(cli->args->arguments[i]));
        json_array_end(&body);
    }
    json_object_end(&body);
    if (json_end(&body) != STET_OK) {
        error_set(&err, STET_BAD_REQUEST, "an id is not UTF-8");
        return cli_fail(cli, &err);
    }
    cli_conflict_path(cli, &path, "/inbox/read", NULL, "");
    buffer_append_char(&path, '\0');
    struct call call = {.method = "POST",
                        .path = path.bytes,
                        .content_type = "application/json",
                        .body = buffer_view(&buffer),
                        .repeatable = true};
    int code = cli_send(cli, &call, cli->arena, &answer, &doc);
    if (code != EXIT_DONE) return code;
    if (cli->json) {
        cli_print_json(cli, answer.body);
        return EXIT_DONE;
    }
    fprintf(cli->out.stream, "marked %llu as read, %llu unread\n",
            (unsigned long long)answer_u64(&doc, 0, "marked"),
            (unsigned long long)answer_u64(&doc, 0, "unread"));
    return EXIT_DONE;
}

int run_inbox_dismiss(struct cli *cli) {
    struct buffer path;
    struct answer answer;
    struct doc doc;
    cli_conflict_path(cli, &path, "/inbox", cli->args->arguments[0], "");
    buffer_append_char(&path, '\0');
    struct call call = {.method = "DELETE", .path = path.bytes};
    int code = cli_send(cli, &call, cli->arena, &answer, &doc);
    if (code != EXIT_DONE) return code;
    if (cli->json) {
        cli_print_json(cli, answer.body);
        return EXIT_DONE;
    }
    fputs("dismissed: ", cli->out.stream);
    terminal_text(&cli->out, COLOR_BOLD, answer_text(cli->arena, &doc, 0, "address"));
    fputc('\n', cli->out.stream);
    return EXIT_DONE;
}
