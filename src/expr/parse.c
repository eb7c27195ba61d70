/*
 * Recursive descent, one function a rule of the grammar in README.md. It recurses for brackets and negations only, and counts
 * them.
 */
#include "base/error.h"
#include "base/limits.h"
#include "base/view.h"
#include "doc/write.h"
#include "expr/node.h"
#include "expr/scan.h"

#include <assert.h>

struct parser {
    struct scanner scanner;
    struct token token; /* The next one. */
    unsigned roots;
    unsigned depth;
    unsigned nodes;
    struct buffer constants; /* A JSON array that grows. */
    uint32_t literal_count;
};

/* An operand, and what was seen of it that the finished one does not say. */
struct parsed {
    struct operand operand;
    size_t at;
    bool boolean; /* true or false. */
    bool timely;  /* A constant that may be compared with a time. */
};

static stet_status advance(struct parser *parser) {
    return scan_token(&parser->scanner, &parser->token);
}

static stet_status unexpected(struct parser *parser, const char *expected) {
    return scan_fail(&parser->scanner, parser->token.at, expected);
}

static stet_status over(struct parser *parser, const char *what, uint64_t limit) {
    stet_error *err = parser->scanner.err;
    error_set(err, STET_TOO_LARGE, "an expression has at most %llu %s", (unsigned long long)limit,
              what);
    if (parser->scanner.field != NULL) error_field(err, parser->scanner.field, limit);
    return STET_TOO_LARGE;
}

static stet_status no_memory(struct parser *parser) {
    return error_set(parser->scanner.err, STET_NO_MEMORY, "out of memory for an expression");
}

static stet_status count_node(struct parser *parser) {
    if (++parser->nodes > EXPR_NODES_MAX)
        return over(parser, "operators and values", EXPR_NODES_MAX);
    return STET_OK;
}

static stet_status new_node(struct parser *parser, enum node_kind kind, struct expr_node **out) {
    stet_status status = count_node(parser);
    if (status != STET_OK) return status;
    *out = arena_zalloc(parser->scanner.arena, 1, sizeof **out);
    if (*out == NULL) return no_memory(parser);
    (*out)->kind = kind;
    return STET_OK;
}

static bool at_symbol(const struct parser *parser, const char *symbol) {
    return parser->token.kind == TOKEN_SYMBOL && view_equal(parser->token.text, view_of(symbol));
}

static bool at_word(const struct parser *parser, const char *word) {
    return parser->token.kind == TOKEN_PATH && parser->token.plain &&
           view_equal(parser->token.text, view_of(word));
}

/* ---- Operands ---------------------------------------------------------------------------- */

static const struct {
    const char *name;
    enum expr_meta meta;
} meta_names[] = {
    {"$id", EXPR_META_ID},
    {"$version", EXPR_META_VERSION},
    {"$seq", EXPR_META_SEQ},
    {"$created_at", EXPR_META_CREATED_AT},
    {"$created_by", EXPR_META_CREATED_BY},
    {"$updated_at", EXPR_META_UPDATED_AT},
    {"$updated_by", EXPR_META_UPDATED_BY},
    {"$type", EXPR_META_TYPE},
    {"$parent", EXPR_META_PARENT},
};

static enum expr_meta meta_of(stet_view text) {
    for (size_t index = 0; index < sizeof meta_names / sizeof meta_names[0]; index++) {
        if (view_equal(text, view_of(meta_names[index].name))) return meta_names[index].meta;
    }
    return EXPR_META_NONE;
}

static const char meta_expected[] =
    "$id, $version, $seq, $created_at, $created_by, $updated_at, $updated_by, $type, $parent or "
    "$data";

static bool is_time_meta(enum expr_meta meta) {
    return meta == EXPR_META_CREATED_AT || meta == EXPR_META_UPDATED_AT;
}

/* Takes the first name off a path when it is this one. */
static bool path_begins(stet_view *pointer, const char *name) {
    stet_view first = view_of(name);
    stet_view rest = *pointer;
    if (!view_starts(rest, first)) return false;
    rest.bytes += first.size;
    rest.size -= first.size;
    if (rest.size > 0 && rest.bytes[0] != '/') return false;
    *pointer = rest;
    return true;
}

static stet_status parse_path(struct parser *parser, struct operand *operand) {
    const struct token *token = &parser->token;
    /* $data.actor is a field of the record, whatever else there is. */
    bool field = token->text.bytes[0] == '$';
    operand->kind = OPERAND_DATA;
    operand->pointer = token->value;
    if (!field && (parser->roots & EXPR_ROOT_ACTOR) != 0 &&
        path_begins(&operand->pointer, "/actor")) {
        if (view_equal(operand->pointer, VIEW("/id")))
            operand->kind = OPERAND_ACTOR_ID;
        else if (view_equal(operand->pointer, VIEW("/roles")))
            operand->kind = OPERAND_ACTOR_ROLES;
        else
            return unexpected(parser, "actor.id or actor.roles");
    }
    if (!field && (parser->roots & EXPR_ROOT_OLD_NEW) != 0) {
        if (path_begins(&operand->pointer, "/old")) operand->kind = OPERAND_OLD;
        if (path_begins(&operand->pointer, "/new")) operand->kind = OPERAND_NEW;
    }
    return advance(parser);
}

/* One scalar constant, appended to the JSON of all constants. */
static stet_status parse_scalar(struct parser *parser, struct parsed *out) {
    const struct token *token = &parser->token;
    int64_t ns;
    stet_status status = count_node(parser);
    if (status != STET_OK) return status;
    if (token->kind == TOKEN_STRING) {
        json_string(&parser->constants, token->value);
        out->timely = expr_time(token->value, &ns);
    } else if (token->kind == TOKEN_NUMBER) {
        buffer_append_view(&parser->constants, token->text);
        out->timely = false;
    } else if (at_word(parser, "true") || at_word(parser, "false") || at_word(parser, "null")) {
        buffer_append_view(&parser->constants, token->text);
        out->boolean = !at_word(parser, "null");
        out->timely = !out->boolean;
    } else {
        return unexpected(parser, "a value");
    }
    return advance(parser);
}

static stet_status parse_list(struct parser *parser, struct parsed *out) {
    bool timely = true;
    bool first = true;
    stet_status status = advance(parser);
    buffer_append_char(&parser->constants, '[');
    while (status == STET_OK && !at_symbol(parser, "]")) {
        struct parsed element = {0};
        if (!first) {
            if (!at_symbol(parser, ",")) return unexpected(parser, "\",\" or \"]\"");
            buffer_append_char(&parser->constants, ',');
            status = advance(parser);
            if (status != STET_OK) return status;
        }
        status = parse_scalar(parser, &element);
        timely = timely && element.timely;
        first = false;
    }
    if (status != STET_OK) return status;
    buffer_append_char(&parser->constants, ']');
    out->timely = timely;
    return advance(parser);
}

static stet_status parse_literal(struct parser *parser, struct parsed *out) {
    out->operand.kind = OPERAND_LITERAL;
    out->operand.literal = parser->literal_count++;
    if (out->operand.literal > 0) buffer_append_char(&parser->constants, ',');
    if (at_symbol(parser, "[")) return parse_list(parser, out);
    return parse_scalar(parser, out);
}

static stet_status parse_operand(struct parser *parser, struct parsed *out) {
    *out = (struct parsed){.at = parser->token.at};
    bool constant = at_word(parser, "true") || at_word(parser, "false") || at_word(parser, "null");
    if (parser->token.kind == TOKEN_PATH && !constant) {
        stet_status status = count_node(parser);
        return status == STET_OK ? parse_path(parser, &out->operand) : status;
    }
    if (parser->token.kind == TOKEN_META) {
        stet_status status = count_node(parser);
        if (status != STET_OK) return status;
        out->operand.kind = OPERAND_META;
        out->operand.meta = meta_of(parser->token.text);
        if (out->operand.meta == EXPR_META_NONE) return unexpected(parser, meta_expected);
        return advance(parser);
    }
    if (constant || parser->token.kind == TOKEN_STRING || parser->token.kind == TOKEN_NUMBER ||
        at_symbol(parser, "["))
        return parse_literal(parser, out);
    return unexpected(parser, "a field or a value");
}

/* ---- Conditions -------------------------------------------------------------------------- */

static const struct {
    const char *text;
    enum node_kind kind;
    bool word;
} operators[] = {
    {"=", NODE_EQUAL, false},
    {"!=", NODE_UNEQUAL, false},
    {"<", NODE_LESS, false},
    {"<=", NODE_LESS_EQUAL, false},
    {">", NODE_GREATER, false},
    {">=", NODE_GREATER_EQUAL, false},
    {"in", NODE_IN, true},
    {"contains", NODE_CONTAINS, true},
    {"starts_with", NODE_STARTS_WITH, true},
};

static bool at_operator(const struct parser *parser, enum node_kind *kind) {
    for (size_t index = 0; index < sizeof operators / sizeof operators[0]; index++) {
        if (operators[index].word ? !at_word(parser, operators[index].text)
                                  : !at_symbol(parser, operators[index].text))
            continue;
        *kind = operators[index].kind;
        return true;
    }
    return false;
}

/* A time that nobody can read would just never match, and its writer would wonder why. */
static stet_status check_times(struct parser *parser, enum node_kind kind,
                               const struct parsed *time, const struct parsed *other) {
    if (time->operand.kind != OPERAND_META || !is_time_meta(time->operand.meta) ||
        other->operand.kind != OPERAND_LITERAL || other->timely || kind == NODE_STARTS_WITH)
        return STET_OK;
    return scan_fail(&parser->scanner, other->at, "a time like \"2026-03-01T12:00:00Z\"");
}

static stet_status parse_comparison(struct parser *parser, enum node_kind kind,
                                    const struct parsed *left, struct expr_node **out) {
    struct parsed right;
    stet_status status = advance(parser);
    if (status == STET_OK && kind == NODE_IN && at_symbol(parser, "("))
        return unexpected(parser, "a list or a field");
    if (status == STET_OK) status = parse_operand(parser, &right);
    if (status == STET_OK) status = check_times(parser, kind, left, &right);
    if (status == STET_OK) status = check_times(parser, kind, &right, left);
    if (status == STET_OK) status = new_node(parser, kind, out);
    if (status != STET_OK) return status;
    (*out)->left = left->operand;
    (*out)->right = right.operand;
    return STET_OK;
}

static stet_status parse_is(struct parser *parser, const struct parsed *left,
                            struct expr_node **out) {
    enum node_kind kind = NODE_IS_NULL;
    stet_status status = advance(parser);
    if (status == STET_OK && at_word(parser, "not")) {
        kind = NODE_IS_NOT_NULL;
        status = advance(parser);
    }
    if (status == STET_OK && !at_word(parser, "null"))
        return unexpected(parser, kind == NODE_IS_NULL ? "null or not null" : "null");
    if (status == STET_OK) status = advance(parser);
    if (status == STET_OK) status = new_node(parser, kind, out);
    if (status == STET_OK) (*out)->left = left->operand;
    return status;
}

static stet_status parse_condition(struct parser *parser, struct expr_node **out) {
    struct parsed left;
    enum node_kind kind;
    stet_status status = parse_operand(parser, &left);
    if (status != STET_OK) return status;
    if (at_word(parser, "is")) return parse_is(parser, &left, out);
    if (at_operator(parser, &kind)) return parse_comparison(parser, kind, &left, out);
    if (left.operand.kind == OPERAND_LITERAL && !left.boolean)
        return unexpected(parser, "an operator");
    status = new_node(parser, NODE_TRUE, out);
    if (status == STET_OK) (*out)->left = left.operand;
    return status;
}

static stet_status parse_any(struct parser *parser, struct expr_node **out);

static stet_status parse_unary(struct parser *parser, struct expr_node **out) {
    struct expr_node *node;
    stet_status status;
    bool negated = at_symbol(parser, "!");
    if (!negated && !at_symbol(parser, "(")) return parse_condition(parser, out);
    if (++parser->depth > EXPR_DEPTH_MAX)
        return over(parser, "levels of brackets and negations", EXPR_DEPTH_MAX);
    status = advance(parser);
    if (status != STET_OK) return status;
    if (negated) {
        status = new_node(parser, NODE_NOT, &node);
        if (status == STET_OK) status = parse_unary(parser, &node->first);
        if (status == STET_OK) *out = node;
    } else {
        status = parse_any(parser, out);
        if (status == STET_OK && !at_symbol(parser, ")"))
            return unexpected(parser, "&&, || or \")\"");
        if (status == STET_OK) status = advance(parser);
    }
    parser->depth--;
    return status;
}

/* Parts joined by one symbol. One alone stands for itself. */
static stet_status parse_joined(struct parser *parser, const char *symbol, enum node_kind kind,
                                stet_status (*part)(struct parser *, struct expr_node **),
                                struct expr_node **out) {
    struct expr_node *first, *all, **end;
    stet_status status = part(parser, &first);
    if (status != STET_OK) return status;
    if (!at_symbol(parser, symbol)) {
        *out = first;
        return STET_OK;
    }
    status = new_node(parser, kind, &all);
    if (status != STET_OK) return status;
    all->first = first;
    /* A bracketed list of the same kind would be another node: `next` of the first is free. */
    assert(first->next == NULL);
    end = &first->next;
    while (at_symbol(parser, symbol)) {
        status = advance(parser);
        if (status == STET_OK) status = part(parser, end);
        if (status != STET_OK) return status;
        end = &(*end)->next;
    }
    *out = all;
    return STET_OK;
}

static stet_status parse_all(struct parser *parser, struct expr_node **out) {
    return parse_joined(parser, "&&", NODE_AND, parse_unary, out);
}

static stet_status parse_any(struct parser *parser, struct expr_node **out) {
    return parse_joined(parser, "||", NODE_OR, parse_all, out);
}

/* ---- All --------------------------------------------------------------------------------- */

static stet_status parse_constants(struct parser *parser, struct expr *expr) {
    struct arena *arena = parser->scanner.arena;
    doc_node *literals = arena_zalloc(arena, parser->literal_count + 1, sizeof *literals);
    uint32_t count = 0;
    stet_status status;
    buffer_append_text(&parser->constants, parser->literal_count > 0 ? ",null]" : "null]");
    if (literals == NULL || buffer_status(&parser->constants) != STET_OK) return no_memory(parser);
    status = doc_parse(arena, buffer_view(&parser->constants), NULL, &expr->constants,
                       parser->scanner.err);
    if (status != STET_OK) return status;
    for (doc_node node = doc_first(&expr->constants, 0); node != DOC_NONE;
         node = doc_next(&expr->constants, node))
        literals[count++] = node;
    assert(count == parser->literal_count + 1);
    expr->literals = literals;
    expr->literal_count = parser->literal_count;
    return STET_OK;
}

static stet_status parser_begin(struct parser *parser, struct arena *arena, stet_view text,
                                const struct expr_options *options, stet_error *err) {
    *parser = (struct parser){
        .scanner = {.arena = arena, .field = options->field, .err = err},
        .roots = options->roots,
    };
    if (text.size > EXPR_BYTES_MAX) return over(parser, "bytes", EXPR_BYTES_MAX);
    if (!view_is_utf8(text)) {
        error_set(err, STET_BAD_REQUEST, "an expression must be UTF-8");
        if (options->field != NULL) error_field(err, options->field, 0);
        return STET_BAD_REQUEST;
    }
    parser->scanner.text = arena_copy(arena, text);
    if (parser->scanner.text.bytes == NULL) return no_memory(parser);
    return advance(parser);
}

stet_status expr_parse(struct arena *arena, stet_view text, const struct expr_options *options,
                       struct expr **out, stet_error *err) {
    struct parser parser;
    struct expr *expr;
    struct expr_node *root = NULL;
    stet_status status = parser_begin(&parser, arena, text, options, err);
    if (status != STET_OK) return status;
    buffer_init(&parser.constants, arena, 0);
    buffer_append_char(&parser.constants, '[');
    status = parse_any(&parser, &root);
    if (status != STET_OK) return status;
    if (parser.token.kind != TOKEN_END)
        return unexpected(&parser, "an operator, &&, || or the end");
    expr = arena_zalloc(arena, 1, sizeof *expr);
    if (expr == NULL) return no_memory(&parser);
    expr->root = root;
    status = parse_constants(&parser, expr);
    if (status == STET_OK) *out = expr;
    return status;
}

/* ---- A field by itself ------------------------------------------------------------------- */

static bool pointer_is_good(stet_view pointer) {
    for (size_t index = 0; index < pointer.size; index++) {
        if (pointer.bytes[index] != '~') continue;
        if (index + 1 == pointer.size ||
            (pointer.bytes[index + 1] != '0' && pointer.bytes[index + 1] != '1'))
            return false;
    }
    return true;
}

stet_status expr_field_parse(struct arena *arena, stet_view text,
                             const struct expr_options *options, struct expr_field *out,
                             stet_error *err) {
    struct parser parser;
    struct expr_field field = {.meta = EXPR_META_NONE};
    bool pointer = text.size > 0 && text.bytes[0] == '/';
    struct expr_options no_roots = {.field = options->field};
    stet_status status = parser_begin(&parser, arena, pointer ? VIEW("x") : text, &no_roots, err);
    if (status != STET_OK) return status;
    if (pointer) {
        if (text.size > EXPR_BYTES_MAX) return over(&parser, "bytes", EXPR_BYTES_MAX);
        if (!view_is_utf8(text) || !pointer_is_good(text)) {
            error_set(err, STET_BAD_REQUEST, "not a JSON pointer");
            if (options->field != NULL) error_field(err, options->field, 0);
            return STET_BAD_REQUEST;
        }
        field.pointer = arena_copy(arena, text);
        if (field.pointer.bytes == NULL) return no_memory(&parser);
        *out = field;
        return STET_OK;
    }
    if (parser.token.kind == TOKEN_META) {
        field.meta = meta_of(parser.token.text);
        if (field.meta == EXPR_META_NONE) return unexpected(&parser, meta_expected);
    } else if (parser.token.kind == TOKEN_PATH) {
        field.pointer = parser.token.value;
    } else {
        return unexpected(&parser, "a field");
    }
    status = advance(&parser);
    if (status == STET_OK && parser.token.kind != TOKEN_END)
        return unexpected(&parser, "nothing more");
    if (status == STET_OK) *out = field;
    return status;
}
