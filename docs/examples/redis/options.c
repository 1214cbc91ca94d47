/*
 * options.c - the command line: one table, from which parsing, messages and --help come
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>

#include "server.h"

static const struct {
    const char *name;
    size_t      field; /* an int64_t of struct options */
    int64_t     initial, min, max, unit;
    const char *help;
} numbers[] = {
#define FIELD(name) offsetof(struct options, name)
    {"port", FIELD(port), 6379, 0, 65535, 1, "port to listen on; 0: any free one"},
    {"threads", FIELD(threads), 1, 1, 64, 1, "threads that serve clients"},
    {"max-clients", FIELD(max_clients), 10000, 1, 1000000, 1, "more get an error"},
    {"max-memory", FIELD(max_memory), 0, 0, 1 << 20, 1 << 20,
     "MiB; beyond, commands that need more are refused; 0: no limit"},
    {"max-arguments", FIELD(limits.max_arguments), 1 << 20, 3, INT32_MAX, 1, "of a request"},
    {"max-bulk", FIELD(limits.max_bulk), 512 << 20, 1024, INT32_MAX, 1, "bytes of an argument"},
    {"max-request", FIELD(limits.max_request), 1 << 30, 1024, 1LL << 40, 1,
     "bytes of a request, and of a transaction"},
    {"max-backlog", FIELD(max_backlog), 32 << 20, 1024, 1LL << 40, 1,
     "bytes of messages for a client that does not read; more: closed"},
    {"rewrite-growth", FIELD(rewrite_growth), 100, 0, 1000000, 1,
     "percent by which the log grows before it is rewritten; 0: by BGREWRITEAOF only"},
    {"rewrite-min-size", FIELD(rewrite_min_size), 64, 1, 1 << 20, 1 << 20,
     "MiB; a smaller log is rewritten by BGREWRITEAOF only"},
    {"timeout", FIELD(timeout), 0, 0, 86400, WEFT_S(1), "s without a request; 0: none"},
    {"write-timeout", FIELD(write_timeout), 30000, 1, 3600000, WEFT_MS(1),
     "ms in which a client must take a byte of its answers"},
    {"grace", FIELD(grace), 5000, 1, 3600000, WEFT_MS(1), "ms that stopping may take"},
#undef FIELD
};
#define N_NUMBERS (sizeof numbers / sizeof *numbers)

static int64_t *number_of(struct options *options, size_t i)
{
    return (int64_t *)(void *)((char *)options + numbers[i].field);
}

enum { ADDRESS = N_NUMBERS, APPEND_ONLY, SYNC, HELP, N_OPTIONS };

/* The others, from ADDRESS on. */
static const struct {
    const char *name, *value, *help;
} others[] = {
    {"address", "A", "address to listen on (127.0.0.1)"},
    {"append-only", "FILE", "log each change to FILE, and read it at start (none)"},
    {"sync", "WHEN", "always, everysec or no: when the log goes to the disk (everysec)"},
    {"help", "", "this"},
};

static void help(void)
{
    printf("redisd: a server of a part of Redis on weft\n\n");
    for (size_t i = 0; i < N_NUMBERS; i++)
        printf("  --%-16s %-8s %s (%lld)\n", numbers[i].name, "N", numbers[i].help,
               (long long)numbers[i].initial);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        printf("  --%-16s %-8s %s\n", others[i].name, others[i].value, others[i].help);
    printf(
        "\nExit status: 0: stopped; 1: an error; 2: wrong options; 3: stopped, but connections\n"
        "did not end within --grace, or at a second signal.\n");
}

static _Noreturn void complain(const char *name, const char *value, const char *expected)
{
    fprintf(stderr, "redisd: --%s is '%s': expected %s; see redisd --help\n", name, value,
            expected);
    exit(EXIT_USAGE);
}

static void parse_number(struct options *options, size_t i, const char *value)
{
    struct slice text = {value, strlen(value)};
    char         expected[80];
    int64_t      number;

    if (!slice_number(text, &number) || number < numbers[i].min || number > numbers[i].max) {
        snprintf(expected, sizeof expected, "a number from %lld to %lld", (long long)numbers[i].min,
                 (long long)numbers[i].max);
        complain(numbers[i].name, value, expected);
    }
    *number_of(options, i) = number * numbers[i].unit;
}

static enum sync parse_sync(const char *value)
{
    if (!strcmp(value, "always"))
        return SYNC_ALWAYS;
    if (!strcmp(value, "no"))
        return SYNC_NO;
    if (strcmp(value, "everysec") != 0)
        complain("sync", value, "always, everysec or no");
    return SYNC_EVERY_SECOND;
}

static void parse_all(struct options *options, int argc, char **argv, const struct option *known)
{
    const char *address = "127.0.0.1";
    int         choice;

    while ((choice = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (choice == '?') { /* getopt has said which */
            fprintf(stderr, "redisd: see redisd --help\n");
            exit(EXIT_USAGE);
        } else if (choice == ADDRESS) {
            address = optarg;
        } else if (choice == APPEND_ONLY) {
            options->append_only = optarg;
        } else if (choice == SYNC) {
            options->sync = parse_sync(optarg);
        } else if (choice == HELP) {
            help();
            exit(EXIT_STOPPED);
        } else {
            parse_number(options, (size_t)choice, optarg);
        }
    }
    if (weft_address_parse(address, (uint16_t)options->port, &options->address) < 0)
        complain("address", address, "an IPv4 or IPv6 address, as 127.0.0.1 or ::1");
}

void options_parse(struct options *options, int argc, char **argv)
{
    struct option known[N_OPTIONS + 1] = {{0}};

    memset(options, 0, sizeof *options);
    options->sync = SYNC_EVERY_SECOND;
    for (size_t i = 0; i < N_NUMBERS; i++) {
        known[i] = (struct option){numbers[i].name, required_argument, NULL, (int)i};
        *number_of(options, i) = numbers[i].initial * numbers[i].unit;
    }
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        known[N_NUMBERS + i] =
            (struct option){others[i].name, *others[i].value ? required_argument : no_argument,
                            NULL, (int)(N_NUMBERS + i)};
    parse_all(options, argc, argv, known);
    if (optind < argc) {
        fprintf(stderr, "redisd: what is '%s'? every argument is an option; see redisd --help\n",
                argv[optind]);
        exit(EXIT_USAGE);
    }
}
