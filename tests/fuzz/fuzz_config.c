/*
 * fuzz_config.c - any environment gives a configuration within the limits, or one line that says
 * why
 *
 * A NUL ends each variable of the input. One that begins with a byte below 0x20 or above 0x7e means
 * the knob of that number, so that names need not be guessed. Numbers that are clearly right must
 * be taken, others refused.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config.h"

#define REQUIRE(condition)                                                                         \
    ((condition) ? (void)0 : (fprintf(stderr, "%d: false: %s\n", __LINE__, #condition), abort()))

#define MOST 64 /* variables */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

extern char **environ;
static int    n_errors;

static void check_line(void *arg, weft_log_level level, const char *line)
{
    (void)arg;
    for (const char *c = line; *c; c++)
        REQUIRE(
            !iscntrl((unsigned char)*c)); /* a log's reader takes them for lines, or for commands */
    n_errors += level == WEFT_LOG_ERROR;
}

/* "NAME=VALUE" of one variable of the input. */
static char *variable(const uint8_t *line, size_t size)
{
    bool        by_number = size > 0 && (line[0] < 0x20 || line[0] > 0x7e);
    const char *name = by_number ? wf_knobs[line[0] % wf_n_knobs].name : "";
    size_t      skip = by_number ? 1 : 0;
    char       *text = malloc(strlen(name) + size + 2);

    REQUIRE(text);
    sprintf(text, "%s%s", name, by_number ? "=" : "");
    memcpy(text + strlen(text), line + skip, size - skip);
    text[strlen(name) + by_number + size - skip] = '\0';
    return text;
}

/* A number as people write it: digits, with a minus before them or not. False: something else. */
static bool plain_number(const char *text, int64_t *ret)
{
    char       *end;
    const char *digits = text + (*text == '-');

    if (!*digits || strspn(digits, "0123456789") != strlen(digits))
        return false;
    errno = 0;
    *ret = strtoll(text, &end, 10);
    return errno == 0;
}

/* A knob's value as people write it: a number, or one of its names. */
static bool plain_value(const wf_knob *knob, const char *text, int64_t *ret)
{
    if (!knob->names)
        return plain_number(text, ret);
    for (*ret = knob->least; *ret <= knob->most; ++*ret)
        if (strcmp(text, knob->names[*ret - knob->least]) == 0)
            return true;
    return false;
}

/* What the environment may have made of one knob. */
static bool is_right(const wf_knob *knob, const weft_config *config)
{
    const char *text = getenv(knob->name);
    int64_t     value, got;

    if (knob->at == SIZE_MAX)
        return true;
    memcpy(&got, (const char *)config + knob->at, sizeof got);
    if (!text || !*text) /* a default, which may depend on the machine */
        return config->current_thread || (got >= knob->least && got <= knob->most);
    if (!plain_value(knob, text, &value))
        return false;
    if (config->current_thread && strstr(knob->name, "WORKERS"))
        return true; /* there are none */
    return got == value && value >= knob->least && value <= knob->most;
}

static bool all_are_plain(void)
{
    for (size_t i = 0; i < wf_n_knobs; i++) {
        const char *text = getenv(wf_knobs[i].name);
        int64_t     value;

        if (text && *text &&
            (!plain_value(&wf_knobs[i], text, &value) || value < wf_knobs[i].least ||
             value > wf_knobs[i].most))
            return false;
    }
    return true;
}

static void check_environment(void)
{
    weft_config given = {.log = check_line}, config, before;
    int         r;

    memset(&config, 'x', sizeof config);
    before = config;
    n_errors = 0;
    r = wf_config_complete(&config, &given);
    if (r < 0) {
        REQUIRE(r == -EINVAL && n_errors == 1 && !all_are_plain());
        REQUIRE(memcmp(&config, &before, sizeof config) == 0);
        return;
    }
    REQUIRE(r == 0 && n_errors == 0);
    for (size_t i = 0; i < wf_n_knobs; i++)
        REQUIRE(is_right(&wf_knobs[i], &config));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    char         **ours = environ, *theirs[MOST + 1];
    const uint8_t *end = data + size;
    int            n = 0;

    while (n < MOST && data < end) {
        const uint8_t *nul = memchr(data, '\0', (size_t)(end - data));
        size_t         length = (size_t)((nul ? nul : end) - data);

        theirs[n++] = variable(data, length);
        data += length + 1;
    }
    theirs[n] = NULL;
    environ = theirs;
    check_environment();
    environ = ours;
    while (n > 0)
        free(theirs[--n]);
    return 0;
}
