/*
 * conflicts, inbox: what waits for a person, looking at it side by side, and settling it: by a word, or field by field.
 */
#include "base/error.h"
#include "base/view.h"
#include "cli/address.h"
#include "cli/answer.h"
#include "cli/cli.h"
#include "cli/file.h"
#include "doc/write.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LINE_BYTES = 64 };

static void conflict_path(struct cli *cli, struct buffer *path, const char *what, const char *id,
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
    if (items == DOC_NONE || doc_count(&doc, items) == 0) {
        fprintf(cli->out.stream, "%s\n", nothing);
    } else {
        table_init(&table, cli->arena, COLUMNS);
        for (size_t i = 0; i < COLUMNS; i++)
            table_add(&table, COLOR_DIM, view_of(titles[i]));
        for (doc_node item = doc_first(&doc, items); item != DOC_NONE; item = doc_next(&doc, item))
            add_item(cli, &table, &doc, item);
        if (table_print(&table, &cli->out, "", &err) != STET_OK) return cli_fail(cli, &err);
    }
    stet_view next = answer_text(cli->arena, &doc, 0, "next");
    if (next.size > 0) fprintf(cli->out.stream, "more: --after %.*s\n", VIEW_ARG(next));
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
    conflict_path(cli, &path, "/conflicts", NULL, "");
    for (size_t i = 0; i < sizeof filters / sizeof filters[0]; i++)
        if (args_given(cli->args, filters[i].option))
            cli_query(&path, filters[i].name, view_of(args_text(cli->args, filters[i].option)));
    if (args_given(cli->args, OPTION_OLDER_THAN))
        cli_query_u64(&path, "older_than", args_number(cli->args, OPTION_OLDER_THAN));
    return list(cli, &path, "conflicts", "no conflicts");
}

int run_inbox(struct cli *cli) {
    struct buffer path;
    conflict_path(cli, &path, "/inbox", NULL, "");
    if (args_switch(cli->args, OPTION_UNREAD)) cli_query(&path, "unread", VIEW("1"));
    return list(cli, &path, "items", "nothing waits for you");
}

/* ---- One --------------------------------------------------------------------------------- */

static int get(struct cli *cli, struct answer *answer, struct doc *doc) {
    struct buffer path;
    conflict_path(cli, &path, "/conflicts", cli->args->arguments[0], "");
    return cli_get(cli, &path, cli->arena, answer, doc);
}

static void show_side(struct cli *cli, const struct doc *doc, const char *member,
                      const char *title) {
    doc_node node = answer_member(doc, 0, member);
    if (node == DOC_NONE || doc_kind(doc, node) == DOC_NULL) return;
    terminal_text(&cli->out, COLOR_DIM, view_of(title));
    fputc('\n', cli->out.stream);
    terminal_json(&cli->out, doc, node);
}

static void show(struct cli *cli, const struct doc *doc) {
    struct arena *arena = cli->arena;
    stet_view state = answer_text(arena, doc, 0, "state");
    stet_view detail = answer_text(arena, doc, 0, "detail");
    bool open = view_equal(state, VIEW("open"));
    terminal_text(&cli->out, COLOR_BOLD, answer_text(arena, doc, 0, "address"));
    fputs("  ", cli->out.stream);
    terminal_text(&cli->out, open ? COLOR_YELLOW : COLOR_GREEN, state);
    if (open) {
        fputs(" until ", cli->out.stream);
        terminal_text(&cli->out, COLOR_NONE,
                      answer_time(arena, answer_text(arena, doc, 0, "deadline")));
        fputs(", then ", cli->out.stream);
        terminal_text(&cli->out, COLOR_NONE, answer_text(arena, doc, 0, "fallback"));
    } else if (answer_text(arena, doc, 0, "choice").size > 0) {
        fputs(" by ", cli->out.stream);
        stet_view by = answer_text(arena, doc, 0, "resolved_by");
        terminal_text(&cli->out, COLOR_NONE, by.size == 0 ? VIEW("its deadline") : by);
        fputs(": ", cli->out.stream);
        terminal_text(&cli->out, COLOR_NONE, answer_text(arena, doc, 0, "choice"));
    }
    fputc('\n', cli->out.stream);
    if (detail.size > 0) {
        terminal_text(&cli->out, COLOR_NONE, detail);
        fputc('\n', cli->out.stream);
    }
    if (open) {
        conflict_fields(&cli->out, arena, doc);
        return;
    }
    show_side(cli, doc, "base", "base");
    show_side(cli, doc, "current", "the record before");
    show_side(cli, doc, "yours", "what was wanted, or lost");
    show_side(cli, doc, "result", "what it became");
}

int run_conflicts_show(struct cli *cli) {
    struct answer answer;
    struct doc doc;
    int code = get(cli, &answer, &doc);
    if (code != EXIT_DONE) return code;
    if (cli->json) {
        cli_print_json(cli, answer.body);
    } else {
        show(cli, &doc);
    }
    return EXIT_DONE;
}

/* ---- Settling ---------------------------------------------------------------------------- */

/* Lets $EDITOR change a value; false when it was left, or is no JSON. */
static bool edit(struct cli *cli, stet_view value, stet_view *out) {
    char name[] = "/tmp/stet-edit-XXXXXX";
    const char *editor = getenv("EDITOR");
    struct buffer text;
    struct doc doc;
    stet_error err;
    bool done = false;
    int fd = mkstemp(name);
    if (fd < 0) return false;
    FILE *file = fdopen(fd, "w");
    if (file == NULL) {
        close(fd);
        goto gone;
    }
    fprintf(file, "%.*s\n", VIEW_ARG(value));
    if (fclose(file) != 0) goto gone;
    pid_t child = fork();
    if (child == 0) {
        /* EDITOR may hold arguments: the shell knows how to read it. */
        setenv("STET_EDIT", name, 1);
        setenv("STET_EDITOR", editor == NULL || editor[0] == '\0' ? "vi" : editor, 1);
        execl("/bin/sh", "sh", "-c", "eval \"$STET_EDITOR\" '\"$STET_EDIT\"'", (char *)NULL);
        _exit(127);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) < 0 || status != 0) goto gone;
    buffer_init(&text, cli->arena, 0);
    if (file_read(name, &text, &err) != STET_OK ||
        doc_parse(cli->arena, buffer_view(&text), NULL, &doc, &err) != STET_OK) {
        fprintf(cli->errors.stream, "that is not JSON: %s\n", err.message);
        goto gone;
    }
    *out = doc_text(&doc, 0);
    done = true;
gone:
    unlink(name);
    return done;
}

/* Asks for one field until there is an answer. False: the person gave up. */
static bool ask_field(struct cli *cli, const struct doc *doc, doc_node field, stet_view pointer,
                      struct json_writer *fields) {
    static const char *const sides[] = {"base", "current", "yours"};
    char line[LINE_BYTES];
    stet_view value;
    for (;;) {
        terminal_text(&cli->out, COLOR_BOLD, pointer.size == 0 ? VIEW("(whole record)") : pointer);
        fputc('\n', cli->out.stream);
        for (size_t i = 0; i < 3; i++) {
            fprintf(cli->out.stream, "  %-8s", sides[i]);
            terminal_text(&cli->out, i == 2 ? COLOR_GREEN : COLOR_NONE,
                          answer_value(doc, answer_member(doc, field, sides[i])));
            fputc('\n', cli->out.stream);
        }
        fputs("[y]ours, [c]urrent, [b]ase, [e]dit, [q]uit? ", cli->out.stream);
        fflush(cli->out.stream);
        if (fgets(line, sizeof line, stdin) == NULL || line[0] == 'q') return false;
        const char *side = line[0] == 'y'   ? "yours"
                           : line[0] == 'c' ? "current"
                           : line[0] == 'b' ? "base"
                                            : NULL;
        if (side != NULL) {
            json_member_text(fields, pointer, view_of(side));
            return true;
        }
        doc_node yours = answer_member(doc, field, "yours");
        if (line[0] != 'e' ||
            !edit(cli, yours == DOC_NONE ? VIEW("null") : doc_text(doc, yours), &value))
            continue;
        json_key(fields, pointer);
        json_object_begin(fields);
        json_member_raw(fields, VIEW("value"), value);
        json_object_end(fields);
        return true;
    }
}

/* The choice, field by field. False: nothing is to be done. */
static bool ask_fields(struct cli *cli, const struct doc *doc, struct json_writer *body) {
    doc_node fields = answer_member(doc, 0, "fields");
    json_key(body, VIEW("fields"));
    json_object_begin(body);
    for (doc_node field = fields == DOC_NONE ? DOC_NONE : doc_first(doc, fields); field != DOC_NONE;
         field = doc_next(doc, field)) {
        stet_view pointer;
        if (!view_equal(answer_text(cli->arena, doc, field, "state"), VIEW("conflict"))) continue;
        if (doc_key(cli->arena, doc, field, &pointer) != STET_OK ||
            !ask_field(cli, doc, field, pointer, body))
            return false;
    }
    json_object_end(body);
    return true;
}

static int post(struct cli *cli, const char *what, const char *id, const char *rest, stet_view body,
                const char *header, const char *done) {
    struct buffer path;
    struct answer answer;
    struct doc doc;
    conflict_path(cli, &path, what, id, rest);
    buffer_append_char(&path, '\0');
    struct call call = {.method = "POST",
                        .path = path.bytes,
                        .content_type = body.bytes == NULL ? NULL : "application/json",
                        .body = body,
                        .headers = {header}};
    int code = cli_send(cli, &call, cli->arena, &answer, &doc);
    if (code != EXIT_DONE) return code;
    if (cli->json) {
        cli_print_json(cli, answer.body);
        return EXIT_DONE;
    }
    stet_view address = answer_text(cli->arena, &doc, 0, "address");
    fputs(done, cli->out.stream);
    terminal_text(&cli->out, COLOR_BOLD, address);
    uint64_t version = answer_u64(&doc, 0, "result_version");
    if (version > 0) fprintf(cli->out.stream, " is at version %llu", (unsigned long long)version);
    fputc('\n', cli->out.stream);
    return EXIT_DONE;
}

int run_conflicts_resolve(struct cli *cli) {
    const char *choice = args_text(cli->args, OPTION_CHOICE);
    struct answer answer;
    struct doc doc;
    struct buffer buffer;
    struct json_writer body;
    stet_error err;
    int code = get(cli, &answer, &doc);
    if (code != EXIT_DONE) return code;
    stet_view token = answer_text(cli->arena, &doc, 0, "resolution_token");
    bool fields = choice == NULL && answer_bool(&doc, 0, "clean") == false;
    buffer_init(&buffer, cli->arena, 0);
    json_begin(&body, &buffer);
    json_object_begin(&body);
    if (token.size > 0) json_member_text(&body, VIEW("resolution_token"), token);
    if (choice == NULL && token.size > 0) {
        if (isatty(STDIN_FILENO) == 0) {
            error_set(&err, STET_BAD_REQUEST,
                      "there is nobody to ask: choose with --choice yours, current or merged");
            return cli_fail(cli, &err);
        }
        show(cli, &doc);
        if (answer_bool(&doc, 0, "deletes") ||
            doc_kind(&doc, answer_member(&doc, 0, "merged")) == DOC_NULL) {
            error_set(&err, STET_BAD_REQUEST,
                      "there are no fields to choose: use --choice yours or current");
            return cli_fail(cli, &err);
        }
        if (fields && !ask_fields(cli, &doc, &body)) {
            fputs("nothing was done\n", cli->out.stream);
            return EXIT_DONE;
        }
    }
    json_member_text(&body, VIEW("choice"),
                     choice != NULL ? view_of(choice)
                     : fields       ? VIEW("fields")
                                    : VIEW("merged"));
    json_object_end(&body);
    if (json_end(&body) != STET_OK) {
        error_set(&err, STET_NO_MEMORY, "out of memory");
        return cli_fail(cli, &err);
    }
    return post(cli, "/conflicts", cli->args->arguments[0], "/resolve", buffer_view(&buffer), NULL,
                "settled: ");
}

/* What it opens again is what it has just seen, unless --base names what somebody saw earlier. */
int run_conflicts_reopen(struct cli *cli) {
    struct answer answer;
    struct doc doc;
    stet_error err;
    uint64_t version = args_number(cli->args, OPTION_BASE);
    if (!args_given(cli->args, OPTION_BASE)) {
        int code = get(cli, &answer, &doc);
        if (code != EXIT_DONE) return code;
        version = answer_u64(&doc, 0, "version");
        if (version == 0) version = answer_u64(&doc, 0, "result_version");
    }
    stet_view header = arena_format(cli->arena, "If-Match: \"%llu\"", (unsigned long long)version);
    if (header.bytes == NULL) {
        error_set(&err, STET_NO_MEMORY, "out of memory");
        return cli_fail(cli, &err);
    }
    return post(cli, "/conflicts", cli->args->arguments[0], "/reopen", (stet_view){0}, header.bytes,
                "open again: ");
}

/* ---- The inbox --------------------------------------------------------------------------- */

int run_inbox_read(struct cli *cli) {
    struct buffer buffer;
    struct json_writer body;
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
    (void)json_end(&body);
    return post(cli, "/inbox/read", NULL, "", buffer_view(&buffer), NULL, "marked as read");
}

int run_inbox_dismiss(struct cli *cli) {
    struct buffer path;
    struct answer answer;
    struct doc doc;
    conflict_path(cli, &path, "/inbox", cli->args->arguments[0], "");
    buffer_append_char(&path, '\0');
    struct call call = {.method = "DELETE", .path = path.bytes};
    int code = cli_send(cli, &call, cli->arena, &answer, &doc);
    if (code != EXIT_DONE) return code;
    if (cli->json) cli_print_json(cli, answer.body);
    return EXIT_DONE;
}
