#include "modules/people/record.h"

#include "base/error.h"
#include "base/view.h"
#include "core/change.h"

/* ---- Reading ----------------------------------------------------------------------------- */

/* Reads members one after the other; the first failure stays. */
struct reading {
    struct arena *arena;
    struct doc doc;
    stet_status status;
};

static struct reading read_begin(struct arena *arena, stet_view data) {
    struct reading reading = {.arena = arena};
    reading.status = change_parse(arena, data, &reading.doc, NULL);
    return reading;
}

static stet_view read_text(struct reading *reading, stet_view key) {
    stet_view text = {0};
    if (reading->status != STET_OK) return text;
    doc_node node = doc_member(&reading->doc, 0, key);
    if (node == DOC_NONE) return text;
    reading->status = doc_string(reading->arena, &reading->doc, node, &text);
    if (reading->status == STET_BAD_REQUEST) reading->status = STET_CORRUPT;
    return text;
}

static int64_t read_time(struct reading *reading, stet_view key) {
    stet_view text = read_text(reading, key);
    int64_t time = 0;
    if (text.size > 0 && !clock_parse_rfc3339(text, &time)) reading->status = STET_CORRUPT;
    return time;
}

static bool read_bool(struct reading *reading, stet_view key) {
    bool value = false;
    if (reading->status != STET_OK) return value;
    doc_node node = doc_member(&reading->doc, 0, key);
    if (node != DOC_NONE && !doc_bool(&reading->doc, node, &value)) reading->status = STET_CORRUPT;
    return value;
}

static uint64_t read_number(struct reading *reading, stet_view key) {
    uint64_t value = 0;
    if (reading->status != STET_OK) return value;
    doc_node node = doc_member(&reading->doc, 0, key);
    if (node != DOC_NONE && !doc_u64(&reading->doc, node, &value)) reading->status = STET_CORRUPT;
    return value;
}

static void read_rights(struct reading *reading, struct rights *rights) {
    if (reading->status != STET_OK) return;
    reading->status = rights_read(reading->arena, &reading->doc, rights, NULL);
    if (reading->status == STET_BAD_REQUEST) reading->status = STET_CORRUPT;
}

static stet_status read_end(const struct reading *reading, const char *what, stet_error *err) {
    if (reading->status == STET_OK) return STET_OK;
    if (reading->status == STET_NO_MEMORY)
        return error_set(err, STET_NO_MEMORY, "out of memory for %s", what);
    return error_set(err, STET_CORRUPT, "the record of %s is damaged", what);
}

stet_status user_read(struct arena *arena, stet_view data, struct user_record *user,
                      stet_error *err) {
    struct reading reading = read_begin(arena, data);
    *user = (struct user_record){
        .name = read_text(&reading, VIEW("name")),
        .email = read_text(&reading, VIEW("email")),
        .disabled = read_bool(&reading, VIEW("disabled")),
        .password = read_text(&reading, VIEW("_password")),
        .password_set_at = read_time(&reading, VIEW("_password_set_at")),
    };
    read_rights(&reading, &user->rights);
    return read_end(&reading, "a user", err);
}

stet_status session_read(struct arena *arena, stet_view data, struct session_record *session,
                         stet_error *err) {
    struct reading reading = read_begin(arena, data);
    *session = (struct session_record){
        .user = read_text(&reading, VIEW("user")),
        .name = read_text(&reading, VIEW("name")),
        .address = read_text(&reading, VIEW("address")),
        .hash = read_text(&reading, VIEW("_hash")),
        .created_at = read_time(&reading, VIEW("created_at")),
        .ends_at = read_time(&reading, VIEW("ends_at")),
        .used_at = read_time(&reading, VIEW("used_at")),
    };
    uint64_t idle_s = read_number(&reading, VIEW("idle_s"));
    if (idle_s > SESSION_TTL_S) idle_s = SESSION_TTL_S;
    session->idle_ns = (int64_t)idle_s * CLOCK_NS_PER_S;
    return read_end(&reading, "a session", err);
}

stet_status link_read(struct arena *arena, stet_view data, struct link_record *link,
                      stet_error *err) {
    struct reading reading = read_begin(arena, data);
    stet_view kind = read_text(&reading, VIEW("kind"));
    *link = (struct link_record){
        .kind = view_equal(kind, VIEW("reset")) ? STET_LINK_RESET : STET_LINK_INVITE,
        .user = read_text(&reading, VIEW("user")),
        .name = read_text(&reading, VIEW("name")),
        .hash = read_text(&reading, VIEW("_hash")),
        .expires_at = read_time(&reading, VIEW("expires_at")),
        .password_set_at = read_time(&reading, VIEW("_password_set_at")),
    };
    read_rights(&reading, &link->rights);
    return read_end(&reading, "a link", err);
}

/* ---- Writing ----------------------------------------------------------------------------- */

static void write_text(struct json_writer *writer, stet_view key, stet_view text) {
    if (text.size > 0) json_member_text(writer, key, text);
}

static void write_time(struct json_writer *writer, stet_view key, int64_t time) {
    if (time == 0) return;
    json_key(writer, key);
    json_rfc3339(writer, time);
}

static void write_begin(struct json_writer *writer, struct buffer *buffer, struct arena *arena) {
    buffer_init(buffer, arena, 0);
    json_begin(writer, buffer);
    json_object_begin(writer);
}

static stet_view write_end(struct json_writer *writer, const struct buffer *buffer) {
    json_object_end(writer);
    return json_end(writer) == STET_OK ? buffer_view(buffer) : (stet_view){0};
}

stet_view user_write(struct arena *arena, const struct user_record *user) {
    struct buffer buffer;
    struct json_writer writer;
    write_begin(&writer, &buffer, arena);
    write_text(&writer, VIEW("name"), user->name);
    write_text(&writer, VIEW("email"), user->email);
    rights_write(&writer, &user->rights);
    if (user->disabled) json_member_bool(&writer, VIEW("disabled"), true);
    write_text(&writer, VIEW("_password"), user->password);
    write_time(&writer, VIEW("_password_set_at"), user->password_set_at);
    return write_end(&writer, &buffer);
}

stet_view session_write(struct arena *arena, const struct session_record *session) {
    struct buffer buffer;
    struct json_writer writer;
    write_begin(&writer, &buffer, arena);
    write_text(&writer, VIEW("user"), session->user);
    write_text(&writer, VIEW("name"), session->name);
    write_text(&writer, VIEW("address"), session->address);
    write_time(&writer, VIEW("created_at"), session->created_at);
    write_time(&writer, VIEW("ends_at"), session->ends_at);
    write_time(&writer, VIEW("used_at"), session->used_at);
    json_member_u64(&writer, VIEW("idle_s"), (uint64_t)(session->idle_ns / CLOCK_NS_PER_S));
    write_text(&writer, VIEW("_hash"), session->hash);
    return write_end(&writer, &buffer);
}

const char *link_kind_name(stet_link_kind kind) {
    return kind == STET_LINK_RESET ? "reset" : "invite";
}

stet_view link_write(struct arena *arena, const struct link_record *link) {
    struct buffer buffer;
    struct json_writer writer;
    write_begin(&writer, &buffer, arena);
    json_member_text(&writer, VIEW("kind"), view_of(link_kind_name(link->kind)));
    write_text(&writer, VIEW("user"), link->user);
    write_text(&writer, VIEW("name"), link->name);
    rights_write(&writer, &link->rights);
    write_time(&writer, VIEW("expires_at"), link->expires_at);
    write_time(&writer, VIEW("_password_set_at"), link->password_set_at);
    write_text(&writer, VIEW("_hash"), link->hash);
    return write_end(&writer, &buffer);
}

/* ---- Names ------------------------------------------------------------------------------- */

stet_status user_name(struct arena *arena, stet_view given, const char *field, stet_view *name,
                      stet_error *err) {
    stet_status status = check_word(given, USER_BYTES_MAX, field, err);
    if (status != STET_OK) return status;
    char *bytes = arena_bytes(arena, given.size + 1);
    if (bytes == NULL) return error_set(err, STET_NO_MEMORY, "out of memory for a user");
    for (size_t i = 0; i < given.size; i++) {
        char c = given.bytes[i];
        if (c == ' ' || c == '/') {
            error_set(err, STET_BAD_REQUEST, "the %s holds a space or a slash", field);
            error_field(err, field, 0);
            return STET_BAD_REQUEST;
        }
        bytes[i] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    bytes[given.size] = '\0';
    *name = view_make(bytes, given.size);
    return STET_OK;
}

stet_status new_user_name(struct arena *arena, stet_view given, const char *field, stet_view *name,
                          stet_error *err) {
    stet_status status = user_name(arena, given, field, name, err);
    if (status != STET_OK) return status;
    if (!view_equal(*name, VIEW("stet")) && !view_equal(*name, VIEW("anonymous"))) return STET_OK;
    error_set(err, STET_BAD_REQUEST, "the name \"%.*s\" belongs to the server", VIEW_ARG(*name));
    error_field(err, field, 0);
    return STET_BAD_REQUEST;
}
