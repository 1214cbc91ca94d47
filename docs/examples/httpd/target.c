/*
 * target.c - see target.h
 */
#include "target.h"

#include <arpa/inet.h>
#include <string.h>
#include <strings.h>

#include "bytes.h"
#include "head.h"

/* ---- hosts ---- */

/*
 *     NAME <-> ESCAPE -> ESCAPE_2 -> NAME     a byte of a name may be escaped, "%41"
 *     NAME, at its begin -> LITERAL -> LITERAL_END      "[::1]"
 *     NAME, LITERAL_END -> PORT
 *     all -> WRONG, where it stays
 */
enum host_state { NAME, ESCAPE, ESCAPE_2, LITERAL, LITERAL_END, PORT, WRONG };

void host_begin(struct host *host)
{
    host->state = NAME;
    host->literal_size = 0;
    host->has_name = host->has_port = false;
}

static enum host_state after_name(struct host *host, char byte)
{
    if (byte == ':')
        return PORT;
    if (byte == '[' && !host->has_name)
        return LITERAL;
    host->has_name = true;
    if (byte == '%')
        return ESCAPE;
    return byte_is(byte, BYTE_REG_NAME) ? NAME : WRONG;
}

static enum host_state after_literal(struct host *host, char byte)
{
    host->has_name = true;
    if (byte == ']')
        return host->literal_size > 0 ? LITERAL_END : WRONG;
    if (host->literal_size == sizeof host->literal - 1)
        return WRONG;
    host->literal[host->literal_size++] = byte;
    return LITERAL;
}

static enum host_state after_port(struct host *host, char byte)
{
    host->has_port = true;
    return byte_is(byte, BYTE_DIGIT) ? PORT : WRONG;
}

void host_byte(struct host *host, char byte)
{
    enum host_state state = WRONG;

    if (host->state == NAME)
        state = after_name(host, byte);
    else if (host->state == ESCAPE && byte_is(byte, BYTE_HEX))
        state = ESCAPE_2;
    else if (host->state == ESCAPE_2 && byte_is(byte, BYTE_HEX))
        state = NAME;
    else if (host->state == LITERAL)
        state = after_literal(host, byte);
    else if (host->state == LITERAL_END && byte == ':')
        state = PORT;
    else if (host->state == PORT)
        state = after_port(host, byte);
    host->state = (uint8_t)state;
}

/* IPvFuture, "v1.x": nothing has such an address, but its form is known. */
static bool is_future_address(const char *at, const char *end)
{
    const char *dot = bytes_skip(at + 1, end, BYTE_HEX);

    if ((*at != 'v' && *at != 'V') || dot == at + 1 || end - dot < 2 || *dot != '.')
        return false;
    for (at = dot + 1; at < end && (byte_is(*at, BYTE_REG_NAME) || *at == ':'); at++)
        ;
    return at == end;
}

bool host_is_valid(const struct host *host)
{
    char            literal[sizeof host->literal];
    struct in6_addr address;

    if (host->state != NAME && host->state != LITERAL_END && host->state != PORT)
        return false;
    if (host->literal_size == 0)
        return true;
    memcpy(literal, host->literal, host->literal_size);
    literal[host->literal_size] = '\0';
    return inet_pton(AF_INET6, literal, &address) == 1 ||
           is_future_address(literal, literal + host->literal_size);
}

/* ---- targets ---- */

static bool is_path_and_query(const char *at, const char *end)
{
    for (; at < end; at++) {
        if (*at == '%') {
            if (end - at < 3 || !byte_is(at[1], BYTE_HEX) || !byte_is(at[2], BYTE_HEX))
                return false;
            at += 2;
        } else if (!byte_is(*at, BYTE_PATH)) {
            return false;
        }
    }
    return true;
}

static bool is_authority(const char *at, const char *end, bool with_port)
{
    struct host host;

    host_begin(&host);
    while (at < end)
        host_byte(&host, *at++);
    return host_is_valid(&host) && host.has_name && (host.has_port || !with_port);
}

/* Returns where the authority of an absolute target begins; NULL if the target has another form. */
static const char *find_authority(const char *target, const char *end)
{
    static const char scheme[] = "http://"; /* in upper or in lower case */

    if (end - target < (ptrdiff_t)sizeof scheme || strncasecmp(target, scheme, sizeof scheme - 1))
        return NULL;
    return target + sizeof scheme - 1;
}

/* Returns where the authority ends that begins here: at a path, at a query or with the target. */
static const char *skip_authority(const char *at, const char *end)
{
    while (at < end && *at != '/' && *at != '?')
        at++;
    return at;
}

bool target_is_valid(unsigned method, const char *target, size_t size)
{
    const char *end = target + size;
    const char *authority, *path;

    if (method == HTTP_CONNECT)
        return is_authority(target, end, true);
    if (*target == '/')
        return is_path_and_query(target, end);
    if (size == 1 && *target == '*')
        return method == HTTP_OPTIONS;
    authority = find_authority(target, end);
    if (!authority)
        return false;
    path = skip_authority(authority, end);
    return is_authority(authority, path, false) && is_path_and_query(path, end);
}

const char *target_path(const char *target, size_t size, size_t *ret_size)
{
    const char *end = target + size;
    const char *path = target;
    const char *query;

    if (*path != '/' && *path != '*') {
        path = skip_authority(find_authority(target, end), end);
        if (path == end || *path == '?')
            path = "/", end = path + 1;
    }
    if ((query = memchr(path, '?', (size_t)(end - path))))
        end = query;
    while (end - path > 1 && path[0] == '/' && path[1] == '/')
        path++; /* "//host" would be a place elsewhere in a redirect */
    *ret_size = (size_t)(end - path);
    return path;
}
