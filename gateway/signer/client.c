#include <stdlib.h>

#include "gateway/base/must.h"
#include "gateway/signer/signer.h"

struct signer { struct ipc_client *ipc; };

struct asked {
    union { signer_sign_fn *sign; signer_keys_fn *keys; } done;
    void *arg;
};

struct err signer_new(struct signer **ret_s, struct loop *l, const char *socket_path, enum ipc_role role, struct secret *cap)
{
    struct signer *s = calloc(1, sizeof *s);
    if (!s) {
        secret_free(cap);
        return FAIL(E_NOMEM);
    }
    struct err e = ipc_client_new(&s->ipc, l, (struct ipc_client_conf){ .path = socket_path, .role = role, .cap = cap, .down = E_SIGNER_DOWN });
    if (err_ok(e))
        *ret_s = s;
    else
        free(s);
    return e;
}

void signer_close(struct signer *s)
{
    if (!s)
        return;
    ipc_client_close(s->ipc);
    free(s);
}

bool signer_up(const struct signer *s) { return ipc_client_up(s->ipc); }

static struct asked *asked_new(void *arg)
{
    struct asked *q = malloc(sizeof *q);
    MUST(q); /* a question that cannot be remembered cannot be answered */
    q->arg = arg;
    return q;
}

static void on_signature(void *arg, struct err e, struct slice body)
{
    struct asked *q = arg;
    if (err_ok(e) && body.n != SIGNER_SIGNATURE)
        e = FAIL(E_PROTOCOL);
    q->done.sign(q->arg, e, err_ok(e) ? body.p : NULL);
    free(q);
}

void signer_sign(struct signer *s, enum signer_use use, uint8_t number, const uint8_t digest[static SIGNER_DIGEST], uint64_t deadline, signer_sign_fn *done,
                 void *arg)
{
    uint8_t body[SIGNER_SIGN_BYTES] = { (uint8_t)use, number };
    struct asked *q = asked_new(arg);
    q->done.sign = done;
    memcpy(body + 2, digest, SIGNER_DIGEST);
    ipc_call(s->ipc, SIGNER_MSG_SIGN, ARR(body), deadline, on_signature, q);
}

static void on_keys(void *arg, struct err e, struct slice body)
{
    struct asked *q = arg;
    struct signer_keys keys;
    if (err_ok(e) && !signer_keys_decode(body, &keys))
        e = FAIL(E_PROTOCOL);
    q->done.keys(q->arg, e, err_ok(e) ? &keys : NULL);
    free(q);
}

void signer_ask_keys(struct signer *s, uint64_t deadline, signer_keys_fn *done, void *arg)
{
    struct asked *q = asked_new(arg);
    q->done.keys = done;
    ipc_call(s->ipc, SIGNER_MSG_KEYS, SLICE_NONE, deadline, on_keys, q);
}

struct err signer_keys_once(const char *socket_path, enum ipc_role role, const struct secret *cap, unsigned timeout_ms, struct signer_keys *ret_k)
{
    uint8_t body[SIGNER_KEYS_MAX * SIGNER_KEY_BYTES];
    size_t n = 0;
    TRY(ipc_call_once(socket_path, role, cap, SIGNER_MSG_KEYS, SLICE_NONE, timeout_ms, body, sizeof body, &n));
    return signer_keys_decode(slice_of(body, n), ret_k) ? OK : FAIL(E_PROTOCOL);
}
