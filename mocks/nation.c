#include "mocks/nation.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "mocks/apps.h"
#include "mocks/desk/desk.h"
#include "mocks/options.h"
#include "mocks/partners.h"
#include "mocks/routes.h"
#include "mocks/vrs.h"

enum { DOOR_MUNICIPAL = 1, DOOR_CONTROL = 10, DESK_PORT = 20 }; /* behind the base port */
enum { PATH_BYTES_MAX = 4096, PORTAL_CONNS = 16, PORTAL_QUEUE = 8192 };

struct nation_door { const struct route *routes; const size_t *n; bool asks_certificate; };

static const struct nation_door DOORS[SYSTEM__MAX] = {
    [SYSTEM_CONTROL] = { CONTROL_ROUTES, &CONTROL_ROUTES_N, false },
    [SYSTEM_PMH] = { PMH_ROUTES, &PMH_ROUTES_N, true },
    [SYSTEM_ONSHI] = { ONSHI_ROUTES, &ONSHI_ROUTES_N, true },
    [SYSTEM_PORTAL] = { PORTAL_ROUTES, &PORTAL_ROUTES_N, true },
    [SYSTEM_INTERMEDIARY] = { INTERMEDIARY_ROUTES, &INTERMEDIARY_ROUTES_N, true },
    [SYSTEM_VRS] = { VRS_ROUTES, &VRS_ROUTES_N, true },
    [SYSTEM_CLINIC_APP] = { CLINIC_APP_ROUTES, &CLINIC_APP_ROUTES_N, false },
    [SYSTEM_ID5] = { ID5_ROUTES, &ID5_ROUTES_N, true },
    [SYSTEM_DATABASE] = { DATABASE_ROUTES, &DATABASE_ROUTES_N, true },
    [SYSTEM_CLAIMS] = { CLAIMS_ROUTES, &CLAIMS_ROUTES_N, true },
};

struct path { char c[PATH_BYTES_MAX]; };

static struct path path_in(const char *dir, const char *name)
{
    struct path p;
    if (snprintf(p.c, sizeof p.c, "%s/%s", dir, name) >= (int)sizeof p.c)
        p.c[0] = '\0'; /* no such file: opening it fails */
    return p;
}

static struct err door_open(struct nation *n, const struct options *o, enum system_id s)
{
    struct path ca = path_in(o->certs, "ca.pem"), cert = path_in(o->certs, "mocks.pem"), key = path_in(o->certs, "mocks.key");
    struct door_conf conf = {
        .name = { SYSTEM_INFO[s].name }, .host = o->host, .port = o->base_port + SYSTEM_INFO[s].port,
        .tls = { .cert_path = cert.c, .key_path = key.c, .ca_path = DOORS[s].asks_certificate ? ca.c : NULL, .session_context = SYSTEM_INFO[s].name },
        .routes = DOORS[s].routes, .n_routes = *DOORS[s].n, .limits = door_limits_default(), .ctx = n,
    };
    if (s == SYSTEM_CONTROL) {
        TRY(control_routes(&n->control_routes, &conf.n_routes));
        conf.routes = n->control_routes;
    }
    struct err e = door_new(&n->doors[s], n->l, &conf);
    if (!err_ok(e))
        fprintf(stderr, "pmhgw-mocks: the door of %s does not open on port %u: %s\n", SYSTEM_INFO[s].name, conf.port,
                err_is(e, E_IO) ? "is another program using it?" : "check the certificates in --certs (config/dev-ca makes them)");
    return e;
}

static struct err client_open(struct nation *n, const struct options *o)
{
    struct path ca = path_in(o->certs, "ca.pem"), cert = path_in(o->certs, "portal-mynaportal.pem"), key = path_in(o->certs, "portal-mynaportal.key");
    struct client_conf conf = { .ca_path = ca.c, .cert_path = cert.c, .key_path = key.c, .conns_max = PORTAL_CONNS, .queue_max = PORTAL_QUEUE };
    struct err e = client_new(&n->client, n->l, &conf);
    if (!err_ok(e))
        fprintf(stderr, "pmhgw-mocks: the certificate of the portal cannot be used: check portal-mynaportal.pem and .key in --certs\n");
    return e;
}

/* VRS asks gateways with a certificate of its own. */
static struct err vrs_open(struct nation *n, const struct options *o)
{
    struct path ca = path_in(o->certs, "ca.pem"), cert = path_in(o->certs, "vrs-national.pem"), key = path_in(o->certs, "vrs-national.key");
    TRY(vrs_new(&n->vrs));
    struct err e = client_new(&n->vrs->client, n->l, &(struct client_conf){ .ca_path = ca.c, .cert_path = cert.c, .key_path = key.c, .conns_max = PORTAL_CONNS, .queue_max = PORTAL_QUEUE });
    if (!err_ok(e))
        fprintf(stderr, "pmhgw-mocks: the certificate of VRS cannot be used: check vrs-national.pem and .key in --certs\n");
    return e;
}

static struct err step(struct err e, const char *hint)
{
    if (!err_ok(e))
        fprintf(stderr, "pmhgw-mocks: %s\n", hint);
    return e;
}

static struct err memory_open(struct nation *n, const struct options *o)
{
    struct path key = path_in(o->state, "nation.key"), journal = path_in(o->state, "journal.jsonl");
    if (mkdir(o->state, 0700) != 0 && errno != EEXIST)
        return step(FAIL(E_IO), "--state cannot be made");
    TRY(step(ids_open(n, key.c), "nation.key in --state cannot be read or made: 32 bytes, readable by its owner only"));
    TRY(step(ids_open_link_keys(n, o->link_key, o->kid), "--link-key cannot be read: 32 bytes, readable by its owner only"));
    if (o->data)
        TRY(step(record_load_people(n, o->data), "a *.cards.jsonl file in --data cannot be read"));
    return step(record_replay(n, journal.c), "journal.jsonl in --state cannot be opened");
}

static void on_stop(void *arg)
{
    struct nation *n = arg;
    for (unsigned s = 0; s < SYSTEM__MAX; s++)
        if (n->doors[s])
            door_close(n->doors[s]);
    desk_close(n->desk);
    answer_stop(n);
    portal_stop(n);
    client_close(n->client);
    apps_stop(n);
    if (n->vrs && n->vrs->client)
        client_close(n->vrs->client);
    journal_close(n->journal);
    n->journal = NULL;
}

static struct err desk_open(struct nation *n, const struct options *o)
{
    struct path file = path_in(o->state, "desk");
    const struct desk_way ways[] = {
        { "console", o->base_port + DOOR_MUNICIPAL, "muni-331007", "/console" },
        { "clinic", o->base_port + DOOR_CONTROL, NULL, "/clinic" },
        { "portal", o->base_port + DOOR_CONTROL, NULL, "/portal" },
        { "nation", o->base_port + DOOR_CONTROL, NULL, "/map" },
    };
    struct desk_conf conf = { .port = o->base_port + DESK_PORT, .certs = o->certs, .file = file.c, .ways = ways, .n_ways = sizeof ways / sizeof *ways };
    struct err e = desk_new(&n->desk, n->l, &conf);
    if (!err_ok(e))
        fprintf(stderr, "pmhgw-mocks: the desk does not open on port %u: is another program using it?\n", conf.port);
    return e;
}

static struct err open_all(struct nation *n, const struct options *o)
{
    TRY(step(apps_open(n, o), "a certificate of a clinic, or card-attributes.key, in --certs cannot be used"));
    TRY(memory_open(n, o));
    TRY(client_open(n, o));
    TRY(vrs_open(n, o));
    TRY(partners_new(&n->partners));
    TRY(portal_start(n));
    for (unsigned s = 0; s < SYSTEM__MAX; s++)
        TRY(door_open(n, o, (enum system_id)s));
    return o->desk ? desk_open(n, o) : OK;
}

ERR nation_run(const struct options *o)
{
    struct nation *n = calloc(1, sizeof *n);
    if (!n)
        return FAIL(E_NOMEM);
    people_init(&n->people);
    n->portal_door = o->portal_door;
    n->order = o->order;
    struct err e = loop_new(&n->l, clock_system());
    if (err_ok(e))
        e = open_all(n, o);
    if (err_ok(e)) {
        loop_on_stop(n->l, on_stop, n);
        portal_catch_up(n);
        LOG(INFO, "nation_up", LF("persons", n->people.n), LF("base_port", o->base_port));
        loop_run(n->l, 3000);
        LOG(INFO, "nation_down", LF("persons", n->people.n));
    } else if (n->l) {
        /* closes what was opened; the loop turns once more for libuv's close callbacks */
        loop_on_stop(n->l, on_stop, n);
        loop_stop(n->l);
        loop_run(n->l, 1000);
    }
    loop_free(n->l);
    jwe_keys_free(n->link_keys);
    mac_free(n->ids);
    vrs_free(n->vrs);
    partners_free(n->partners);
    apps_free(n->apps);
    people_done(&n->people);
    free(n->control_routes);
    free(n);
    return e;
}
