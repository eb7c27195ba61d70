#include "cli/import_rows.h"

#include "base/error.h"
#include "base/view.h"
#include "cli/answer.h"
#include "cli/file.h"
#include "cli/import_map.h"
#include "cli/row_ids.h"
#include "doc/write.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum {
    PREVIEW_ROWS = 5,
    TRIAL_BYTES_MAX = 40 * 1024 * 1024,
    NAME_DIGITS = 8,
};

struct import_rows {
    struct import *import;
    const struct args *args;
    struct import_map map;
    struct rows reader;
    bool reader_begun;
    enum rows_format format;
    bool update;
    struct row_ids ids;
    bool full_said;
    struct arena arena; /* One row's. */
    struct buffer line;
    struct buffer how;
    struct buffer preview; /* Elements of a JSON array. */
    unsigned previewed;
    uint64_t before; /* The end of the row before. */
    struct buffer trial;
    bool trial_due;
    FILE *bad; /* NULL: they are shown. */
    bool bad_failed;
};

/* ---- What the options say ---------------------------------------------------------------- */

static bool ends_with(const char *path, const char *end) {
    size_t size = strlen(path), end_size = strlen(end);
    return size > end_size && strcasecmp(path + size - end_size, end) == 0;
}

static bool is_table(const char *path) {
    return ends_with(path, ".csv") || ends_with(path, ".tsv");
}

bool import_rows_wanted(const struct args *args) {
    static const enum option_id options[] = {
        OPTION_IMPORT_TYPE, OPTION_MAP,       OPTION_FIELD,    OPTION_SET,   OPTION_ID_FROM,
        OPTION_ID_TEMPLATE, OPTION_SEPARATOR, OPTION_ENCODING, OPTION_EMPTY, OPTION_NO_HEADER,
        OPTION_FORMAT,      OPTION_UPDATE,    OPTION_BAD_ROWS};
    for (size_t i = 0; i < sizeof options / sizeof options[0]; i++)
        if (args_given(args, options[i])) return true;
    return is_table(args->arguments[0]);
}

static stet_status format_take(struct import_rows *rows, stet_error *err) {
    const char *path = rows->args->arguments[0], *format = args_text(rows->args, OPTION_FORMAT);
    if (format != NULL) {
        bool json = strcmp(format, "json") == 0, lines = strcmp(format, "ndjson") == 0;
        rows->format = json ? ROWS_JSON : lines ? ROWS_NDJSON : ROWS_CSV;
        if (json || lines || strcmp(format, "csv") == 0) return STET_OK;
        return error_set(err, STET_BAD_REQUEST, "--format is csv, json or ndjson, not \"%s\"",
                         format);
    }
    rows->format = ROWS_JSON;
    if (is_table(path)) rows->format = ROWS_CSV;
    if (ends_with(path, ".ndjson") || ends_with(path, ".jsonl")) rows->format = ROWS_NDJSON;
    if (rows->format != ROWS_JSON || ends_with(path, ".json")) return STET_OK;
    return error_set(err, STET_BAD_REQUEST,
                     "\"%s\" does not say what it is: add --format csv, json or ndjson", path);
}

static stet_status map_file_take(struct import_rows *rows, stet_error *err) {
    const char *path = args_text(rows->args, OPTION_MAP);
    struct buffer text;
    if (path == NULL) return STET_OK;
    buffer_init(&text, NULL, MAP_BYTES_MAX);
    stet_status status = file_read(path, &text, err);
    if (status == STET_OK) status = import_map_read(&rows->map, buffer_view(&text), err);
    buffer_append_text(&rows->how, "map ");
    if (status == STET_OK) buffer_append_view(&rows->how, buffer_view(&text));
    buffer_done(&text);
    return status;
}

typedef stet_status map_take(struct import_map *map, stet_view words, stet_error *err);

static stet_status each_take(struct import_rows *rows, enum option_id option, map_take *take,
                             stet_error *err) {
    const struct args_value *value = &rows->args->values[option];
    stet_status status = STET_OK;
    for (size_t i = 0; status == STET_OK && i < value->count; i++)
        status = take(&rows->map, view_of(value->texts[i]), err);
    return status;
}

static stet_status type_take(struct import_map *map, stet_view words, stet_error *err) {
    (void)err;
    map->type = words;
    return STET_OK;
}

static stet_status separator_take(struct import_map *map, stet_view words, stet_error *err) {
    return import_separator_parse(words, &map->separator, err);
}

static stet_status encoding_take(struct import_map *map, stet_view words, stet_error *err) {
    map->encoding_set = true;
    return import_encoding_parse(words, &map->encoding, err);
}

static stet_status options_take(struct import_rows *rows, stet_error *err) {
    static const struct {
        enum option_id option;
        map_take *take;
    } options[] = {
        {OPTION_IMPORT_TYPE, type_take},        {OPTION_FIELD, import_map_field},
        {OPTION_SET, import_map_constant},      {OPTION_EMPTY, import_map_empty},
        {OPTION_SEPARATOR, separator_take},     {OPTION_ENCODING, encoding_take},
        {OPTION_ID_FROM, import_map_id_column}, {OPTION_ID_TEMPLATE, import_map_id_template}};
    stet_status status = STET_OK;
    /* Of an id there is one; the command line's stands for the map's. */
    if (args_given(rows->args, OPTION_ID_FROM) || args_given(rows->args, OPTION_ID_TEMPLATE))
        rows->map.id_parts = 0;
    for (size_t i = 0; status == STET_OK && i < sizeof options / sizeof options[0]; i++) {
        const struct args_value *value = &rows->args->values[options[i].option];
        status = each_take(rows, options[i].option, options[i].take, err);
        for (size_t k = 0; k < value->count; k++)
            buffer_append_format(&rows->how, "\n%zu %s", i, value->texts[k]);
    }
    return status;
}

static stet_status said_check(struct import_rows *rows, stet_error *err) {
    if (rows->map.type.size == 0)
        return error_set(err, STET_BAD_REQUEST,
                         "rows need a type: --type customers, or \"type\" in the map");
    bool csv = rows->format == ROWS_CSV;
    if (!csv && (rows->map.separator != '\0' || args_switch(rows->args, OPTION_NO_HEADER) ||
                 (rows->map.encoding_set && rows->map.encoding != ROWS_UTF8)))
        return error_set(err, STET_BAD_REQUEST,
                         "separator, encoding and header are for CSV; JSON has none");
    return STET_OK;
}

static stet_status bad_rows_open(struct import_rows *rows, stet_error *err) {
    const char *path = args_text(rows->args, OPTION_BAD_ROWS);
    if (path == NULL) return STET_OK;
    bool resume = args_switch(rows->args, OPTION_RESUME);
    rows->bad = fopen(path, resume ? "ae" : "we");
    if (rows->bad == NULL)
        return error_set(err, STET_IO, "could not open \"%s\": %s", path, strerror(errno));
    if (fseek(rows->bad, 0, SEEK_END) == 0 && ftell(rows->bad) == 0)
        fputs("line,column,reason,code\r\n", rows->bad);
    return STET_OK;
}

stet_status import_rows_create(struct import *import, struct import_rows **out, stet_error *err) {
    struct import_rows *rows = calloc(1, sizeof *rows);
    if (rows == NULL) return error_set(err, STET_NO_MEMORY, "out of memory");
    rows->import = import;
    rows->args = import->cli->args;
    rows->update = args_switch(rows->args, OPTION_UPDATE);
    import_map_init(&rows->map);
    rows->map.updates = rows->update;
    arena_init(&rows->arena, 16 * 1024);
    buffer_init(&rows->line, NULL, 0);
    buffer_init(&rows->how, NULL, 0);
    buffer_init(&rows->preview, NULL, 0);
    buffer_init(&rows->trial, NULL, TRIAL_BYTES_MAX);
    stet_status status = format_take(rows, err);
    if (status == STET_OK) status = map_file_take(rows, err);
    if (status == STET_OK) status = options_take(rows, err);
    if (status == STET_OK) status = said_check(rows, err);
    if (status == STET_OK) status = bad_rows_open(rows, err);
    buffer_append_format(&rows->how, "\nformat %d header %d update %d", (int)rows->format,
                         !args_switch(rows->args, OPTION_NO_HEADER), rows->update);
    if (status == STET_OK && buffer_status(&rows->how) != STET_OK)
        status = error_set(err, STET_NO_MEMORY, "out of memory");
    if (status != STET_OK) {
        import_rows_destroy(rows);
        return status;
    }
    char separator = rows->map.separator;
    if (separator == '\0') separator = ends_with(rows->args->arguments[0], ".tsv") ? '\t' : ',';
    rows_init(&rows->reader, import->fd, rows->format, separator, rows->map.encoding);
    rows->reader_begun = true;
    *out = rows;
    return STET_OK;
}

void import_rows_destroy(struct import_rows *rows) {
    if (rows == NULL) return;
    if (rows->reader_begun) rows_done(&rows->reader);
    if (rows->bad != NULL) fclose(rows->bad);
    import_map_done(&rows->map);
    row_ids_done(&rows->ids);
    arena_done(&rows->arena);
    buffer_done(&rows->line);
    buffer_done(&rows->how);
    buffer_done(&rows->preview);
    buffer_done(&rows->trial);
    free(rows);
}

stet_view import_rows_how(const struct import_rows *rows) { return buffer_view(&rows->how); }

void import_rows_query(const struct import_rows *rows, struct buffer *path, bool trial) {
    bool keep = !rows->update || (trial && rows->trial_due);
    cli_query(path, "existing", keep ? VIEW("keep") : VIEW("update"));
    cli_query_u64(path, "errors_max", PIECE_LINES_MAX);
}

/* ---- Bad rows ---------------------------------------------------------------------------- */

stet_view import_rows_column(const struct import_rows *rows, stet_view field) {
    static const char data[] = "/data";
    if (view_starts(field, view_of(data)))
        field = view_make(field.bytes + sizeof data - 1, field.size - (sizeof data - 1));
    return import_map_column_of(&rows->map, field);
}

static void csv_put(FILE *file, stet_view text) {
    fputc('"', file);
    for (size_t i = 0; i < text.size; i++) {
        if (text.bytes[i] == '"') fputc('"', file);
        fputc(text.bytes[i], file);
    }
    fputc('"', file);
}

bool import_rows_tell(struct import_rows *rows, uint64_t line, stet_view column, stet_view why,
                      stet_view field, stet_view code) {
    if (rows->bad == NULL) return false;
    fprintf(rows->bad, "%llu,", (unsigned long long)line);
    csv_put(rows->bad, column.size > 0 ? column : field);
    fputc(',', rows->bad);
    csv_put(rows->bad, why);
    fputc(',', rows->bad);
    csv_put(rows->bad, code);
    fputs("\r\n", rows->bad);
    if (fflush(rows->bad) == 0 || rows->bad_failed) return true;
    rows->bad_failed = true;
    stet_error err;
    error_set(&err, STET_IO, "could not write \"%s\": %s", args_text(rows->args, OPTION_BAD_ROWS),
              strerror(errno));
    import_fail(rows->import, &err);
    return true;
}

/* ---- The preview of a trial -------------------------------------------------------------- */

static void preview_take(struct import_rows *rows, uint64_t number) {
    struct cli *cli = rows->import->cli;
    if (!args_switch(rows->args, OPTION_DRY_RUN) || rows->previewed == PREVIEW_ROWS) return;
    if (cli->json) {
        if (rows->previewed > 0) buffer_append_char(&rows->preview, ',');
        buffer_append_format(&rows->preview,
                             "{\"line\":%llu,\"record\":", (unsigned long long)number);
        buffer_append_view(&rows->preview, buffer_view(&rows->line));
        buffer_append_char(&rows->preview, '}');
    } else {
        progress_hide(&rows->import->progress);
        fprintf(cli->out.stream, "line %llu: ", (unsigned long long)number);
        terminal_text(&cli->out, COLOR_NONE, buffer_view(&rows->line));
        fputc('\n', cli->out.stream);
        fflush(cli->out.stream);
    }
    rows->previewed += 1;
}

void import_rows_summary(const struct import_rows *rows, FILE *out) {
    if (!args_switch(rows->args, OPTION_DRY_RUN) || buffer_status(&rows->preview) != STET_OK)
        return;
    fprintf(out, ",\"preview\":[%.*s]", VIEW_ARG(buffer_view(&rows->preview)));
}

/* ---- Rows -------------------------------------------------------------------------------- */

/* The names of the columns. False: the import stopped. */
static bool header_read(struct import_rows *rows, stet_error *err) {
    struct row row;
    stet_view *names = NULL;
    size_t count = 0;
    if (rows->format != ROWS_CSV) return import_map_begin(&rows->map, NULL, 0, err) == STET_OK;
    enum rows_answer answer = rows_next(&rows->reader, &row, err);
    if (answer == ROWS_FAILED) return false;
    if (answer == ROWS_END)
        return error_set(err, STET_BAD_REQUEST, "the file is empty: it has not even a header") ==
               STET_OK;
    if (answer == ROWS_BAD)
        return error_set(err, STET_BAD_REQUEST, "the header cannot be read: %s", row.why) ==
               STET_OK;
    count = row.cell_count;
    names = row.cells;
    if (count == 1 && memchr(names[0].bytes == NULL ? "" : names[0].bytes, ';', names[0].size))
        return error_set(err, STET_BAD_REQUEST,
                         "the header is one column, \"%.*s\": try --separator ';'",
                         VIEW_ARG(names[0])) == STET_OK;
    rows->before = row.end;
    return import_map_begin(&rows->map, names, count, err) == STET_OK;
}

/* Columns by number, for a file that does not name them; its first row is read again. */
static bool numbers_take(struct import_rows *rows, const struct row *row, stet_error *err) {
    stet_view *names = arena_zalloc(&rows->map.arena, row->cell_count + 1, sizeof *names);
    if (names == NULL) return error_set(err, STET_NO_MEMORY, "out of memory") == STET_OK;
    for (size_t i = 0; i < row->cell_count; i++) {
        names[i] = arena_format(&rows->map.arena, "%zu", i + 1);
        if (names[i].bytes == NULL)
            return error_set(err, STET_NO_MEMORY, "out of memory") == STET_OK;
    }
    return import_map_begin(&rows->map, names, row->cell_count, err) == STET_OK;
}

/* Whether what an earlier run stored last is there, before anything is sent behind it. */
static bool trial_end(struct import_rows *rows) {
    struct import *import = rows->import;
    struct cli *cli = import->cli;
    struct answer answer;
    stet_error err;
    stet_status status = buffer_status(&rows->trial);
    if (status != STET_OK) error_set(&err, status, "could not look at what was imported last");
    import_request(import, true);
    rows->trial_due = false;
    if (status == STET_OK && rows->trial.size == 0) return true;
    if (status == STET_OK)
        status = import_state_try(&import->state, -1, buffer_view(&rows->trial),
                                  import->request.bytes, cli->peer, cli->arena, &answer, &err);
    buffer_done(&rows->trial);
    if (status != STET_OK) {
        import_fail(import, &err);
    } else if (answer.http != 200) {
        progress_hide(&import->progress);
        import->code = cli_refuse(cli, cli->arena, &answer);
    }
    return import->code == EXIT_DONE;
}

/* Whether the row was stored by an earlier run; of its last piece the lines are kept for the trial. */
static bool stored_before(struct import_rows *rows, const struct row *row) {
    const struct import_state *state = &rows->import->state;
    if (!rows->trial_due || row->end > state->bytes) return false;
    return true;
}

/* Makes the line of a row. False: it was refused, and *goes_on says whether the import does. */
static bool row_render(struct import_rows *rows, const struct row *row, bool told, bool *goes_on) {
    struct import *import = rows->import;
    stet_view id, column;
    stet_error err;
    char why[sizeof err.message + 64];
    uint64_t line_before;
    arena_reset(&rows->arena);
    buffer_reset(&rows->line);
    stet_status status =
        import_map_line(&rows->map, &rows->arena, row, &rows->line, &id, &column, &err);
    if (status == STET_OK && rows->line.size > IMPORT_LINE_BYTES_MAX)
        status = error_set(&err, STET_TOO_LARGE, "the record would be longer than %d bytes",
                           (int)IMPORT_LINE_BYTES_MAX);
    if (status == STET_OK) status = row_ids_add(&rows->ids, id, row->line, &line_before);
    if (status == STET_NO_MEMORY) {
        error_set(&err, status, "out of memory");
        import_fail(import, &err);
        *goes_on = false;
        return false;
    }
    if (status == STET_OK && line_before == 0) return true;
    if (status == STET_OK) {
        snprintf(why, sizeof why, "the id \"%.*s\" was that of line %llu already",
                 (int)(id.size < 100 ? id.size : 100), id.bytes, (unsigned long long)line_before);
    } else {
        snprintf(why, sizeof why, "%s", err.message);
    }
    if (!told) *goes_on = import_refuse(import, row->line, column, why);
    return false;
}

/* False: nothing more is read. */
static bool row_take(struct import_rows *rows, const struct row *row, bool bad) {
    struct import *import = rows->import;
    bool goes_on = true, stored = stored_before(rows, row);
    uint64_t before = rows->before;
    rows->before = row->end;
    if (rows->trial_due && !stored && !trial_end(rows)) return false;
    if (!stored) import->line = row->line;
    if (bad) return stored || import_refuse(import, row->line, (stet_view){0}, row->why);
    if (!row_render(rows, row, stored, &goes_on)) return goes_on;
    if (stored) {
        if (row->end > import->state.piece_bytes) {
            buffer_append_view(&rows->trial, buffer_view(&rows->line));
            buffer_append_char(&rows->trial, '\n');
        }
        return true;
    }
    preview_take(rows, row->line);
    if (rows->ids.full && !rows->full_said) {
        progress_note(&import->progress,
                      "line %llu: from here on, ids that come twice are no longer looked for",
                      (unsigned long long)row->line);
        rows->full_said = true;
    }
    if (import->bytes < before) import->bytes = before;
    return import_line_add(import, buffer_view(&rows->line), (size_t)(row->end - import->bytes));
}

void import_rows_read(struct import_rows *rows) {
    struct import *import = rows->import;
    struct row row;
    stet_error err = {0};
    bool named = !args_switch(rows->args, OPTION_NO_HEADER) || rows->format != ROWS_CSV;
    bool goes_on = !named || header_read(rows, &err);
    if (!goes_on) import_fail(import, &err);
    rows->trial_due = import->state.line > 0;
    while (goes_on) {
        enum rows_answer answer = rows_next(&rows->reader, &row, &err);
        if (answer == ROWS_FAILED) import_fail(import, &err);
        if (answer == ROWS_FAILED || answer == ROWS_END) break;
        if (!named && answer == ROWS_ROW) {
            named = numbers_take(rows, &row, &err);
            if (!named) import_fail(import, &err);
            if (!named) break;
        }
        goes_on = row_take(rows, &row, answer == ROWS_BAD);
    }
    if (goes_on && import->code == EXIT_DONE && rows->trial_due) goes_on = trial_end(rows);
    import->line = rows->reader.line;
    if (goes_on) import_lines_end(import);
}
