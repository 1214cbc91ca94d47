/* test_switch.c - leaving one stack for another, and what an unwinder sees meanwhile */
#include "../helpers.h"
#include "../unwinding.h"

#include <fenv.h>
#include <ucontext.h>

#if WF_SWITCH_EXISTS

#define STACK_SIZE (64 << 10)

static _Alignas(16) char stack[STACK_SIZE];
static void   *here, *there; /* the stack pointers of the two stacks, while they stand still */
static int64_t n_visits;

/* Ends with the 10th visit. */
static void *visit(void *argument)
{
    for (int i = 1; i < 10; i++) {
        n_visits += *(int64_t *)argument;
        wf_switch_leave(&there, here);
    }
    n_visits += *(int64_t *)argument;
    return here;
}

static __attribute__((noinline)) void start_there(wf_switch_function *function, void *argument)
{
    wf_switch_start(&here, stack + STACK_SIZE, function, argument);
}

static __attribute__((noinline)) void go_there(void)
{
    wf_switch_enter(&here, there);
}

Test(switch, starts_a_function_and_comes_back_to_where_it_was_left)
{
    int64_t step = 3;

    for (int round = 0; round < 2; round++) {
        n_visits = 0;
        start_there(visit, &step);
        check_eq(n_visits, 3);
        for (int i = 2; i <= 10; i++) {
            go_there();
            check_eq(n_visits, 3 * i);
        }
    }
}

static void *ends_rounding_up(void *argument)
{
    fesetround(FE_UPWARD);
    *(int *)argument = fegetround();
    return here;
}

Test(switch, a_function_that_ends_gives_the_thread_its_rounding_back)
{
    int round = -1;

    fesetround(FE_DOWNWARD);
    start_there(ends_rounding_up, &round);
    check_eq(round, FE_UPWARD);
    check_eq(fegetround(), FE_DOWNWARD);
    fesetround(FE_TONEAREST);
}

/* ---- what unwinders see ---- */

static trace seen_there;

static void *look(void *argument)
{
    (void)argument;
    seen_there = trace_here();
    return here;
}

Test(switch, a_backtrace_ends_where_the_stack_begins)
{
    start_there(look, NULL);
    check(trace_ends_in_begin(&seen_there));
    check_cmp(seen_there.n, <=, 4);
}

#if defined(__x86_64__) && !TEST_SANITIZED

/* The processor stops after each instruction, and a handler unwinds from there. */
#define SINGLE_STEP 0x100

/* What a callee preserves: its numbers in a ucontext and in DWARF. */
static const struct {
    int context, dwarf;
} preserved[] = {{REG_RBX, 3},  {REG_RBP, 6},  {REG_R12, 12},
                 {REG_R13, 13}, {REG_R14, 14}, {REG_R15, 15}};
#define N_PRESERVED 6

/* One of the two stacks. */
typedef struct side {
    int64_t   n_steps;
    bool      entered;                /* it has called the switch */
    uintptr_t registers[N_PRESERVED]; /* at its last call */
} side;

static side      sides[2];
static void     *outer; /* where the caller of the case continues */
static int64_t   n_wrong;
static uintptr_t wrong_at;

static void step(void)
{
    __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() | SINGLE_STEP);
}

static void run_on(void)
{
    __builtin_ia32_writeeflags_u64(__builtin_ia32_readeflags_u64() & ~(uint64_t)SINGLE_STEP);
}

/* The registers that an unwinder finds for the caller of the switch. */
typedef struct found {
    uintptr_t at; /* the instruction of the switch */
    bool      passed, has_caller;
    uintptr_t registers[N_PRESERVED];
} found;

static _Unwind_Reason_Code find_caller(struct _Unwind_Context *context, void *arg)
{
    found *f = arg;

    f->has_caller = f->passed;
    f->passed = _Unwind_GetIP(context) == f->at;
    if (!f->has_caller)
        return _URC_NO_REASON;
    for (int i = 0; i < N_PRESERVED; i++)
        f->registers[i] = (uintptr_t)_Unwind_GetGR(context, preserved[i].dwarf);
    return _URC_NORMAL_STOP;
}

/* Whether the caller has the registers that it had when it called. */
static bool has_registers(side *s, const ucontext_t *uc, uintptr_t at)
{
    found f = {.at = at};

    if (at == (uintptr_t)wf_switch_enter || at == (uintptr_t)wf_switch_leave ||
        at == (uintptr_t)wf_switch_start) {
        for (int i = 0; i < N_PRESERVED; i++)
            s->registers[i] = (uintptr_t)uc->uc_mcontext.gregs[preserved[i].context];
        s->entered = true;
    }
    if (!s->entered)
        return true;
    _Unwind_Backtrace(find_caller, &f);
    return f.has_caller && memcmp(f.registers, s->registers, sizeof f.registers) == 0;
}

/* In the code of the switch: unwinds through the frame of the signal. */
static void on_step(int signal, siginfo_t *info, void *context)
{
    const ucontext_t *uc = context;
    uintptr_t         at = (uintptr_t)uc->uc_mcontext.gregs[REG_RIP];
    bool  is_there = (uintptr_t)uc->uc_mcontext.gregs[REG_RSP] - (uintptr_t)stack <= STACK_SIZE;
    bool  is_begin = is_there && at - (uintptr_t)wf_switch_begin < BEGIN_SIZE; /* has no caller */
    trace t;

    (void)signal, (void)info;
    if (at - (uintptr_t)wf_switch_enter >=
        (uintptr_t)wf_switch_begin + BEGIN_SIZE - (uintptr_t)wf_switch_enter)
        return;
    t = trace_here();
    sides[is_there].n_steps++;
    if ((is_there ? trace_ends_in_begin(&t)
                  : trace_contains(&t, outer) && !trace_ends_in_begin(&t)) &&
        (is_begin || has_registers(&sides[is_there], uc, at)))
        return;
    n_wrong++;
    wrong_at = at - (uintptr_t)wf_switch_enter;
}

static void use_second_stack(void)
{
    static char   second[STACK_SIZE];
    const stack_t on = {.ss_sp = second, .ss_size = sizeof second};

    check_eq(sigaltstack(&on, NULL), 0);
}

/* The visits after the first use another rounding than their caller, so that the switch loads the
 * control words, too. */
static void *visit_rounding_up(void *argument)
{
    (void)argument;
    wf_switch_leave(&there, here);
    fesetround(FE_UPWARD);
    wf_switch_leave(&there, here);
    wf_switch_leave(&there, here);
    return here;
}

Test(switch, each_of_its_instructions_can_be_unwound)
{
    struct sigaction action = {.sa_sigaction = on_step, .sa_flags = SA_SIGINFO | SA_ONSTACK};

    test_skip_under_valgrind("valgrind does not step");
    outer = __builtin_return_address(0);
    use_second_stack();
    check_eq(sigaction(SIGTRAP, &action, NULL), 0);
    step();
    start_there(visit_rounding_up, NULL);
    for (int i = 0; i < 3; i++)
        go_there();
    run_on();
    if (n_wrong > 0)
        test_fail(__FILE__, __LINE__, "%" PRId64 " wrong traces, one at wf_switch_enter+%zu",
                  n_wrong, (size_t)wrong_at);
    check_cmp(sides[0].n_steps, >, 4 * 15);
    check_cmp(sides[1].n_steps, >, 4 * 15);
}

#endif
#endif
