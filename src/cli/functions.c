/*
 * functions: Lua that the server runs in transactions: listing, loading a folder, calling, trying out; handlers: what reacts to changes.
 *
 * A folder holds NAME.lua for each function, and may hold NAME.json with the other members of its definition and
 * NAME.test.json with examples (functions_test.c).
 */
#include "cli/functions.h"

#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "cli/address.h"
#include "cli/answer.h"
#include "cli/file.h"
#include "doc/write.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void list_path(struct cli *cli, struct buffer *path, const char *list, const char *name) {
    cli_path(cli, path);
    buffer_append_format(path, "/%s", list);
    if (name == NULL) return;
    buffer_append_char(path, '/');
    address_encode(path, view_of(name));
}

/* The options that the writing commands share; ends the path. */
static stet_status write_options(struct cli *cli, struct buffer *path, struct call *call,
                                 stet_error *err) {
    cli_query_write(cli, path);
    if (args_switch(cli->args, OPTION_FUNCTIONS_PRUNE)) cli_query(path, "prune", VIEW("1"));
    return cli_end_path(path, call, err);
}

/* ---- A folder of functions --------------------------------------------------------------- */

static int by_name(const void *a, const void *b) {
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

stet_status functions_find(const char *folder, struct arena *arena, const char *ending,
                           const char ***names, size_t *count, stet_error *err) {
    size_t capacity = 0, ending_size = strlen(ending);
    struct dirent *entry;
    DIR *dir = opendir(folder);
    *names = NULL;
    *count = 0;
    if (dir == NULL)
        return error_set(err, STET_IO, "could not read \"%s\": %s", folder, strerror(errno));
    stet_status status = STET_OK;
    while (status == STET_OK && (entry = readdir(dir)) != NULL) {
        size_t size = strlen(entry->d_name);
        if (size <= ending_size || strcmp(entry->d_name + size - ending_size, ending) != 0)
            continue;
        if (*count == capacity) {
            capacity = capacity == 0 ? 16 : capacity * 2;
            const char **more = arena_alloc(arena, capacity * sizeof *more);
            if (more != NULL && *count > 0) memcpy(more, *names, *count * sizeof *more);
            *names = more;
        }
        stet_view name = arena_format(arena, "%.*s", (int)(size - ending_size), entry->d_name);
        if (*names == NULL || name.bytes == NULL) {
            status = error_set(err, STET_NO_MEMORY, "out of memory");
        } else {
            (*names)[(*count)++] = name.bytes;
        }
    }
    closedir(dir);
    if (status == STET_OK && *count > 0) qsort(*names, *count, sizeof **names, by_name);
    return status;
}

stet_status functions_file(const char *folder, const char *name, const char *ending,
                           struct arena *arena, stet_view *text, stet_error *err) {
    struct buffer buffer;
    stet_view path = arena_format(arena, "%s/%s%s", folder, name, ending);
    buffer_init(&buffer, arena, (size_t)TRANSACTION_BYTES_MAX);
    if (path.bytes == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    stet_status status = file_read(path.bytes, &buffer, err);
    if (status == STET_OK) *text = buffer_view(&buffer);
    return status;
}

static bool is_there(const char *folder, const char *name, const char *ending,
                     struct arena *arena) {
    stet_view path = arena_format(arena, "%s/%s%s", folder, name, ending);
    FILE *file = path.bytes == NULL ? NULL : fopen(path.bytes, "re");
    if (file != NULL) fclose(file);
    return file != NULL;
}

/* {…NAME.json, "source": NAME.lua} */
static stet_status definition_write(const char *folder, const char *name, struct arena *arena,
                                    struct json_writer *writer, stet_error *err) {
    stet_view source, more;
    struct doc doc;
    stet_status status = functions_file(folder, name, ".lua", arena, &source, err);
    if (status != STET_OK) return status;
    if (!view_is_utf8(source))
        return error_set(err, STET_BAD_REQUEST, "%s/%s.lua is not UTF-8", folder, name);
    json_object_begin(writer);
    if (is_there(folder, name, ".json", arena)) {
        status = functions_file(folder, name, ".json", arena, &more, err);
        if (status == STET_OK) status = doc_parse(arena, more, NULL, &doc, err);
        if (status == STET_OK && doc_kind(&doc, 0) != DOC_OBJECT)
            status =
                error_set(err, STET_BAD_REQUEST, "%s/%s.json must hold an object", folder, name);
        if (status != STET_OK) return status;
        for (doc_node one = doc_first(&doc, 0); one != DOC_NONE; one = doc_next(&doc, one)) {
            json_key_raw(writer, doc_key_raw(&doc, one));
            json_raw(writer, doc_text(&doc, one));
        }
    }
    json_member_text(writer, VIEW("source"), source);
    json_object_end(writer);
    return STET_OK;
}

stet_status functions_body(const char *folder, struct arena *arena, struct buffer *body,
                           stet_error *err) {
    struct json_writer writer;
    const char **names;
    size_t count;
    stet_status status = functions_find(folder, arena, ".lua", &names, &count, err);
    if (status != STET_OK) return status;
    if (count == 0) return error_set(err, STET_BAD_REQUEST, "\"%s\" holds no .lua file", folder);
    buffer_init(body, arena, 0);
    json_begin(&writer, body);
    json_object_begin(&writer);
    json_key(&writer, VIEW("functions"));
    json_object_begin(&writer);
    for (size_t i = 0; i < count && status == STET_OK; i++) {
        json_key(&writer, view_of(names[i]));
        status = definition_write(folder, names[i], arena, &writer, err);
    }
    if (status != STET_OK) return status;
    json_object_end(&writer);
    json_object_end(&writer);
    return json_end(&writer) == STET_OK ? STET_OK : error_set(err, STET_NO_MEMORY, "out of memory");
}

static int print_applied(struct cli *cli, const struct doc *doc) {
    static const struct {
        const char *word;
        enum color color;
    } colors[] = {{"created", COLOR_GREEN}, {"changed", COLOR_YELLOW}, {"deleted", COLOR_RED}};
    unsigned unchanged = 0;
    doc_node functions = answer_member(doc, 0, "functions");
    if (functions == DOC_NONE) {
        fputs("done before with this key\n", cli->out.stream);
        return EXIT_DONE;
    }
    for (doc_node one = doc_first(doc, functions); one != DOC_NONE; one = doc_next(doc, one)) {
        stet_view change = answer_text(cli->arena, doc, one, "change");
        enum color color = COLOR_NONE;
        unchanged += view_equal(change, VIEW("unchanged"));
        for (size_t i = 0; i < 3; i++)
            if (view_equal(change, view_of(colors[i].word))) color = colors[i].color;
        if (color == COLOR_NONE) continue;
        terminal_text(&cli->out, color, change);
        fputs("  ", cli->out.stream);
        terminal_text(&cli->out, COLOR_BOLD, doc_key_raw(doc, one));
        fputc('\n', cli->out.stream);
    }
    if (unchanged > 0) fprintf(cli->out.stream, "%u unchanged\n", unchanged);
    if (args_switch(cli->args, OPTION_DRY_RUN))
        fputs("dry run: nothing was stored\n", cli->out.stream);
    return EXIT_DONE;
}

int run_functions_apply(struct cli *cli) {
    struct call call = {.method = "PUT", .content_type = "application/json"};
    struct buffer path, body;
    struct answer answer;
    struct doc doc;
    stet_error err;
    stet_status status = functions_body(cli->args->arguments[0], cli->arena, &body, &err);
    list_path(cli, &path, "functions", NULL);
    if (status == STET_OK) status = write_options(cli, &path, &call, &err);
    if (status != STET_OK) return cli_fail(cli, &err);
    call.body = buffer_view(&body);
    int code = cli_send(cli, &call, cli->arena, &answer, &doc);
    if (code != EXIT_DONE) return code;
    if (!cli->json) return print_applied(cli, &doc);
    cli_print_json(cli, answer.body);
    return EXIT_DONE;
}

/* ---- Looking ----------------------------------------------------------------------------- */

struct column {
    const char *title;
    const char *member;
};

/* A list that comes in one piece, as a table. */
static int show_list(struct cli *cli, const char *list, const struct column *columns,
                     size_t count) {
    struct table table;
    struct buffer path;
    struct answer answer;
    struct doc doc;
    stet_error err;
    list_path(cli, &path, list, NULL);
    int code = cli_get(cli, &path, cli->arena, &answer, &doc);
    if (code != EXIT_DONE) return code;
    if (cli->json) {
        cli_print_json(cli, answer.body);
        return EXIT_DONE;
    }
    table_init(&table, cli->arena, count);
    for (size_t i = 0; i < count; i++)
        table_add(&table, COLOR_DIM, view_of(columns[i].title));
    doc_node all = answer_member(&doc, 0, list);
    for (doc_node one = all == DOC_NONE ? DOC_NONE : doc_first(&doc, all); one != DOC_NONE;
         one = doc_next(&doc, one))
        for (size_t i = 0; i < count; i++)
            table_add(&table, i == 0 ? COLOR_BOLD : COLOR_NONE,
                      answer_text(cli->arena, &doc, one, columns[i].member));
    return table_print(&table, &cli->out, "", &err) == STET_OK ? EXIT_DONE : cli_fail(cli, &err);
}

int run_functions(struct cli *cli) {
    static const struct column columns[] = {{"NAME", "id"},
                                            {"VERSION", "version"},
                                            {"CLASS", "class"},
                                            {"CHANGED BY", "updated_by"},
                                            {"DESCRIPTION", "description"}};
    return show_list(cli, "functions", columns, 5);
}

int run_handlers(struct cli *cli) {
    static const struct column columns[] = {{"NAME", "id"},       {"TYPE", "type"},
                                            {"ON", "on"},         {"FUNCTION", "function"},
                                            {"AGENT", "agent"},   {"POSITION", "position"},
                                            {"LAG", "lag"},       {"REACTIONS", "reactions"},
                                            {"FAILED", "failed"}, {"LAST ERROR", "last_error"}};
    return show_list(cli, "handlers", columns, 10);
}

static int show_one(struct cli *cli, const char *list, const char *text_member) {
    struct buffer path;
    struct answer answer;
    struct doc doc;
    list_path(cli, &path, list, cli->args->arguments[0]);
    int code = cli_get(cli, &path, cli->arena, &answer, &doc);
    if (code != EXIT_DONE) return code;
    if (cli->json) {
        cli_print_json(cli, answer.body);
    } else if (text_member != NULL) {
        stet_view text = answer_text(cli->arena, &doc, 0, text_member);
        fwrite(text.bytes, 1, text.size, cli->out.stream);
        if (text.size == 0 || text.bytes[text.size - 1] != '\n') fputc('\n', cli->out.stream);
    } else {
        terminal_json(&cli->out, &doc, 0);
    }
    return EXIT_DONE;
}

int run_functions_show(struct cli *cli) { return show_one(cli, "functions", "source"); }
int run_handlers_show(struct cli *cli) { return show_one(cli, "handlers", NULL); }

/* ---- Changing one ------------------------------------------------------------------------ */

static int send_one(struct cli *cli, const char *list, struct call *call) {
    const char *name = cli->args->arguments[0];
    struct buffer path;
    struct answer answer;
    struct doc doc;
    stet_error err;
    list_path(cli, &path, list, name);
    if (write_options(cli, &path, call, &err) != STET_OK) return cli_fail(cli, &err);
    int code = cli_send(cli, call, cli->arena, &answer, &doc);
    if (code != EXIT_DONE) return code;
    if (cli->json) {
        cli_print_json(cli, answer.body);
        return EXIT_DONE;
    }
    terminal_text(&cli->out, COLOR_BOLD, view_of(name));
    fprintf(cli->out.stream, "  version %llu", (unsigned long long)answer_u64(&doc, 0, "version"));
    if (answer_bool(&doc, 0, "deleted")) fputs("  (deleted)", cli->out.stream);
    if (answer_bool(&doc, 0, "unchanged")) fputs("  (unchanged)", cli->out.stream);
    if (args_switch(cli->args, OPTION_DRY_RUN))
        fputs("  (dry run: nothing was stored)", cli->out.stream);
    fputc('\n', cli->out.stream);
    return EXIT_DONE;
}

int run_functions_delete(struct cli *cli) {
    return send_one(cli, "functions", &(struct call){.method = "DELETE"});
}

int run_handlers_delete(struct cli *cli) {
    return send_one(cli, "handlers", &(struct call){.method = "DELETE"});
}

int run_handlers_put(struct cli *cli) {
    struct call call = {.method = "PUT", .content_type = "application/json"};
    stet_error err;
    if (cli_body(cli, cli->args->arguments[1], &call.body, &err) != STET_OK)
        return cli_fail(cli, &err);
    return send_one(cli, "handlers", &call);
}

/* ---- Calling ----------------------------------------------------------------------------- */

int run_functions_call(struct cli *cli) {
    struct call call = {.method = "POST", .content_type = "application/json"};
    struct buffer path;
    struct answer answer;
    struct doc doc;
    stet_error err;
    call.body = VIEW("null");
    if (cli->args->argument_count > 1 &&
        cli_body(cli, cli->args->arguments[1], &call.body, &err) != STET_OK)
        return cli_fail(cli, &err);
    list_path(cli, &path, "functions", cli->args->arguments[0]);
    if (write_options(cli, &path, &call, &err) != STET_OK) return cli_fail(cli, &err);
    int code = cli_send(cli, &call, cli->arena, &answer, &doc);
    if (code != EXIT_DONE) return code;
    if (cli->json) {
        cli_print_json(cli, answer.body);
        return EXIT_DONE;
    }
    doc_node log = answer_member(&doc, 0, "log");
    for (doc_node line = log == DOC_NONE ? DOC_NONE : doc_first(&doc, log); line != DOC_NONE;
         line = doc_next(&doc, line)) {
        stet_view text;
        if (doc_string(cli->arena, &doc, line, &text) != STET_OK) continue;
        terminal_text(&cli->errors, COLOR_DIM, text);
        fputc('\n', cli->errors.stream);
    }
    doc_node result = answer_member(&doc, 0, "result");
    if (result != DOC_NONE) terminal_json(&cli->out, &doc, result);
    return EXIT_DONE;
}
