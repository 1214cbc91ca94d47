/* notes.c - see notes.h */
#include "notes.h"

#include <arpa/inet.h>
#include <mbedtls/ssl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>

#define LINE_SIZE 256 /* a longer line is noted in pieces */

/* Immutable once it is open. */
static struct {
    mbedtls_x509_crt   certificate;
    mbedtls_pk_context key;
    mbedtls_ssl_config config;
} tls;

/* ---- before the first client ---- */

/* getrandom(2) neither blocks nor fails for so few bytes once the system has started. */
static int random_bytes(void *unused, unsigned char *to, size_t size)
{
    (void)unused;
    for (size_t n; size > 0; to += n, size -= n) {
        n = size < 256 ? size : 256;
        if (getrandom(to, n, 0) != (ssize_t)n)
            return -1;
    }
    return 0;
}

int notes_open(const char *certificate, const char *key, uint32_t idle)
{
    mbedtls_x509_crt_init(&tls.certificate);
    mbedtls_pk_init(&tls.key);
    mbedtls_ssl_config_init(&tls.config);
    if (mbedtls_x509_crt_parse_file(&tls.certificate, certificate) != 0 ||
        mbedtls_pk_parse_keyfile(&tls.key, key, NULL) != 0 ||
        mbedtls_ssl_config_defaults(&tls.config, MBEDTLS_SSL_IS_SERVER,
                                    MBEDTLS_SSL_TRANSPORT_STREAM,
                                    MBEDTLS_SSL_PRESET_DEFAULT) != 0 ||
        mbedtls_ssl_conf_own_cert(&tls.config, &tls.certificate, &tls.key) != 0) {
        fprintf(stderr, "notes: can't use the certificate %s with the key %s\n", certificate, key);
        return -1;
    }
    mbedtls_ssl_conf_rng(&tls.config, random_bytes, NULL);
    mbedtls_ssl_conf_read_timeout(&tls.config, idle);
    return 0;
}

int notes_listen(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t          size = sizeof address;
    int                fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0 || bind(fd, (struct sockaddr *)&address, size) < 0 || listen(fd, 1024) < 0 ||
        getsockname(fd, (struct sockaddr *)&address, &size) < 0) {
        perror("notes: can't listen");
        return -1;
    }
    printf("listening on 127.0.0.1:%d\n", ntohs(address.sin_port));
    fflush(stdout);
    return fd;
}

static sigset_t stop_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    return set;
}

void notes_block_signals(void)
{
    sigset_t set = stop_signals();

    pthread_sigmask(SIG_BLOCK, &set, NULL);
}

void notes_wait_for_signal(void)
{
    sigset_t set = stop_signals();
    int      signo;

    sigwait(&set, &signo);
}

/* ---- a client ---- */

static int answer(mbedtls_ssl_context *ssl, const char *text, size_t size)
{
    int n = 0;

    for (; size > 0; text += n, size -= (size_t)n) {
        n = mbedtls_ssl_write(ssl, (const unsigned char *)text, size);
        if (n <= 0)
            return n;
    }
    return 1;
}

static int note(mbedtls_ssl_context *ssl, const char *line, size_t size)
{
    char text[16];
    int  n = notes_add(line, size);

    if (n < 0)
        return n;
    return answer(ssl, text, (size_t)snprintf(text, sizeof text, "%d\n", n));
}

/* Notes lines until the client ends, or an error ends it. */
static void talk(mbedtls_ssl_context *ssl)
{
    char   line[LINE_SIZE], byte;
    size_t size = 0;

    while (mbedtls_ssl_read(ssl, (unsigned char *)&byte, 1) == 1) {
        line[size++] = byte;
        if (byte != '\n' && size < sizeof line - 1)
            continue;
        if (byte != '\n')
            line[size++] = '\n';
        if (note(ssl, line, size) <= 0)
            return;
        size = 0;
    }
    mbedtls_ssl_close_notify(ssl);
}

void notes_serve(void *conn)
{
    mbedtls_ssl_context ssl;

    mbedtls_ssl_init(&ssl);
    if (mbedtls_ssl_setup(&ssl, &tls.config) == 0) {
        mbedtls_ssl_set_bio(&ssl, conn, notes_send, NULL, notes_receive);
        if (mbedtls_ssl_handshake(&ssl) == 0)
            talk(&ssl);
    }
    mbedtls_ssl_free(&ssl);
}
