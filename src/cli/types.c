/*
 * types: what is declared about the records of a type, and a whole schema from a file.
 */
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "cli/address.h"
#include "cli/answer.h"
#include "cli/cli.h"
#include "cli/file.h"
#include "doc/write.h"

static void types_path(struct cli *cli, struct buffer *path, const char *name) {
    cli_path(cli, path);
    buffer_append_text(path, "/types");
    if (name == NULL) return;
    buffer_append_char(path, '/');
    address_encode(path, view_of(name));
}

/* A file of JSON, whole. */
static stet_status read_json(struct cli *cli, const char *name, stet_view *text, struct doc *doc,
                             stet_error *err) {
    struct buffer buffer;
    buffer_init(&buffer, cli->arena, 2 * (size_t)TRANSACTION_BYTES_MAX);
    stet_status status = file_read(name, &buffer, err);
    if (status != STET_OK) return status;
    *text = buffer_view(&buffer);
    if (text->bytes == NULL) *text = VIEW("");
    struct doc_limits limits = doc_limits_default;
    limits.bytes_max = 2 * (size_t)TRANSACTION_BYTES_MAX;
    limits.nodes_max *= 4;
    return doc_parse(cli->arena, *text, &limits, doc, err);
}

/* The options that the writing commands share; ends the path. */
static stet_status write_options(struct cli *cli, struct buffer *path, struct call *call,
                                 stet_error *err) {
    const struct args *args = cli->args;
    cli_query_write(cli, path);
    if (args_switch(args, OPTION_FORCE)) cli_query(path, "force", VIEW("1"));
    if (args_switch(args, OPTION_PRUNE)) cli_query(path, "prune", VIEW("1"));
    return cli_end_path(path, call, err);
}

/* ---- Looking ----------------------------------------------------------------------------- */

static stet_view count_text(struct arena *arena, const struct doc *doc, doc_node list) {
    return list == DOC_NONE ? VIEW("-") : arena_format(arena, "%u", doc_count(doc, list));
}

int run_types_list(struct cli *cli) {
    static const char *const names[] = {"TYPE",   "VERSION", "ON_CONFLICT", "FIELDS",
                                        "UNIQUE", "INDEXES", "TITLE"};
    struct table table;
    struct buffer path;
    struct answer answer;
    struct doc doc;
    stet_error err;
    types_path(cli, &path, NULL);
    int code = cli_get(cli, &path, cli->arena, &answer, &doc);
    if (code != EXIT_DONE) return code;
    if (cli->json) {
        cli_print_json(cli, answer.body);
        return EXIT_DONE;
    }
    table_init(&table, cli->arena, 7);
    table_titles(&table, names);
    doc_node types = answer_member(&doc, 0, "types");
    for (doc_node type = types == DOC_NONE ? DOC_NONE : doc_first(&doc, types); type != DOC_NONE;
         type = doc_next(&doc, type)) {
        stet_view strategy = answer_text(cli->arena, &doc, type, "on_conflict");
        table_add(&table, COLOR_BOLD, answer_text(cli->arena, &doc, type, "id"));
        table_add(&table, COLOR_NONE, answer_text(cli->arena, &doc, type, "version"));
        table_add(&table, COLOR_NONE, strategy.size > 0 ? strategy : VIEW("reject"));
        table_add(&table, COLOR_NONE,
                  count_text(cli->arena, &doc, answer_member(&doc, type, "fields")));
        table_add(&table, COLOR_NONE,
                  count_text(cli->arena, &doc, answer_member(&doc, type, "unique")));
        table_add(&table, COLOR_NONE,
                  count_text(cli->arena, &doc, answer_member(&doc, type, "index")));
        table_add(&table, COLOR_NONE, answer_text(cli->arena, &doc, type, "title"));
    }
    return table_print(&table, &cli->out, "", &err) == STET_OK ? EXIT_DONE : cli_fail(cli, &err);
}

/* Only the definition, as it would be put again. */
static stet_status print_definition(struct cli *cli, const struct doc *doc, stet_error *err) {
    static const char *const metadata[] = {
        "id",         "version",    "seq",           "created_at", "created_by",
        "updated_at", "updated_by", "last_modified", "forced",     "client_mutation_id"};
    struct buffer buffer;
    struct json_writer writer;
    struct doc shown;
    buffer_init(&buffer, cli->arena, 0);
    json_begin(&writer, &buffer);
    json_object_begin(&writer);
    for (doc_node member = doc_first(doc, 0); member != DOC_NONE; member = doc_next(doc, member)) {
        bool skipped = false;
        for (size_t i = 0; i < sizeof metadata / sizeof metadata[0]; i++)
            skipped = skipped || view_equal(doc_key_raw(doc, member), view_of(metadata[i]));
        if (skipped) continue;
        json_key_raw(&writer, doc_key_raw(doc, member));
        json_raw(&writer, doc_text(doc, member));
    }
    json_object_end(&writer);
    if (json_end(&writer) != STET_OK) return error_set(err, STET_NO_MEMORY, "out of memory");
    stet_status status = answer_parse(cli->arena, buffer_view(&buffer), &shown, err);
    if (status == STET_OK) terminal_json(&cli->out, &shown, 0);
    return status;
}

int run_types_show(struct cli *cli) {
    struct buffer path;
    struct answer answer;
    struct doc doc;
    stet_error err;
    types_path(cli, &path, cli->args->arguments[0]);
    int code = cli_get(cli, &path, cli->arena, &answer, &doc);
    if (code != EXIT_DONE) return code;
    if (cli->json) {
        cli_print_json(cli, answer.body);
        return EXIT_DONE;
    }
    return print_definition(cli, &doc, &err) == STET_OK ? EXIT_DONE : cli_fail(cli, &err);
}

/* ---- Writing ----------------------------------------------------------------------------- */

static int send_one(struct cli *cli, struct call *call) {
    const char *name = cli->args->arguments[0];
    struct buffer path;
    struct answer answer;
    struct doc doc;
    stet_error err;
    types_path(cli, &path, name);
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
    if (answer_member(&doc, 0, "forced") != DOC_NONE)
        fputs("  (forced: some records do not fit)", cli->out.stream);
    if (args_switch(cli->args, OPTION_DRY_RUN))
        fputs("  (dry run: nothing was stored)", cli->out.stream);
    fputc('\n', cli->out.stream);
    return EXIT_DONE;
}

int run_types_put(struct cli *cli) {
    struct call call = {.method = "PUT", .content_type = "application/json"};
    struct doc doc;
    stet_error err;
    if (read_json(cli, cli->args->arguments[1], &call.body, &doc, &err) != STET_OK)
        return cli_fail(cli, &err);
    return send_one(cli, &call);
}

int run_types_delete(struct cli *cli) {
    struct call call = {.method = "DELETE"};
    return send_one(cli, &call);
}

/* One line for each type; what stays as it is comes last, in one line. */
static stet_status print_applied(struct cli *cli, const struct doc *doc, stet_error *err) {
    static const struct {
        const char *word;
        enum color color;
    } colors[] = {{"created", COLOR_GREEN}, {"changed", COLOR_YELLOW}, {"deleted", COLOR_RED}};
    struct table table;
    unsigned unchanged = 0;
    doc_node types = answer_member(doc, 0, "types");
    if (types == DOC_NONE) {
        fputs("done before with this key\n", cli->out.stream);
        return STET_OK;
    }
    table_init(&table, cli->arena, 3);
    for (doc_node type = doc_first(doc, types); type != DOC_NONE; type = doc_next(doc, type)) {
        stet_view name, change = answer_text(cli->arena, doc, type, "change");
        doc_node pointers = answer_member(doc, type, "changed");
        enum color color = COLOR_NONE;
        if (doc_key(cli->arena, doc, type, &name) != STET_OK)
            return error_set(err, STET_NO_MEMORY, "out of memory");
        unchanged += view_equal(change, VIEW("unchanged"));
        for (size_t i = 0; i < 3; i++)
            if (view_equal(change, view_of(colors[i].word))) color = colors[i].color;
        if (color == COLOR_NONE) continue;
        table_add(&table, color, change);
        table_add(&table, COLOR_BOLD, name);
        table_add(&table, COLOR_DIM, pointers == DOC_NONE ? VIEW("") : doc_text(doc, pointers));
    }
    stet_status status = table_print(&table, &cli->out, "", err);
    if (status == STET_OK && unchanged > 0) fprintf(cli->out.stream, "%u unchanged\n", unchanged);
    if (status == STET_OK && args_switch(cli->args, OPTION_DRY_RUN))
        fputs("dry run: nothing was stored\n", cli->out.stream);
    return status;
}

int run_types_apply(struct cli *cli) {
    struct call call = {.method = "PUT", .content_type = "application/json"};
    struct buffer path;
    struct answer answer;
    struct doc doc;
    stet_error err;
    stet_status status = read_json(cli, cli->args->arguments[0], &call.body, &doc, &err);
    types_path(cli, &path, NULL);
    if (status == STET_OK) status = write_options(cli, &path, &call, &err);
    if (status != STET_OK) return cli_fail(cli, &err);
    int code = cli_send(cli, &call, cli->arena, &answer, &doc);
    if (code != EXIT_DONE) return code;
    if (cli->json) {
        cli_print_json(cli, answer.body);
        return EXIT_DONE;
    }
    return print_applied(cli, &doc, &err) == STET_OK ? EXIT_DONE : cli_fail(cli, &err);
}
