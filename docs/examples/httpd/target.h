/*
 * target.h - what a request is for: hosts and request targets
 */
#ifndef HTTPD_TARGET_H
#define HTTPD_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A host with or without a port, read byte by byte: the value of Host, or a target's authority. */
struct host {
    uint8_t state;
    uint8_t literal_size;
    bool    has_name; /* there is something before the port */
    bool    has_port;
    char    literal[46]; /* between brackets; no IPv6 address is longer */
};

void host_begin(struct host *host);
void host_byte(struct host *host, char byte);
/* At the end: whether this was uri-host [ ":" port ] of RFC 3986. Its name may be empty. */
bool host_is_valid(const struct host *host);

/* Whether the target has a form that goes with the method (RFC 9112, 3.2). https is refused because
 * this connection isn't secured (RFC 9110, 7.4), as is a user in an authority (RFC 9110, 4.2.4). */
bool target_is_valid(unsigned method, const char *target, size_t size);

/* The path in a valid target: without "http://host" and query, not decoded, "/" if it has none. */
const char *target_path(const char *target, size_t size, size_t *ret_size);

#endif
