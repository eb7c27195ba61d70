/*
 * import of an iCalendar file: its events become records, all of them in one request, so nothing is resumed and there are no pieces.
 */
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "cli/address.h"
#include "cli/answer.h"
#include "cli/cli.h"
#include "cli/file.h"

#include <string.h>
#include <strings.h>

enum { READ_SLACK = 64 * 1024 };

bool import_is_ics(const struct args *args) {
    const char *path = args->arguments[0], *format = args_text(args, OPTION_FORMAT);
    size_t size = strlen(path);
    if (format != NULL) return strcmp(format, "ics") == 0;
    return size > 4 && strcasecmp(path + size - 4, ".ics") == 0;
}

/* What says how rows become records says nothing of events. */
static stet_status options_check(const struct args *args, stet_error *err) {
    static const enum option_id others[] = {
        OPTION_MAP,         OPTION_FIELD,      OPTION_SET,       OPTION_ID_FROM,
        OPTION_ID_TEMPLATE, OPTION_EMPTY,      OPTION_SEPARATOR, OPTION_ENCODING,
        OPTION_RESUME,      OPTION_MAX_ERRORS, OPTION_BAD_ROWS,  OPTION_NO_HEADER};
    const char *what = args_text(args, OPTION_ON_ERROR);
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        if (args_given(args, others[i]))
            return error_set(err, STET_BAD_REQUEST, "--%s is not for iCalendar files",
                             option_row(others[i])->name);
    if (args_text(args, OPTION_IMPORT_TYPE) == NULL)
        return error_set(err, STET_BAD_REQUEST, "say what the events become: --type TYPE");
    if (args->values[OPTION_RESOURCE].count > 1)
        return error_set(err, STET_BAD_REQUEST, "--resource is given once for an import");
    if (strcmp(what, "stop") != 0 && strcmp(what, "continue") != 0 && strcmp(what, "skip") != 0)
        return error_set(err, STET_BAD_REQUEST, "--on-error is skip, continue or stop, not \"%s\"",
                         what);
    return STET_OK;
}

static void ics_path(struct cli *cli, struct buffer *path) {
    const struct args *args = cli->args;
    const struct args_value *resource = &args->values[OPTION_RESOURCE];
    cli_path(cli, path);
    buffer_append_text(path, "/calendar/");
    address_encode(path, view_of(args_text(args, OPTION_IMPORT_TYPE)));
    cli_query_write(cli, path);
    if (resource->count > 0) cli_query(path, "resource", view_of(resource->texts[0]));
    if (args_given(args, OPTION_ZONE))
        cli_query(path, "zone", view_of(args_text(args, OPTION_ZONE)));
    if (strcmp(args_text(args, OPTION_ON_ERROR), "stop") != 0)
        cli_query(path, "on_error", VIEW("continue"));
    if (args_switch(args, OPTION_UPDATE)) cli_query(path, "replace", VIEW("1"));
}

/* An event that was left out: where it stands, and why. */
static void say_error(struct cli *cli, const struct doc *doc, doc_node one) {
    stet_view uid = answer_text(cli->arena, doc, one, "uid");
    FILE *stream = cli->errors.stream;
    fprintf(stream, "line %llu: ", (unsigned long long)answer_u64(doc, one, "line"));
    if (uid.size > 0) {
        terminal_text(&cli->errors, COLOR_BOLD, uid);
        fputs(": ", stream);
    }
    terminal_text(&cli->errors, COLOR_NONE, answer_text(cli->arena, doc, one, "detail"));
    fputs(" (", stream);
    terminal_text(&cli->errors, COLOR_NONE, answer_text(cli->arena, doc, one, "code"));
    fputs(")\n", stream);
}

static int tell(struct cli *cli, const struct answer *answer, const struct doc *doc) {
    uint64_t failed = answer_u64(doc, 0, "failed");
    doc_node errors = answer_member(doc, 0, "errors");
    if (cli->json) {
        cli_print_json(cli, answer->body);
        return failed > 0 ? EXIT_FAILED : EXIT_DONE;
    }
    for (doc_node one = errors == DOC_NONE ? DOC_NONE : doc_first(doc, errors); one != DOC_NONE;
         one = doc_next(doc, one))
        say_error(cli, doc, one);
    fprintf(cli->out.stream, "%llu %s, %llu there already, %llu failed\n",
            (unsigned long long)answer_u64(doc, 0, "imported"),
            answer_bool(doc, 0, "dry_run") ? "would be imported" : "imported",
            (unsigned long long)answer_u64(doc, 0, "unchanged"), (unsigned long long)failed);
    return failed > 0 ? EXIT_FAILED : EXIT_DONE;
}

int import_ics(struct cli *cli) {
    struct buffer text, path;
    struct call call = {.method = "POST", .content_type = "text/calendar"};
    struct answer answer;
    struct doc doc;
    stet_error err;
    /* The server names its limit; this one only keeps what no server takes out of memory. */
    buffer_init(&text, NULL, (size_t)CALENDAR_TEXT_BYTES_MAX + 2 * READ_SLACK);
    stet_status status = options_check(cli->args, &err);
    if (status == STET_OK) status = file_read(cli->args->arguments[0], &text, &err);
    if (status == STET_OK) {
        ics_path(cli, &path);
        call.body = text.size > 0 ? buffer_view(&text) : VIEW("");
        status = cli_end_path(&path, &call, &err);
    }
    int code =
        status == STET_OK ? cli_send(cli, &call, cli->arena, &answer, &doc) : cli_fail(cli, &err);
    if (code == EXIT_DONE) code = tell(cli, &answer, &doc);
    buffer_done(&text);
    return code;
}
