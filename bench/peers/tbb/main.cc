// The oneTBB peer, for what has a counterpart there: trees of tasks. bench/README.md documents the
// protocol; bench/run starts it as `weft-peer-tbb bench`. WORKERS (environment; 2) counts the main
// thread, which works too.

#include <oneapi/tbb/global_control.h>
#include <oneapi/tbb/task_group.h>
#include <oneapi/tbb/version.h>

#include <atomic>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <iostream>
#include <sstream>
#include <string>

namespace
{

using Clock = std::chrono::steady_clock;

constexpr auto REPETITION = std::chrono::milliseconds(100);

// One repetition.
struct Run {
    Clock::time_point begin = Clock::now();
    int64_t           ops = 0;

    bool more() const
    {
        return Clock::now() - begin < REPETITION;
    }
};

[[noreturn]] void fail(const std::string &message)
{
    std::cerr << message << std::endl;
    std::exit(1);
}

void expect(const char *what, int64_t is, int64_t must_be)
{
    if (is != must_be)
        fail(std::string(what) + " is " + std::to_string(is) + ", expected " +
             std::to_string(must_be));
}

// ---- the benchmarks ----

constexpr int64_t SPAWNS = 10000;

void spawn_many(Run &run)
{
    do {
        std::atomic<int64_t>    left = SPAWNS;
        oneapi::tbb::task_group group;

        for (int64_t n = 0; n < SPAWNS; n++)
            group.run([&left] { left.fetch_sub(1, std::memory_order_acq_rel); });
        group.wait();
        expect("the count-down", left, 0);
        run.ops += SPAWNS - left;
    } while (run.more());
}

// How many tasks a subtree had, and the sum that they computed.
struct Answer {
    int64_t tasks, sum;

    void operator+=(const Answer &other)
    {
        tasks += other.tasks;
        sum += other.sum;
    }
};

constexpr int64_t LEAVES = 1000000;
constexpr int     FAN_OUT = 10;

Answer node(int64_t first, int64_t leaves)
{
    if (leaves == 1)
        return {1, first};

    const int64_t           each = leaves / FAN_OUT;
    Answer                  child[FAN_OUT], answer = {1, 0};
    oneapi::tbb::task_group group;

    for (int k = 0; k < FAN_OUT; k++)
        group.run([&child, k, first, each] { child[k] = node(first + k * each, each); });
    group.wait();
    for (const Answer &a : child)
        answer += a;
    return answer;
}

Answer fib(int n)
{
    if (n < 2)
        return {1, n};

    Answer                  first, last, answer = {1, 0};
    oneapi::tbb::task_group group;

    group.run([&first, n] { first = fib(n - 1); });
    group.run([&last, n] { last = fib(n - 2); });
    group.wait();
    answer += first;
    answer += last;
    return answer;
}

// Runs the root as a task, too.
template <class Root> Answer tree(Root root)
{
    Answer                  answer;
    oneapi::tbb::task_group group;

    group.run_and_wait([&answer, root] { answer = root(); });
    return answer;
}

void skynet(Run &run)
{
    do {
        const Answer answer = tree([] { return node(0, LEAVES); });

        expect("skynet's sum", answer.sum, LEAVES * (LEAVES - 1) / 2);
        expect("skynet's number of tasks", answer.tasks, (LEAVES * FAN_OUT - 1) / (FAN_OUT - 1));
        run.ops += answer.tasks;
    } while (run.more());
}

constexpr int FIB = 27;

int64_t fibonacci(int n)
{
    int64_t a = 0, b = 1;

    for (; n > 0; n--) {
        b += a;
        a = b - a;
    }
    return a;
}

void fib(Run &run)
{
    do {
        const Answer answer = tree([] { return fib(FIB); });

        expect("fib's result", answer.sum, fibonacci(FIB));
        expect("fib's number of tasks", answer.tasks, 2 * fibonacci(FIB + 1) - 1);
        run.ops += answer.tasks;
    } while (run.more());
}

struct Bench {
    const char *name;
    void (*run)(Run &);
    bool warm;
};

Bench benches[] = {
    {"sched/spawn_many", spawn_many, false},
    {"sched/skynet", skynet, false},
    {"sched/fib", fib, false},
};

// ---- the protocol ----

int64_t cpu_now()
{
    timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return int64_t{t.tv_sec} * 1000000000 + t.tv_nsec;
}

std::string measure(const Bench &bench)
{
    const int64_t      cpu = cpu_now();
    Run                run;
    std::ostringstream answer;

    bench.run(run);
    const std::chrono::nanoseconds time = Clock::now() - run.begin;
    answer << "{\"ops\": " << run.ops << ", \"ns\": " << time.count()
           << ", \"cpu_ns\": " << cpu_now() - cpu << "}";
    return answer.str();
}

void answer(const std::string &name, int repetitions)
{
    for (Bench &bench : benches) {
        if (name != bench.name)
            continue;
        if (!bench.warm)
            measure(bench);
        bench.warm = true;
        for (; repetitions > 0; repetitions--)
            std::cout << measure(bench) << std::endl;
        return;
    }
    std::cout << "{\"error\": \"unknown\"}" << std::endl;
}

int workers()
{
    const char *text = std::getenv("WORKERS");
    const int   n = text ? std::atoi(text) : 2;

    if (n < 1 || n > 1024)
        fail(std::string("WORKERS=") + text + ": a number from 1 to 1024 is expected");
    return n;
}

} // namespace

int main(int argc, char **argv)
{
    if (argc == 2 && std::strcmp(argv[1], "version") == 0) {
        std::printf("%d.%d\n", TBB_VERSION_MAJOR, TBB_VERSION_MINOR);
        return 0;
    }
    if (argc != 2 || std::strcmp(argv[1], "bench") != 0) {
        std::fputs("usage: weft-peer-tbb bench\n       weft-peer-tbb version\n", stderr);
        return 2;
    }

    using oneapi::tbb::global_control;
    const global_control limit(global_control::max_allowed_parallelism, size_t(workers()));
    std::string          line;

    while (std::getline(std::cin, line)) {
        std::istringstream words(line);
        std::string        name;
        int                repetitions = 0;

        words >> name >> repetitions;
        answer(name, repetitions);
    }
}
