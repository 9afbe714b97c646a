#include <openssl/err.h>
#include <time.h>

#include "gateway/tls/door.h"
#include "gateway/tls/revoke.h"

/* A session is good for SESSION_S; who resumes gets a new one, but not for longer than LINEAGE_S after a handshake with the certificate. */
enum { SESSION_S = 3600, LINEAGE_S = 12 * 3600, VERIFIED_S = 600, BLANK_MAX = 256 };

static int64_t now_s(void) { return (int64_t)time(NULL); }
static int64_t least(int64_t a, int64_t b) { return a < b ? a : b; }
static struct slice name_of(const struct tls_door *d) { return slice_str(d->name); }

static int64_t end_of(const struct tls_conn *c, int64_t now)
{
    int64_t until = least(least(now + SESSION_S, c->born + LINEAGE_S), c->door->ends);
    return c->door->asks ? least(until, c->caller.not_after) : until;
}

bool tls__issuer_known(const struct tls_door *d, const struct caller *who)
{
    for (size_t i = 0; who->n_certs > 0 && i < d->n_issuers; i++)
        if (slice_eq(ARR(who->certs[who->n_certs - 1].issuer), ARR(d->issuers[i])))
            return true;
    return false;
}

/* By the lists as they are now. Whose list is missing is not: he hears 503 until it comes, and need not begin anew for that. */
static bool revoked(const struct tls_conn *c)
{
    return c->door->revocations && err_is(revocations_judge(c->door->revocations, &c->caller), E_CERT_REFUSED);
}

/* Those who may come back without their certificate: it has been accepted and is not revoked, or nobody is asked for one. */
static bool may_return(const struct tls_conn *c)
{
    return !c->door->asks || (c->caller.refusal == E_OK && tls__issuer_known(c->door, &c->caller) && !revoked(c));
}

bool tls__known_certificate(struct tls_conn *c, X509 *leaf)
{
    uint8_t sha256[SESSION_ID];
    unsigned n = 0;
    struct caller who;
    int64_t now = now_s();
    if (!leaf || X509_digest(leaf, EVP_sha256(), sha256, &n) != 1 || n != sizeof sha256 ||
        !tls_sessions_find_certificate(c->door->sessions, name_of(c->door), sha256, now, &who))
        return false;
    if (who.not_after < now || !tls__issuer_known(c->door, &who))
        return false;
    c->caller = who;
    c->known = true;
    return true;
}

void tls__note_certificate(struct tls_conn *c)
{
    if (!c->known && may_return(c))
        tls_sessions_put_certificate(c->door->sessions, name_of(c->door), &c->caller, least(now_s() + VERIFIED_S, c->caller.not_after));
}

/* The session that the caller names, as OpenSSL wants it. Without a certificate: that is not needed again, and it is what makes sessions dear. */
static SSL_SESSION *session_of(SSL *ssl, const struct tls_door *d, const uint8_t *id, const struct tls_session *from, int64_t now)
{
    SSL_SESSION *s = SSL_SESSION_new();
    const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, from->cipher);
    bool good = s && cipher && SSL_SESSION_set1_id(s, id, SESSION_ID) == 1 && SSL_SESSION_set1_master_key(s, from->key, from->n_key) == 1 &&
                SSL_SESSION_set_cipher(s, cipher) == 1 && SSL_SESSION_set_protocol_version(s, TLS1_3_VERSION) == 1 &&
                SSL_SESSION_set1_id_context(s, (const unsigned char *)d->name, (unsigned)strlen(d->name)) == 1 && SSL_SESSION_set_time(s, (long)now) &&
                SSL_SESSION_set_timeout(s, (long)(from->until - now)) == 1;
    if (good)
        return s;
    SSL_SESSION_free(s);
    return NULL;
}

static SSL_SESSION *on_wanted(SSL *ssl, const unsigned char *id, int n, int *copy)
{
    struct tls_conn *c = SSL_get_app_data(ssl);
    struct tls_session from;
    int64_t now = now_s();
    *copy = 0;
    if (!c || n != SESSION_ID || SSL_version(ssl) != TLS1_3_VERSION || !tls_sessions_find(c->door->sessions, name_of(c->door), id, now, &from))
        return NULL;
    SSL_SESSION *s = NULL;
    c->caller = from.caller; /* tls__resume_settle() takes it back when it comes to nothing */
    c->born = from.born;
    if (may_return(c) && end_of(c, now) >= now) {
        from.until = end_of(c, now);
        s = session_of(ssl, c->door, id, &from, now);
        SSL_set_num_tickets(ssl, 1);
    }
    explicit_bzero(&from, sizeof from);
    return s;
}

static int on_name(SSL *ssl, unsigned char *id, unsigned *n)
{
    struct tls_conn *c = SSL_get_app_data(ssl);
    if (!c || *n < SESSION_ID)
        return 0;
    tls_sessions_name(c->door->sessions, id);
    *n = SESSION_ID;
    return 1;
}

/* A ticket is about to be sent. */
static int on_made(SSL *ssl, SSL_SESSION *s)
{
    struct tls_conn *c = SSL_get_app_data(ssl);
    struct tls_session to = { 0 };
    unsigned n_id = 0;
    const unsigned char *id = SSL_SESSION_get_id(s, &n_id);
    const SSL_CIPHER *cipher = SSL_SESSION_get0_cipher(s);
    size_t n_key = SSL_SESSION_get_master_key(s, NULL, 0);
    if (!c || SSL_version(ssl) != TLS1_3_VERSION || n_id != SESSION_ID || !cipher || n_key > sizeof to.key || !may_return(c))
        return 0;
    uint16_t wire = SSL_CIPHER_get_protocol_id(cipher);
    to = (struct tls_session){ .n_key = (uint8_t)n_key, .cipher = { (uint8_t)(wire >> 8), (uint8_t)wire }, .born = c->born, .until = end_of(c, now_s()),
                               .caller = c->caller };
    (void)SSL_SESSION_get_master_key(s, to.key, n_key);
    tls_sessions_put(c->door->sessions, name_of(c->door), id, &to);
    explicit_bzero(&to, sizeof to);
    return 0; /* not kept */
}

/* What the client is told of the ticket's life; before it is made. */
static int on_ticket(SSL *ssl, void *arg)
{
    struct tls_conn *c = SSL_get_app_data(ssl);
    SSL_SESSION *s = SSL_get_session(ssl);
    (void)arg;
    int64_t now = now_s(), left = c ? end_of(c, now) - now : 0;
    if (s)
        SSL_SESSION_set_timeout(s, left > 0 ? (long)left : 0);
    return 1;
}

void tls__resume_setup(SSL_CTX *ctx)
{
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_INTERNAL | SSL_SESS_CACHE_NO_AUTO_CLEAR);
    SSL_CTX_set_timeout(ctx, SESSION_S);
    (void)SSL_CTX_set_generate_session_id(ctx, on_name); /* always 1 */
    SSL_CTX_sess_set_new_cb(ctx, on_made);
    SSL_CTX_sess_set_get_cb(ctx, on_wanted);
    SSL_CTX_set_session_ticket_cb(ctx, on_ticket, NULL, NULL);
}

void tls__resume_settle(struct tls_conn *c)
{
    if (c->judged || SSL_session_reused(c->ssl))
        return;
    c->caller = (struct caller){ .refusal = E_CERT_MISSING };
}

/* OpenSSL keeps the certificate, parsed, for as long as the connection lives: a quarter of its memory. Reading another session into the same object
 * is the way to take it out. */
void tls__forget_certificate(struct tls_conn *c)
{
    SSL_SESSION *of_conn = SSL_get_session(c->ssl), *blank = NULL;
    uint8_t der[BLANK_MAX];
    if (c->bare || !of_conn || SSL_version(c->ssl) != TLS1_3_VERSION)
        return;
    c->bare = true;
    const SSL_CIPHER *cipher = SSL_SESSION_get0_cipher(of_conn);
    if (!SSL_SESSION_get0_peer(of_conn) || !cipher || !(blank = SSL_SESSION_new()))
        return;
    int n = SSL_SESSION_set_cipher(blank, cipher) == 1 && SSL_SESSION_set_protocol_version(blank, TLS1_3_VERSION) == 1 ? i2d_SSL_SESSION(blank, NULL) : 0;
    unsigned char *to = der;
    const unsigned char *from = der;
    if (n > 0 && n <= BLANK_MAX && i2d_SSL_SESSION(blank, &to) == n)
        (void)d2i_SSL_SESSION(&of_conn, &from, n);
    SSL_SESSION_free(blank);
}
