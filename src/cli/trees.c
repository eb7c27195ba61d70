/*
 * tree, fork, merge: records below one another, and copies that find their way back.
 */
#include "base/error.h"
#include "base/view.h"
#include "cli/address.h"
#include "cli/answer.h"
#include "cli/cli.h"

#include <string.h>

enum { DATA_SHOWN_BYTES = 60 };

static stet_status tree_path(struct cli *cli, struct buffer *path, const char *last,
                             stet_error *err) {
    cli_path(cli, path);
    buffer_append_text(path, "/records/");
    stet_status status = address_path(path, view_of(cli->args->arguments[0]), err);
    buffer_append_text(path, last);
    return status;
}

/* Data on one line, cut where it grows long, but not within a character. */
static void print_data(struct cli *cli, stet_view data) {
    char text[DATA_SHOWN_BYTES + 1];
    size_t size = 0, at = 0;
    for (; at < data.size && size < DATA_SHOWN_BYTES; at++)
        if (data.bytes[at] != '\n' && data.bytes[at] != '\r') text[size++] = data.bytes[at];
    while (at < data.size && size > 0 && !view_is_utf8(view_make(text, size)))
        size--;
    terminal_text(&cli->out, COLOR_DIM, view_make(text, size));
    if (at < data.size) fputs("...", cli->out.stream);
}

static void print_node(struct cli *cli, const struct doc *doc, doc_node node, unsigned depth) {
    FILE *stream = cli->out.stream;
    fprintf(stream, "%*s", (int)(2 * depth), "");
    terminal_text(&cli->out, COLOR_BOLD, answer_text(cli->arena, doc, node, "address"));
    fprintf(stream, "  version %llu  ", (unsigned long long)answer_u64(doc, node, "version"));
    doc_node data = answer_member(doc, node, "data");
    if (data != DOC_NONE) print_data(cli, doc_text(doc, data));
    fputc('\n', stream);
    doc_node children = answer_member(doc, node, "children");
    for (doc_node child = children == DOC_NONE ? DOC_NONE : doc_first(doc, children);
         child != DOC_NONE; child = doc_next(doc, child))
        print_node(cli, doc, child, depth + 1);
}

int run_tree(struct cli *cli) {
    struct buffer path;
    struct answer answer;
    struct doc doc;
    stet_error err;
    if (tree_path(cli, &path, "/tree", &err) != STET_OK) return cli_fail(cli, &err);
    int code = cli_get(cli, &path, cli->arena, &answer, &doc);
    if (code != EXIT_DONE) return code;
    if (cli->json) {
        cli_print_json(cli, answer.body);
        return EXIT_DONE;
    }
    print_node(cli, &doc, answer_member(&doc, 0, "tree"), 0);
    return EXIT_DONE;
}

/* What fork and merge have in common: query, sending, and a line for each record of the answer. */
static int run_copy(struct cli *cli, struct buffer *path, const char *nothing) {
    const struct args *args = cli->args;
    struct call call = {.method = "POST"};
    struct answer answer;
    struct doc doc;
    stet_error err;
    cli_query_write(cli, path);
    if (args_switch(args, OPTION_TREE)) cli_query(path, "tree", VIEW("1"));
    if (cli_end_path(path, &call, &err) != STET_OK) return cli_fail(cli, &err);
    int code = cli_send(cli, &call, cli->arena, &answer, &doc);
    if (code != EXIT_DONE) return code;
    if (cli->json) {
        cli_print_json(cli, answer.body);
        return EXIT_DONE;
    }
    doc_node results = answer_member(&doc, 0, "results");
    doc_node record = results == DOC_NONE ? DOC_NONE : doc_first(&doc, results);
    if (record == DOC_NONE) fprintf(cli->out.stream, "%s\n", nothing);
    for (; record != DOC_NONE; record = doc_next(&doc, record)) {
        stet_view origin = answer_text(cli->arena, &doc, record, "forked_from");
        terminal_text(&cli->out, COLOR_BOLD, answer_text(cli->arena, &doc, record, "address"));
        fprintf(cli->out.stream, "  version %llu",
                (unsigned long long)answer_u64(&doc, record, "version"));
        if (answer_bool(&doc, record, "deleted")) fputs("  (deleted)", cli->out.stream);
        if (origin.size > 0) fputs("  forked from ", cli->out.stream);
        if (origin.size > 0) terminal_text(&cli->out, COLOR_NONE, origin);
        if (args_switch(args, OPTION_DRY_RUN))
            fputs("  (dry run: nothing was stored)", cli->out.stream);
        fputc('\n', cli->out.stream);
    }
    return EXIT_DONE;
}

int run_fork(struct cli *cli) {
    struct buffer path;
    stet_error err;
    if (tree_path(cli, &path, "/fork", &err) != STET_OK) return cli_fail(cli, &err);
    if (cli->args->argument_count > 1) cli_query(&path, "id", view_of(cli->args->arguments[1]));
    if (args_given(cli->args, OPTION_PARENT))
        cli_query(&path, "parent", view_of(args_text(cli->args, OPTION_PARENT)));
    return run_copy(cli, &path, "nothing was copied");
}

int run_merge(struct cli *cli) {
    struct buffer path;
    stet_error err;
    if (tree_path(cli, &path, "/merge", &err) != STET_OK) return cli_fail(cli, &err);
    if (args_given(cli->args, OPTION_ON_CONFLICT))
        cli_query(&path, "on_conflict", view_of(args_text(cli->args, OPTION_ON_CONFLICT)));
    return run_copy(cli, &path, "nothing to merge: the fork has not changed");
}
