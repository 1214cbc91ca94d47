/* options.c - the command line */
#include "../options.h"

#include <fcntl.h>
#include <unistd.h>

#include "server.h"

static const struct option_row rows[] = {
    OPTION_NUMBER("port", port, 8080, 0, 65535, 1, "port to listen on; 0: any free one"),
    OPTION_NUMBER("max-connections", max_connections, 10000, 1, 1000000, 1, "more get 503"),
    OPTION_NUMBER("per-client", per_client, 0, 0, 1000000, 1,
                  "connections of one client; more get 503; 0: any number"),
    OPTION_NUMBER("max-body", max_body, 1 << 20, 0, 1 << 30, 1,
                  "bytes in a request's body; more get 413"),
    OPTION_NUMBER("max-bodies", max_bodies, 256 << 20, 0, 1LL << 40, 1,
                  "bytes of all bodies that are kept together; more get 503"),
    OPTION_NUMBER("header-timeout", header_timeout, 10000, 1, 3600000, WEFT_MS(1),
                  "ms for a request's head: 408"),
    OPTION_NUMBER("body-timeout", body_timeout, 30000, 1, 3600000, WEFT_MS(1),
                  "ms for its body: 408, plus ..."),
    OPTION_NUMBER("min-rate", min_rate, 500, 1, 1 << 30, 1,
                  "... a second for so many bytes of it that have come; for an answer likewise"),
    OPTION_NUMBER("idle-timeout", idle_timeout, 60000, 1, 3600000, WEFT_MS(1),
                  "ms between two requests"),
    OPTION_NUMBER("write-timeout", write_timeout, 30000, 1, 3600000, WEFT_MS(1),
                  "ms in which a client must take a byte of an answer"),
    OPTION_NUMBER("linger", linger, 10000, 0, 3600000, WEFT_MS(1),
                  "ms to listen after a refusal, at most, so that it arrives"),
    OPTION_NUMBER("drain", drain, 10000, 1, 3600000, WEFT_MS(1), "ms that stopping may take"),
    OPTION_TEXT("address", address_text, "A", "address to listen on (127.0.0.1)"),
    OPTION_TEXT("unix", unix_path, "PATH", "listen on a Unix socket at PATH instead"),
    OPTION_TEXT("root", root_path, "DIR", "serve the files below DIR (none)"),
    OPTION_TEXT("access-log", access_log, "FILE",
                "append a line for each request; SIGHUP opens it again (none)"),
    OPTION_FLAG("counters", counters, "serve /counters, and print them at the end"),
    OPTION_FLAG("fibers", fibers, "serve each connection by a fiber, not by an async function"),
    OPTION_FLAG("parser-only", parser_only, "read plain requests, too, with the parser"),
};

static const struct option_table table = {
    .program = "httpd",
    .title = "an HTTP/1.1 server on weft",
    .end =
        "Exit status: 0: stopped; 1: an error; 2: wrong options; 3: stopped, but connections\n"
        "had to be cut off when --drain was over, or at a second signal.\n",
    .rows = rows,
    .n = sizeof rows / sizeof *rows,
};

static void parse_address(struct options *options)
{
    const char *path = options->unix_path, *address = options->address_text;

    if (path) {
        if (!*path || weft_address_unix(path, &options->address) < 0)
            options_refuse(&table, "unix", path, "a path that a socket can have (107 bytes)");
    } else if (weft_address_parse(address, (uint16_t)options->port, &options->address) < 0) {
        options_refuse(&table, "address", address, "an IPv4 or IPv6 address, as 127.0.0.1 or ::1");
    }
}

/* Files are opened relative to this descriptor. So no long name can lead out of it, and the
 * directory may be renamed while we serve it. */
static int open_root(const char *root)
{
    int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || faccessat(fd, ".", X_OK, AT_EACCESS) < 0)
        options_refuse(&table, "root", root, "a directory that can be entered");
    return fd;
}

void options_parse(struct options *options, int argc, char **argv)
{
    *options = (struct options){.address_text = "127.0.0.1", .root = -1};
    options_read(&table, options, argc, argv);
    parse_address(options);
    if (options->root_path)
        options->root = open_root(options->root_path);
}
