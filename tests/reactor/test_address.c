/*
 * test_address.c - reading and writing addresses
 */
#include "../test.h"

#include <weft/net.h>

static const struct {
    const char *text, *canonical;
} good[] = {
    {"127.0.0.1:80", "127.0.0.1:80"},
    {"127.0.0.1", "127.0.0.1:7000"},
    {"0.0.0.0:0", "0.0.0.0:0"},
    {"255.255.255.255:65535", "255.255.255.255:65535"},
    {"10.0.0.1:080", "10.0.0.1:80"},
    {"::1", "[::1]:7000"},
    {"[::1]", "[::1]:7000"},
    {"[::1]:80", "[::1]:80"},
    {"::", "[::]:7000"},
    {"1::1:80", "[1::1:80]:7000"}, /* without brackets the last group is no port */
    {"1:2:3:4:5:6:7:8", "[1:2:3:4:5:6:7:8]:7000"},
    {"[2001:db8::ABCD]:443", "[2001:db8::abcd]:443"},
    {"[::ffff:10.1.2.3]:1", "[::ffff:10.1.2.3]:1"},
    {"[fe80::1%lo]:65535", "[fe80::1%lo]:65535"},
    {"fe80::1%lo", "[fe80::1%lo]:7000"},
    {"ffff:ffff:ffff:ffff:ffff:ffff:255.255.255.255",
     "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff]:7000"},
};

static const char *const bad[] = {
    "",
    " ",
    ":",
    ":80",
    "80",
    "localhost",
    "localhost:80",
    "127.0.0.1:",
    "127.0.0.1:65536",
    "127.0.0.1:-1",
    "127.0.0.1:+80",
    "127.0.0.1: 80",
    "127.0.0.1:80 ",
    "127.0.0.1:0x50",
    "127.0.0.1:99999999999999999999999",
    "127.0.0.1:80:90",
    "127.0.0",
    "127.0.0.256",
    "1.2.3.4.5",
    "127.0.0.1]:80",
    "[",
    "]",
    "[]",
    "[]:80",
    "[127.0.0.1]:80",
    "[::1",
    "::1]",
    "[::1]:",
    "[::1]80",
    "[::1]]:80",
    "[[::1]]:80",
    "[::1]:65536",
    "[::1]:a",
    ":::",
    "1::2::3",
    "::g",
    "12345::",
    "1:2:3:4:5:6:7:8:9",
    "::1%",
    "::1%no-such-interface",
    "[fe80::1%lo%lo]:80",
    " 127.0.0.1",
    "127.0.0.1 ",
    "127.0.0.1\n",
    "0000000000000000000000000000000000000000000000000000000000000000000000000000000000000000",
    "[0000000000000000000000000000000000000000000000000000000000000000000000000000000000]:80",
};

Test(address, text_is_read_and_written)
{
    char text[WEFT_ADDRESS_TEXT];

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        weft_address address;

        if (weft_address_parse(&address, good[i].text, 7000) != 0)
            test_fail(__FILE__, __LINE__, "refused: %s", good[i].text);
        check_str_eq(weft_address_format(&address, text), good[i].canonical);
    }
}

Test(address, what_was_written_is_read_again)
{
    char text[WEFT_ADDRESS_TEXT];

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        weft_address first, second;

        check_eq(weft_address_parse(&first, good[i].text, 7000), 0);
        check_eq(weft_address_parse(&second, weft_address_format(&first, text), 1), 0);
        check_eq(memcmp(&first, &second, sizeof first), 0);
        check_eq(weft_address_port(&first), weft_address_port(&second));
    }
}

Test(address, bad_text_is_refused_and_the_result_untouched)
{
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        weft_address address, before;

        memset(&address, 0x5a, sizeof address);
        before = address;
        if (weft_address_parse(&address, bad[i], 7000) != -EINVAL)
            test_fail(__FILE__, __LINE__, "taken: \"%s\"", bad[i]);
        check_eq(memcmp(&address, &before, sizeof address), 0);
    }
}

Test(address, the_longest_text_fits)
{
    weft_address address;
    char         text[WEFT_ADDRESS_TEXT + 1];

    memset(&address, 0, sizeof address);
    address.u.v6.sin6_family = AF_INET6;
    address.u.v6.sin6_port = 0xffff;
    memset(&address.u.v6.sin6_addr, 0xff, 16);
    address.u.v6.sin6_scope_id = 1;
    memset(text, '#', sizeof text);
    check_eq(weft_address_format(&address, text), text);
    check_str_eq(text, "[ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff%lo]:65535");
    check_eq(text[WEFT_ADDRESS_TEXT], '#');
}
