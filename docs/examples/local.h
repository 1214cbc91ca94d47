/*
 * local.h - what servers on 127.0.0.1 begin with: the port of the command line, and listening there
 */
#ifndef EXAMPLES_LOCAL_H
#define EXAMPLES_LOCAL_H

#include <stdio.h>
#include <stdlib.h>
#include <weft.h>

/* Returns the port that the text is, 0 (any free one) to 65535, or -1 if it is none. */
static inline int local_port(const char *text)
{
    char         *end;
    unsigned long port = strtoul(text, &end, 10);

    return *text < '0' || *text > '9' || *end || port > 65535 ? -1 : (int)port;
}

/* Listens at the port. Returns 0 or -errno. */
static inline int local_listen(uint16_t port, weft_listener **ret_listener)
{
    weft_address address;
    int          r = weft_address_parse("127.0.0.1", port, &address);

    return r < 0 ? r : weft_listen(NULL, &address, NULL, ret_listener);
}

/* Says where, since the system chooses a port for 0. */
static inline void local_print(const weft_listener *listener)
{
    weft_address address;
    char         text[WEFT_ADDRESS_TEXT];

    weft_listener_address(listener, &address);
    printf("listening on %s\n", weft_address_format(&address, text));
    fflush(stdout);
}

#endif
