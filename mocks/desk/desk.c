#include "mocks/desk/desk.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/file.h"
#include "gateway/base/secret.h"
#include "mocks/desk/inside.h"

enum { BACKLOG = 64, PATH_BYTES_MAX = 4096, FILE_MAX = 4096 };

/* Letters only: no row of digits in a name that is printed. */
static void key_make(char key[static DESK_KEY_CHARS + 1])
{
    uint8_t rnd[DESK_KEY_CHARS / 2];
    rnd_bytes(rnd, sizeof rnd);
    for (size_t i = 0; i < DESK_KEY_CHARS; i++)
        key[i] = (char)('a' + (rnd[i / 2] >> (i % 2 * 4) & 15));
    key[DESK_KEY_CHARS] = '\0';
}

/* ---- what a way shows to its door ---- */

static bool cert_use(SSL_CTX *ctx, const char *certs, const char *name)
{
    char pem[PATH_BYTES_MAX], key[PATH_BYTES_MAX];
    return snprintf(pem, sizeof pem, "%s/%s.pem", certs, name) < (int)sizeof pem && snprintf(key, sizeof key, "%s/%s.key", certs, name) < (int)sizeof key
        && SSL_CTX_use_certificate_chain_file(ctx, pem) == 1 && SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) == 1 && SSL_CTX_check_private_key(ctx) == 1;
}

static struct err way_open(struct desk *d, size_t i, const char *certs, const struct desk_way *w)
{
    char ca[PATH_BYTES_MAX];
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (!ctx)
        return FAIL(E_NOMEM);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 || snprintf(ca, sizeof ca, "%s/ca.pem", certs) >= (int)sizeof ca
        || SSL_CTX_load_verify_locations(ctx, ca, NULL) != 1) {
        SSL_CTX_free(ctx);
        return FAIL(E_CONFIG);
    }
    if (w->cert && !cert_use(ctx, certs, w->cert)) {
        LOG(WARN, "desk_way_left_out", LF("at", (uint64_t)i));
        SSL_CTX_free(ctx);
        return OK;
    }
    d->tls[i] = ctx;
    d->ports[i] = w->port;
    d->names.of[i] = w->name;
    return OK;
}

/* ---- the file of URLs ---- */

static struct err file_write(struct desk *d, const struct desk_conf *conf)
{
    struct buf text;
    char part[PATH_BYTES_MAX];
    if (snprintf(part, sizeof part, "%s.part", conf->file) >= (int)sizeof part || !(d->file = strdup(conf->file)))
        return FAIL(E_NOMEM);
    buf_init(&text, FILE_MAX);
    for (size_t i = 0; i < conf->n_ways; i++) {
        char line[512];
        if (d->names.of[i] && snprintf(line, sizeof line, "%s\thttp://%s.%s.localhost:%u%s\n", conf->ways[i].name, conf->ways[i].name, d->names.key, d->names.port, conf->ways[i].page) < (int)sizeof line)
            buf_puts(&text, line);
    }
    int fd = file_new(part);
    struct err e = fd < 0 ? FAIL(E_IO) : fd_write_all(fd, buf_slice(&text));
    if (fd >= 0)
        close(fd);
    if (err_ok(e) && rename(part, conf->file) != 0)
        e = FAIL(E_IO);
    buf_done(&text);
    return e;
}

/* ---- the listener ---- */

static void free_if_done(struct desk *d)
{
    if (d->open > 0 || d->n_relays > 0)
        return;
    for (size_t i = 0; i < DESK_WAYS_MAX; i++)
        SSL_CTX_free(d->tls[i]);
    free(d->file);
    free(d);
}

void desk__relay_gone(struct desk *d)
{
    d->n_relays--;
    free_if_done(d);
}

static void listener_gone(void *desk)
{
    struct desk *d = desk;
    d->open--;
    free_if_done(d);
}

static void on_closed(uv_handle_t *h)
{
    struct desk *d = h->data;
    away_end(&d->away, listener_gone, d);
}

static void on_connection(uv_stream_t *s, int status)
{
    struct desk *d = s->data;
    if (status == 0 && !relay__accept(d))
        away_turn(&d->away, s);
}

static struct err listen_at(struct desk *d, unsigned port)
{
    struct sockaddr_in at;
    uv_ip4_addr("127.0.0.1", (int)port, &at); /* and nowhere else */
    if (uv_tcp_init(loop_uv(d->loop), &d->tcp) != 0)
        return FAIL(E_NOMEM);
    d->tcp.data = d;
    d->open++;
    if (uv_tcp_bind(&d->tcp, (const struct sockaddr *)&at, 0) != 0 || uv_listen((uv_stream_t *)&d->tcp, BACKLOG, on_connection) != 0)
        return FAIL(E_IO);
    return OK;
}

static struct err open_all(struct desk *d, const struct desk_conf *conf)
{
    for (size_t i = 0; i < conf->n_ways; i++)
        TRY(way_open(d, i, conf->certs, &conf->ways[i]));
    d->names.n = conf->n_ways;
    TRY(listen_at(d, conf->port));
    return file_write(d, conf);
}

ERR desk_new(struct desk **ret_d, struct loop *l, const struct desk_conf *conf)
{
    struct desk *d = conf->n_ways <= DESK_WAYS_MAX ? calloc(1, sizeof *d) : NULL;
    if (!d)
        return FAIL(E_NOMEM);
    d->loop = l;
    d->names.port = conf->port;
    key_make(d->names.key);
    struct err e = open_all(d, conf);
    if (!err_ok(e)) {
        desk_close(d);
        return e;
    }
    *ret_d = d;
    return OK;
}

void desk_close(struct desk *d)
{
    if (!d)
        return;
    if (d->file)
        (void)unlink(d->file);
    d->n_relays++; /* until the end of this function */
    while (d->relays)
        relay__close(d->relays);
    if (d->open > 0 && !uv_is_closing((uv_handle_t *)&d->tcp))
        uv_close((uv_handle_t *)&d->tcp, on_closed);
    desk__relay_gone(d);
}
