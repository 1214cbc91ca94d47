/* test_config.c - the knobs: code beats environment beats default */
#include "../helpers.h"

#include "config.h"

#include <ctype.h>

static struct lines lines = LINES;

static weft_config given(void)
{
    lines_clear(&lines);
    return (weft_config){.log = lines_add, .log_arg = &lines};
}

/* Clears the environment: the caller of the tests may have set knobs there. */
static void clean(void)
{
    for (size_t i = 0; i < wf_n_knobs; i++)
        unsetenv(wf_knobs[i].name);
}

static int complete(weft_config *ret)
{
    weft_config config = given();

    return wf_config_complete(ret, &config);
}

Test(config, defaults_are_those_of_the_table)
{
    weft_config c;

    clean();
    check_eq(complete(&c), 0);
    check_eq(c.workers, wf_config_cpus());
    check_eq(c.cpu_affinity, 0);
    check_eq(c.blocking_threads, 512);
    check_eq(c.budget, WEFT_BUDGET_DEFAULT);
    check_eq(c.inject_interval, 61);
    check_str_eq(lines.text, "");
}

Test(config, may_be_null)
{
    weft_config c;

    clean();
    check_eq(wf_config_complete(&c, NULL), 0);
    check(c.log && c.allocator.allocate && c.allocator.release);
}

Test(config, fills_every_field_of_every_knob)
{
    weft_config c;

    clean();
    memset(&c, 0, sizeof c);
    check_eq(complete(&c), 0);
    for (size_t i = 0; i < wf_n_knobs; i++) {
        int64_t value;

        if (wf_knobs[i].at == SIZE_MAX)
            continue;
        memcpy(&value, (char *)&c + wf_knobs[i].at, sizeof value);
        check_cmp(value, >=, wf_knobs[i].least);
        check_cmp(value, <=, wf_knobs[i].most);
    }
}

Test(config, default_workers_are_the_cpus_of_the_affinity_mask_at_most)
{
    cpu_set_t one;
    int       cpu = sched_getcpu();

    clean();
    check_eq(cpu >= 0, 1);
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    check_eq(sched_setaffinity(0, sizeof one, &one), 0);
    check_eq(wf_config_cpus(), 1);
}

Test(config, environment_beats_the_default)
{
    weft_config c;

    clean();
    setenv("WEFT_WORKERS", "7", 1);
    check_eq(complete(&c), 0);
    check_eq(c.workers, 7);
}

Test(config, code_beats_the_environment)
{
    weft_config c, config = given();

    clean();
    setenv("WEFT_WORKERS", "7", 1);
    config.workers = 3;
    check_eq(wf_config_complete(&c, &config), 0);
    check_eq(c.workers, 3);
}

Test(config, an_empty_variable_is_none)
{
    weft_config c;

    clean();
    setenv("WEFT_BUDGET", "", 1);
    check_eq(complete(&c), 0);
    check_eq(c.budget, WEFT_BUDGET_DEFAULT);
}

static void refused(const char *value)
{
    weft_config c;

    clean();
    setenv("WEFT_WORKERS", value, 1);
    check_eq(complete(&c), -EINVAL);
    check_str_contains(lines.text, "WEFT_WORKERS=");
    check_str_contains(lines.text, isspace((unsigned char)*value) ? value + 1 : value);
    check_str_contains(lines.text, "from 1 to 512");
    check_eq(lines.n, 1);
    check(strchr(lines.text, '\n') == lines.text + strlen(lines.text) - 1);
}

Test(config, malformed_values_are_refused_naming_value_and_range)
{
    refused("eight");
    refused("8x");
    refused(" 8");
    refused("\t8");
    refused("\n8");
    refused("8 ");
    refused("0x8");
    refused("1.5");
}

Test(config, values_out_of_range_are_refused_naming_value_and_range)
{
    refused("0");
    refused("-1");
    refused("513");
    refused("99999999999999999999999");
}

Test(config, a_field_out_of_range_is_refused_and_named)
{
    weft_config c, config = given();

    clean();
    config.workers = -4;
    check_eq(wf_config_complete(&c, &config), -EINVAL);
    check_str_contains(lines.text, "workers=-4");
    check_str_contains(lines.text, "from 1 to 512");
}

/* What one of its functions has made would go to libc's, or the other way round. */
Test(config, an_allocator_with_one_function_is_refused_and_the_other_named)
{
    struct memory memory;
    weft_config   config = given(), complete;

    clean();
    config.allocator = memory_hooks(&memory);
    config.allocator.release = NULL;
    check_eq(wf_config_complete(&complete, &config), -EINVAL);
    check_str_contains(lines.text, "start: the allocator lacks its function release; set both");
    config.allocator = memory_hooks(&memory);
    config.allocator.allocate = NULL;
    check_eq(wf_config_complete(&complete, &config), -EINVAL);
    check_str_contains(lines.text, "start: the allocator lacks its function allocate; set both");
}

Test(config, the_bounds_themselves_are_accepted)
{
    weft_config c;

    for (size_t i = 0; i < wf_n_knobs; i++) {
        const wf_knob *knob = &wf_knobs[i];
        const int64_t  bounds[] = {knob->least, knob->most};

        clean();
        for (int j = 0; j < 2; j++) {
            char text[32];

            snprintf(text, sizeof text, "%lld", (long long)bounds[j]);
            setenv(knob->name, knob->names ? knob->names[bounds[j] - knob->least] : text, 1);
            check_eq(complete(&c), 0);
        }
    }
}

Test(config, start_refuses_a_malformed_value_and_starts_nothing)
{
    struct memory memory;
    weft_config   config = given();
    weft_runtime *rt = NULL;

    clean();
    config.allocator = memory_hooks(&memory);
    setenv("WEFT_RING_ENTRIES", "many", 1);
    check_eq(weft_runtime_start(&config, &rt), -EINVAL);
    check(!rt);
    check_eq(memory.n, 0);
    check_str_contains(lines.text, "many");
}

Test(config, an_unknown_variable_is_warned_of_with_the_nearest_name)
{
    weft_config c;

    clean();
    setenv("WEFT_WORKER", "7", 1);
    check_eq(complete(&c), 0);
    check_str_contains(lines.text, "WEFT_WORKER;");
    check_str_contains(lines.text, "did you mean WEFT_WORKERS?");
    unsetenv("WEFT_WORKER");
    setenv("WEFT_BLOKING_THREDS", "7", 1);
    check_eq(complete(&c), 0);
    check_str_contains(lines.text, "did you mean WEFT_BLOCKING_THREADS?");
}

Test(config, a_variable_of_somebody_else_is_not_warned_of)
{
    weft_config c;

    clean();
    setenv("WEFTY_WORKERS", "7", 1);
    setenv("XWEFT_WORKERS", "7", 1);
    check_eq(complete(&c), 0);
    check_str_eq(lines.text, "");
}

Test(config, display_env_shows_every_knob_with_value_and_origin)
{
    weft_config c, config = given();
    int         n_lines = 0;

    clean();
    setenv("WEFT_DISPLAY_ENV", "1", 1);
    setenv("WEFT_BUDGET", "64", 1);
    config.workers = 3;
    check_eq(wf_config_complete(&c, &config), 0);
    for (size_t i = 0; i < wf_n_knobs; i++) {
        char name[64];

        snprintf(name, sizeof name, "%s=", wf_knobs[i].name);
        check_str_contains(lines.text, name);
    }
    for (const char *l = lines.text; (l = strchr(l, '\n')); l++)
        n_lines++;
    check_eq(n_lines, wf_n_knobs);
    check_str_contains(lines.text, "WEFT_WORKERS=3 (code)");
    check_str_contains(lines.text, "WEFT_BUDGET=64 (environment)");
    check_str_contains(lines.text, "WEFT_INJECT_INTERVAL=61 (default)");
}

Test(config, display_env_0_shows_nothing)
{
    weft_config c;

    clean();
    setenv("WEFT_DISPLAY_ENV", "0", 1);
    check_eq(complete(&c), 0);
    check_str_eq(lines.text, "");
}

Test(config, a_log_of_none_is_silent)
{
    weft_config c, config = given();

    clean();
    config.log = weft_log_none;
    setenv("WEFT_WORKERS", "x", 1);
    check_eq(wf_config_complete(&c, &config), -EINVAL);
    check_str_eq(lines.text, "");
}

Test(config, takes_nothing_but_digits_and_a_minus_for_a_number)
{
    static const char *const wrong[] = {"\t2", " 2",  "2 ",  "+2", "2\n",
                                        "0x2", "2.0", "--2", "-",  "+"};
    weft_config              c;

    clean();
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        setenv("WEFT_WORKERS", wrong[i], 1);
        check_eq(complete(&c), -EINVAL);
    }
}

Test(config, says_values_of_the_environment_without_their_control_bytes)
{
    weft_config c;

    clean();
    setenv("WEFT_WORKERS", "2\nstart: \x1b[2J\x7fwell", 1);
    check_eq(complete(&c), -EINVAL);
    check_str_contains(lines.text, "WEFT_WORKERS=2?start: ?[2J?well is not");
    check(strchr(lines.text, '\n') == lines.text + strlen(lines.text) - 1);
}
