#include "mocks/apps.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/file.h"
#include "gateway/check/json_in.h"

enum { PATH_BYTES_MAX = 4096, CLINIC_CONNS = 4, CLINIC_QUEUE = 64, DECK_LINE = 1024, DECK_JSON = 512 * 1024, PUB_MAX = 4096 };

/* The clinics of config/dev-ca; their names as config/institutions.yaml has them. */
static const struct app_clinic CLINICS[APP_CLINICS] = {
    { "3319900019", "模擬こどもクリニック", "Mock Children's Clinic", NULL },
    { "2719900017", "模擬総合病院", "Mock General Hospital", NULL },
};

/* ---- opening ---- */

static struct err clinic_open(struct nation *n, const struct options *o, struct app_clinic *c)
{
    char ca[PATH_BYTES_MAX], cert[PATH_BYTES_MAX], key[PATH_BYTES_MAX];
    if (snprintf(ca, sizeof ca, "%s/ca.pem", o->certs) >= (int)sizeof ca || snprintf(cert, sizeof cert, "%s/clinic-%s.pem", o->certs, c->code) >= (int)sizeof cert ||
        snprintf(key, sizeof key, "%s/clinic-%s.key", o->certs, c->code) >= (int)sizeof key)
        return FAIL(E_CONFIG);
    if (access(cert, R_OK) != 0 || access(key, R_OK) != 0)
        return OK;
    return client_new(&c->client, n->l, &(struct client_conf){ .ca_path = ca, .cert_path = cert, .key_path = key, .conns_max = CLINIC_CONNS, .queue_max = CLINIC_QUEUE });
}

static struct err attributes_open(struct apps *a, const struct options *o)
{
    char key[PATH_BYTES_MAX];
    if (snprintf(key, sizeof key, "%s/card-attributes.key", o->certs) >= (int)sizeof key)
        return FAIL(E_CONFIG);
    return access(key, R_OK) == 0 ? jws_signer_bare(&a->attributes, key) : OK;
}

ERR apps_open(struct nation *n, const struct options *o)
{
    struct apps *a = n->apps = calloc(1, sizeof *a);
    if (!a)
        return FAIL(E_NOMEM);
    a->clinic_door = o->clinic_door;
    a->audit_pub = o->audit_pub;
    memcpy(a->clinics, CLINICS, sizeof CLINICS);
    snprintf(a->onshi, sizeof a->onshi, "https://%s:%u", o->host, o->base_port + SYSTEM_INFO[SYSTEM_ONSHI].port);
    for (size_t i = 0; i < APP_CLINICS; i++)
        TRY(clinic_open(n, o, &a->clinics[i]));
    return attributes_open(a, o);
}

void apps_stop(struct nation *n)
{
    for (size_t i = 0; n->apps && i < APP_CLINICS; i++)
        if (n->apps->clinics[i].client) {
            client_close(n->apps->clinics[i].client);
            n->apps->clinics[i].client = NULL;
        }
}

void apps_free(struct apps *a)
{
    if (!a)
        return;
    kept_clear(&a->deck);
    jws_signer_free(a->attributes);
    free(a);
}

/* ---- cards ---- */

static bool copied(struct jsonw *w, json_t *card, const char *name)
{
    struct slice text;
    if (!member_text(card, name, 200, &text))
        return false;
    jsonw_str(w, name, text);
    return true;
}

ERR deck_add(struct apps *a, json_t *card, struct slice municipality)
{
    struct buf line;
    struct jsonw w;
    if (a->deck_left == 0)
        return OK;
    buf_init(&line, DECK_LINE);
    jsonw_init(&w, &line);
    jsonw_object(&w, NULL);
    bool whole = copied(&w, card, "card_serial") && copied(&w, card, "name") && copied(&w, card, "date_of_birth") && copied(&w, card, "sex");
    jsonw_str(&w, "municipalityCode", municipality);
    jsonw_bool(&w, "not_disclosed", json_is_true(json_object_get(card, "not_disclosed")));
    jsonw_end_object(&w);
    struct err e = buf_check(&line);
    if (err_ok(e) && whole) /* a card without a face is nobody's to choose */
        e = kept_add(&a->deck, buf_slice(&line));
    a->deck_left -= whole;
    buf_done(&line);
    return e;
}

json_t *deck_find(const struct apps *a, struct arena *arena, struct slice serial)
{
    for (size_t i = 0; i < a->deck.n; i++) {
        json_t *card;
        struct slice is;
        if (memmem(a->deck.line[i], strlen(a->deck.line[i]), serial.p, serial.n) && err_ok(json_in_object(&card, arena, slice_str(a->deck.line[i]))) &&
            member_text(card, "card_serial", SERIAL_MAX, &is) && slice_eq(is, serial))
            return card;
    }
    return NULL;
}

void deck_get(struct req *r)
{
    const struct nation *n = req_ctx(r);
    struct buf body;
    struct jsonw w;
    buf_init(&body, DECK_JSON);
    jsonw_init(&w, &body);
    jsonw_object(&w, NULL);
    kept_write(&n->apps->deck, &w, "cards");
    jsonw_end_object(&w);
    control_answer(r, &body);
}

/* ---- the key of the log ---- */

/* As the file says it now: keys of the log are replaced while the nation runs. */
void log_key_get(struct req *r)
{
    const struct nation *n = req_ctx(r);
    struct buf pub, body;
    struct jsonw w;
    buf_init(&pub, PUB_MAX);
    buf_init(&body, 2 * PUB_MAX);
    struct err e = n->apps->audit_pub ? file_read(n->apps->audit_pub, &pub) : FAIL(E_NO_ROUTE);
    if (err_ok(e)) {
        jsonw_init(&w, &body);
        jsonw_object(&w, NULL);
        jsonw_str(&w, "log_key", buf_slice(&pub));
        jsonw_end_object(&w);
        control_answer(r, &body);
    } else
        req_fail(r, e);
    buf_done(&pub);
    buf_done(&body);
}
