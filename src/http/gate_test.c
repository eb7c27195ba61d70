#include "http/gate.h"

#include "base/view.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct gate gate;

static int teardown(void **state) {
    (void)state;
    gate_done(&gate);
    return 0;
}

static struct sockaddr_storage v4(const char *text, uint16_t port) {
    struct sockaddr_storage storage = {0};
    struct sockaddr_in *address = (struct sockaddr_in *)&storage;
    address->sin_family = AF_INET;
    address->sin_port = htons(port);
    assert_int_equal(inet_pton(AF_INET, text, &address->sin_addr), 1);
    return storage;
}

static void open_gate(const char *listen, uint16_t port, struct http_options options) {
    struct sockaddr_storage address = v4(listen, port);
    stet_error err = {0};
    gate_done(&gate);
    assert_int_equal(gate_init(&gate, &options, &address, 1, &err), STET_OK);
}

static bool allowed(const char *host) { return gate_host_allowed(&gate, view_of(host)); }

static void loopback_answers_to_its_own_names(void **state) {
    (void)state;
    open_gate("127.0.0.1", 7838, (struct http_options){0});
    assert_true(allowed("localhost:7838"));
    assert_true(allowed("LocalHost:7838"));
    assert_true(allowed("127.0.0.1:7838"));
    assert_true(allowed("[::1]:7838"));
    assert_false(allowed("localhost"));
    assert_false(allowed("localhost:7839"));
    assert_false(allowed("localhost:7838.evil.example"));
    assert_false(allowed("192.168.1.1:7838"));
    assert_false(allowed(""));
    open_gate("127.0.0.1", 80, (struct http_options){0});
    assert_true(allowed("localhost"));
}

static void all_addresses_answer_to_literals_and_the_public_name(void **state) {
    (void)state;
    open_gate("0.0.0.0", 7838, (struct http_options){.public_url = "https://stet.example.org/x"});
    assert_true(allowed("192.168.1.1:7838"));
    assert_true(allowed("[fe80::1]:7838"));
    assert_true(allowed("stet.example.org"));
    assert_true(allowed("stet.example.org:443"));
    assert_false(allowed("evil.example:7838"));
    assert_false(allowed("192.168.1.1"));
    assert_true(gate_origin_is_own(&gate, VIEW("https://stet.example.org"), VIEW("other")));
}

static void one_address_answers_to_itself_alone(void **state) {
    (void)state;
    open_gate("192.168.1.1", 7838, (struct http_options){0});
    assert_true(allowed("192.168.1.1:7838"));
    assert_false(allowed("192.168.1.2:7838"));
    assert_false(allowed("localhost:7838"));
}

static void every_socket_answers_to_its_own_names(void **state) {
    struct sockaddr_storage addresses[] = {v4("127.0.0.1", 7838), v4("192.168.1.1", 80),
                                           v4("0.0.0.0", 9000)};
    struct http_options options = {0};
    stet_error err = {0};
    (void)state;
    gate_done(&gate);
    assert_int_equal(gate_init(&gate, &options, addresses, 1, &err), STET_OK);
    assert_true(gate.loopback);
    gate_done(&gate);
    assert_int_equal(gate_init(&gate, &options, addresses, 3, &err), STET_OK);
    assert_false(gate.loopback);
    assert_true(allowed("localhost:7838"));
    assert_true(allowed("192.168.1.1"));
    assert_true(allowed("192.168.1.1:80"));
    assert_true(allowed("10.1.2.3:9000"));
    assert_false(allowed("10.1.2.3"));
    assert_false(allowed("10.1.2.3:7838"));
    assert_false(allowed("evil.example:9000"));
}

static void as_many_sockets_as_may_be_have_all_their_names(void **state) {
    struct sockaddr_storage addresses[HTTP_LISTENERS_MAX];
    struct http_options options = {.public_url = "http://stet.example.org"};
    stet_error err = {0};
    (void)state;
    gate_done(&gate);
    for (unsigned i = 0; i < HTTP_LISTENERS_MAX; i++)
        addresses[i] = v4("0.0.0.0", 80);
    assert_int_equal(gate_init(&gate, &options, addresses, HTTP_LISTENERS_MAX, &err), STET_OK);
    assert_true(allowed("stet.example.org"));
    assert_true(allowed("stet.example.org:80"));
}

static void origins_are_compared_whole(void **state) {
    static const char *const origins[] = {"https://app.example"};
    (void)state;
    open_gate("127.0.0.1", 7838,
              (struct http_options){.allow_origins = origins, .allow_origin_count = 1});
    assert_true(gate_origin_allowed(&gate, VIEW("https://app.example")));
    assert_false(gate_origin_allowed(&gate, VIEW("https://app.example.evil")));
    assert_false(gate_origin_allowed(&gate, VIEW("http://app.example")));
    assert_false(gate_origin_allowed(&gate, VIEW("null")));
    assert_true(gate_origin_is_own(&gate, VIEW("http://localhost:7838"), VIEW("localhost:7838")));
    assert_false(gate_origin_is_own(&gate, VIEW("http://localhost:3000"), VIEW("localhost:7838")));
    assert_false(gate_origin_is_own(&gate, VIEW("null"), VIEW("localhost:7838")));
}

static void expect_client(const char *peer, const char *forwarded, const char *client) {
    char out[GATE_ADDRESS_BYTES];
    struct sockaddr_storage address = v4(peer, 1);
    stet_view is = gate_client(&gate, (struct sockaddr *)&address, view_of(forwarded), out);
    assert_string_equal(is.bytes, client);
}

static void forwarded_addresses_are_believed_from_proxies_only(void **state) {
    static const char *const proxies[] = {"10.0.0.0/8", "192.168.1.1", "fd00::/16"};
    (void)state;
    open_gate("127.0.0.1", 7838,
              (struct http_options){.trusted_proxies = proxies, .trusted_proxy_count = 3});
    expect_client("1.2.3.4", "9.9.9.9", "1.2.3.4");
    expect_client("10.1.2.3", "9.9.9.9", "9.9.9.9");
    expect_client("10.1.2.3", "6.6.6.6, 9.9.9.9, 192.168.1.1", "9.9.9.9");
    expect_client("10.1.2.3", "2001:db8::1", "2001:db8::1");
    expect_client("10.1.2.3", "nonsense", "10.1.2.3");
    expect_client("10.1.2.3", "", "10.1.2.3");
    expect_client("192.168.1.2", "9.9.9.9", "192.168.1.2");
}

static void expect_secure(const char *peer, const char *proto, bool secure) {
    struct sockaddr_storage address = v4(peer, 1);
    assert_true(gate_is_secure(&gate, (const struct sockaddr *)&address, view_of(proto)) == secure);
}

static void what_is_secure_is_said_by_the_proxy_or_the_public_url(void **state) {
    const char *proxies[] = {"10.0.0.0/8"};
    (void)state;
    struct http_options options = {.trusted_proxies = proxies, .trusted_proxy_count = 1};
    open_gate("127.0.0.1", 1, options);
    expect_secure("10.1.2.3", "https", true);
    expect_secure("10.1.2.3", "HTTPS, http", true);
    expect_secure("10.1.2.3", "http, https", false);
    expect_secure("10.1.2.3", ",", false);
    expect_secure("10.1.2.3", "", false);
    expect_secure("127.0.0.1", "https", false); /* Not one of ours. */
    options.public_url = "https://stet.example.org";
    open_gate("127.0.0.1", 1, options);
    expect_secure("127.0.0.1", "", true);
    expect_secure("127.0.0.1", "http", true);
    expect_secure("10.1.2.3", "http", false);
}

static void bad_networks_are_refused(void **state) {
    static const char *const bad[] = {"10.0.0.0/33", "10.0.0/8", "x", "::1/129", "10.0.0.0/x"};
    struct sockaddr_storage address = v4("127.0.0.1", 1);
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct http_options options = {.trusted_proxies = &bad[i], .trusted_proxy_count = 1};
        stet_error err = {0};
        gate_done(&gate);
        assert_int_equal(gate_init(&gate, &options, &address, 1, &err), STET_BAD_REQUEST);
        assert_string_equal(err.field, "trusted-proxy");
    }
}

int main(void) {
#define TEST(name) cmocka_unit_test_teardown(name, teardown)
    const struct CMUnitTest tests[] = {
        TEST(loopback_answers_to_its_own_names),
        TEST(all_addresses_answer_to_literals_and_the_public_name),
        TEST(one_address_answers_to_itself_alone),
        TEST(every_socket_answers_to_its_own_names),
        TEST(as_many_sockets_as_may_be_have_all_their_names),
        TEST(origins_are_compared_whole),
        TEST(forwarded_addresses_are_believed_from_proxies_only),
        TEST(what_is_secure_is_said_by_the_proxy_or_the_public_url),
        TEST(bad_networks_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
