/*
 * fuzz_address.c - an address that is read, written and read again is the same
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <weft/net.h>

#define REQUIRE(condition)                                                                         \
    ((condition) ? (void)0 : (fprintf(stderr, "%d: false: %s\n", __LINE__, #condition), abort()))

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Every byte of the text is printed, and it is read back as the same bytes of the same family. */
static void check_round(const weft_address *address, uint16_t port)
{
    char         text[WEFT_ADDRESS_TEXT], again[WEFT_ADDRESS_TEXT];
    weft_address back;

    memset(text, 'x', sizeof text);
    REQUIRE(weft_address_format(address, text) == text);
    REQUIRE(memchr(text, '\0', sizeof text) != NULL);
    memset(&back, 0, sizeof back);
    REQUIRE(weft_address_parse(text, (uint16_t)(port + 1), &back) ==
            0); /* it has a port of its own */
    REQUIRE(memcmp(&back, address, sizeof back) == 0);
    REQUIRE(weft_address_port(&back) == weft_address_port(address));
    REQUIRE(strcmp(weft_address_format(&back, again), text) == 0);
}

static void check_unix(const char *text)
{
    char         name[WEFT_ADDRESS_TEXT];
    weft_address address, back;

    memset(&address, 'x', sizeof address);
    back = address;
    if (weft_address_unix(text, &address) < 0) {
        REQUIRE(strlen(text) >= sizeof address.u.un.sun_path);
        REQUIRE(memcmp(&address, &back, sizeof back) == 0);
        return;
    }
    weft_address_format(&address, name);
    REQUIRE(strcmp(name, *text ? text : "(unnamed)") == 0);
    REQUIRE(weft_address_port(&address) == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char        *text = malloc(size + 1);
    weft_address address, before;
    uint16_t     port = size > 0 ? (uint16_t)(data[0] * 257) : 0;

    REQUIRE(text);
    if (size > 0)
        memcpy(text, data, size);
    text[size] = '\0';
    memset(&address, 'x', sizeof address);
    before = address;
    if (weft_address_parse(text, port, &address) == 0)
        check_round(&address, port);
    else
        REQUIRE(memcmp(&address, &before, sizeof before) == 0);
    check_unix(text);
    free(text);
    return 0;
}
