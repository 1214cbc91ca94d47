/*
 * knobs.c - prints the table of knobs as docs/tuning.md holds it
 */
#include "config.h"

#include <stdio.h>

static void print_range(const wf_knob *knob)
{
    if (knob->names)
        printf("%s | %s | ", knob->names[0], knob->names[knob->most - knob->least]);
    else
        printf("%lld | %lld | ", (long long)knob->least, (long long)knob->most);
}

static void print_default(const wf_knob *knob)
{
    if (knob->names)
        printf("%s |", knob->names[knob->fallback - knob->least]);
    else if (knob->fallback < 0)
        printf("by CPUs |");
    else
        printf("%lld |", (long long)knob->fallback);
}

int main(void)
{
    printf("| variable | field | from | to | default | |\n|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < wf_n_knobs; i++) {
        const wf_knob *knob = &wf_knobs[i];

        printf("| `%s` | %s%s%s | ", knob->name, knob->field ? "`" : "",
               knob->field ? knob->field : "", knob->field ? "`" : "");
        print_range(knob);
        print_default(knob);
        printf(" %s |\n", knob->help);
    }
    return 0;
}
