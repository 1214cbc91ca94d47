/*
 * address.c - IPv4 and IPv6 addresses with a port, Unix addresses
 *
 * Purpose     Parses and formats addresses, and reads those of a socket.
 * Threads     Any.
 * Invariants  The family says which member of the union is valid.
 * Ordering    None.
 * Failure     -EINVAL for text that is no address. The result is not written then.
 */
#include "stream.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <net/if.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int parse_port(const char *text, uint16_t *ret)
{
    char         *end;
    unsigned long value;

    if (!isdigit((unsigned char)*text))
        return -EINVAL;
    value = strtoul(text, &end, 10);
    if (*end || value > 65535)
        return -EINVAL;
    *ret = (uint16_t)value;
    return 0;
}

/* Splits "[host]:port", "v4:port" or a bare host. */
static int split(const char *text, char *host, size_t size, uint16_t *port)
{
    const char *open = *text == '[' ? text + 1 : text;
    const char *end = *text == '[' ? strchr(open, ']') : strchr(open, ':');
    size_t      length;

    if (*text == '[' && !end)
        return -EINVAL;
    if (*text != '[' && end && strchr(end + 1, ':'))
        end = NULL; /* a bare IPv6 address */
    length = end ? (size_t)(end - open) : strlen(open);
    if (length >= size)
        return -EINVAL;
    memcpy(host, open, length);
    host[length] = 0;
    if (!end)
        return 0;
    if (*end == ']' && *++end == 0)
        return 0;
    return *end == ':' ? parse_port(end + 1, port) : -EINVAL;
}

/* Parses the number of an interface, which must exist. */
static int parse_scope(const char *text, uint32_t *ret)
{
    char         *end, name[IF_NAMESIZE];
    unsigned long value;

    if (!isdigit((unsigned char)*text))
        return -EINVAL;
    value = strtoul(text, &end, 10);
    if (*end || value == 0 || value > UINT32_MAX || !if_indextoname((unsigned)value, name))
        return -EINVAL;
    *ret = (uint32_t)value;
    return 0;
}

static int parse_v6(struct sockaddr_in6 *v6, char *host)
{
    char *scope = strchr(host, '%');

    if (scope) {
        *scope++ = 0;
        v6->sin6_scope_id = if_nametoindex(scope);
        if (!v6->sin6_scope_id && parse_scope(scope, &v6->sin6_scope_id) < 0)
            return -EINVAL;
    }
    return inet_pton(AF_INET6, host, &v6->sin6_addr) == 1 ? 0 : -EINVAL;
}

WEFT_API int weft_address_parse(const char *text, uint16_t port, weft_address *ret_address)
{
    weft_address address;
    char         host[INET6_ADDRSTRLEN + IF_NAMESIZE];

    memset(&address, 0, sizeof address);
    if (split(text, host, sizeof host, &port) < 0)
        return -EINVAL;
    if (strchr(host, ':')) {
        address.u.v6.sin6_family = AF_INET6;
        address.u.v6.sin6_port = htons(port);
        if (parse_v6(&address.u.v6, host) < 0)
            return -EINVAL;
    } else {
        address.u.v4.sin_family = AF_INET;
        address.u.v4.sin_port = htons(port);
        if (*text == '[' || inet_pton(AF_INET, host, &address.u.v4.sin_addr) != 1)
            return -EINVAL;
    }
    *ret_address = address;
    return 0;
}

WEFT_API int weft_address_unix(const char *path, weft_address *ret_address)
{
    weft_address address = {0};
    size_t       n = strlen(path), room = sizeof address.u.un.sun_path;

    /* A path ends in a NUL. An abstract name does not. */
    if (n >= room + (*path == '@'))
        return -EINVAL;
    address.u.un.sun_family = AF_UNIX;
    memcpy(address.u.un.sun_path, path, n);
    if (*path == '@')
        address.u.un.sun_path[0] = 0;
    else if (n > 0)
        n++;
    address.size_ = (uint32_t)(offsetof(struct sockaddr_un, sun_path) + n);
    *ret_address = address;
    return 0;
}

static size_t unix_size(const weft_address *address)
{
    size_t n = address->size_ > offsetof(struct sockaddr_un, sun_path)
                   ? address->size_ - offsetof(struct sockaddr_un, sun_path)
                   : 0;

    return n < sizeof address->u.un.sun_path ? n : sizeof address->u.un.sun_path;
}

/* Writes "/path", "@abstract name", or "(unnamed)". */
static void format_unix(const weft_address *address, char *text)
{
    const char *path = address->u.un.sun_path;
    size_t      n = unix_size(address);

    if (n == 0) {
        snprintf(text, WEFT_ADDRESS_TEXT, "(unnamed)");
        return;
    }
    if (path[0])
        n = strnlen(path, n);
    for (size_t i = 0; i < n; i++)
        text[i] = path[i] ? path[i] : '@';
    text[n] = 0;
}

static void format_v6(const weft_address *address, char *text)
{
    char     host[INET6_ADDRSTRLEN] = "?", scope[IF_NAMESIZE + 1] = "";
    unsigned index = address->u.v6.sin6_scope_id;

    inet_ntop(AF_INET6, &address->u.v6.sin6_addr, host, sizeof host);
    if (index && if_indextoname(index, scope + 1))
        scope[0] = '%';
    else if (index) /* the interface does not exist any more */
        snprintf(scope, sizeof scope, "%%%u", index);
    snprintf(text, WEFT_ADDRESS_TEXT, "[%s%s]:%u", host, scope, weft_address_port(address));
}

WEFT_API const char *weft_address_format(const weft_address *address, char *text)
{
    char host[INET6_ADDRSTRLEN] = "?";

    switch (address->u.any.sa_family) {
    case AF_UNIX:
        format_unix(address, text);
        break;
    case AF_INET6:
        format_v6(address, text);
        break;
    default:
        inet_ntop(AF_INET, &address->u.v4.sin_addr, host, sizeof host);
        snprintf(text, WEFT_ADDRESS_TEXT, "%s:%u", host, weft_address_port(address));
    }
    return text;
}

WEFT_API uint16_t weft_address_port(const weft_address *address)
{
    switch (address->u.any.sa_family) {
    case AF_INET:
        return ntohs(address->u.v4.sin_port);
    case AF_INET6:
        return ntohs(address->u.v6.sin6_port);
    default:
        return 0;
    }
}

WEFT_API int weft_address_set_port(weft_address *address, uint16_t port)
{
    switch (address->u.any.sa_family) {
    case AF_INET:
        address->u.v4.sin_port = htons(port);
        return 0;
    case AF_INET6:
        address->u.v6.sin6_port = htons(port);
        return 0;
    default:
        return -EINVAL;
    }
}

socklen_t wf_address_size(const weft_address *address)
{
    switch (address->u.any.sa_family) {
    case AF_UNIX:
        return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + unix_size(address));
    case AF_INET6:
        return sizeof address->u.v6;
    default:
        return sizeof address->u.v4;
    }
}

/* ---- addresses of a socket ---- */

static int take_address(int r, weft_address *address, socklen_t size, weft_address *ret)
{
    if (r < 0)
        return -errno;
    address->size_ = size;
    *ret = *address;
    return 0;
}

int wf_address_local(int fd, weft_address *ret)
{
    weft_address address = {0};
    socklen_t    size = sizeof address.u;
    int          r = getsockname(fd, &address.u.any, &size);

    return take_address(r, &address, size, ret);
}

int wf_address_peer(int fd, weft_address *ret)
{
    weft_address address = {0};
    socklen_t    size = sizeof address.u;
    int          r = getpeername(fd, &address.u.any, &size);

    return take_address(r, &address, size, ret);
}

void wf_peer_note(wf_peer *peer, const struct sockaddr *address)
{
    const struct sockaddr_in  *v4 = (const void *)address;
    const struct sockaddr_in6 *v6 = (const void *)address;

    if (address->sa_family == AF_INET) {
        memcpy(peer->port, &v4->sin_port, sizeof peer->port);
        memcpy(peer->address, &v4->sin_addr, sizeof v4->sin_addr);
    } else if (address->sa_family == AF_INET6) {
        memcpy(peer->port, &v6->sin6_port, sizeof peer->port);
        memcpy(peer->scope, &v6->sin6_scope_id, sizeof peer->scope);
        memcpy(peer->address, &v6->sin6_addr, sizeof peer->address);
    } else {
        return;
    }
    peer->family = (uint8_t)address->sa_family;
}

bool wf_peer_recall(const wf_peer *peer, weft_address *ret)
{
    weft_address address = {.u.any.sa_family = peer->family};

    if (peer->family == AF_INET) {
        memcpy(&address.u.v4.sin_port, peer->port, sizeof peer->port);
        memcpy(&address.u.v4.sin_addr, peer->address, sizeof address.u.v4.sin_addr);
        address.size_ = sizeof address.u.v4;
    } else if (peer->family == AF_INET6) {
        memcpy(&address.u.v6.sin6_port, peer->port, sizeof peer->port);
        memcpy(&address.u.v6.sin6_scope_id, peer->scope, sizeof peer->scope);
        memcpy(&address.u.v6.sin6_addr, peer->address, sizeof peer->address);
        address.size_ = sizeof address.u.v6;
    } else {
        return false;
    }
    *ret = address;
    return true;
}

void wf_address_unbind(int fd, const weft_address *address)
{
    if (address->u.any.sa_family == AF_UNIX && address->u.un.sun_path[0])
        unlink(address->u.un.sun_path);
    close(fd);
}
