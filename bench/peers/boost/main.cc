// The Boost.Fiber peer: the fibers of C++, on one thread. bench/README.md documents the protocol;
// bench/run starts it as `weft-peer-boost bench`. Its scheduler is round robin, as Boost has it by
// default, and its stacks are allocated without a guard page.

#include <boost/context/fiber.hpp>
#include <boost/fiber/all.hpp>
#include <boost/version.hpp>

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fstream>
#include <iostream>
#include <memory>
#include <sstream>
#include <string>
#include <unistd.h>
#include <vector>

namespace
{

using Clock = std::chrono::steady_clock;
namespace fibers = boost::fibers;

constexpr auto REPETITION = std::chrono::milliseconds(100);

// One repetition.
struct Run {
    Clock::time_point begin = Clock::now();
    int64_t           ops = 0, rss_kb = 0, rss_after_kb = 0;

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

int64_t rss_kb()
{
    std::ifstream statm("/proc/self/statm");
    int64_t       size = 0, pages = 0;

    statm >> size >> pages;
    return pages * sysconf(_SC_PAGESIZE) / 1024;
}

// ---- the benchmarks ----

constexpr int64_t SWITCHES = 100000;

void switches(Run &run)
{
    int64_t               came = 0, went = 0;
    boost::context::fiber second([&came](boost::context::fiber &&main) {
        for (;;) {
            came++;
            main = std::move(main).resume();
        }
        return std::move(main);
    });

    do {
        for (int64_t k = 0; k < SWITCHES; k++)
            second = std::move(second).resume();
        went += SWITCHES;
    } while (run.more());
    expect("the number of switches to the second stack", came, went);
    run.ops = 2 * went;
}

constexpr int64_t YIELDS = 10000;

void yield_pair(Run &run)
{
    const auto yields = [](int64_t &done) {
        for (; done < YIELDS; done++)
            boost::this_fiber::yield();
    };

    do {
        int64_t       done[2] = {};
        fibers::fiber first(yields, std::ref(done[0])), second(yields, std::ref(done[1]));

        first.join();
        second.join();
        expect("the number of yields", done[0] + done[1], 2 * YIELDS);
        run.ops += done[0] + done[1];
    } while (run.more());
}

constexpr int64_t JOINS = 1000;

void spawn_join(Run &run)
{
    do {
        for (int64_t k = 0; k < JOINS; k++) {
            int64_t       result = -1;
            fibers::fiber child([&result, k] { result = k; });

            child.join();
            expect("the child's result", result, k);
            run.ops++;
        }
    } while (run.more());
}

constexpr int64_t TRIPS = 1000;

void ping_pong(Run &run)
{
    using Channel = fibers::buffered_channel<int64_t>;

    do {
        Channel       there(2), back(2); // the least: one place is not used
        int64_t       number = 0;
        fibers::fiber first([&] {
            for (int64_t k = 0; k < TRIPS; k++) {
                there.push(number);
                number = back.value_pop() + 1;
            }
        });
        fibers::fiber second([&] {
            for (int64_t k = 0; k < TRIPS; k++)
                back.push(there.value_pop() + 1);
        });

        first.join();
        second.join();
        expect("the number after all trips", number, 2 * TRIPS);
        run.ops += number;
    } while (run.more());
}

constexpr int64_t MANY = 100000;

// A fiber cannot be cancelled while it sleeps, so it waits for the end with a time limit.
void sleep_100k(Run &run)
{
    std::vector<fibers::fiber> sleepers;
    fibers::mutex              mutex;
    fibers::condition_variable ended;
    bool                       over = false;
    int64_t                    asleep = 0;

    const auto sleeps = [&] {
        std::unique_lock<fibers::mutex> lock(mutex);

        asleep++;
        if (!ended.wait_for(lock, std::chrono::hours(1), [&over] { return over; }))
            fail("a sleep of an hour has ended");
    };
    for (int64_t k = 0; k < MANY; k++)
        sleepers.emplace_back(std::allocator_arg, boost::context::fixedsize_stack(16 << 10),
                              sleeps);
    while (asleep < MANY)
        boost::this_fiber::yield();
    run.rss_kb = rss_kb();
    {
        std::unique_lock<fibers::mutex> lock(mutex);
        over = true;
    }
    ended.notify_all();
    for (fibers::fiber &sleeper : sleepers) {
        sleeper.join();
        run.ops++;
    }
    run.rss_after_kb = rss_kb();
}

struct Bench {
    const char *name;
    void (*run)(Run &);
    bool warm; // or to be measured cold
};

Bench benches[] = {
    {"fiber/switch", switches, false},       {"fiber/yield_pair", yield_pair, false},
    {"fiber/spawn_join", spawn_join, false}, {"fiber/ping_pong", ping_pong, false},
    {"fiber/sleep_100k", sleep_100k, true},
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
           << ", \"cpu_ns\": " << cpu_now() - cpu;
    if (run.rss_kb > 0)
        answer << ", \"rss_kb\": " << run.rss_kb << ", \"rss_after_kb\": " << run.rss_after_kb;
    answer << "}";
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

} // namespace

int main(int argc, char **argv)
{
    std::string line;

    if (argc == 2 && std::strcmp(argv[1], "version") == 0) {
        std::printf("%d.%d\n", BOOST_VERSION / 100000, BOOST_VERSION / 100 % 1000);
        return 0;
    }
    if (argc != 2 || std::strcmp(argv[1], "bench") != 0) {
        std::fputs("usage: weft-peer-boost bench\n       weft-peer-boost version\n", stderr);
        return 2;
    }
    while (std::getline(std::cin, line)) {
        std::istringstream words(line);
        std::string        name;
        int                repetitions = 0;

        words >> name >> repetitions;
        answer(name, repetitions);
    }
}
