/*
 * options.h - a command line: one table, from which parsing, messages and --help come
 *
 *     static const struct option_row rows[] = {
 *         OPTION_NUMBER("port", port, 8080, 0, 65535, 1, "port to listen on"),
 *         OPTION_TEXT("root", root, "DIR", "serve the files below DIR (none)"),
 *         OPTION_FLAG("quiet", quiet, "print nothing"),
 *     };
 *
 * A wrong command line ends the program with a line that says what is wrong, and status 2.
 */
#ifndef EXAMPLES_OPTIONS_H
#define EXAMPLES_OPTIONS_H

#include <assert.h>
#include <errno.h>
#include <getopt.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#define OPTIONS_MOST  32 /* rows of a table */
#define OPTIONS_WRONG 2  /* the exit status */

struct option_row {
    const char *name;
    const char *value; /* what the help calls it; "": there is none */
    const char *help;
    size_t      field;                   /* in the program's struct options */
    int64_t     initial, min, max, unit; /* of a number. `unit` is 0 for the others. */
};

/* The field is an int64_t, which gets the number times the unit. */
#define OPTION_NUMBER(name_, field_, initial_, min_, max_, unit_, help_)                           \
    {                                                                                              \
        .name = name_, .value = "N", .help = help_, .field = offsetof(struct options, field_),     \
        .initial = initial_, .min = min_, .max = max_, .unit = unit_                               \
    }

/* The field is a const char *. */
#define OPTION_TEXT(name_, field_, value_, help_)                                                  \
    {                                                                                              \
        .name = name_, .value = value_, .help = help_, .field = offsetof(struct options, field_)   \
    }

/* The field is a bool. */
#define OPTION_FLAG(name_, field_, help_) OPTION_TEXT(name_, field_, "", help_)

struct option_table {
    const char              *program, *title, *end; /* the first and the last words of the help */
    const struct option_row *rows;
    int                      n;
};

static inline void *option_field(const struct option_row *row, void *into)
{
    return (char *)into + row->field;
}

static inline void options_help(const struct option_table *table)
{
    printf("%s: %s\n\n", table->program, table->title);
    for (int i = 0; i < table->n; i++) {
        const struct option_row *row = &table->rows[i];

        printf("  --%-16s %-8s %s", row->name, row->value, row->help);
        if (row->unit > 0)
            printf(" (%lld)", (long long)row->initial);
        printf("\n");
    }
    printf("  --%-16s %-8s this\n\n%s", "help", "", table->end);
}

/* Says that an option has a wrong value, and what is expected. */
static inline _Noreturn void options_refuse(const struct option_table *table, const char *name,
                                            const char *value, const char *expected)
{
    fprintf(stderr, "%s: --%s is '%s': expected %s; see %s --help\n", table->program, name, value,
            expected, table->program);
    exit(OPTIONS_WRONG);
}

static inline void option_read_number(const struct option_table *table,
                                      const struct option_row *row, void *into, const char *value)
{
    char      expected[80];
    char     *end;
    long long number;

    errno = 0;
    number = strtoll(value, &end, 10);
    if (*value < '0' || *value > '9' || *end || errno || number < row->min || number > row->max) {
        snprintf(expected, sizeof expected, "a number from %lld to %lld", (long long)row->min,
                 (long long)row->max);
        options_refuse(table, row->name, value, expected);
    }
    *(int64_t *)option_field(row, into) = number * row->unit;
}

static inline void option_read(const struct option_table *table, const struct option_row *row,
                               void *into, const char *value)
{
    if (row->unit > 0)
        option_read_number(table, row, into, value);
    else if (*row->value)
        *(const char **)option_field(row, into) = value;
    else
        *(bool *)option_field(row, into) = true;
}

/* Reads the command line into the program's struct. Numbers get their initial values first. */
static inline void options_read(const struct option_table *table, void *into, int argc, char **argv)
{
    struct option known[OPTIONS_MOST + 2] = {{0}};
    int           choice;

    assert(table->n <= OPTIONS_MOST);
    for (int i = 0; i < table->n; i++) {
        const struct option_row *row = &table->rows[i];

        known[i].name = row->name;
        known[i].has_arg = *row->value ? required_argument : no_argument;
        known[i].val = i;
        if (row->unit > 0)
            *(int64_t *)option_field(row, into) = row->initial * row->unit;
    }
    known[table->n] = (struct option){"help", no_argument, NULL, table->n};
    while ((choice = getopt_long(argc, argv, "", known, NULL)) != -1) {
        if (choice == '?') { /* getopt has said which */
            fprintf(stderr, "%s: see %s --help\n", table->program, table->program);
            exit(OPTIONS_WRONG);
        }
        if (choice == table->n) {
            options_help(table);
            exit(0);
        }
        option_read(table, &table->rows[choice], into, optarg);
    }
    if (optind == argc)
        return;
    fprintf(stderr, "%s: what is '%s'? every argument is an option; see %s --help\n",
            table->program, argv[optind], table->program);
    exit(OPTIONS_WRONG);
}

#endif
