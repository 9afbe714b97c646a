/* pmhgw-front: the doors of clinics and of the portal. Without any code that could name an individual number. */

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/box/box.h"
#include "gateway/check/json_in.h"
#include "gateway/clinic/clinic.h"
#include "gateway/front/worker.h"
#include "gateway/portal/portal.h"

/* Asked without SO_REUSEPORT, so that a second front is noticed instead of sharing the port with the first. 0 or errno. */
static int port_taken(const char *host, uint64_t port)
{
    struct sockaddr_in v4 = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
    struct sockaddr_in6 v6 = { .sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port) };
    bool is4 = inet_pton(AF_INET, host, &v4.sin_addr) == 1;
    if (!is4 && inet_pton(AF_INET6, host, &v6.sin6_addr) != 1)
        return EADDRNOTAVAIL;
    int fd = socket(is4 ? AF_INET : AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0), on = 1, why = 0;
    if (fd < 0)
        return errno;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) != 0 ||
        (is4 ? bind(fd, (struct sockaddr *)&v4, sizeof v4) : bind(fd, (struct sockaddr *)&v6, sizeof v6)) != 0 || listen(fd, 1) != 0)
        why = errno;
    close(fd);
    return why;
}

static bool ports_free(const struct conf *c)
{
    const struct { const char *name; uint64_t port; } doors[] = { { "clinic_port", c->clinic_port }, { "portal_port", c->portal_port } };
    bool all = true;
    for (size_t i = 0; i < sizeof doors / sizeof doors[0]; i++) {
        int why = port_taken(c->door_host, doors[i].port);
        if (!why)
            continue;
        all = false;
        fprintf(stderr, "pmhgw-front: %s %u: %s / %s (%s)\n", doors[i].name, (unsigned)doors[i].port,
                why == EADDRINUSE ? "このポートは使用中です" : "このポートを開けません",
                why == EADDRINUSE ? "the port is taken; stop the other program or choose another port" : "the port cannot be opened",
                strerrorname_np(why));
        LOG(ERROR, "port_refused", LF("port", doors[i].port), LF("errno", why));
    }
    return all;
}

static int run_workers(struct conf *c)
{
    const struct news_group groups[NEWS__MAX] = { [NEWS_RING] = { { c->link_ring, c->link_master }, 2 }, [NEWS_CRL] = { { c->door_crl }, c->door_crl[0] ? 1 : 0 },
                                                    [NEWS_LOG_KEY] = { { c->audit_pub_file }, c->audit_pub_file[0] ? 1 : 0 } };
    return supervise(&(struct supervised){ (unsigned)c->workers, groups, NEWS__MAX }, worker_run, c);
}

static int run(const char *path)
{
    struct conf conf;
    if (!err_ok(conf_load(&conf, CONF_F, path)))
        return EXIT_SETTINGS;
    log_open(LITERAL("front"), (enum log_level)conf.log_level);
    int status = EXIT_SETTINGS;
    if (ports_free(&conf))
        status = run_workers(&conf);
    conf_free(&conf);
    return status;
}

int main(int argc, char **argv)
{
    log_open(LITERAL("front"), LOG_INFO);
    if (argc == 2 && slice_eq(slice_str(argv[1]), LIT("--help"))) {
        conf_print_help(CONF_F, "pmhgw-front");
        return 0;
    }
    if (argc == 2 && slice_eq(slice_str(argv[1]), LIT("--routes"))) {
        routes_print(stdout, "clinic", CLINIC_ROUTES, CLINIC_ROUTES_N);
        routes_print(stdout, "portal", PORTAL_ROUTES, PORTAL_ROUTES_N);
        return 0;
    }
    if (argc != 3 || !slice_eq(slice_str(argv[1]), LIT("--config"))) {
        fprintf(stderr, "pmhgw-front --config FILE | --help | --routes\n");
        return 64;
    }
    struct err e = box_early();
    if (!err_ok(e)) {
        LOG(ERROR, "box_failed", LF("error", e));
        return 1;
    }
    json_in_setup();
    return run(argv[2]);
}
