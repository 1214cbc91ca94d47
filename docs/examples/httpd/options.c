/*
 * options.c - the command line: one table, from which parsing, messages and --help come
 */
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
    {"max-body", FIELD(max_body), 1 << 20, 0, 1 << 30, 1,
     "bytes in a request's body; more get 413"},
    {"header-timeout", FIELD(header_timeout), 10000, 1, 3600000, WEFT_MS(1),
     "ms for a request's head: 408"},
    {"body-timeout", FIELD(body_timeout), 30000, 1, 3600000, WEFT_MS(1), "ms for its body: 408"},
    {"idle-timeout", FIELD(idle_timeout), 60000, 1, 3600000, WEFT_MS(1), "ms between two requests"},
    {"write-timeout", FIELD(write_timeout), 30000, 1, 3600000, WEFT_MS(1),
     "ms for a client to take a piece of an answer"},
    {"drain", FIELD(drain), 10000, 1, 3600000, WEFT_MS(1), "ms that stopping may take"},
#undef FIELD
};
#define N_NUMBERS (sizeof numbers / sizeof *numbers)

static int64_t *number_of(struct options *options, size_t i)
{
    return (int64_t *)(void *)((char *)options + numbers[i].field);
}

static void help(void)
{
    printf("httpd: an HTTP/1.1 server on weft\n\n");
    printf("  --%-15s %-8s %s\n", "address", "A", "address to listen on (127.0.0.1)");
    printf("  --%-15s %-8s %s\n", "root", "DIR", "serve the files below DIR (none)");
    for (size_t i = 0; i < N_NUMBERS; i++)
        printf("  --%-15s %-8s %s (%lld)\n", numbers[i].name, "N", numbers[i].help,
               (long long)numbers[i].initial);
    printf("  --%-15s %-8s %s\n", "counters", "", "serve /counters, and print them at the end");
    printf("  --%-15s %-8s %s\n", "parser-only", "", "read plain requests, too, with the parser");
}

static _Noreturn void complain(const char *name, const char *value, const char *expected)
{
    fprintf(stderr, "httpd: --%s is '%s': expected %s; see httpd --help\n", name, value, expected);
    exit(2);
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

void options_parse(struct options *options, int argc, char **argv)
{
    enum { ADDRESS = N_NUMBERS, ROOT, COUNTERS, PARSER_ONLY, HELP, N_OPTIONS };
    struct option known[N_OPTIONS + 1] = {
        [ADDRESS] = {"address", required_argument, NULL, ADDRESS},
        [ROOT] = {"root", required_argument, NULL, ROOT},
        [COUNTERS] = {"counters", no_argument, NULL, COUNTERS},
        [PARSER_ONLY] = {"parser-only", no_argument, NULL, PARSER_ONLY},
        [HELP] = {"help", no_argument, NULL, HELP},
    };
    const char *address = "127.0.0.1";
    int         choice;

    memset(options, 0, sizeof *options);
    for (size_t i = 0; i < N_NUMBERS; i++) {
        known[i] = (struct option){numbers[i].name, required_argument, NULL, (int)i};
        *number_of(options, i) = numbers[i].initial * numbers[i].unit;
    }
    while ((choice = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (choice == '?') { /* getopt has said which */
            fprintf(stderr, "httpd: see httpd --help\n");
            exit(2);
        } else if (choice == ADDRESS) {
            address = optarg;
        } else if (choice == ROOT) {
            options->root = optarg;
        } else if (choice == COUNTERS) {
            options->counters = true;
        } else if (choice == PARSER_ONLY) {
            options->parser_only = true;
        } else if (choice == HELP) {
            help();
            exit(0);
        } else {
            parse_number(options, (size_t)choice, optarg);
        }
    }
    if (optind < argc) {
        fprintf(stderr, "httpd: what is '%s'? every argument is an option; see httpd --help\n",
                argv[optind]);
        exit(2);
    }
    if (weft_address_parse(&options->address, address, (uint16_t)options->port) < 0)
        complain("address", address, "an IPv4 or IPv6 address, as 127.0.0.1 or ::1");
    /* Files are opened relative to the working directory: no name can lead out of it by its length,
     * and the root may be renamed while we serve it. */
    if (options->root && chdir(options->root) < 0)
        complain("root", options->root, "a directory that can be entered");
}
