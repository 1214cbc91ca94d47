// Fibers in C++: objects on their stacks, exceptions that are caught within them, one that is not.
#include "panics.h"

#include <cstdio>
#include <cstring>
#include <exception>
#include <memory>
#include <stdexcept>
#include <string>
#include <sys/wait.h>
#include <system_error>
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
            what = e.what();
        }
        weft_fiber_yield();
        if (what == "at the bottom")
            ++*n;
    }
    return *n;
}

// What is thrown here would be found by another fiber, if it stayed with the thread.
struct awaits_at_its_end {
    int *n_uncaught;

    ~awaits_at_its_end()
    {
        weft_fiber_sleep(WEFT_US(100));
        *n_uncaught = std::uncaught_exceptions();
    }
};

void throw_past_an_await(const std::string &what, int *n_uncaught)
{
    awaits_at_its_end last = {n_uncaught};

    throw std::runtime_error(what);
}

// Whether the exception that is being handled is that one.
bool handles(const std::string &what)
{
    try {
        throw;
    } catch (const std::runtime_error &e) {
        return e.what() == what;
    }
}

// Awaits in catch blocks, one within the other, while other fibers of the worker do the same.
int64_t awaits_in_catch_blocks(void *argument)
{
    const std::string outer = "outer " + std::to_string(*static_cast<int64_t *>(argument));
    const std::string inner = "inner " + std::to_string(*static_cast<int64_t *>(argument));
    int               n_uncaught = -1;
    int64_t           n = 0;

    for (int i = 0; i < 20; i++) {
        try {
            throw_past_an_await(outer, &n_uncaught);
        } catch (const std::runtime_error &) {
            n += n_uncaught == 1;
            weft_fiber_yield();
            n += handles(outer);
            try {
                throw_past_an_await(inner, &n_uncaught);
            } catch (const std::runtime_error &) {
                weft_fiber_sleep(WEFT_US(50));
                n += handles(inner);
            }
            weft_fiber_yield();
            n += handles(outer);
        }
        n += std::current_exception() == nullptr && std::uncaught_exceptions() == 0;
        weft_fiber_yield();
    }
    return n;
}

// The thread that joins them handles an exception, too.
int run_catch_blocks(weft_runtime *rt)
{
    weft_handle handle[8];
    int64_t     number[8];

    for (int i = 0; i < 8; i++) {
        number[i] = i;
        EXPECT(weft_fiber_on(rt, &handle[i], awaits_in_catch_blocks, &number[i]) == 0);
    }
    try {
        throw std::runtime_error("of the thread");
    } catch (const std::runtime_error &) {
        for (int i = 0; i < 8; i++)
            EXPECT(weft_await(weft_join(&handle[i])) == 100);
        EXPECT(handles("of the thread"));
    }
    EXPECT(std::current_exception() == nullptr);
    return 0;
}

// A panic of C code leaves the catch block, too.
int64_t awaits_what_panics(void *)
{
    weft_future future;

    try {
        throw std::runtime_error("of the fiber");
    } catch (const std::runtime_error &) {
        weft_fiber_yield();
        weft_await(panicking(&future));
    }
    return 0;
}

// The fibers run below the catch block of the thread.
int run_on_the_calling_thread()
{
    weft_config   config = {};
    weft_runtime *rt;
    weft_handle   handle;
    int64_t       number = 9;

    config.current_thread = 1;
    EXPECT(weft_runtime_start(&config, &rt) == 0);
    try {
        throw std::runtime_error("of the thread");
    } catch (const std::runtime_error &) {
        EXPECT(weft_fiber_on(rt, &handle, awaits_in_catch_blocks, &number) == 0);
        EXPECT(weft_block_on(rt, weft_join(&handle)) == 100);
        EXPECT(handles("of the thread"));
        EXPECT(weft_fiber_on(rt, &handle, panics, nullptr) == 0);
        EXPECT(weft_block_on(rt, weft_join(&handle)) == -EOWNERDEAD);
        EXPECT(handles("of the thread"));
        EXPECT(weft_fiber_on(rt, &handle, awaits_what_panics, nullptr) == 0);
        EXPECT(weft_block_on(rt, weft_join(&handle)) == -EOWNERDEAD);
        EXPECT(handles("of the thread"));
    }
    return weft_runtime_stop(rt, WEFT_S(5)) < 0;
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

// ---- what docs/cplusplus.md shows ----

struct closes_stream {
    void operator()(weft_stream *stream) const
    {
        weft_stream_close(stream);
    }
};
using stream_owner = std::unique_ptr<weft_stream, closes_stream>;

// A result of weft, or an exception.
int64_t checked(int64_t n)
{
    if (n < 0)
        throw std::system_error(static_cast<int>(-n), std::generic_category());
    return n;
}

// Sends back five bytes. Throws if the stream ends before.
int64_t echo_line(weft_stream *stream)
{
    weft_io io;
    char    line[5];

    checked(weft_await(weft_read_exact(&io, stream, line, sizeof line)));
    return checked(weft_await(weft_write_all(&io, stream, line, sizeof line)));
}

int64_t echoes(void *argument)
{
    stream_owner stream(static_cast<weft_stream *>(argument));
    weft_io      io;
    int64_t      n = 0;

    try {
        n = echo_line(stream.get());
        n = echo_line(stream.get());
    } catch (const std::system_error &e) {
        weft_await(weft_write_all(&io, stream.get(), e.what(), std::strlen(e.what())));
    }
    return n;
}

// The peer ends its stream after one line, so the second one is an exception.
int64_t talks(void *)
{
    weft_stream *mine, *theirs;
    weft_handle  handle;
    weft_io      io;
    char         answer[64] = "";
    int64_t      n = 0, got = 0;

    EXPECT(weft_stream_pair(nullptr, &mine, &theirs) == 0);
    stream_owner stream(mine);
    EXPECT(weft_fiber(&handle, echoes, theirs) == 0);
    EXPECT(weft_await(weft_write_all(&io, mine, "12345", 5)) == 5);
    EXPECT(weft_stream_shutdown(mine, SHUT_WR) == 0);
    while ((n = weft_await(weft_read(&io, mine, answer + got, 16))) > 0)
        got += n;
    EXPECT(std::string(answer) == "12345" + std::string(std::strerror(ENODATA)));
    return weft_await(weft_join(&handle)) != 5;
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
    if (run_catch_blocks(rt))
        return 1;
    EXPECT(weft_fiber_on(rt, &handle[0], talks, nullptr) == 0);
    EXPECT(weft_await(weft_join(&handle[0])) == 0);
    return weft_runtime_stop(rt, WEFT_S(5)) < 0;
}

} // namespace

int main()
{
    return ends_by_terminate() || run() ||
           run_on_the_calling_thread(); // a child is forked while there is one thread
}
