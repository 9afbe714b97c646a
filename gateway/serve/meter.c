/* What a door counts: its connections, and of each route how it was answered and how long that took. */
#include <stdlib.h>

#include "gateway/serve/inside.h"

enum class { CLASS_2XX, CLASS_3XX, CLASS_4XX, CLASS_429, CLASS_5XX, CLASS_503, CLASS__MAX };

struct meter_route { metric *seconds, *by_class[CLASS__MAX]; };

struct meter {
    metric *conns, *accepted, *turned_away, *handshakes_failed;
    struct meter_route routes[]; /* the last one: of what is no route */
};

static const struct lit CLASSES[CLASS__MAX] = { { "2xx" }, { "3xx" }, { "4xx" }, { "429" }, { "5xx" }, { "503" } };

/* Who was asked to come later has a class of its own: that is no fault of either side. */
static enum class class_of(int status)
{
    if (status == 429)
        return CLASS_429;
    if (status == 503)
        return CLASS_503;
    return status >= 500 ? CLASS_5XX : status >= 400 ? CLASS_4XX : status >= 300 ? CLASS_3XX : CLASS_2XX;
}

static void meter_route(struct metrics *m, struct lit door, struct lit operation, struct meter_route *to)
{
    struct metric_label labels[] = { METRIC_LIT("door", door), METRIC_LIT("operation", operation), METRIC_LIT("class", CLASSES[0]) };
    to->seconds = metrics_of(m, MF_REQUEST_SECONDS, 2, labels);
    for (enum class c = 0; c < CLASS__MAX; c++) {
        labels[2].v.lit = CLASSES[c];
        to->by_class[c] = metrics_of(m, MF_REQUESTS, 3, labels);
    }
}

struct err meter__new(struct meter **ret_m, struct metrics *m, const struct door_conf *conf)
{
    const struct metric_label door = METRIC_LIT("door", conf->name);
    struct meter *t = calloc(1, sizeof *t + (conf->n_routes + 1) * sizeof t->routes[0]);
    if (!t)
        return FAIL(E_NOMEM);
    t->conns = metrics_of(m, MF_CONNECTIONS, 1, &door);
    t->accepted = metrics_of(m, MF_ACCEPTED, 1, &door);
    t->turned_away = metrics_of(m, MF_TURNED_AWAY, 1, &door);
    t->handshakes_failed = metrics_of(m, MF_HANDSHAKES_FAILED, 1, &door);
    for (size_t i = 0; i < conf->n_routes; i++)
        meter_route(m, conf->name, conf->routes[i].operation, &t->routes[i]);
    meter_route(m, conf->name, LITERAL("none"), &t->routes[conf->n_routes]);
    *ret_m = t;
    return OK;
}

void meter__came(struct meter *t)
{
    metric_add(t->accepted, 1);
    metric_add(t->conns, 1);
}

void meter__went(struct meter *t) { metric_sub(t->conns, 1); }
void meter__turned_away(struct meter *t) { metric_add(t->turned_away, 1); }
void meter__no_handshake(struct meter *t) { metric_add(t->handshakes_failed, 1); }

void meter__answered(const struct conn *c, int status)
{
    const struct door_conf *conf = &c->door->conf;
    struct meter_route *to = &c->door->meter->routes[conf->n_routes];
    if (c->req && c->req->route >= conf->routes && c->req->route < conf->routes + conf->n_routes)
        to = &c->door->meter->routes[c->req->route - conf->routes];
    metric_add(to->by_class[class_of(status)], 1);
    if (c->req)
        metric_took(to->seconds, uv_hrtime() - c->req->begun_ns);
}
