/*
 * functions test: runs the examples of a folder of functions, on a server of this process that holds nothing else.
 *
 * NAME.test.json is a list of examples: {"words"?, "given"?: {TYPE/ID: data}, "input"?, "expect"?: {"result"?, "records"?: {TYPE/ID: data
 * or null}}, "error"?: code}. Each has a space of its own; a record that is null must not be there.
 */
#include "base/error.h"
#include "base/view.h"
#include "cli/address.h"
#include "cli/answer.h"
#include "cli/functions.h"

struct trial {
    struct cli *cli;
    struct arena arena; /* Of one example. */
    stet_view functions;
    unsigned number, passed, failed;
    char space[32];
};

/* Sends; the answer whatever it is. */
static stet_status ask(struct trial *trial, const char *method, const char *what, stet_view name,
                       bool is_address, stet_view body, struct answer *answer, struct doc *doc,
                       stet_error *err) {
    struct buffer path;
    buffer_init(&path, &trial->arena, 0);
    buffer_append_format(&path, "/v1/%s%s", trial->space, what);
    if (is_address) {
        stet_status status = address_path(&path, name, err);
        if (status != STET_OK) return status;
    } else if (name.size > 0) {
        address_encode(&path, name);
    }
    buffer_append_char(&path, '\0');
    if (buffer_status(&path) != STET_OK) return error_set(err, STET_NO_MEMORY, "out of memory");
    struct call call = {
        .method = method, .path = path.bytes, .content_type = "application/json", .body = body};
    stet_status status = peer_call(trial->cli->peer, &call, &trial->arena, answer, err);
    if (status != STET_OK) return status;
    return answer_parse(&trial->arena, answer->body.size > 0 ? answer->body : VIEW("{}"), doc, err);
}

static bool is_done(const struct answer *answer) {
    return answer->http >= 200 && answer->http < 300;
}

static stet_status refusal(struct trial *trial, const char *what, const struct doc *doc,
                           stet_error *err) {
    return error_set(err, STET_BAD_REQUEST, "%s: %.*s (%.*s)", what,
                     VIEW_ARG(answer_text(&trial->arena, doc, 0, "detail")),
                     VIEW_ARG(answer_text(&trial->arena, doc, 0, "code")));
}

/* What is wrong goes to the caller as an error; STET_OK: the example holds. */
static stet_status try_example(struct trial *trial, const char *name, const struct doc *examples,
                               doc_node example, stet_error *err) {
    struct arena *arena = &trial->arena;
    struct answer answer;
    struct doc doc;
    doc_node given = answer_member(examples, example, "given");
    doc_node input = answer_member(examples, example, "input");
    doc_node expect = answer_member(examples, example, "expect");
    stet_view error = answer_text(arena, examples, example, "error");
    snprintf(trial->space, sizeof trial->space, "example-%u", ++trial->number);
    stet_status status =
        ask(trial, "PUT", "", (stet_view){0}, false, VIEW("{}"), &answer, &doc, err);
    if (status == STET_OK && !is_done(&answer)) return refusal(trial, "a space", &doc, err);
    if (status == STET_OK)
        status = ask(trial, "PUT", "/functions", (stet_view){0}, false, trial->functions, &answer,
                     &doc, err);
    if (status == STET_OK && !is_done(&answer)) return refusal(trial, "the functions", &doc, err);
    for (doc_node one = given == DOC_NONE ? DOC_NONE : doc_first(examples, given);
         one != DOC_NONE && status == STET_OK; one = doc_next(examples, one)) {
        stet_view address;
        if (doc_key(arena, examples, one, &address) != STET_OK)
            return error_set(err, STET_NO_MEMORY, "out of memory");
        status = ask(trial, "PUT", "/records/", address, true, doc_text(examples, one), &answer,
                     &doc, err);
        if (status == STET_OK && !is_done(&answer))
            return refusal(trial, "a given record", &doc, err);
    }
    if (status == STET_OK)
        status =
            ask(trial, "POST", "/functions/", view_of(name), false,
                input == DOC_NONE ? VIEW("null") : doc_text(examples, input), &answer, &doc, err);
    if (status != STET_OK) return status;
    if (error.size > 0) {
        stet_view code = answer_text(arena, &doc, 0, "code");
        if (is_done(&answer))
            return error_set(err, STET_BAD_REQUEST, "it went well, and was to fail with %.*s",
                             VIEW_ARG(error));
        if (!view_equal(code, error)) return refusal(trial, "another failure", &doc, err);
    } else if (!is_done(&answer)) {
        return refusal(trial, "it failed", &doc, err);
    }
    doc_node result = expect == DOC_NONE ? DOC_NONE : answer_member(examples, expect, "result");
    doc_node got = answer_member(&doc, 0, "result");
    if (result != DOC_NONE && (got == DOC_NONE || !doc_equal(examples, result, &doc, got)))
        return error_set(err, STET_BAD_REQUEST, "the result is %.*s",
                         VIEW_ARG(answer_value(&doc, got)));
    doc_node records = expect == DOC_NONE ? DOC_NONE : answer_member(examples, expect, "records");
    for (doc_node one = records == DOC_NONE ? DOC_NONE : doc_first(examples, records);
         one != DOC_NONE; one = doc_next(examples, one)) {
        stet_view address;
        bool absent = doc_kind(examples, one) == DOC_NULL;
        if (doc_key(arena, examples, one, &address) != STET_OK)
            return error_set(err, STET_NO_MEMORY, "out of memory");
        status = ask(trial, "GET", "/records/", address, true, (stet_view){0}, &answer, &doc, err);
        if (status != STET_OK) return status;
        if (absent && answer.http == 404) continue;
        doc_node data = answer_member(&doc, 0, "data");
        if (!is_done(&answer))
            return error_set(err, STET_BAD_REQUEST, "%.*s is not there", VIEW_ARG(address));
        if (absent || data == DOC_NONE || !doc_equal(examples, one, &doc, data))
            return error_set(err, STET_BAD_REQUEST, "%.*s is %.*s", VIEW_ARG(address),
                             VIEW_ARG(answer_value(&doc, data)));
    }
    return STET_OK;
}

static void report(struct trial *trial, const char *name, unsigned number, stet_view words,
                   stet_status status, const stet_error *err) {
    struct terminal *out = &trial->cli->out;
    if (status == STET_OK) trial->passed++;
    if (status != STET_OK) trial->failed++;
    terminal_text(out, status == STET_OK ? COLOR_GREEN : COLOR_RED,
                  status == STET_OK ? VIEW("ok    ") : VIEW("FAILED"));
    fprintf(out->stream, "  %s %u", name, number);
    if (words.size > 0) {
        fputs("  ", out->stream);
        terminal_text(out, COLOR_NONE, words);
    }
    if (status != STET_OK) {
        fputs(": ", out->stream);
        terminal_text(out, COLOR_NONE, view_of(err->message));
    }
    fputc('\n', out->stream);
}

static stet_status try_file(struct trial *trial, const char *folder, const char *name,
                            stet_error *err) {
    struct arena file;
    struct doc examples;
    stet_view text;
    unsigned number = 0;
    arena_init(&file, 4096);
    stet_status status = functions_file(folder, name, ".test.json", &file, &text, err);
    if (status == STET_OK) status = answer_parse(&file, text, &examples, err);
    if (status == STET_OK && doc_kind(&examples, 0) != DOC_ARRAY)
        status = error_set(err, STET_BAD_REQUEST, "must hold a list of examples");
    if (status != STET_OK) {
        report(trial, name, 0, VIEW("its file"), status, err);
        arena_done(&file);
        return STET_OK;
    }
    for (doc_node one = doc_first(&examples, 0); one != DOC_NONE; one = doc_next(&examples, one)) {
        stet_error why = {0};
        arena_reset(&trial->arena);
        status = try_example(trial, name, &examples, one, &why);
        if (status == STET_UNAVAILABLE || status == STET_NO_MEMORY) {
            *err = why;
            break;
        }
        report(trial, name, ++number, answer_text(&trial->arena, &examples, one, "words"), status,
               &why);
        status = STET_OK;
    }
    arena_done(&file);
    return status;
}

int run_functions_test(struct cli *cli) {
    const char *folder = cli->args->arguments[0];
    struct trial trial = {.cli = cli};
    struct buffer body;
    const char **names;
    size_t count;
    stet_error err;
    stet_status status = functions_body(folder, cli->arena, &body, &err);
    if (status == STET_OK)
        status = functions_find(folder, cli->arena, ".test.json", &names, &count, &err);
    if (status == STET_OK && count == 0)
        status = error_set(&err, STET_BAD_REQUEST, "\"%s\" holds no .test.json file", folder);
    if (status == STET_OK) status = peer_open_scratch(cli->args, NULL, &cli->peer, &err);
    if (status != STET_OK) return cli_fail(cli, &err);
    trial.functions = buffer_view(&body);
    arena_init(&trial.arena, 16384);
    for (size_t i = 0; i < count && status == STET_OK; i++)
        status = try_file(&trial, folder, names[i], &err);
    arena_done(&trial.arena);
    if (status != STET_OK) return cli_fail(cli, &err);
    fprintf(cli->out.stream, "%u passed, %u failed\n", trial.passed, trial.failed);
    return trial.failed == 0 ? EXIT_DONE : EXIT_FAILED;
}
