/*
 * What the queue is asked and told: each a command of this thread's client, with what it is for as its context.
 */
#include "base/error.h"
#include "base/view.h"
#include "core/submit.h"
#include "doc/write.h"
#include "modules/operations/operations.h"
#include "outbound/internal.h"

enum { LEASE_S = 15, CLAIM_WAIT_S = 1, RETRY_FACTOR = 4 };

static const stet_actor self = {.id = {"stet", 4}, .admin = true};

/* ---- Asking --------------------------------------------------------------------------------- */

static struct stet_command *begin_errand(struct outbound *outbound, enum errand_kind kind,
                                         struct outlet *outlet, struct lane *lane,
                                         struct errand **out) {
    struct stet_command *command = command_create(outbound->client);
    if (command == NULL) return NULL;
    struct errand *errand = arena_zalloc(&command->arena, 1, sizeof *errand);
    if (errand == NULL) {
        command_destroy(command);
        return NULL;
    }
    *errand = (struct errand){.kind = kind, .outlet = outlet, .lane = lane};
    *out = errand;
    return command;
}

/* status: how filling went. */
static bool send_errand(struct stet_command *command, struct errand *errand, stet_status status) {
    stet_error err = {0};
    if (status == STET_OK)
        status = command_submit(errand->outlet->space, &self, command, errand, &err);
    if (status == STET_OK) {
        errand->outlet->errands++;
        return true;
    }
    command_destroy(command);
    return false;
}

void errand_look(struct outbound *outbound, struct outlet *outlet) {
    struct errand *errand = NULL;
    struct stet_command *command = begin_errand(outbound, ERRAND_LOOK, outlet, NULL, &errand);
    outlet->look = command == NULL || !send_errand(command, errand, lanes_fill_list(command, NULL));
    outlet->looking = !outlet->look;
    if (outlet->look)
        outlet->look_at =
            clock_monotonic_ns(outbound->engine->clock) + TROUBLE_MS * CLOCK_NS_PER_MS;
}

void errand_ask(struct outbound *outbound, struct lane *lane) {
    const stet_operation_list list = {.lane = view_of(lane->name),
                                      .status = lane->fresh ? VIEW("running") : VIEW("retrying"),
                                      .limit = 1,
                                      .after = lane->asked_to};
    struct errand *errand = NULL;
    struct stet_command *command = begin_errand(outbound, ERRAND_ASK, lane->outlet, lane, &errand);
    if (command != NULL && send_errand(command, errand, operations_fill_list(command, &list, NULL)))
        lane_set_step(outbound, lane, LANE_ASKING);
    else
        lane_wait(outbound, lane, TROUBLE_MS);
}

void errand_claim(struct outbound *outbound, struct lane *lane) {
    const stet_claim asked = {.lane = view_of(lane->name),
                              .agent = WEBHOOK_AGENT,
                              .wait_s = CLAIM_WAIT_S,
                              .ttl_s = LEASE_S};
    struct errand *errand = NULL;
    struct stet_command *command =
        begin_errand(outbound, ERRAND_CLAIM, lane->outlet, lane, &errand);
    lane->again = false;
    if (command != NULL &&
        send_errand(command, errand, operations_fill_claim(command, &asked, NULL))) {
        lane_set_step(outbound, lane, LANE_CLAIMING);
        lane->claim = command;
    } else {
        lane_wait(outbound, lane, TROUBLE_MS);
    }
}

void errand_tell(struct outbound *outbound, struct lane *lane) {
    struct delivery *delivery = lane->delivery;
    const stet_operation_progress progress = {.id = delivery->id, .lease = delivery->lease};
    struct errand *errand = NULL;
    struct stet_command *command = begin_errand(outbound, ERRAND_TELL, lane->outlet, lane, &errand);
    delivery->told_at = clock_monotonic_ns(outbound->engine->clock);
    lane->telling =
        command != NULL &&
        send_errand(command, errand, operations_fill_progress(command, &progress, NULL));
}

/* ---- Telling how it went -------------------------------------------------------------------- */

/* What of an answer can be kept in JSON: whole characters, or nothing. */
stet_view post_text(const struct post *post) {
    stet_view text = view_make(post->answer, post->answer_size);
    for (unsigned cut = 0; cut < 4 && !view_is_utf8(text) && text.size > 0; cut++)
        text.size--;
    return view_is_utf8(text) ? text : (stet_view){0};
}

static stet_view result_of(struct arena *arena, const struct post *post) {
    struct buffer buffer;
    struct json_writer writer;
    stet_view text = post_text(post);
    buffer_init(&buffer, arena, 0);
    json_begin(&writer, &buffer);
    json_object_begin(&writer);
    json_member_u64(&writer, VIEW("status"), (uint64_t)post->status);
    if (text.size > 0) json_member_text(&writer, VIEW("body"), text);
    json_object_end(&writer);
    return json_end(&writer) == STET_OK ? buffer_view(&buffer) : (stet_view){0};
}

/* The pauses grow by four, each between three quarters of itself and the whole, so that many that failed together do not come back
   together. */
static unsigned retry_pause(const struct outbound *outbound, const struct delivery *delivery) {
    uint64_t ms = WEBHOOK_RETRY_MS;
    for (uint64_t i = 0; i < delivery->retries && ms < WEBHOOK_RETRY_MS_MAX; i++)
        ms *= RETRY_FACTOR;
    if (ms > WEBHOOK_RETRY_MS_MAX) ms = WEBHOOK_RETRY_MS_MAX;
    ms -= entropy_u64(outbound->engine->entropy) % (ms / 4);
    unsigned pause = (unsigned)((ms + 999) / 1000);
    return pause > delivery->post.retry_after_s ? pause : delivery->post.retry_after_s;
}

static void end_with(struct outbound *outbound, struct lane *lane, struct stet_command *command,
                     struct errand *errand, stet_status status) {
    if (command != NULL && send_errand(command, errand, status)) {
        lane_set_step(outbound, lane, LANE_ENDING);
        return;
    }
    /* The lease ends by itself, and then it is delivered once more. */
    lane_drop_delivery(outbound, lane);
    lane_wait(outbound, lane, TROUBLE_MS);
}

void errand_complete(struct outbound *outbound, struct lane *lane) {
    struct delivery *delivery = lane->delivery;
    struct errand *errand = NULL;
    const stet_operation_completion completion = {.id = delivery->id,
                                                  .lease = delivery->lease,
                                                  .result =
                                                      result_of(&delivery->arena, &delivery->post)};
    struct stet_command *command = begin_errand(outbound, ERRAND_END, lane->outlet, lane, &errand);
    stet_status status =
        command == NULL ? STET_NO_MEMORY : operations_fill_complete(command, &completion, NULL);
    atomic_fetch_add_explicit(&outbound->delivered, 1, memory_order_relaxed);
    end_with(outbound, lane, command, errand, status);
}

void errand_fail(struct outbound *outbound, struct lane *lane, enum ending ending, stet_view why) {
    struct delivery *delivery = lane->delivery;
    struct errand *errand = NULL;
    const stet_operation_failure failure = {
        .id = delivery->id,
        .lease = delivery->lease,
        .error = why,
        .retry = ending == ENDING_RETRIED,
        .retry_after_s = ending == ENDING_RETRIED ? retry_pause(outbound, delivery) : 0,
        .release = ending == ENDING_RELEASED};
    struct stet_command *command = begin_errand(outbound, ERRAND_END, lane->outlet, lane, &errand);
    stet_status status =
        command == NULL ? STET_NO_MEMORY : operations_fill_fail(command, &failure, NULL);
    if (command != NULL) {
        errand->failed = ending == ENDING_RETRIED;
        errand->released = ending == ENDING_RELEASED;
    }
    if (ending != ENDING_RELEASED)
        atomic_fetch_add_explicit(&outbound->failed, 1, memory_order_relaxed);
    end_with(outbound, lane, command, errand, status);
}

/* Only one process has the space open, and in it only we deliver: who has this one in hand is dead. */
void errand_give_back(struct outbound *outbound, struct lane *lane, stet_view id, uint64_t lease) {
    struct errand *errand = NULL;
    struct stet_command *command = begin_errand(outbound, ERRAND_END, lane->outlet, lane, &errand);
    const stet_operation_failure failure = {.id = id, .lease = lease, .release = true};
    stet_status status =
        command == NULL ? STET_NO_MEMORY : operations_fill_fail(command, &failure, NULL);
    if (command != NULL) errand->released = true;
    end_with(outbound, lane, command, errand, status);
}
