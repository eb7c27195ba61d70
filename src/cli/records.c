/*
 * get, put, patch, delete: one record. A write always carries a mutation key, ours when the user gave none, so that it may
 * be sent again when the connection breaks.
 */
#include "base/error.h"
#include "base/view.h"
#include "cli/address.h"
#include "cli/answer.h"
#include "cli/cli.h"
#include "cli/settled.h"
#include "doc/write.h"

#include <string.h>

static stet_status record_path(struct cli *cli, struct buffer *path, stet_view address,
                               stet_error *err) {
    cli_path(cli, path);
    buffer_append_text(path, "/records/");
    return address_path(path, address, err);
}

/* "tasks/1  waits for somebody to decide, until 2026-03-01 12:00:00 (then server_wins): conflict 0190…" */
static void print_parked(struct cli *cli, const struct doc *doc) {
    FILE *stream = cli->out.stream;
    terminal_text(&cli->out, COLOR_BOLD, answer_text(cli->arena, doc, 0, "address"));
    fputs("  waits for somebody to decide, until ", stream);
    terminal_text(&cli->out, COLOR_NONE,
                  answer_time(cli->arena, answer_text(cli->arena, doc, 0, "deadline")));
    fputs(" (then ", stream);
    terminal_text(&cli->out, COLOR_NONE, answer_text(cli->arena, doc, 0, "fallback"));
    fputc(')', stream);
    stet_view id = answer_text(cli->arena, doc, 0, "conflict_id");
    if (id.size > 0) {
        fputs(": conflict ", stream);
        terminal_text(&cli->out, COLOR_YELLOW, id);
    }
    if (args_switch(cli->args, OPTION_DRY_RUN)) fputs("  (dry run: nothing was stored)", stream);
    fputc('\n', stream);
}

/* "tasks/1  version 13  by ada at 2026-03-01 12:00:00" */
static void print_summary(struct cli *cli, const struct doc *doc, doc_node record,
                          const struct answer *answer) {
    FILE *stream = cli->out.stream;
    terminal_text(&cli->out, COLOR_BOLD, answer_text(cli->arena, doc, record, "address"));
    fprintf(stream, "  version %llu", (unsigned long long)answer_u64(doc, record, "version"));
    stet_view by = answer_text(cli->arena, doc, record, "updated_by");
    if (by.size > 0) {
        fputs("  by ", stream);
        terminal_text(&cli->out, COLOR_NONE, by);
        fputs(" at ", stream);
        terminal_text(&cli->out, COLOR_NONE,
                      answer_time(cli->arena, answer_text(cli->arena, doc, record, "updated_at")));
    }
    if (answer_bool(doc, record, "deleted")) fputs("  (deleted)", stream);
    if (answer_bool(doc, record, "unchanged"))
        fputs("  (unchanged: this is what it was already)", stream);
    doc_node merge = answer_member(doc, record, "merge");
    if (merge != DOC_NONE) {
        fputs("  (", stream);
        terminal_text(&cli->out, COLOR_NONE, settled_words(cli->arena, doc, merge));
        fputc(')', stream);
    }
    doc_node applied = answer_member(doc, record, "applied");
    bool is_applied = true;
    if (applied != DOC_NONE && doc_bool(doc, applied, &is_applied) && !is_applied)
        fputs("  (not applied: the record stays as it is)", stream);
    if (answer->replayed) fputs("  (done before with this key)", stream);
    if (args_switch(cli->args, OPTION_DRY_RUN)) fputs("  (dry run: nothing was stored)", stream);
    fputc('\n', stream);
}

int run_get(struct cli *cli) {
    struct buffer path;
    struct answer answer;
    struct doc doc;
    stet_error err;
    stet_view address = view_of(cli->args->arguments[0]);
    stet_version version = address_version(&address);
    if (version != 0 && args_given(cli->args, OPTION_VERSION)) {
        error_set(&err, STET_BAD_REQUEST,
                  "give the version in the address or with --version, not both");
        return cli_fail(cli, &err);
    }
    if (args_given(cli->args, OPTION_VERSION)) version = args_number(cli->args, OPTION_VERSION);
    if (record_path(cli, &path, address, &err) != STET_OK) return cli_fail(cli, &err);
    if (version != 0 || args_given(cli->args, OPTION_VERSION))
        cli_query_u64(&path, "version", version);
    if (args_given(cli->args, OPTION_AT))
        cli_query(&path, "at", view_of(args_text(cli->args, OPTION_AT)));
    int code = cli_get(cli, &path, cli->arena, &answer, &doc);
    if (code != EXIT_DONE) return code;
    doc_node data = answer_member(&doc, 0, "data");
    if (args_switch(cli->args, OPTION_RAW)) {
        stet_view text = data != DOC_NONE ? doc_text(&doc, data) : VIEW("null");
        fwrite(text.bytes, 1, text.size, cli->out.stream);
        fputc('\n', cli->out.stream);
    } else if (cli->json) {
        cli_print_json(cli, answer.body);
    } else {
        terminal_json(&cli->out, &doc, 0);
    }
    return EXIT_DONE;
}

/* What the options say about the write, into query and headers; the same for put, patch and delete. */
static stet_status write_options(struct cli *cli, struct buffer *path, struct call *call,
                                 stet_error *err) {
    const struct args *args = cli->args;
    size_t headers = 0;
    if (args_switch(args, OPTION_CREATE) && args_given(args, OPTION_BASE)) {
        return error_set(err, STET_BAD_REQUEST, "--create and --base contradict one another");
    }
    if (args_switch(args, OPTION_CREATE)) call->headers[headers++] = "If-None-Match: *";
    cli_query_write(cli, path);
    if (args_given(args, OPTION_ON_CONFLICT)) {
        cli_query(path, "on_conflict", view_of(args_text(args, OPTION_ON_CONFLICT)));
    }
    if (args_given(args, OPTION_MODIFIED_AT))
        cli_query(path, "modified_at", view_of(args_text(args, OPTION_MODIFIED_AT)));
    if (args_given(args, OPTION_PARENT))
        cli_query(path, "parent", view_of(args_text(args, OPTION_PARENT)));
    return cli_end_path(path, call, err);
}

static int run_write(struct cli *cli, const char *method, const char *content_type,
                     const char *argument) {
    struct buffer path;
    struct answer answer;
    struct doc doc;
    stet_error err;
    struct call call = {.method = method, .content_type = content_type};
    stet_status status = record_path(cli, &path, view_of(cli->args->arguments[0]), &err);
    if (status == STET_OK) status = write_options(cli, &path, &call, &err);
    if (status == STET_OK && argument != NULL) status = cli_body(cli, argument, &call.body, &err);
    if (status != STET_OK) return cli_fail(cli, &err);
    int code = cli_send(cli, &call, cli->arena, &answer, &doc);
    if (code != EXIT_DONE) return code;
    if (cli->json) {
        cli_print_json(cli, answer.body);
    } else if (view_equal(answer_text(cli->arena, &doc, 0, "status"), VIEW("parked"))) {
        print_parked(cli, &doc);
    } else {
        print_summary(cli, &doc, 0, &answer);
    }
    return EXIT_DONE;
}

int run_put(struct cli *cli) {
    return run_write(cli, "PUT", "application/json", cli->args->arguments[1]);
}

int run_patch(struct cli *cli) {
    bool json_patch = args_switch(cli->args, OPTION_JSON_PATCH);
    return run_write(cli, "PATCH",
                     json_patch ? "application/json-patch+json" : "application/merge-patch+json",
                     cli->args->arguments[1]);
}

int run_delete(struct cli *cli) { return run_write(cli, "DELETE", NULL, NULL); }

static void print_purged(struct cli *cli, const struct doc *doc) {
    struct terminal *out = &cli->out;
    terminal_text(out, COLOR_NONE, answer_text(cli->arena, doc, 0, "address"));
    if (answer_bool(doc, 0, "unchanged")) {
        fputs(": was erased before\n", out->stream);
    } else {
        fprintf(out->stream, ": %s, %llu versions\n",
                answer_bool(doc, 0, "dry_run") ? "would be erased" : "erased",
                (unsigned long long)answer_u64(doc, 0, "versions"));
    }
    doc_node kept = answer_member(doc, 0, "kept");
    if (kept == DOC_NONE || doc_kind(doc, kept) != DOC_ARRAY || doc_count(doc, kept) == 0) return;
    fputs("These may still hold something of it:\n", out->stream);
    for (doc_node one = doc_first(doc, kept); one != DOC_NONE; one = doc_next(doc, one)) {
        stet_view address = {0};
        if (doc_string(cli->arena, doc, one, &address) != STET_OK) continue;
        fputs("  ", out->stream);
        terminal_text(out, COLOR_NONE, address);
        fputc('\n', out->stream);
    }
    uint64_t more = answer_u64(doc, 0, "kept_left_out");
    if (more > 0) fprintf(out->stream, "  and %llu more\n", (unsigned long long)more);
}

int run_purge(struct cli *cli) {
    struct buffer path, body;
    struct json_writer writer;
    struct answer answer;
    struct doc doc;
    stet_error err;
    struct call call = {.method = "POST", .content_type = "application/json"};
    const char *reason = args_text(cli->args, OPTION_REASON);
    stet_status status = record_path(cli, &path, view_of(cli->args->arguments[0]), &err);
    if (status == STET_OK && reason == NULL)
        status = error_set(&err, STET_BAD_REQUEST,
                           "erasing a record needs a --reason, which is "
                           "kept");
    buffer_append_text(&path, "/purge");
    if (args_switch(cli->args, OPTION_DRY_RUN)) cli_query(&path, "dry_run", VIEW("1"));
    buffer_init(&body, cli->arena, 0);
    json_begin(&writer, &body);
    json_object_begin(&writer);
    if (status == STET_OK) json_member_text(&writer, VIEW("reason"), view_of(reason));
    json_object_end(&writer);
    if (status == STET_OK) status = json_end(&writer);
    if (status == STET_OK) status = cli_end_path(&path, &call, &err);
    if (status != STET_OK) return cli_fail(cli, &err);
    call.body = buffer_view(&body);
    int code = cli_send(cli, &call, cli->arena, &answer, &doc);
    if (code != EXIT_DONE) return code;
    if (cli->json) {
        cli_print_json(cli, answer.body);
    } else {
        print_purged(cli, &doc);
    }
    return EXIT_DONE;
}
