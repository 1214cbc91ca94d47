/* options.c - the command line */
#include "../options.h"

#include "server.h"

static const struct option_row rows[] = {
    OPTION_NUMBER("port", port, 6379, 0, 65535, 1, "port to listen on; 0: any free one"),
    OPTION_NUMBER("threads", threads, 1, 1, 64, 1, "threads that serve clients"),
    OPTION_NUMBER("max-clients", max_clients, 10000, 1, 1000000, 1, "more get an error"),
    OPTION_NUMBER("max-memory", max_memory, 0, 0, 1 << 20, 1 << 20,
                  "MiB; beyond, commands that need more are refused; 0: no limit"),
    OPTION_NUMBER("max-arguments", limits.max_arguments, 1 << 20, 3, INT32_MAX, 1, "of a request"),
    OPTION_NUMBER("max-bulk", limits.max_bulk, 512 << 20, 1024, INT32_MAX, 1,
                  "bytes of an argument"),
    OPTION_NUMBER("max-request", limits.max_request, 1 << 30, 1024, 1LL << 40, 1,
                  "bytes of a request, and of a transaction"),
    OPTION_NUMBER("max-backlog", max_backlog, 32 << 20, 1024, 1LL << 40, 1,
                  "bytes of messages for a client that does not read; more: closed"),
    OPTION_NUMBER("timeout", timeout, 0, 0, 86400, WEFT_S(1), "s without a request; 0: none"),
    OPTION_NUMBER("write-timeout", write_timeout, 30000, 1, 3600000, WEFT_MS(1),
                  "ms in which a client must take a byte of its answers"),
    OPTION_NUMBER("grace", grace, 5000, 1, 3600000, WEFT_MS(1), "ms that stopping may take"),
    OPTION_NUMBER("rewrite-growth", rewrite_growth, 100, 0, 1000000, 1,
                  "percent by which the log grows before it is rewritten; 0: by BGREWRITEAOF only"),
    OPTION_NUMBER("rewrite-min-size", rewrite_min_size, 64, 1, 1 << 20, 1 << 20,
                  "MiB; a smaller log is rewritten by BGREWRITEAOF only"),
    OPTION_TEXT("address", address_text, "A", "address to listen on (127.0.0.1)"),
    OPTION_TEXT("append-only", append_only, "FILE",
                "log each change to FILE, and read it at start (none)"),
    OPTION_TEXT("sync", sync_text, "WHEN",
                "always, everysec or no: when the log goes to the disk (everysec)"),
};

static const struct option_table table = {
    .program = "redisd",
    .title = "a server of a part of Redis on weft",
    .end =
        "Exit status: 0: stopped; 1: an error; 2: wrong options; 3: stopped, but connections\n"
        "did not end within --grace, or at a second signal.\n",
    .rows = rows,
    .n = sizeof rows / sizeof *rows,
};

static enum sync parse_sync(const char *value)
{
    if (!strcmp(value, "always"))
        return SYNC_ALWAYS;
    if (!strcmp(value, "no"))
        return SYNC_NO;
    if (strcmp(value, "everysec") != 0)
        options_refuse(&table, "sync", value, "always, everysec or no");
    return SYNC_EVERY_SECOND;
}

void options_parse(struct options *options, int argc, char **argv)
{
    *options = (struct options){.address_text = "127.0.0.1", .sync_text = "everysec"};
    options_read(&table, options, argc, argv);
    options->sync = parse_sync(options->sync_text);
    if (weft_address_parse(options->address_text, (uint16_t)options->port, &options->address) < 0)
        options_refuse(&table, "address", options->address_text,
                       "an IPv4 or IPv6 address, as 127.0.0.1 or ::1");
}
