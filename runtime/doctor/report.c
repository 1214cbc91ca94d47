/* report.c - see report.h */
#include "report.h"

#include "config.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const level_names[] = {"ok", "note", "problem"};

wf_finding *wf_report_add(wf_report *r, const char *name, const char *value, ...)
{
    wf_finding *f = &r->finding[r->n++];
    va_list     args;

    if (r->n > WF_REPORT_MOST)
        abort();
    *f = (wf_finding){.name = name};
    va_start(args, value);
    vsnprintf(f->value, sizeof f->value, value, args);
    va_end(args);
    return f;
}

void wf_report_worse(wf_report *r, wf_finding *f, wf_level level, const char *remedy,
                     const char *follows, ...)
{
    va_list args;

    f->level = level;
    f->remedy = remedy;
    va_start(args, follows);
    vsnprintf(f->follows, sizeof f->follows, follows, args);
    va_end(args);
    if (level > r->level)
        r->level = level;
}

static bool is_from_environment(const wf_knob *knob)
{
    const char *value = getenv(knob->name);

    return value && *value;
}

static int64_t value_of(const weft_config *config, const wf_knob *knob)
{
    return *(const int64_t *)(const void *)((const char *)config + knob->at);
}

/* The value as the environment would have it: "epoll", or a number. */
static const char *value_text(const weft_config *config, const wf_knob *knob, char *room,
                              size_t size)
{
    int64_t value = value_of(config, knob);

    if (knob->names && value >= knob->least && value <= knob->most)
        return knob->names[value - knob->least];
    snprintf(room, size, "%lld", (long long)value);
    return room;
}

/* ---- for people ---- */

static void print_indented(const char *label, const char *text)
{
    if (text && *text)
        printf("         %-13s %s\n", label, text);
}

/* Only what is not the default, since the others are in docs/tuning.md. */
static void print_knobs(const weft_config *config)
{
    char room[32];

    for (size_t i = 0; i < wf_n_knobs; i++)
        if (wf_knobs[i].at != SIZE_MAX && is_from_environment(&wf_knobs[i]))
            printf("knob     %s=%s, from the environment\n", wf_knobs[i].name,
                   value_text(config, &wf_knobs[i], room, sizeof room));
}

static void print_text(const wf_report *r)
{
    static const char *const verdicts[] = {
        "weft starts here, and nothing limits it.",
        "weft starts here. The notes say what limits it.",
        "weft does not start here.",
    };

    for (size_t i = 0; i < r->n; i++) {
        const wf_finding *f = &r->finding[i];

        printf("%-8s %-13s %s\n", level_names[f->level], f->name, f->value);
        print_indented("so", f->follows);
        print_indented("remedy", f->remedy);
    }
    if (r->config)
        print_knobs(r->config);
    printf("\n%s\n", verdicts[r->level]);
}

/* ---- as JSON ---- */

/* Bytes that are not ASCII come from the environment, and may be no UTF-8, which JSON has to be. */
static void print_string(const char *text)
{
    if (!text || !*text) {
        printf("null");
        return;
    }
    putchar('"');
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;

        if (c == '"' || c == '\\')
            printf("\\%c", c);
        else if (c < 0x20)
            printf("\\u%04x", c);
        else if (c >= 0x80)
            printf("\\ufffd");
        else
            putchar(c);
    }
    putchar('"');
}

static void print_member(const char *name, const char *text)
{
    printf(", \"%s\": ", name);
    print_string(text);
}

static void print_json_knobs(const weft_config *config)
{
    const char *comma = "";
    char        room[32];

    printf("], \"knobs\": [");
    for (size_t i = 0; config && i < wf_n_knobs; i++)
        if (wf_knobs[i].at != SIZE_MAX) {
            printf("%s\n  {\"name\": \"%s\", \"value\": \"%s\", \"from\": \"%s\"}", comma,
                   wf_knobs[i].name, value_text(config, &wf_knobs[i], room, sizeof room),
                   is_from_environment(&wf_knobs[i]) ? "environment" : "default");
            comma = ",";
        }
    printf("]}\n");
}

static void print_json(const wf_report *r)
{
    printf("{\"level\": \"%s\", \"findings\": [", level_names[r->level]);
    for (size_t i = 0; i < r->n; i++) {
        const wf_finding *f = &r->finding[i];

        printf("%s\n  {\"name\": \"%s\", \"level\": \"%s\"", i ? "," : "", f->name,
               level_names[f->level]);
        print_member("value", f->value);
        print_member("follows", f->follows);
        print_member("remedy", f->remedy);
        putchar('}');
    }
    print_json_knobs(r->config);
}

void wf_report_print(const wf_report *r, bool json)
{
    if (json)
        print_json(r);
    else
        print_text(r);
}
