/*
 * test_address.c - reading and writing addresses
 */
#include "../test.h"

#include "stream.h"

#include <stddef.h>

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

        if (weft_address_parse(good[i].text, 7000, &address) != 0)
            test_fail(__FILE__, __LINE__, "refused: %s", good[i].text);
        check_str_eq(weft_address_format(&address, text), good[i].canonical);
    }
}

Test(address, what_was_written_is_read_again)
{
    char text[WEFT_ADDRESS_TEXT];

    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        weft_address first, second;

        check_eq(weft_address_parse(good[i].text, 7000, &first), 0);
        check_eq(weft_address_parse(weft_address_format(&first, text), 1, &second), 0);
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
        if (weft_address_parse(bad[i], 7000, &address) != -EINVAL)
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

/* ---- Unix ---- */

static const char *const paths[] = {"/run/weft.sock", "weft", "a:80", "@weft", "@",
                                    "@a:80",          "./@x"};

Test(address, unix_names_are_read_and_written)
{
    char text[WEFT_ADDRESS_TEXT];

    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        weft_address address;

        check_eq(weft_address_unix(paths[i], &address), 0);
        check_eq(address.u.any.sa_family, AF_UNIX);
        check_eq(weft_address_port(&address), 0);
        check_str_eq(weft_address_format(&address, text), paths[i]);
        check_eq(wf_address_size(&address),
                 offsetof(struct sockaddr_un, sun_path) + strlen(paths[i]) + (*paths[i] != '@'));
        check_eq(address.u.un.sun_path[0], *paths[i] == '@' ? 0 : *paths[i]);
    }
}

Test(address, the_unnamed_unix_address)
{
    weft_address address;
    char         text[WEFT_ADDRESS_TEXT];

    check_eq(weft_address_unix("", &address), 0);
    check_eq(wf_address_size(&address), sizeof(sa_family_t));
    check_str_eq(weft_address_format(&address, text), "(unnamed)");
}

Test(address, unix_names_of_all_lengths)
{
    enum { ROOM = sizeof(((struct sockaddr_un *)0)->sun_path) };

    for (int abstract = 0; abstract < 2; abstract++)
        for (size_t n = 1; n < 2 * ROOM; n++) {
            weft_address address = {.size_ = 7};
            char         path[2 * ROOM + 1] = "", text[WEFT_ADDRESS_TEXT];
            bool         fits = abstract ? n <= ROOM : n < ROOM;

            memset(path, 'x', n);
            path[0] = abstract ? '@' : '/';
            check_eq(weft_address_unix(path, &address), fits ? 0 : -EINVAL);
            if (fits)
                check_str_eq(weft_address_format(&address, text), path);
            else
                check_eq(address.size_, 7);
        }
}

/* The kernel may return such a name: an abstract name may hold any bytes, and may fill the whole
 * array. */
Test(address, a_name_without_an_end_is_written_and_stays_within)
{
    weft_address address = {.size_ = sizeof(struct sockaddr_un) + 1};
    char         text[WEFT_ADDRESS_TEXT];

    address.u.un.sun_family = AF_UNIX;
    memset(address.u.un.sun_path, 'x', sizeof address.u.un.sun_path);
    check_eq(strlen(weft_address_format(&address, text)), sizeof address.u.un.sun_path);
    check_eq(wf_address_size(&address), sizeof(struct sockaddr_un));
    address.u.un.sun_path[0] = address.u.un.sun_path[3] = 0;
    check_eq(strlen(weft_address_format(&address, text)), sizeof address.u.un.sun_path);
    check_eq(memcmp(text, "@xx@xx", 6), 0);
}

Test(address, a_port_is_set_where_there_is_one)
{
    weft_address a;
    char         text[WEFT_ADDRESS_TEXT];

    check_eq(weft_address_parse("10.0.0.1:80", 0, &a), 0);
    check_eq(weft_address_set_port(&a, 65535), 0);
    check_str_eq(weft_address_format(&a, text), "10.0.0.1:65535");
    check_eq(weft_address_parse("[::1]:80", 0, &a), 0);
    check_eq(weft_address_set_port(&a, 0), 0);
    check_str_eq(weft_address_format(&a, text), "[::1]:0");
    check_eq(weft_address_unix("/x", &a), 0);
    check_eq(weft_address_set_port(&a, 80), -EINVAL);
    check_str_eq(weft_address_format(&a, text), "/x");
}

/* No interface has this number. Parsing refuses it, and formatting keeps it. */
Test(address, a_scope_without_an_interface)
{
    weft_address a;
    char         text[WEFT_ADDRESS_TEXT];

    check_eq(weft_address_parse("[fe80::1%987654321]:80", 0, &a), -EINVAL);
    check_eq(weft_address_parse("fe80::1%987654321", 80, &a), -EINVAL);
    check_eq(weft_address_parse("fe80::1%1", 80, &a), 0);
    check_eq(a.u.v6.sin6_scope_id, 1);
    a.u.v6.sin6_scope_id = UINT32_MAX;
    check_str_eq(weft_address_format(&a, text), "[fe80::1%4294967295]:80");
}

Test(address, a_peer_is_kept_whole)
{
    static const char *const texts[] = {"10.1.2.3:4567", "[2001:db8::1:2]:65535", "[fe80::1%lo]:1"};
    char                     text[WEFT_ADDRESS_TEXT];
    weft_address             a, b = {.u.any.sa_family = AF_UNIX};
    wf_peer                  peer = {.family = 0};

    wf_peer_note(&peer, &b.u.any);
    check(!wf_peer_recall(&peer, &b));
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        check_eq(weft_address_parse(texts[i], 0, &a), 0);
        wf_peer_note(&peer, &a.u.any);
        check(wf_peer_recall(&peer, &b));
        check_str_eq(weft_address_format(&b, text), texts[i]);
    }
}
