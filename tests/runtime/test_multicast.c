/* test_multicast.c - groups of UDP: what arrives at a socket that has joined one, and options */
#include "../deny.h"
#include "../sockets.h"

static int option(const weft_datagram *d, int level, int name)
{
    int       value = -1;
    socklen_t size = sizeof value;

    check_eq(getsockopt(weft_datagram_fd(d), level, name, &value, &size), 0);
    return value & (size == 1 ? 0xff : ~0); /* IP_MULTICAST_LOOP is a byte to some kernels */
}

/* A socket on a shared port and any address. It has joined the group on the loopback interface. */
static weft_datagram *join_group(weft_runtime *rt, const weft_address *any,
                                 const weft_address *group)
{
    static const weft_datagram_options share = {.reuse_addr = true};
    weft_datagram                     *d;

    check_eq(weft_datagram_bind(rt, any, &share, &d), 0);
    if (weft_datagram_join(d, group, 1) < 0)
        test_skip("no multicast at the loopback interface");
    return d;
}

static void check_groups(weft_runtime *rt, const char *any_text, const char *first,
                         const char *second)
{
    weft_datagram      *a, *b, *from;
    weft_address        any, to_a, to_b;
    struct weft_timeout limit;
    weft_io             io;
    char                buffer[16];

    check_eq(weft_address_parse(any_text, 0, &any), 0);
    if (weft_datagram_bind(rt, &any, NULL, &from) < 0)
        test_skip("no such addresses here");
    check_eq(weft_datagram_local_address(from, &any), 0);
    weft_datagram_close(from); /* its port is free now */
    check_eq(weft_address_parse(first, weft_address_port(&any), &to_a), 0);
    check_eq(weft_address_parse(second, weft_address_port(&any), &to_b), 0);
    a = join_group(rt, &any, &to_a);
    b = join_group(rt, &any, &to_b);
    check_eq(weft_address_set_port(&any, 0), 0);
    check_eq(weft_datagram_bind(rt, &any, NULL, &from), 0);
    check_eq(weft_datagram_set_multicast_interface(from, 1), 0);
    if (weft_block_on(rt, weft_send_to(&io, from, "to b", 4, &to_b)) < 0)
        test_skip("no route to the groups here");
    check_eq(weft_block_on(rt, weft_receive_from(&io, b, buffer, sizeof buffer, NULL)), 4);
    check_eq(weft_block_on(rt, weft_send_to(&io, from, "to a!", 5, &to_a)), 5);
    check_eq(weft_block_on(rt, weft_receive_from(&io, a, buffer, sizeof buffer, NULL)), 5);
    check_eq(weft_datagram_leave(a, &to_a, 1), 0);
    check_eq(weft_block_on(rt, weft_send_to(&io, from, "to b", 4, &to_b)), 4);
    check_eq(weft_block_on(rt, weft_receive_from(&io, b, buffer, sizeof buffer, NULL)), 4);
    check_eq(weft_block_on(rt, weft_timeout(&limit,
                                            weft_receive_from(&io, a, buffer, sizeof buffer, NULL),
                                            WEFT_MS(5))),
             -ETIMEDOUT);
    weft_datagram_close(a);
    weft_datagram_close(b);
    weft_datagram_close(from);
}

Test(multicast, groups_that_only_others_have_joined_do_not_arrive)
{
    weft_runtime *rt = start(1);

    check_groups(rt, "0.0.0.0", "239.1.1.1", "239.2.2.2");
    stop(rt);
}

Test(multicast, ipv6_groups_that_only_others_have_joined_do_not_arrive)
{
    weft_runtime *rt = start(1);

    check_groups(rt, "::", "ff01::1:1", "ff01::2:2");
    stop(rt);
}

/* Also where the loopback interface has no route for it: the kernel has been told. */
Test(multicast, all_groups_are_switched_off)
{
    weft_runtime  *rt = start(1);
    weft_address   v4 = loopback(false), v6 = loopback(true);
    weft_datagram *d;

    check_eq(weft_datagram_bind(rt, &v4, NULL, &d), 0);
    check_eq(option(d, IPPROTO_IP, IP_MULTICAST_ALL), 0);
    weft_datagram_close(d);
    if (weft_datagram_bind(rt, &v6, NULL, &d) < 0)
        test_skip("no IPv6 loopback");
    check_eq(option(d, IPPROTO_IP, IP_MULTICAST_ALL), 0);
    check_eq(option(d, IPPROTO_IPV6, 29 /* IPV6_MULTICAST_ALL */), 0);
    weft_datagram_close(d);
    stop(rt);
}

/* From now on the kernel does not know the options of that number. */
static void forget_option(int option)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_setsockopt, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[2])),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (uint32_t)option, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOPROTOOPT),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };

    deny_by(&(struct sock_fprog){.len = sizeof code / sizeof *code, .filter = code});
}

/* As before Linux 4.20, which brought the option for IPv6, and in emulators. */
Test(multicast, a_kernel_without_the_options_of_groups_has_sockets_all_the_same)
{
    weft_runtime *rt = start(2);

    forget_option(29); /* IPV6_MULTICAST_ALL */
    forget_option(IP_MULTICAST_ALL);
    for (int v6 = 0; v6 < 2; v6++) {
        weft_address   any = loopback(v6);
        weft_datagram *d;
        int            r = weft_datagram_bind(rt, &any, NULL, &d);

        if (v6 && (r == -EADDRNOTAVAIL || r == -EAFNOSUPPORT))
            break; /* no IPv6 here */
        check_eq(r, 0);
        weft_datagram_close(d);
    }
    stop(rt);
}

Test(multicast, options)
{
    weft_runtime  *rt = start(1);
    weft_address   v4 = loopback(false), v6 = loopback(true), path;
    weft_datagram *d;

    check_eq(weft_datagram_bind(rt, &v4, NULL, &d), 0);
    check_eq(weft_datagram_set_multicast_hops(d, 0), 0);
    check_eq(option(d, IPPROTO_IP, IP_MULTICAST_TTL), 0);
    check_eq(weft_datagram_set_multicast_hops(d, 255), 0);
    check_eq(option(d, IPPROTO_IP, IP_MULTICAST_TTL), 255);
    check_eq(weft_datagram_set_multicast_hops(d, -1), -EINVAL);
    check_eq(weft_datagram_set_multicast_hops(d, 256), -EINVAL);
    check_eq(option(d, IPPROTO_IP, IP_MULTICAST_TTL), 255);
    check_eq(weft_datagram_set_multicast_loop(d, false), 0);
    check_eq(option(d, IPPROTO_IP, IP_MULTICAST_LOOP), 0);
    check_eq(weft_datagram_set_multicast_loop(d, true), 0);
    check_eq(option(d, IPPROTO_IP, IP_MULTICAST_LOOP), 1);
    check_eq(weft_datagram_set_multicast_interface(d, 1), 0);
    check_cmp(weft_datagram_set_multicast_interface(d, 987654321), <, 0);
    check_cmp(weft_datagram_set_multicast_interface(d, UINT32_MAX), <, 0);
    check_eq(weft_datagram_set_multicast_interface(d, 0), 0);
    weft_datagram_close(d);
    check_eq(weft_datagram_set_multicast_hops(d, 1), -EBADF);

    check_eq(weft_address_unix("", &path), 0);
    check_eq(weft_datagram_bind(rt, &path, NULL, &d), 0);
    check_eq(weft_datagram_set_multicast_loop(d, true), -EINVAL);
    weft_datagram_close(d);

    if (weft_datagram_bind(rt, &v6, NULL, &d) < 0)
        test_skip("no IPv6 loopback");
    check_eq(weft_datagram_set_multicast_hops(d, 7), 0);
    check_eq(option(d, IPPROTO_IPV6, IPV6_MULTICAST_HOPS), 7);
    check_eq(option(d, IPPROTO_IP, IP_MULTICAST_TTL), 7);
    check_eq(weft_datagram_set_multicast_loop(d, false), 0);
    check_eq(option(d, IPPROTO_IPV6, IPV6_MULTICAST_LOOP), 0);
    check_eq(weft_datagram_set_multicast_interface(d, 1), 0);
    check_eq(option(d, IPPROTO_IPV6, IPV6_MULTICAST_IF), 1);
    weft_datagram_close(d);
    stop(rt);
}
