// The Asio peer (standalone Asio, one io_context run by WORKERS threads). bench/README.md documents the
// protocol; bench/run starts it as `weft-peer-asio server KIND PORT`.

#include "../../http.h"
#include "../../servers.h"

#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <asio.hpp>

using asio::ip::tcp;

static char piece[SERVER_PIECE];

// One operation is under way at a time, so that no strand is needed.
struct Connection : std::enable_shared_from_this<Connection> {
    tcp::socket                     socket;
    std::array<char, SERVER_BUFFER> buffer;

    explicit Connection(tcp::socket &&s) : socket(std::move(s))
    {
    }
    virtual ~Connection() = default;
    virtual void start() = 0;

    // Writes all, then goes on with start().
    void write(const char *text, size_t size)
    {
        asio::async_write(socket, asio::buffer(text, size),
                          [self = shared_from_this()](std::error_code e, size_t) {
                              if (!e)
                                  self->start();
                          });
    }
};

template <bool MIX> struct Echo : Connection {
    using Connection::Connection;

    void start() override
    {
        socket.async_read_some(asio::buffer(buffer),
                               [self = shared_from_this()](std::error_code e, size_t n) {
                                   if (e)
                                       return;
                                   if (MIX)
                                       server_burn(self->buffer.data());
                                   self->write(self->buffer.data(), n);
                               });
    }
};

struct Stream : Connection {
    using Connection::Connection;

    void start() override
    {
        write(piece, sizeof piece);
    }
};

struct Http : Connection {
    using Connection::Connection;

    std::array<char, SERVER_BUFFER> out;
    size_t                          filled = 0;

    void start() override
    {
        size_t out_size = 0;
        size_t taken = http_answers(buffer.data(), filled, out.data(), out.size(), &out_size);

        memmove(buffer.data(), buffer.data() + taken, filled - taken);
        filled -= taken;
        if (taken)
            write(out.data(), out_size);
        else if (filled < buffer.size()) // else a request that is too large: closed
            receive();
    }

    void receive()
    {
        socket.async_read_some(asio::buffer(buffer.data() + filled, buffer.size() - filled),
                               [this, self = shared_from_this()](std::error_code e, size_t n) {
                                   if (e)
                                       return;
                                   filled += n;
                                   start();
                               });
    }
};

template <class C> void accept(tcp::acceptor &acceptor)
{
    acceptor.async_accept([&acceptor](std::error_code e, tcp::socket socket) {
        if (!e) {
            socket.set_option(tcp::no_delay(true));
            std::make_shared<C>(std::move(socket))->start();
        }
        accept<C>(acceptor);
    });
}

static bool accept_kind(const std::string &kind, tcp::acceptor &acceptor)
{
    if (kind == "echo")
        accept<Echo<false>>(acceptor);
    else if (kind == "mix")
        accept<Echo<true>>(acceptor);
    else if (kind == "stream")
        accept<Stream>(acceptor);
    else if (kind == "http")
        accept<Http>(acceptor);
    else
        return false;
    return true;
}

int main(int argc, char **argv)
{
    const char *text = getenv("WORKERS");
    int         workers = text ? atoi(text) : 2;

    if (argc == 2 && strcmp(argv[1], "version") == 0) {
        printf("%d.%d.%d\n", ASIO_VERSION / 100000, ASIO_VERSION / 100 % 1000, ASIO_VERSION % 100);
        return 0;
    }
    if (argc != 4 || strcmp(argv[1], "server") != 0 || workers < 1) {
        fputs(
            "usage: weft-peer-asio server echo|mix|stream|http PORT\n"
            "       weft-peer-asio version\n",
            stderr);
        return 2;
    }
    server_fill(piece);

    asio::io_context context(workers);
    tcp::acceptor    acceptor(context);
    acceptor.open(tcp::v4());
    acceptor.set_option(tcp::acceptor::reuse_address(true));
    acceptor.bind({asio::ip::address_v4::loopback(), uint16_t(atoi(argv[3]))});
    acceptor.listen(SERVER_BACKLOG);
    if (!accept_kind(argv[2], acceptor)) {
        fprintf(stderr, "no server '%s'\n", argv[2]);
        return 2;
    }
    printf("listening %d\n", acceptor.local_endpoint().port());
    fflush(stdout);

    std::vector<std::thread> threads;
    for (int i = 1; i < workers; i++)
        threads.emplace_back([&] { context.run(); });
    context.run();
    return 1;
}
