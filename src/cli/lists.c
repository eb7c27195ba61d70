/*
 * list, history, diff: answers with many rows. Pages are read into an arena of their own, which is emptied in between.
 */
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "cli/address.h"
#include "cli/answer.h"
#include "cli/cli.h"
#include "cli/settled.h"

static int print_table(struct cli *cli, const struct table *table) {
    stet_error err;
    if (table_print(table, &cli->out, "", &err) != STET_OK) return cli_fail(cli, &err);
    return EXIT_DONE;
}

static int print_records(struct cli *cli, struct arena *arena, const struct doc *doc,
                         doc_node records, bool titles) {
    static const char *const names[] = {"ID", "VERSION", "UPDATED", "BY", "DATA"};
    struct table table;
    table_init(&table, arena, 5);
    if (titles) table_titles(&table, names);
    for (doc_node record = doc_first(doc, records); record != DOC_NONE;
         record = doc_next(doc, record)) {
        table_add(&table, COLOR_BOLD, answer_text(arena, doc, record, "id"));
        table_add(&table, COLOR_NONE, answer_text(arena, doc, record, "version"));
        table_add(&table, COLOR_NONE,
                  answer_time(arena, answer_text(arena, doc, record, "updated_at")));
        table_add(&table, COLOR_NONE, answer_text(arena, doc, record, "updated_by"));
        table_add(&table, COLOR_NONE, answer_value(doc, answer_member(doc, record, "data")));
    }
    return print_table(cli, &table);
}

/* One page; next says where the following one begins. */
static int page_print(struct cli *cli, struct arena *arena, const struct answer *answer,
                      const struct doc *doc, const char *member, bool titles,
                      int (*print)(struct cli *cli, struct arena *arena, const struct doc *doc,
                                   doc_node rows, bool titles)) {
    doc_node rows = answer_member(doc, 0, member);
    if (cli->json && !args_switch(cli->args, OPTION_ALL)) {
        cli_print_json(cli, answer->body);
        return EXIT_DONE;
    }
    if (rows == DOC_NONE) return EXIT_DONE;
    if (!cli->json) return print(cli, arena, doc, rows, titles);
    for (doc_node row = doc_first(doc, rows); row != DOC_NONE; row = doc_next(doc, row)) {
        cli_print_json(cli, doc_text(doc, row));
    }
    return EXIT_DONE;
}

/* Which index a page used, in words, beside the answer. */
static void print_explained(struct cli *cli, const struct doc *doc) {
    doc_node explain = answer_member(doc, 0, "explain");
    if (explain == DOC_NONE || cli->json) return;
    doc_node index = answer_member(doc, explain, "index");
    bool used = doc_kind(doc, index) == DOC_ARRAY;
    stet_view name =
        used ? answer_value(doc, index) : answer_text(cli->arena, doc, explain, "index");
    fprintf(cli->errors.stream, "%s%.*s: looked at %llu, %llu matched\n", used ? "index " : "",
            VIEW_ARG(name), (unsigned long long)answer_u64(doc, explain, "rows_examined"),
            (unsigned long long)answer_u64(doc, explain, "rows_matched"));
}

static void list_query(struct cli *cli, struct buffer *path) {
    static const struct {
        enum option_id option;
        const char *name;
    } texts[] = {{OPTION_WHERE, "where"}, {OPTION_SORT, "sort"}, {OPTION_FIELDS, "fields"}};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        if (args_given(cli->args, texts[i].option))
            cli_query(path, texts[i].name, view_of(args_text(cli->args, texts[i].option)));
    }
    if (args_switch(cli->args, OPTION_EXPLAIN)) cli_query(path, "explain", VIEW("1"));
}

int run_list(struct cli *cli) {
    struct arena page;
    struct buffer after;
    bool all = args_switch(cli->args, OPTION_ALL);
    bool first = true;
    int code = EXIT_DONE;
    arena_init(&page, 64 * 1024);
    buffer_init(&after, NULL, 0);
    if (args_given(cli->args, OPTION_AFTER))
        buffer_append_text(&after, args_text(cli->args, OPTION_AFTER));
    do {
        struct buffer path;
        struct answer answer;
        struct doc doc;
        arena_reset(&page);
        cli_path(cli, &path);
        buffer_append_text(&path, "/records/");
        address_encode(&path, view_of(cli->args->arguments[0]));
        if (args_given(cli->args, OPTION_LIMIT)) {
            cli_query_u64(&path, "limit", args_number(cli->args, OPTION_LIMIT));
        } else if (all) {
            cli_query_u64(&path, "limit", LIST_LIMIT_MAX);
        }
        list_query(cli, &path);
        if (after.size > 0) cli_query(&path, "after", buffer_view(&after));
        code = cli_get(cli, &path, &page, &answer, &doc);
        if (code != EXIT_DONE) break;
        code = page_print(cli, &page, &answer, &doc, "records", first, print_records);
        print_explained(cli, &doc);
        first = false;
        buffer_reset(&after);
        buffer_append_view(&after, answer_text(&page, &doc, 0, "next"));
    } while (code == EXIT_DONE && all && after.size > 0);
    if (code == EXIT_DONE && !all && !cli->json && after.size > 0) {
        fprintf(cli->errors.stream, "There is more: --after %.*s, or --all\n",
                VIEW_ARG(buffer_view(&after)));
    }
    buffer_done(&after);
    arena_done(&page);
    return code;
}

/* With the id under which an automatic merge can be looked at and opened again. */
static stet_view merge_note(struct arena *arena, const struct doc *doc, doc_node merge) {
    stet_view words = settled_words(arena, doc, merge);
    stet_view id = answer_text(arena, doc, merge, "conflict_id");
    if (id.size == 0) return words;
    return arena_format(arena, "%.*s (%.*s)", VIEW_ARG(words), VIEW_ARG(id));
}

static int print_changes(struct cli *cli, struct arena *arena, const struct doc *doc,
                         doc_node changes, bool titles) {
    static const char *const names[] = {"VERSION", "AT", "BY", "WHAT", "BASE", "NOTE"};
    struct table table;
    bool with_data = args_switch(cli->args, OPTION_WITH_DATA);
    table_init(&table, arena, 6);
    if (titles) table_titles(&table, names);
    for (doc_node change = doc_first(doc, changes); change != DOC_NONE;
         change = doc_next(doc, change)) {
        stet_view source = answer_text(arena, doc, change, "source");
        doc_node merge = answer_member(doc, change, "merge");
        stet_view base = answer_text(arena, doc, change, "base_version");
        stet_view note = source;
        if (merge != DOC_NONE) note = merge_note(arena, doc, merge);
        if (with_data) note = answer_value(doc, answer_member(doc, change, "data"));
        table_add(&table, COLOR_BOLD, answer_text(arena, doc, change, "version"));
        table_add(&table, COLOR_NONE, answer_time(arena, answer_text(arena, doc, change, "at")));
        table_add(&table, COLOR_NONE, answer_text(arena, doc, change, "by"));
        table_add(&table, COLOR_NONE, answer_text(arena, doc, change, "op"));
        table_add(&table, COLOR_NONE,
                  base.size > 0 && !view_equal(base, VIEW("0")) ? base : VIEW("-"));
        table_add(&table, COLOR_NONE, note);
    }
    return print_table(cli, &table);
}

int run_history(struct cli *cli) {
    struct arena page;
    stet_error err;
    uint64_t before = args_number(cli->args, OPTION_BEFORE);
    bool all = args_switch(cli->args, OPTION_ALL);
    bool first = true;
    int code = EXIT_DONE;
    arena_init(&page, 64 * 1024);
    do {
        struct buffer path;
        struct answer answer;
        struct doc doc;
        arena_reset(&page);
        cli_path(cli, &path);
        buffer_append_text(&path, "/records/");
        if (address_path(&path, view_of(cli->args->arguments[0]), &err) != STET_OK) {
            code = cli_fail(cli, &err);
            break;
        }
        buffer_append_text(&path, "/history");
        if (args_switch(cli->args, OPTION_WITH_DATA)) cli_query(&path, "data", VIEW("1"));
        if (args_given(cli->args, OPTION_LIMIT)) {
            cli_query_u64(&path, "limit", args_number(cli->args, OPTION_LIMIT));
        } else if (all) {
            cli_query_u64(&path, "limit", HISTORY_LIMIT_MAX);
        }
        if (before != 0) cli_query_u64(&path, "before", before);
        code = cli_get(cli, &path, &page, &answer, &doc);
        if (code != EXIT_DONE) break;
        code = page_print(cli, &page, &answer, &doc, "changes", first, print_changes);
        first = false;
        before = 0;
        view_parse_u64(answer_text(&page, &doc, 0, "next"), &before);
    } while (code == EXIT_DONE && all && before != 0);
    if (code == EXIT_DONE && !all && !cli->json && before != 0) {
        fprintf(cli->errors.stream, "There is more: --before %llu, or --all\n",
                (unsigned long long)before);
    }
    arena_done(&page);
    return code;
}

static int print_diff(struct cli *cli, const struct doc *doc) {
    static const char *const names[] = {"FIELD", "FROM", "TO"};
    struct table table;
    doc_node changes = answer_member(doc, 0, "changes");
    fprintf(cli->out.stream, "version %llu to %llu\n",
            (unsigned long long)answer_u64(doc, 0, "from"),
            (unsigned long long)answer_u64(doc, 0, "to"));
    if (changes == DOC_NONE || doc_count(doc, changes) == 0) {
        fputs("no difference\n", cli->out.stream);
        return EXIT_DONE;
    }
    table_init(&table, cli->arena, 3);
    table_titles(&table, names);
    for (doc_node change = doc_first(doc, changes); change != DOC_NONE;
         change = doc_next(doc, change)) {
        stet_view pointer = answer_text(cli->arena, doc, change, "pointer");
        table_add(&table, COLOR_BOLD, pointer.size > 0 ? pointer : VIEW("(whole record)"));
        table_add(&table, COLOR_RED, answer_value(doc, answer_member(doc, change, "from")));
        table_add(&table, COLOR_GREEN, answer_value(doc, answer_member(doc, change, "to")));
    }
    return print_table(cli, &table);
}

/* A version from the arguments. */
static bool version_argument(struct cli *cli, size_t index, uint64_t *version, int *code) {
    stet_error err;
    if (index >= cli->args->argument_count) return true;
    if (view_parse_u64(view_of(cli->args->arguments[index]), version) && *version > 0) return true;
    error_set(&err, STET_BAD_REQUEST, "\"%s\" is not a version", cli->args->arguments[index]);
    *code = cli_fail(cli, &err);
    return false;
}

int run_diff(struct cli *cli) {
    struct buffer record;
    struct buffer path;
    struct answer answer;
    struct doc doc;
    stet_error err;
    uint64_t from = 0;
    uint64_t to = 0;
    int code = EXIT_DONE;
    if (!version_argument(cli, 1, &from, &code) || !version_argument(cli, 2, &to, &code))
        return code;
    cli_path(cli, &record);
    buffer_append_text(&record, "/records/");
    if (address_path(&record, view_of(cli->args->arguments[0]), &err) != STET_OK)
        return cli_fail(cli, &err);
    buffer_init(&path, cli->arena, 0);
    if (from == 0) {
        buffer_append_view(&path, buffer_view(&record));
        buffer_append_text(&path, "/history");
        cli_query_u64(&path, "limit", 2); /* The one before need not have the number before. */
        code = cli_get(cli, &path, cli->arena, &answer, &doc);
        if (code != EXIT_DONE) return code;
        doc_node newest = doc_first(&doc, answer_member(&doc, 0, "changes"));
        doc_node before = newest == DOC_NONE ? DOC_NONE : doc_next(&doc, newest);
        to = answer_u64(&doc, newest, "version");
        from = before == DOC_NONE ? to : answer_u64(&doc, before, "version");
        buffer_init(&path, cli->arena, 0);
    }
    buffer_append_view(&path, buffer_view(&record));
    buffer_append_text(&path, "/diff");
    cli_query_u64(&path, "from", from);
    if (to != 0) cli_query_u64(&path, "to", to);
    code = cli_get(cli, &path, cli->arena, &answer, &doc);
    if (code != EXIT_DONE) return code;
    if (!cli->json) return print_diff(cli, &doc);
    cli_print_json(cli, answer.body);
    return EXIT_DONE;
}
