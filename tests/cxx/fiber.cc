// Fibers in C++: objects on their stacks, exceptions that are caught within them, one that is not.
#include <weft.h>

#include <cstdio>
#include <exception>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <unistd.h>

#define EXPECT(condition)                                                                          \
    do {                                                                                           \
        if (!(condition)) {                                                                        \
            std::fprintf(stderr, "%s: not so: %s\n", WEFT_HERE_, #condition);                      \
            return 1;                                                                              \
        }                                                                                          \
    } while (0)

namespace
{

int n_alive;

// Its destructor runs whichever way the function is left.
struct guard {
    guard()
    {
        n_alive++;
    }
    ~guard()
    {
        n_alive--;
    }
};

void sleep_and_throw(int depth)
{
    guard g;

    weft_fiber_sleep(WEFT_US(100));
    if (depth == 0)
        throw std::runtime_error("at the bottom");
    sleep_and_throw(depth - 1);
}

// Throws and catches between awaits, while other fibers do the same.
int64_t catches(void *argument)
{
    auto *n = static_cast<int64_t *>(argument);

    for (int i = 0; i < 20; i++) {
        guard       g;
        std::string what;

        try {
            sleep_and_throw(i % 5);
        } catch (const std::exception &e) {
            what = e.what(); // no await in here
        }
        weft_fiber_yield();
        if (what == "at the bottom")
            ++*n;
    }
    return *n;
}

int64_t throws(void *)
{
    throw std::runtime_error("not caught");
}

constexpr int terminated = 42;

// Runs in a child, whose runtime and handler are its own.
int leaves_an_exception()
{
    weft_runtime *rt;
    weft_handle   handle;

    std::set_terminate([] { _exit(terminated); });
    EXPECT(weft_runtime_start(nullptr, &rt) == 0);
    EXPECT(weft_fiber_on(rt, &handle, throws, nullptr) == 0);
    return (int)weft_await(weft_join(&handle));
}

int ends_by_terminate()
{
    pid_t child = fork();
    int   status;

    EXPECT(child >= 0);
    if (child == 0)
        _exit(leaves_an_exception());
    EXPECT(waitpid(child, &status, 0) == child);
    EXPECT(WIFEXITED(status) && WEXITSTATUS(status) == terminated);
    return 0;
}

int run()
{
    weft_config   config = {};
    weft_runtime *rt;
    weft_handle   handle[8];
    int64_t       n[8] = {};

    config.workers = 1;
    EXPECT(weft_runtime_start(&config, &rt) == 0);
    for (int i = 0; i < 8; i++)
        EXPECT(weft_fiber_on(rt, &handle[i], catches, &n[i]) == 0);
    for (int i = 0; i < 8; i++)
        EXPECT(weft_await(weft_join(&handle[i])) == 20);
    EXPECT(n_alive == 0);
    return weft_runtime_stop(rt, WEFT_S(5)) < 0;
}

} // namespace

int main()
{
    return ends_by_terminate() || run(); // a child is forked while there is one thread
}
