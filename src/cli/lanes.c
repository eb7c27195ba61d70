/*
 * lanes: the queues that operations wait in; alerts: what is out of bounds; settings: what a space is told to watch.
 */
#include "base/error.h"
#include "base/view.h"
#include "cli/address.h"
#include "cli/answer.h"
#include "cli/cli.h"

#include <string.h>

static void lanes_path(struct cli *cli, struct buffer *path, const char *lane, const char *verb) {
    cli_path(cli, path);
    buffer_append_text(path, "/lanes");
    if (lane == NULL) return;
    buffer_append_char(path, '/');
    address_encode(path, view_of(lane));
    if (verb != NULL) buffer_append_format(path, "/%s", verb);
}

/* ---- Lanes ------------------------------------------------------------------------------- */

/* "3 high, 12 normal" of {"high": 3, "normal": 12}. */
static stet_view counts_text(struct arena *arena, const struct doc *doc, doc_node counts) {
    struct buffer text;
    buffer_init(&text, arena, 0);
    if (counts == DOC_NONE || doc_kind(doc, counts) != DOC_OBJECT) return VIEW("-");
    for (doc_node one = doc_first(doc, counts); one != DOC_NONE; one = doc_next(doc, one)) {
        uint64_t count = 0;
        if (!doc_u64(doc, one, &count) || count == 0) continue;
        if (text.size > 0) buffer_append_text(&text, ", ");
        buffer_append_format(&text, "%llu %.*s", (unsigned long long)count,
                             VIEW_ARG(doc_key_raw(doc, one)));
    }
    return text.size > 0 ? buffer_view(&text) : VIEW("-");
}

/* A time in seconds; a dash where it is not known yet. */
static stet_view time_text(const struct doc *doc, doc_node lane, const char *name) {
    doc_node node = answer_member(doc, lane, name);
    return node == DOC_NONE || doc_kind(doc, node) != DOC_NUMBER ? VIEW("-") : doc_text(doc, node);
}

static void lane_add(struct cli *cli, struct table *table, const struct doc *doc, doc_node lane) {
    struct arena *arena = cli->arena;
    bool paused = answer_bool(doc, lane, "paused"), draining = answer_bool(doc, lane, "draining");
    table_add(table, COLOR_BOLD, answer_text(arena, doc, lane, "id"));
    table_add(table, paused || draining ? COLOR_YELLOW : COLOR_GREEN,
              paused     ? VIEW("paused")
              : draining ? VIEW("draining")
                         : VIEW("open"));
    table_add(table, COLOR_NONE, answer_text(arena, doc, lane, "width"));
    table_add(table, COLOR_NONE, answer_text(arena, doc, lane, "running"));
    table_add(table, COLOR_NONE, counts_text(arena, doc, answer_member(doc, lane, "queued")));
    table_add(table, COLOR_NONE, time_text(doc, lane, "estimated_wait_s"));
    table_add(table, COLOR_NONE, time_text(doc, lane, "average_processing_s"));
}

int run_lanes(struct cli *cli) {
    static const char *const names[] = {"LANE",   "STATE",    "WIDTH",         "RUNNING",
                                        "QUEUED", "WAIT (S)", "PROCESSING (S)"};
    struct table table;
    struct buffer path;
    struct answer answer;
    struct doc doc;
    stet_error err;
    lanes_path(cli, &path, NULL, NULL);
    int code = cli_get(cli, &path, cli->arena, &answer, &doc);
    if (code != EXIT_DONE) return code;
    if (cli->json) {
        cli_print_json(cli, answer.body);
        return EXIT_DONE;
    }
    table_init(&table, cli->arena, 7);
    table_titles(&table, names);
    doc_node lanes = answer_member(&doc, 0, "lanes");
    for (doc_node lane = lanes == DOC_NONE ? DOC_NONE : doc_first(&doc, lanes); lane != DOC_NONE;
         lane = doc_next(&doc, lane))
        lane_add(cli, &table, &doc, lane);
    return table_print(&table, &cli->out, "", &err) == STET_OK ? EXIT_DONE : cli_fail(cli, &err);
}

/* Sends, and shows what came back. */
static int send_and_show(struct cli *cli, struct call *call, struct buffer *path) {
    struct answer answer;
    struct doc doc;
    stet_error err;
    buffer_append_char(path, '\0');
    if (buffer_status(path) != STET_OK) {
        error_set(&err, STET_NO_MEMORY, "out of memory");
        return cli_fail(cli, &err);
    }
    call->path = path->bytes;
    int code = cli_send(cli, call, cli->arena, &answer, &doc);
    if (code != EXIT_DONE) return code;
    if (cli->json) {
        cli_print_json(cli, answer.body);
    } else {
        terminal_json(&cli->out, &doc, 0);
    }
    return EXIT_DONE;
}

int run_lanes_show(struct cli *cli) {
    struct call call = {.method = "GET", .repeatable = true};
    struct buffer path;
    lanes_path(cli, &path, cli->args->arguments[0], NULL);
    return send_and_show(cli, &call, &path);
}

int run_lanes_set(struct cli *cli) {
    struct call call = {.method = "PUT", .content_type = "application/json", .repeatable = true};
    struct buffer path;
    stet_error err;
    if (cli_body(cli, cli->args->arguments[1], &call.body, &err) != STET_OK)
        return cli_fail(cli, &err);
    lanes_path(cli, &path, cli->args->arguments[0], NULL);
    return send_and_show(cli, &call, &path);
}

static int lane_move(struct cli *cli, const char *verb) {
    struct call call = {.method = "POST", .repeatable = true};
    struct buffer path;
    lanes_path(cli, &path, cli->args->arguments[0], verb);
    return send_and_show(cli, &call, &path);
}

int run_lanes_pause(struct cli *cli) { return lane_move(cli, "pause"); }
int run_lanes_resume(struct cli *cli) { return lane_move(cli, "resume"); }
int run_lanes_drain(struct cli *cli) { return lane_move(cli, "drain"); }

/* ---- Alerts and settings ----------------------------------------------------------------- */

int run_alerts(struct cli *cli) {
    static const char *const names[] = {"NAME",  "STATE",     "SEVERITY", "MEASURE",
                                        "VALUE", "THRESHOLD", "SINCE",    "LANE"};
    static const char *const members[] = {"name",  "state",     "severity", "measure",
                                          "value", "threshold", "since",    "lane"};
    const char *state = args_text(cli->args, OPTION_ALERT_STATE);
    struct table table;
    stet_view after = {0};
    stet_error err;
    table_init(&table, cli->arena, 8);
    table_titles(&table, names);
    do {
        struct buffer path;
        struct answer answer;
        struct doc doc;
        cli_path(cli, &path);
        buffer_append_text(&path, "/alerts");
        if (state != NULL) cli_query(&path, "state", view_of(state));
        if (after.size > 0) cli_query(&path, "after", after);
        int code = cli_get(cli, &path, cli->arena, &answer, &doc);
        if (code != EXIT_DONE) return code;
        if (cli->json) cli_print_json(cli, answer.body);
        doc_node alerts = answer_member(&doc, 0, "alerts");
        for (doc_node one = alerts == DOC_NONE ? DOC_NONE : doc_first(&doc, alerts);
             one != DOC_NONE && !cli->json; one = doc_next(&doc, one)) {
            bool firing = view_equal(answer_text(cli->arena, &doc, one, "state"), VIEW("firing"));
            for (size_t i = 0; i < 8; i++) {
                stet_view text = answer_text(cli->arena, &doc, one, members[i]);
                if (strcmp(members[i], "since") == 0) text = answer_time(cli->arena, text);
                table_add(&table,
                          i == 0             ? COLOR_BOLD
                          : i == 1 && firing ? COLOR_RED
                                             : COLOR_NONE,
                          text);
            }
        }
        after = answer_text(cli->arena, &doc, 0, "next");
    } while (after.size > 0);
    if (cli->json) return EXIT_DONE;
    return table_print(&table, &cli->out, "", &err) == STET_OK ? EXIT_DONE : cli_fail(cli, &err);
}

static void settings_path(struct cli *cli, struct buffer *path) {
    cli_path(cli, path);
    buffer_append_text(path, "/settings");
}

int run_settings(struct cli *cli) {
    struct call call = {.method = "GET", .repeatable = true};
    struct buffer path;
    settings_path(cli, &path);
    return send_and_show(cli, &call, &path);
}

int run_settings_put(struct cli *cli) {
    struct call call = {.method = "PUT", .content_type = "application/json"};
    struct buffer path;
    stet_error err;
    if (cli_body(cli, cli->args->arguments[0], &call.body, &err) != STET_OK)
        return cli_fail(cli, &err);
    settings_path(cli, &path);
    if (args_given(cli->args, OPTION_BASE))
        cli_query_u64(&path, "base_version", args_number(cli->args, OPTION_BASE));
    return send_and_show(cli, &call, &path);
}
