/*
 * knobs.c - prints the table of knobs as docs/tuning.md holds it
 */
#include "config.h"

#include <stdio.h>

static void print_default(const wf_knob *knob)
{
    if (knob->fallback < 0)
        printf("by CPUs |");
    else
        printf("%lld |", (long long)knob->fallback);
}

int main(void)
{
    printf("| variable | field | from | to | default | |\n|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < wf_n_knobs; i++) {
        const wf_knob *knob = &wf_knobs[i];

        printf("| `%s` | %s%s%s | %lld | %lld | ", knob->name, knob->field ? "`" : "",
               knob->field ? knob->field : "", knob->field ? "`" : "", (long long)knob->least,
               (long long)knob->most);
        print_default(knob);
        printf(" %s |\n", knob->help);
    }
    return 0;
}
