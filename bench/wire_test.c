/*
 * The answers of a server, cut anywhere: none is taken for whole before it is. The files are included for what they keep to themselves.
 */
#include "http_link.c"
#include "target_redis.c"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

struct sample {
    const char *answer;
    enum reply_kind kind;
    uint64_t version;
    const char *body;
};

static void check(const struct reply *reply, const struct sample *want) {
    assert_int_equal(reply->kind, want->kind);
    assert_int_equal(reply->version, want->version);
    assert_int_equal(reply->body.size, strlen(want->body));
    assert_memory_equal(reply->body.bytes == NULL ? "" : reply->body.bytes, want->body,
                        reply->body.size);
}

static void redis_answers_are_taken_whole(void **state) {
    static const struct sample cases[] = {
        {":7\r\n", REPLY_OK, 7, ""},
        {"$-1\r\n", REPLY_CONFLICT, 0, ""},
        {"*2\r\n$2\r\n12\r\n$7\r\n{\"a\":1}\r\n", REPLY_OK, 12, "{\"a\":1}"},
        {"*2\r\n:3\r\n$4\r\na\r\nb\r\n", REPLY_OK, 3, "a\r\nb"},
        {"*2\r\n$-1\r\n$-1\r\n", REPLY_REFUSED, 0, "*2\r\n$-1\r\n$-1\r\n"},
        {"-NOSCRIPT no such script\r\n", REPLY_REFUSED, 0, "-NOSCRIPT no such script\r\n"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct value values[3];
        struct reply reply;
        size_t size = strlen(cases[i].answer);
        for (size_t cut = 0; cut < size; cut++)
            assert_int_equal(take_reply((stet_view){cases[i].answer, cut}, values), 0);
        assert_int_equal(take_reply((stet_view){cases[i].answer, size}, values), size);
        use_values(values, (stet_view){cases[i].answer, size}, &reply);
        check(&reply, &cases[i]);
    }
}

static void http_answers_are_taken_whole(void **state) {
    static const struct sample cases[] = {
        {"HTTP/1.1 200 OK\r\nETag: \"5\"\r\nContent-Length: 2\r\n\r\n{}", REPLY_OK, 5, "{}"},
        {"HTTP/1.1 201 Created\r\ncontent-length: 3\r\netag: \"1\"\r\n\r\n{ }", REPLY_CREATED, 1,
         "{ }"},
        {"HTTP/1.1 204 No Content\r\nETag: \"6\"\r\n\r\n", REPLY_OK, 6, ""},
        {"HTTP/1.1 304 Not Modified\r\nETag: \"9\"\r\n\r\n", REPLY_NOT_MODIFIED, 9, ""},
        {"HTTP/1.1 412 Precondition Failed\r\nContent-Length: 2\r\n\r\n{}", REPLY_CONFLICT, 0,
         "{}"},
        {"HTTP/1.1 500 No\r\nContent-Length: 1\r\n\r\nx", REPLY_REFUSED, 0,
         "HTTP/1.1 500 No\r\nContent-Length: 1\r\n\r\nx"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct reply reply = {0};
        size_t size = strlen(cases[i].answer);
        for (size_t cut = 0; cut < size; cut++)
            assert_int_equal(decode((stet_view){cases[i].answer, cut}, &reply), 0);
        assert_int_equal(decode((stet_view){cases[i].answer, size}, &reply), size);
        check(&reply, &cases[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(redis_answers_are_taken_whole),
        cmocka_unit_test(http_answers_are_taken_whole),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
