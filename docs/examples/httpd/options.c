/*
 * options.c - the command line: one table, from which parsing, messages and --help come
 */
#include <fcntl.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "server.h"

static const struct {
    const char *name;
    size_t      field; /* an int64_t of struct options */
    int64_t     initial, min, max, unit;
    const char *help;
} numbers[] = {
#define FIELD(name) offsetof(struct options, name)
    {"port", FIELD(port), 8080, 0, 65535, 1, "port to listen on; 0: any free one"},
    {"max-connections", FIELD(max_connections), 10000, 1, 1000000, 1, "more get 503"},
    {"per-client", FIELD(per_client), 0, 0, 1000000, 1,
     "connections of one client; more get 503; 0: any number"},
    {"max-body", FIELD(max_body), 1 << 20, 0, 1 << 30, 1,
     "bytes in a request's body; more get 413"},
    {"max-bodies", FIELD(max_bodies), 256 << 20, 0, 1LL << 40, 1,
     "bytes of all bodies that are kept together; more get 503"},
    {"header-timeout", FIELD(header_timeout), 10000, 1, 3600000, WEFT_MS(1),
     "ms for a request's head: 408"},
    {"body-timeout", FIELD(body_timeout), 30000, 1, 3600000, WEFT_MS(1),
     "ms for its body: 408, plus ..."},
    {"min-rate", FIELD(min_rate), 500, 1, 1 << 30, 1,
     "... a second for so many bytes of it that have come; for an answer likewise"},
    {"idle-timeout", FIELD(idle_timeout), 60000, 1, 3600000, WEFT_MS(1), "ms between two requests"},
    {"write-timeout", FIELD(write_timeout), 30000, 1, 3600000, WEFT_MS(1),
     "ms in which a client must take a byte of an answer"},
    {"linger", FIELD(linger), 10000, 0, 3600000, WEFT_MS(1),
     "ms to listen after a refusal, at most, so that it arrives"},
    {"drain", FIELD(drain), 10000, 1, 3600000, WEFT_MS(1), "ms that stopping may take"},
#undef FIELD
};
#define N_NUMBERS (sizeof numbers / sizeof *numbers)

static int64_t *number_of(struct options *options, size_t i)
{
    return (int64_t *)(void *)((char *)options + numbers[i].field);
}

enum {
    ADDRESS = N_NUMBERS,
    UNIX,
    ROOT,
    ACCESS_LOG,
    COUNTERS,
    FIBERS,
    PARSER_ONLY,
    HELP,
    N_OPTIONS
};

/* The others, from ADDRESS on. */
static const struct {
    const char *name, *value, *help;
} others[] = {
    {"address", "A", "address to listen on (127.0.0.1)"},
    {"unix", "PATH", "listen on a Unix socket at PATH instead"},
    {"root", "DIR", "serve the files below DIR (none)"},
    {"access-log", "FILE", "append a line for each request; SIGHUP opens it again (none)"},
    {"counters", "", "serve /counters, and print them at the end"},
    {"fibers", "", "serve each connection by a fiber, not by an async function"},
    {"parser-only", "", "read plain requests, too, with the parser"},
    {"help", "", "this"},
};

static void help(void)
{
    printf("httpd: an HTTP/1.1 server on weft\n\n");
    for (size_t i = 0; i < N_NUMBERS; i++)
        printf("  --%-15s %-8s %s (%lld)\n", numbers[i].name, "N", numbers[i].help,
               (long long)numbers[i].initial);
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        printf("  --%-15s %-8s %s\n", others[i].name, others[i].value, others[i].help);
    printf(
        "\nExit status: 0: stopped; 1: an error; 2: wrong options; 3: stopped, but connections\n"
        "had to be cut off when --drain was over, or at a second signal.\n");
}

static _Noreturn void complain(const char *name, const char *value, const char *expected)
{
    fprintf(stderr, "httpd: --%s is '%s': expected %s; see httpd --help\n", name, value, expected);
    exit(EXIT_USAGE);
}

static void parse_number(struct options *options, size_t i, const char *value)
{
    char      expected[80];
    char     *end;
    long long number;

    errno = 0;
    number = strtoll(value, &end, 10);
    if (*value < '0' || *value > '9' || *end || errno || number < numbers[i].min ||
        number > numbers[i].max) {
        snprintf(expected, sizeof expected, "a number from %lld to %lld", (long long)numbers[i].min,
                 (long long)numbers[i].max);
        complain(numbers[i].name, value, expected);
    }
    *number_of(options, i) = number * numbers[i].unit;
}

static void parse_address(struct options *options, const char *address)
{
    if (options->unix_path) {
        if (!*options->unix_path || weft_address_unix(options->unix_path, &options->address) < 0)
            complain("unix", options->unix_path, "a path that a socket can have (107 bytes)");
    } else if (weft_address_parse(address, (uint16_t)options->port, &options->address) < 0) {
        complain("address", address, "an IPv4 or IPv6 address, as 127.0.0.1 or ::1");
    }
}

/* Files are opened relative to this descriptor. So no long name can lead out of it, and the
 * directory may be renamed while we serve it. */
static int open_root(const char *root)
{
    int fd = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);

    if (fd < 0 || faccessat(fd, ".", X_OK, AT_EACCESS) < 0)
        complain("root", root, "a directory that can be entered");
    return fd;
}

static void parse_all(struct options *options, int argc, char **argv, const struct option *known)
{
    const char *address = "127.0.0.1", *root = NULL;
    int         choice;

    while ((choice = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (choice == '?') { /* getopt has said which */
            fprintf(stderr, "httpd: see httpd --help\n");
            exit(EXIT_USAGE);
        } else if (choice == ADDRESS) {
            address = optarg;
        } else if (choice == UNIX) {
            options->unix_path = optarg;
        } else if (choice == ROOT) {
            root = optarg;
        } else if (choice == ACCESS_LOG) {
            options->access_log = optarg;
        } else if (choice == COUNTERS) {
            options->counters = true;
        } else if (choice == FIBERS) {
            options->fibers = true;
        } else if (choice == PARSER_ONLY) {
            options->parser_only = true;
        } else if (choice == HELP) {
            help();
            exit(EXIT_STOPPED);
        } else {
            parse_number(options, (size_t)choice, optarg);
        }
    }
    parse_address(options, address);
    if (root)
        options->root = open_root(root);
}

void options_parse(struct options *options, int argc, char **argv)
{
    struct option known[N_OPTIONS + 1] = {{0}};

    memset(options, 0, sizeof *options);
    options->root = -1;
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
        fprintf(stderr, "httpd: what is '%s'? every argument is an option; see httpd --help\n",
                argv[optind]);
        exit(EXIT_USAGE);
    }
}
