/*
 * Passwords: judged away from the sequencer, on threads of their own, because each takes PASSWORD_MEMORY_BYTES and a good part of a second. What
 * was found there is compared with the user's record once more where the command is decided: somebody may have set another one meanwhile.
 */
#include "base/error.h"
#include "base/view.h"
#include "modules/people/internal.h"

#include <assert.h>
#include <errno.h>
#include <sodium.h>

static_assert(ENCODED_BYTES >= crypto_pwhash_STRBYTES, "a password as it is kept");

static stet_status too_long(const char *field, stet_error *err) {
    error_set(err, STET_TOO_LARGE, "a password has at most %d bytes", PASSWORD_BYTES_MAX);
    error_field(err, field, PASSWORD_BYTES_MAX);
    return STET_TOO_LARGE;
}

stet_status check_password(stet_view password, const char *field, stet_error *err) {
    return password.size > PASSWORD_BYTES_MAX ? too_long(field, err) : STET_OK;
}

stet_status check_new_password(stet_view password, const char *field, stet_error *err) {
    if (password.size > PASSWORD_BYTES_MAX) return too_long(field, err);
    if (password.size >= PASSWORD_BYTES_MIN) return STET_OK;
    error_set(err, STET_INVALID_DATA, "a password has at least %d bytes", PASSWORD_BYTES_MIN);
    error_field(err, field, PASSWORD_BYTES_MIN);
    return STET_INVALID_DATA;
}

static unsigned long long ops_of(const stet_engine *engine) {
    return engine->seams.password_ops == 0 ? PASSWORD_OPS : engine->seams.password_ops;
}

static size_t memory_of(const stet_engine *engine) {
    size_t bytes = engine->seams.password_memory_bytes;
    return bytes == 0 ? PASSWORD_MEMORY_BYTES : bytes;
}

static stet_status encode(const stet_engine *engine, stet_view password, char out[ENCODED_BYTES],
                          stet_error *err) {
    if (crypto_pwhash_str(out, password.bytes, password.size, ops_of(engine), memory_of(engine)) ==
        0)
        return STET_OK;
    return error_set(err, STET_NO_MEMORY, "out of memory for a password");
}

/* The dummy, made by whoever comes first: they wait for it whether they need it or not. */
static stet_status copy_dummy(const stet_engine *engine, char out[ENCODED_BYTES], stet_error *err) {
    struct crowd *crowd = crowd_of(engine);
    stet_status status = STET_OK;
    pthread_mutex_lock(&crowd->lock);
    if (crowd->dummy[0] == '\0') {
        uint8_t nobody[32];
        randombytes_buf(nobody, sizeof nobody);
        status = encode(engine, view_make(nobody, sizeof nobody), crowd->dummy, err);
        sodium_memzero(nobody, sizeof nobody);
    }
    memcpy(out, crowd->dummy, ENCODED_BYTES);
    pthread_mutex_unlock(&crowd->lock);
    return status;
}

/* The library answers a password that does not fit with EINVAL, and what kept it from finding out in other ways. */
static stet_status compare(const stet_engine *engine, struct judging *judging, stet_error *err) {
    char encoded[ENCODED_BYTES];
    stet_status status = copy_dummy(engine, encoded, err);
    if (status != STET_OK) return status;
    bool known = judging->stored.size > 0 && judging->stored.size < sizeof encoded;
    if (known) {
        memset(encoded, 0, sizeof encoded);
        memcpy(encoded, judging->stored.bytes, judging->stored.size);
    }
    stet_view password = judging->password.size > 0 ? judging->password : VIEW("");
    errno = 0;
    int differs = crypto_pwhash_str_verify(encoded, password.bytes, password.size);
    if (differs != 0 && errno != EINVAL)
        return error_set(err, STET_NO_MEMORY, "out of memory for a password");
    judging->fits = known && differs == 0;
    return STET_OK;
}

/* The password that is to be encoded, if any. */
static stet_view to_encode(const stet_engine *engine, const struct judging *judging) {
    if (!judging->renews) return judging->new_password;
    char stored[ENCODED_BYTES];
    if (!judging->fits || judging->stored.size >= sizeof stored) return (stet_view){0};
    memcpy(stored, judging->stored.bytes, judging->stored.size);
    stored[judging->stored.size] = '\0';
    return crypto_pwhash_str_needs_rehash(stored, ops_of(engine), memory_of(engine)) != 0
               ? judging->password
               : (stet_view){0};
}

stet_status judge(struct stet_command *command, struct store_reader *reader,
                  struct judging *judging, stet_error *err) {
    const stet_engine *engine = command->client->engine;
    struct arena *arena = &command->arena;
    stet_status status = STET_OK;
    if (judging->verifies) {
        struct store_change row;
        struct user_record user;
        bool found;
        status = stored_user(reader, arena, judging->user, &found, &row, &user, err);
        if (status != STET_OK) return status;
        judging->stored = arena_copy(arena, user.password);
        if (judging->stored.bytes == NULL) return out_of_memory(err);
        status = compare(engine, judging, err);
    }
    if (status != STET_OK || judging->encoded.size > 0) return status;
    stet_view password = to_encode(engine, judging);
    if (password.size == 0) return STET_OK;
    char *encoded = arena_bytes(arena, ENCODED_BYTES);
    if (encoded == NULL) return out_of_memory(err);
    status = encode(engine, password, encoded, err);
    if (status == STET_OK) judging->encoded = view_of(encoded);
    return status;
}

bool judging_holds(const struct judging *judging, const struct user_record *user, bool found) {
    stet_view password = found ? user->password : (stet_view){0};
    return !judging->verifies || view_equal(judging->stored, password);
}

static void wipe(stet_view *text) {
    if (text->size > 0) sodium_memzero((void *)(uintptr_t)text->bytes, text->size);
    *text = (stet_view){0};
}

void judging_wipe(struct judging *judging) {
    wipe(&judging->password);
    wipe(&judging->new_password);
}

/* ---- Attempts ---------------------------------------------------------------------------- */

stet_status take_attempts(struct stet_command *command, stet_view account, stet_view address,
                          uint64_t *wait_s, stet_error *err) {
    const stet_engine *engine = command->client->engine;
    struct attempts *attempts = crowd_of(engine)->attempts;
    stet_view space = view_of(command->space->name);
    int64_t now = clock_monotonic_ns(engine->clock);
    bool taken =
        address.size == 0 || attempts_take(attempts, ATTEMPTS_ADDRESS, space, address, now, wait_s);
    if (taken && account.size > 0)
        taken = attempts_take(attempts, ATTEMPTS_ACCOUNT, space, account, now, wait_s);
    if (taken) return STET_OK;
    atomic_fetch_add_explicit(&people_of(command->space)->logins[LOGIN_LIMITED], 1,
                              memory_order_relaxed);
    return error_set(err, STET_TOO_MANY_REQUESTS,
                     "there were too many attempts; the next one is possible in %llu seconds",
                     (unsigned long long)*wait_s);
}

void give_attempts(struct stet_command *command, stet_view account, stet_view address) {
    const stet_engine *engine = command->client->engine;
    struct attempts *attempts = crowd_of(engine)->attempts;
    stet_view space = view_of(command->space->name);
    int64_t now = clock_monotonic_ns(engine->clock);
    if (address.size > 0) attempts_give(attempts, ATTEMPTS_ADDRESS, space, address, now);
    if (account.size > 0) attempts_give(attempts, ATTEMPTS_ACCOUNT, space, account, now);
}
