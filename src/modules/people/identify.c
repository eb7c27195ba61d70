/*
 * Who the bearer of a session's token is, with every request: the session's record and its user's are read through the client's cache, so that
 * what happened to either is seen by the next one. As with API tokens, each client remembers what came of those lately seen, and believes
 * it while both heads are the same.
 */
#include "base/error.h"
#include "base/view.h"
#include "modules/people/internal.h"

#include <assert.h>
#include <sodium.h>
#include <stdlib.h>

enum { REMEMBERED_MAX = 64, CSRF_BYTES = 24 };

struct remembered {
    uint8_t tag[crypto_shorthash_siphashx24_BYTES];
    uint64_t space;  /* The opening of the space it was found in; 0: nothing is remembered here. */
    int64_t ends_at; /* Of the session. */
    int64_t idle_ns, used_at;
    stet_identity identity;
};

struct people_client {
    uint8_t key[crypto_shorthash_siphashx24_KEYBYTES];
    struct remembered sessions[REMEMBERED_MAX];
};

static void people_client_destroy(struct people_client *people) {
    sodium_memzero(people, sizeof *people);
    free(people);
}

bool people_is_session(stet_view token) {
    return view_starts(token, VIEW(SESSION_PREFIX)) || view_starts(token, VIEW(ADMIN_PREFIX));
}

/* The proof is bound to the session and to a secret of the space, so nothing is kept of it. */
void csrf_of(const struct space *space, stet_view session, char csrf[65]) {
    static const char domain[] = "stet csrf";
    crypto_generichash_state state;
    uint8_t mac[CSRF_BYTES];
    crypto_generichash_init(&state, space->secret, sizeof space->secret, sizeof mac);
    crypto_generichash_update(&state, (const unsigned char *)domain, sizeof domain);
    crypto_generichash_update(&state, (const unsigned char *)session.bytes, session.size);
    crypto_generichash_final(&state, mac, sizeof mac);
    sodium_bin2base64(csrf, 65, mac, sizeof mac, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

/* The token's place, whoever's it is now, with its tag. NULL when memory is out. */
static struct remembered *place_of(struct stet_client *client, stet_view text, uint8_t *tag) {
    struct people_client *people = client->people;
    if (people == NULL) {
        const struct entropy *entropy = client->engine->entropy;
        people = calloc(1, sizeof *people);
        if (people == NULL) return NULL;
        entropy->fill(entropy->context, people->key, sizeof people->key);
        client->people = people;
        client->people_destroy = people_client_destroy;
    }
    crypto_shorthash_siphashx24(tag, (const unsigned char *)text.bytes, text.size, people->key);
    return &people->sessions[tag[0] % REMEMBERED_MAX];
}

static stet_status unknown(stet_error *err) {
    return error_set(err, STET_UNAUTHENTICATED, "the session is not known here");
}
static stet_status ended(stet_error *err) {
    return error_set(err, STET_SESSION_ENDED, "the session is over");
}

/* Heads of a session and its user; tombstones count as nothing. STET_UNAUTHENTICATED: there never was such a session. */
static stet_status find_heads(struct stet_client *client, struct space *space, stet_view id,
                              stet_view user, struct change **session, struct change **person,
                              stet_error *err) {
    stet_status status = client_head(client, space, SESSION_TYPE, id, session, err);
    if (status == STET_NOT_FOUND) return unknown(err);
    if (status != STET_OK) return status;
    if (change_is_delete(*session)) status = ended(err);
    if (status == STET_OK && person != NULL) {
        status = client_head(client, space, USER_TYPE, user, person, err);
        if (status == STET_NOT_FOUND) status = ended(err);
        if (status == STET_OK && change_is_delete(*person)) {
            change_unref(*person);
            status = ended(err);
        }
    }
    if (status != STET_OK) change_unref(*session);
    return status;
}

static stet_status fill_identity(struct remembered *found, struct space *space,
                                 const struct change *session, const struct change *person,
                                 const struct session_record *record,
                                 const struct user_record *user) {
    stet_identity *identity = &found->identity;
    *identity = (stet_identity){.admin = rights_are_admin(&user->rights),
                                .ends_at = record->ends_at,
                                .credential_seq = session->row.seq,
                                .user_seq = person->row.seq};
    snprintf(identity->actor, sizeof identity->actor, "%.*s", VIEW_ARG(record->user));
    snprintf(identity->session, sizeof identity->session, "%.*s", VIEW_ARG(session->row.id));
    snprintf(identity->space, sizeof identity->space, "%s", space->name);
    rights_grant(&user->rights, identity);
    csrf_of(space, view_of(identity->session), identity->csrf);
    found->space = space->instance;
    found->ends_at = record->ends_at;
    found->idle_ns = record->idle_ns;
    found->used_at = record->used_at;
    return STET_OK;
}

/* Reads both records. hash: of the token, to be compared; NULL: the identity is known already. */
static stet_status read_session(struct stet_client *client, struct space *space, stet_view id,
                                const struct secret_hash *hash, struct remembered *found,
                                stet_error *err) {
    struct change *session, *person;
    struct session_record record;
    struct user_record user;
    stet_status status = find_heads(client, space, id, (stet_view){0}, &session, NULL, err);
    if (status != STET_OK) return status;
    /* The scratch arena is also what client_head reads with. */
    struct arena arena;
    arena_init(&arena, 4096);
    status = session_read(&arena, session->row.data, &record, err);
    if (status == STET_OK && hash != NULL && !secret_equal(hash, record.hash))
        status = unknown(err);
    struct change *again;
    if (status == STET_OK)
        status = find_heads(client, space, id, record.user, &again, &person, err);
    if (status == STET_OK) {
        status = user_read(&arena, person->row.data, &user, err);
        if (status == STET_OK && user.disabled) status = ended(err);
        if (status == STET_OK) fill_identity(found, space, session, person, &record, &user);
        change_unref(person);
        change_unref(again);
    }
    change_unref(session);
    arena_done(&arena);
    return status;
}

/* Whether both heads are what was remembered. */
static bool still_holds(struct stet_client *client, struct space *space,
                        const struct remembered *place) {
    struct change *session, *person;
    const stet_identity *identity = &place->identity;
    if (place->space != space->instance ||
        find_heads(client, space, view_of(identity->session), view_of(identity->actor), &session,
                   &person, NULL) != STET_OK)
        return false;
    bool holds =
        session->row.seq == identity->credential_seq && person->row.seq == identity->user_seq;
    change_unref(session);
    change_unref(person);
    return holds;
}

/* Whether it is not over, and what that says of its end. */
static stet_status touch(struct space *space, struct remembered *found, stet_use use,
                         stet_error *err) {
    struct people *people = people_of(space);
    int64_t now = clock_wall_ns(space->engine->clock), used_at = found->used_at;
    enum roster_touch touched =
        roster_touch(&people->roster, view_of(found->identity.session), use, now, &used_at);
    int64_t over_at = roster_over_at(found->ends_at, found->idle_ns, used_at);
    if (now >= over_at) return ended(err);
    if (touched == ROSTER_TO_NOTE) sequencer_poke(space->sequencer, space);
    if (use == STET_USE) over_at = roster_over_at(found->ends_at, found->idle_ns, now);
    found->identity.expires_at = over_at;
    return STET_OK;
}

/* The space a session's token is of: the server's own people have another prefix. */
static stet_status space_of_token(struct stet_client *client, struct space *space, stet_view token,
                                  struct space **of, stet_error *err) {
    *of = view_starts(token, VIEW(ADMIN_PREFIX)) ? client->engine->home : space;
    if (*of == NULL || people_of(*of) == NULL ||
        (*of == client->engine->home) != view_starts(token, VIEW(ADMIN_PREFIX)))
        return unknown(err);
    return STET_OK;
}

/* Of the server's own people only administrators have anything to do in other spaces, whose people may have the same names. */
static stet_status check_abroad(const struct stet_client *client, const struct space *space,
                                const struct space *of, const stet_identity *identity,
                                stet_error *err) {
    (void)client;
    if (space == NULL || of == space || identity->admin) return STET_OK;
    return unknown(err);
}

stet_status people_identify(struct stet_client *client, struct space *space, stet_view token,
                            stet_use use, stet_identity *identity, stet_error *err) {
    struct remembered found;
    struct space *of;
    stet_status status = space_of_token(client, space, token, &of, err);
    if (status != STET_OK) return status;
    struct remembered *place = place_of(client, token, found.tag);
    if (place != NULL && place->space != 0 &&
        sodium_memcmp(place->tag, found.tag, sizeof found.tag) == 0 &&
        still_holds(client, of, place)) {
        found = *place;
    } else {
        struct secret_hash hash;
        secret_hash(token, &hash);
        status = read_session(client, of, secret_id(&hash), &hash, &found, err);
        if (status != STET_OK) return status;
        if (place != NULL) *place = found;
    }
    status = check_abroad(client, space, of, &found.identity, err);
    if (status == STET_OK) status = touch(of, &found, use, err);
    if (status == STET_OK) *identity = found.identity;
    return status;
}

static bool same_rights(const stet_identity *a, const stet_identity *b) {
    bool same = a->admin == b->admin && a->scopes == b->scopes && a->role_count == b->role_count;
    for (unsigned i = 0; same && i < a->role_count; i++)
        same = strcmp(a->roles[i], b->roles[i]) == 0;
    return same;
}

stet_status people_check(struct stet_client *client, struct space *space, stet_identity *identity,
                         bool *changed, stet_error *err) {
    struct space *home = client->engine->home;
    struct space *of = strcmp(identity->space, home->name) == 0 ? home : space;
    struct remembered found = {0};
    if (of == NULL || strcmp(of->name, identity->space) != 0 || people_of(of) == NULL)
        return unknown(err);
    stet_status status = read_session(client, of, view_of(identity->session), NULL, &found, err);
    if (status == STET_OK) status = check_abroad(client, space, of, &found.identity, err);
    if (status == STET_OK) status = touch(of, &found, STET_LOOK, err);
    if (status != STET_OK) return status;
    if (changed != NULL) *changed = !same_rights(identity, &found.identity);
    *identity = found.identity;
    return STET_OK;
}

/* ---- Administrators ---------------------------------------------------------------------- */

stet_status people_any_admin(struct stet_client *client, bool *any, stet_error *err) {
    struct space *home = client->engine->home;
    struct store_row rows[64];
    struct store_reader *reader;
    struct arena arena;
    stet_view after = {0};
    size_t count = 64;
    bool found = false;
    stet_status status = space_reader_take(home, &reader, err);
    if (status != STET_OK) return status;
    arena_init(&arena, 4096);
    while (status == STET_OK && count == 64 && !found) {
        status = store_scan(reader, &arena, USER_TYPE, after, 64, rows, &count, err);
        for (size_t i = 0; status == STET_OK && i < count && !found; i++) {
            struct store_change row;
            struct user_record user;
            bool lives;
            status = stored_user(reader, &arena, rows[i].id, &lives, &row, &user, err);
            found = status == STET_OK && lives && !user.disabled && rights_are_admin(&user.rights);
            after = rows[i].id;
        }
    }
    arena_done(&arena);
    space_reader_give(home, reader);
    if (status == STET_OK) *any = found;
    return status;
}

/* ---- Tickets ----------------------------------------------------------------------------- */

stet_status people_ticket_create(struct stet_client *client, struct space *space,
                                 const stet_identity *identity, stet_ticket *ticket,
                                 stet_error *err) {
    const stet_engine *engine = client->engine;
    struct secret_hash hash;
    char text[SECRET_TEXT_BYTES];
    static_assert(sizeof ticket->text >= sizeof text, "room for a secret");
    secret_make(engine->entropy, TICKET_PREFIX, text);
    secret_hash(view_of(text), &hash);
    stet_status status = tickets_add(crowd_of(engine)->tickets, &hash, space->instance, identity,
                                     clock_monotonic_ns(engine->clock), err);
    if (status == STET_OK) {
        memcpy(ticket->text, text, sizeof text);
        ticket->expires_at = clock_wall_ns(engine->clock) + TICKET_TTL_S * CLOCK_NS_PER_S;
    }
    sodium_memzero(text, sizeof text);
    return status;
}

stet_status people_ticket_redeem(struct stet_client *client, struct space *space, stet_view text,
                                 stet_identity *identity, stet_error *err) {
    const stet_engine *engine = client->engine;
    struct secret_hash hash;
    secret_hash(text, &hash);
    if (tickets_take(crowd_of(engine)->tickets, &hash, space->instance,
                     clock_monotonic_ns(engine->clock), identity))
        return STET_OK;
    return error_set(err, STET_UNAUTHENTICATED,
                     "the ticket is not known: it may have been used, or is too old");
}
