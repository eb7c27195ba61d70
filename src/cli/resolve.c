/*
 * conflicts resolve: by a word, with data of one's own, or by being asked field by field.
 *
 * What is asked goes to standard error, the outcome to standard output. Whoever is asked has seen the record as of the token that is
 * sent; if it moved on meanwhile, the conflict is shown as it is by then and everything is asked again.
 */
#include "base/error.h"
#include "base/view.h"
#include "cli/conflicts.h"
#include "cli/file.h"
#include "doc/write.h"

#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LINE_BYTES = 64, NAME_BYTES = 4096 };

/* ---- Asking ------------------------------------------------------------------------------ */

/* Reads a line; what does not fit is dropped, so that it is no answer to the next question. False: the end. */
static bool read_line(char line[LINE_BYTES]) {
    if (fgets(line, LINE_BYTES, stdin) == NULL) return false;
    size_t size = strcspn(line, "\n");
    if (line[size] == '\0') {
        for (int c = getchar(); c != '\n' && c != EOF;)
            c = getchar();
    }
    line[size] = '\0';
    return true;
}

/*
 * Asks until one of the words is given, by its first letter or whole; "quit" is always among them. NULL: quit, or the end
 * of the input.
 */
static const char *ask(struct cli *cli, const char *const *words, size_t count) {
    FILE *stream = cli->errors.stream;
    char line[LINE_BYTES];
    for (;;) {
        for (size_t i = 0; i < count; i++)
            fprintf(stream, "[%c]%s, ", words[i][0], words[i] + 1);
        fputs("[q]uit? ", stream);
        fflush(stream);
        if (!read_line(line)) {
            fputc('\n', stream);
            return NULL;
        }
        if (strcmp(line, "q") == 0 || strcmp(line, "quit") == 0) return NULL;
        for (size_t i = 0; i < count; i++)
            if (strcmp(line, words[i]) == 0 || (line[0] == words[i][0] && line[1] == '\0'))
                return words[i];
        if (line[0] != '\0') fputs("that is none of them\n", stream);
    }
}

/* ---- The editor -------------------------------------------------------------------------- */

static bool write_value(int fd, stet_view value) {
    FILE *file = fdopen(fd, "w");
    if (file == NULL) {
        close(fd);
        return false;
    }
    bool written = fprintf(file, "%.*s\n", VIEW_ARG(value)) >= 0;
    return fclose(file) == 0 && written;
}

/* Waits for the editor; EDITOR may hold arguments, the shell knows how to read it. */
static bool run_editor(const char *name) {
    const char *editor = getenv("EDITOR");
    int state = 0;
    pid_t child = fork();
    if (child == 0) {
        setenv("STET_EDIT", name, 1);
        setenv("STET_EDITOR", editor == NULL || editor[0] == '\0' ? "vi" : editor, 1);
        execl("/bin/sh", "sh", "-c", "eval \"$STET_EDITOR\" '\"$STET_EDIT\"'", (char *)NULL);
        _exit(127);
    }
    return child > 0 && waitpid(child, &state, 0) == child && WIFEXITED(state) &&
           WEXITSTATUS(state) == 0;
}

/* Lets the editor change a value. False, and why was said: nothing came of it. */
static bool edit(struct cli *cli, stet_view value, stet_view *out) {
    FILE *stream = cli->errors.stream;
    const char *folder = getenv("TMPDIR");
    char name[NAME_BYTES];
    struct buffer text;
    struct doc doc;
    stet_error err;
    bool done = false;
    int size = snprintf(name, sizeof name, "%s/stet-edit-XXXXXX.json",
                        folder == NULL || folder[0] == '\0' ? "/tmp" : folder);
    int fd = size < 0 || (size_t)size >= sizeof name ? -1 : mkstemps(name, (int)strlen(".json"));
    if (fd < 0) {
        fprintf(stream, "no file could be made to edit\n");
        return false;
    }
    buffer_init(&text, cli->arena, 0);
    if (!write_value(fd, value)) {
        fprintf(stream, "could not write \"%s\"\n", name);
    } else if (!run_editor(name)) {
        fprintf(stream, "the editor failed: nothing was changed\n");
    } else if (file_read(name, &text, &err) != STET_OK) {
        fprintf(stream, "%s\n", err.message);
    } else if (doc_parse(cli->arena, buffer_view(&text), NULL, &doc, &err) != STET_OK) {
        fprintf(stream, "that is not JSON: %s\n", err.message);
    } else {
        *out = doc_text(&doc, 0);
        done = true;
    }
    unlink(name);
    return done;
}

/* ---- Field by field ---------------------------------------------------------------------- */

/* Asks for one field until there is an answer. False: the person gave up. */
static bool ask_field(struct cli *cli, const struct doc *doc, doc_node field, stet_view pointer,
                      struct json_writer *fields) {
    static const char *const sides[] = {"base", "current", "yours"};
    static const char *const words[] = {"yours", "current", "base", "edit"};
    struct terminal *terminal = &cli->errors;
    stet_view value;
    fputc('\n', terminal->stream);
    terminal_text(terminal, COLOR_BOLD, pointer.size == 0 ? VIEW("(whole record)") : pointer);
    fputc('\n', terminal->stream);
    for (size_t i = 0; i < 3; i++) {
        fprintf(terminal->stream, "  %-8s", sides[i]);
        terminal_text(terminal, i == 2 ? COLOR_GREEN : COLOR_NONE,
                      answer_value(doc, answer_member(doc, field, sides[i])));
        fputc('\n', terminal->stream);
    }
    for (;;) {
        const char *word = ask(cli, words, 4);
        if (word == NULL) return false;
        if (strcmp(word, "edit") != 0) {
            json_member_text(fields, pointer, view_of(word));
            return true;
        }
        doc_node yours = answer_member(doc, field, "yours");
        if (!edit(cli, yours == DOC_NONE ? VIEW("null") : doc_text(doc, yours), &value)) continue;
        json_key(fields, pointer);
        json_object_begin(fields);
        json_member_raw(fields, VIEW("value"), value);
        json_object_end(fields);
        return true;
    }
}

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

/* Shows the conflict and asks. NULL: nothing is to be done. */
static const char *ask_choice(struct cli *cli, const struct doc *doc, struct json_writer *body) {
    static const char *const words[] = {"yours", "current", "merged"};
    doc_node merged = answer_member(doc, 0, "merged");
    bool whole =
        answer_bool(doc, 0, "deletes") || merged == DOC_NONE || doc_kind(doc, merged) == DOC_NULL;
    conflict_show(&cli->errors, cli->arena, doc);
    /* Without a field to choose: what is there and what is wanted are taken as a whole. */
    if (whole) return ask(cli, words, 2);
    if (answer_bool(doc, 0, "clean")) return ask(cli, words, 3);
    return ask_fields(cli, doc, body) ? "fields" : NULL;
}

/* ---- Settling ---------------------------------------------------------------------------- */

/* What the arguments choose, NULL to be asked; with DATA its text. */
static stet_status read_choice(struct cli *cli, const char **choice, stet_view *data,
                               stet_error *err) {
    static const char *const words[] = {"yours", "current", "merged", "custom"};
    struct doc doc;
    stet_error inner;
    bool known = false;
    bool has_data = cli->args->argument_count > 1;
    *choice = args_text(cli->args, OPTION_CHOICE);
    if (*choice == NULL && has_data) *choice = "custom";
    if (*choice == NULL) {
        if (!cli->json && isatty(STDIN_FILENO)) return STET_OK;
        return error_set(err, STET_BAD_REQUEST,
                         "there is nobody to ask: choose with --choice yours, current, merged or "
                         "custom");
    }
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        known = known || strcmp(*choice, words[i]) == 0;
    if (!known)
        return error_set(
            err, STET_BAD_REQUEST,
            "--choice is yours, current, merged or custom; to choose each field, leave "
            "it out");
    bool custom = strcmp(*choice, "custom") == 0;
    if (custom != has_data)
        return error_set(err, STET_BAD_REQUEST,
                         custom ? "--choice custom needs DATA behind the id: a JSON object, @FILE, "
                                  "or - for standard input"
                                : "DATA is for --choice custom only");
    if (!custom) return STET_OK;
    stet_status status = cli_body(cli, cli->args->arguments[1], data, err);
    if (status == STET_OK && doc_parse(cli->arena, *data, NULL, &doc, &inner) != STET_OK)
        status = error_set(err, inner.status == STET_NO_MEMORY ? STET_NO_MEMORY : STET_BAD_REQUEST,
                           "DATA is not JSON: %s", inner.message);
    if (status == STET_OK) *data = doc_text(&doc, 0);
    return status;
}

/* What is to be sent. EXIT_DONE with an empty body: the person gave up. */
static int make_body(struct cli *cli, const struct doc *doc, const char *choice, stet_view data,
                     struct buffer *buffer) {
    struct json_writer body;
    stet_error err;
    stet_view token = answer_text(cli->arena, doc, 0, "resolution_token");
    buffer_init(buffer, cli->arena, 0);
    json_begin(&body, buffer);
    json_object_begin(&body);
    if (token.size > 0) json_member_text(&body, VIEW("resolution_token"), token);
    /* One that is over has no token: the server says by whom it was settled. */
    if (choice == NULL && token.size == 0) choice = "current";
    if (choice == NULL) choice = ask_choice(cli, doc, &body);
    if (choice == NULL) {
        fputs("nothing was done\n", cli->errors.stream);
        buffer_reset(buffer);
        return EXIT_DONE;
    }
    json_member_text(&body, VIEW("choice"), view_of(choice));
    if (data.size > 0) json_member_raw(&body, VIEW("data"), data);
    json_object_end(&body);
    if (json_end(&body) == STET_OK) return EXIT_DONE;
    error_set(&err, STET_NO_MEMORY, "out of memory");
    return cli_fail(cli, &err);
}

static bool has_moved_on(struct cli *cli, const struct answer *answer) {
    struct doc doc;
    stet_error err;
    return answer->http == 409 && answer_parse(cli->arena, answer->body, &doc, &err) == STET_OK &&
           view_equal(answer_text(cli->arena, &doc, 0, "code"), VIEW("CONCURRENT_MODIFICATION"));
}

/* One round. *again: the record moved on while somebody was asked. */
static int settle(struct cli *cli, const char *choice, stet_view data, bool *again) {
    struct buffer path, body;
    struct answer answer;
    struct doc doc;
    stet_error err;
    *again = false;
    int code = cli_conflict_get(cli, &answer, &doc);
    if (code != EXIT_DONE) return code;
    if (view_equal(answer_text(cli->arena, &doc, 0, "state"), VIEW("merged"))) {
        error_set(
            &err, STET_BAD_REQUEST,
            "\"%s\" is an automatic merge; to settle it yourself, open it first: stet conflicts "
            "reopen %s",
            cli->args->arguments[0], cli->args->arguments[0]);
        return cli_fail(cli, &err);
    }
    code = make_body(cli, &doc, choice, data, &body);
    if (code != EXIT_DONE || body.size == 0) return code;
    cli_conflict_path(cli, &path, "/conflicts", cli->args->arguments[0], "/resolve");
    buffer_append_char(&path, '\0');
    struct call call = {.method = "POST",
                        .path = path.bytes,
                        .content_type = "application/json",
                        .body = buffer_view(&body)};
    if (peer_call(cli->peer, &call, cli->arena, &answer, &err) != STET_OK)
        return cli_fail(cli, &err);
    if (choice == NULL && has_moved_on(cli, &answer)) {
        fputs("\nthe record moved on while you decided, and nothing was written; it is now:\n\n",
              cli->errors.stream);
        *again = true;
        return EXIT_DONE;
    }
    if (answer.http < 200 || answer.http >= 300) return cli_refuse(cli, cli->arena, &answer);
    if (answer_parse(cli->arena, answer.body, &doc, &err) != STET_OK) return cli_fail(cli, &err);
    return cli_conflict_said(cli, &answer, &doc, "settled: ");
}

int run_conflicts_resolve(struct cli *cli) {
    const char *choice;
    stet_view data = {0};
    stet_error err;
    bool again = true;
    int code = EXIT_DONE;
    if (read_choice(cli, &choice, &data, &err) != STET_OK) return cli_fail(cli, &err);
    while (again)
        code = settle(cli, choice, data, &again);
    return code;
}
