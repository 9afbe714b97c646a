#include "keys/intake/vault_client.h"

#include "gateway/base/must.h"
#include "gateway/base/wipe.h"

enum { MUNI = 6, SID = 16, PURPOSE = 1, REQUEST = 8 };

/* The bodies as they lie on the wire: vault_msg.h. Bytes only, so that there is no padding. */
struct link_body {
    uint8_t muni[MUNI], digits[NZ_MYNUM_DIGITS], ticket[NZ_TICKET_BYTES];
};
struct reveal_body {
    uint8_t muni[MUNI], sid[SID], ticket[NZ_TICKET_BYTES], next[NZ_TICKET_BYTES], purpose[PURPOSE], request[REQUEST];
};
struct show_body {
    uint8_t muni[MUNI], sid[SID], basis[2], purpose[PURPOSE], user[NZ_USER_REF_BYTES], request[REQUEST];
};
struct tell_body {
    uint8_t muni[MUNI], sid[SID], ticket[NZ_TICKET_BYTES], basis[2], purpose[PURPOSE], request[REQUEST];
};
struct part_body {
    uint8_t muni[MUNI], sid[SID], ticket[NZ_TICKET_BYTES];
};
struct many_body {
    uint8_t muni[MUNI], create[1], n[1], digits[NZ_MANY_MAX][NZ_MYNUM_DIGITS];
};
struct key_body {
    uint8_t muni[MUNI], file[NZ_FILE_ID_BYTES], wrapped[NZ_WRAPPED_KEY_BYTES];
};
struct erase_body {
    uint8_t muni[MUNI], sid[SID], request[REQUEST];
};
_Static_assert(sizeof(struct erase_body) == NZ_ERASE_BYTES, "as vault_msg.h says");
_Static_assert(offsetof(struct many_body, digits) == NZ_MANY_HEAD_BYTES, "as vault_msg.h says");
_Static_assert(sizeof(struct many_body) <= IPC_BODY_MAX && NZ_MANY_MAX * NZ_LINK_REPLY_BYTES + 2 <= IPC_BODY_MAX, "both ways in one frame");
_Static_assert(sizeof(struct show_body) == NZ_SHOW_BYTES, "as vault_msg.h says");
_Static_assert(sizeof(struct tell_body) == NZ_TELL_BYTES, "as vault_msg.h says");
_Static_assert(sizeof(struct part_body) == NZ_PART_BYTES, "as vault_msg.h says");
_Static_assert(sizeof(struct link_body) == NZ_LINK_BYTES, "as vault_msg.h says");
_Static_assert(sizeof(struct reveal_body) == NZ_REVEAL_BYTES, "as vault_msg.h says");

struct nz_vault {
    struct ipc_client *ipc;
    struct loop *loop;
};

/* One question on its way. */
struct ask {
    nz_linked_fn *linked;
    nz_revealed_fn *revealed;
    nz_linked_many_fn *many;
    nz_file_key_fn *key;
    nz_erased_fn *erased; /* of ERASE and PART */
    void *arg;
    struct nz_pool *pool;
    size_t n; /* numbers of LINK_MANY; bytes of the wrapped key in the reply */
};

struct err nz_vault_new(struct nz_vault **ret_v, struct loop *l, const char *socket_path, struct secret *cap)
{
    struct nz_vault *v = wipe_calloc(1, sizeof *v);
    if (!v) {
        secret_free(cap);
        return FAIL(E_NOMEM);
    }
    v->loop = l;
    struct err e = ipc_client_new(&v->ipc, l, (struct ipc_client_conf){ socket_path, IPC_INTAKE, cap, E_VAULT_DOWN });
    if (!err_ok(e)) {
        wipe_free(v);
        return e;
    }
    *ret_v = v;
    return OK;
}

void nz_vault_close(struct nz_vault *v)
{
    if (!v)
        return;
    ipc_client_close(v->ipc); /* pending questions do not look at v */
    wipe_free(v);
}

bool nz_vault_up(const struct nz_vault *v) { return ipc_client_up(v->ipc); }

static struct ask *ask_new(struct ask ask)
{
    struct ask *a = wipe_malloc(sizeof *a);
    MUST(a); /* a question that cannot be remembered cannot be answered */
    *a = ask;
    return a;
}

/* ---- LINK ---- */

static void on_linked(void *arg, struct err e, struct slice body)
{
    struct ask a = *(struct ask *)arg;
    struct nz_subject subject = { 0 };
    wipe_free(arg);
    if (err_ok(e) && (body.n != NZ_LINK_REPLY_BYTES || body.p[SID] > 1))
        e = FAIL(E_PROTOCOL);
    if (!err_ok(e)) {
        a.linked(a.arg, e, NULL, false);
        return;
    }
    memcpy(subject.sid, body.p, SID);
    a.linked(a.arg, OK, &subject, body.p[SID] == 1);
}

/* The digits are copied here and nowhere else in the intake's memory. */
static struct err put_digits(struct slice digits, void *arg)
{
    memcpy(arg, digits.p, NZ_MYNUM_DIGITS);
    return OK;
}

static void number_put(const struct nz_mynum *number, uint8_t to[static NZ_MYNUM_DIGITS])
{
    struct err e = nz_mynum_use(number, put_digits, to);
    MUST(err_ok(e));
}

void nz_vault_link(struct nz_vault *v, const char muni[static 6], const struct nz_mynum *number, const struct nz_ticket *ticket,
                   uint64_t deadline, nz_linked_fn *done, void *arg)
{
    struct link_body body = { 0 };
    memcpy(body.muni, muni, MUNI);
    if (ticket)
        memcpy(body.ticket, ticket->b, NZ_TICKET_BYTES);
    number_put(number, body.digits);
    ipc_call(v->ipc, NZ_VAULT_LINK, slice_of(&body, sizeof body), deadline, on_linked,
             ask_new((struct ask){ .linked = done, .arg = arg }));
    explicit_bzero(&body, sizeof body);
}

/* ---- LINK_MANY ---- */

static bool linked_take(struct slice *in, struct nz_linked *ret_l)
{
    struct slice sid, known;
    if (!slice_take(in, SID, &sid) || !slice_take(in, 1, &known) || known.p[0] > NZ_KNOWN_REFUSED)
        return false;
    memcpy(ret_l->subject.sid, sid.p, SID);
    ret_l->known = (enum nz_known)known.p[0];
    return true;
}

static void on_many(void *arg, struct err e, struct slice body)
{
    struct ask a = *(struct ask *)arg;
    struct nz_linked linked[NZ_MANY_MAX];
    wipe_free(arg);
    if (err_ok(e) && body.n != a.n * NZ_LINK_REPLY_BYTES)
        e = FAIL(E_PROTOCOL);
    for (size_t i = 0; i < a.n && err_ok(e); i++)
        if (!linked_take(&body, &linked[i]))
            e = FAIL(E_PROTOCOL);
    if (err_ok(e))
        a.many(a.arg, OK, linked, a.n);
    else
        a.many(a.arg, e, NULL, 0);
}

void nz_vault_link_many(struct nz_vault *v, const char muni[static 6], bool create, const struct nz_mynum *const *numbers, size_t n,
                        uint64_t deadline, nz_linked_many_fn *done, void *arg)
{
    MUST(n >= 1 && n <= NZ_MANY_MAX);
    struct many_body body = { .create = { create }, .n = { (uint8_t)n } };
    size_t bytes = NZ_MANY_HEAD_BYTES + n * NZ_MYNUM_DIGITS;
    memcpy(body.muni, muni, MUNI);
    for (size_t i = 0; i < n; i++)
        number_put(numbers[i], body.digits[i]);
    ipc_call(v->ipc, NZ_VAULT_LINK_MANY, slice_of(&body, bytes), deadline, on_many, ask_new((struct ask){ .many = done, .arg = arg, .n = n }));
    explicit_bzero(&body, bytes);
}

/* ---- KEY_NEW, KEY_OPEN ---- */

static void on_key(void *arg, struct err e, struct slice body)
{
    struct ask a = *(struct ask *)arg;
    struct secret *key = NULL;
    struct slice bytes;
    wipe_free(arg);
    if (err_ok(e) && (body.n != NZ_FILE_KEY_BYTES + a.n || !slice_take(&body, NZ_FILE_KEY_BYTES, &bytes)))
        e = FAIL(E_PROTOCOL);
    if (err_ok(e))
        e = secret_new(&key, bytes);
    a.key(a.arg, e, key, err_ok(e) && a.n ? body.p : NULL); /* given to the callee */
}

void nz_vault_key_new(struct nz_vault *v, const char muni[static 6], const uint8_t file[static NZ_FILE_ID_BYTES], uint64_t deadline,
                      nz_file_key_fn *done, void *arg)
{
    struct key_body body = { 0 };
    memcpy(body.muni, muni, MUNI);
    memcpy(body.file, file, NZ_FILE_ID_BYTES);
    ipc_call(v->ipc, NZ_VAULT_KEY_NEW, slice_of(&body, offsetof(struct key_body, wrapped)), deadline, on_key,
             ask_new((struct ask){ .key = done, .arg = arg, .n = NZ_WRAPPED_KEY_BYTES }));
}

void nz_vault_key_open(struct nz_vault *v, const char muni[static 6], const uint8_t file[static NZ_FILE_ID_BYTES], struct slice wrapped,
                       uint64_t deadline, nz_file_key_fn *done, void *arg)
{
    struct key_body body = { 0 };
    MUST(wrapped.n == NZ_WRAPPED_KEY_BYTES);
    memcpy(body.muni, muni, MUNI);
    memcpy(body.file, file, NZ_FILE_ID_BYTES);
    memcpy(body.wrapped, wrapped.p, wrapped.n);
    ipc_call(v->ipc, NZ_VAULT_KEY_OPEN, slice_of(&body, sizeof body), deadline, on_key, ask_new((struct ask){ .key = done, .arg = arg }));
}

/* ---- REVEAL ---- */

static void on_revealed(void *arg, struct err e, struct slice body)
{
    struct ask a = *(struct ask *)arg;
    struct nz_mynum *number = NULL;
    wipe_free(arg);
    if (err_ok(e))
        e = nz_mynum_new(&number, a.pool, body);
    if (err_is(e, E_FIELD))
        e = FAIL(E_PROTOCOL); /* the vault's answer, not a caller's field */
    a.revealed(a.arg, e, number); /* given to the callee */
}

void nz_vault_reveal(struct nz_vault *v, struct nz_pool *pool, const char muni[static 6], const struct nz_subject *subject,
                     const struct nz_ticket *ticket, const struct nz_ticket *next, enum nz_purpose purpose,
                     struct req_id request, uint64_t deadline, nz_revealed_fn *done, void *arg)
{
    struct reveal_body body = { .purpose = { (uint8_t)purpose } };
    memcpy(body.muni, muni, MUNI);
    memcpy(body.sid, subject->sid, SID);
    memcpy(body.ticket, ticket->b, NZ_TICKET_BYTES);
    memcpy(body.next, next->b, NZ_TICKET_BYTES);
    memcpy(body.request, request.b, REQUEST);
    ipc_call(v->ipc, NZ_VAULT_REVEAL, slice_of(&body, sizeof body), deadline, on_revealed,
             ask_new((struct ask){ .revealed = done, .arg = arg, .pool = pool }));
    explicit_bzero(&body, sizeof body); /* tickets are worth a number */
}

/* ---- ERASE ---- */

static void on_erased(void *arg, struct err e, struct slice body)
{
    struct ask a = *(struct ask *)arg;
    wipe_free(arg);
    if (err_ok(e) && (body.n != 1 || body.p[0] > 1))
        e = FAIL(E_PROTOCOL);
    a.erased(a.arg, e, err_ok(e) && body.p[0] == 1);
}

void nz_vault_erase(struct nz_vault *v, const char muni[static 6], const struct nz_subject *subject, struct req_id request, uint64_t deadline,
                    nz_erased_fn *done, void *arg)
{
    struct erase_body body;
    memcpy(body.muni, muni, MUNI);
    memcpy(body.sid, subject->sid, SID);
    memcpy(body.request, request.b, REQUEST);
    ipc_call(v->ipc, NZ_VAULT_ERASE, slice_of(&body, sizeof body), deadline, on_erased, ask_new((struct ask){ .erased = done, .arg = arg }));
}

/* ---- SHOW ---- */

void nz_vault_show(struct nz_vault *v, struct nz_pool *pool, const char muni[static 6], const struct nz_show *s, uint64_t deadline,
                   nz_revealed_fn *done, void *arg)
{
    struct show_body body = { .basis = { (uint8_t)(s->basis >> 8), (uint8_t)s->basis }, .purpose = { s->purpose } };
    memcpy(body.muni, muni, MUNI);
    memcpy(body.sid, s->subject.sid, SID);
    memcpy(body.user, s->user, sizeof body.user);
    memcpy(body.request, s->request.b, REQUEST);
    ipc_call(v->ipc, NZ_VAULT_SHOW, slice_of(&body, sizeof body), deadline, on_revealed,
             ask_new((struct ask){ .revealed = done, .arg = arg, .pool = pool }));
}

/* ---- TELL ---- */

void nz_vault_tell(struct nz_vault *v, struct nz_pool *pool, const char muni[static 6], const struct nz_show *s, const struct nz_ticket *ticket, uint64_t deadline,
                   nz_revealed_fn *done, void *arg)
{
    struct tell_body body = { .basis = { (uint8_t)(s->basis >> 8), (uint8_t)s->basis }, .purpose = { s->purpose } };
    memcpy(body.muni, muni, MUNI);
    memcpy(body.sid, s->subject.sid, SID);
    memcpy(body.request, s->request.b, REQUEST);
    if (ticket)
        memcpy(body.ticket, ticket->b, NZ_TICKET_BYTES);
    ipc_call(v->ipc, NZ_VAULT_TELL, slice_of(&body, sizeof body), deadline, on_revealed,
             ask_new((struct ask){ .revealed = done, .arg = arg, .pool = pool }));
    explicit_bzero(&body, sizeof body);
}

/* ---- PART ---- */

void nz_vault_part(struct nz_vault *v, const char muni[static 6], const struct nz_subject *subject, const struct nz_ticket *ticket, uint64_t deadline, nz_parted_fn *done, void *arg)
{
    struct part_body body;
    memcpy(body.muni, muni, MUNI);
    memcpy(body.sid, subject->sid, SID);
    memcpy(body.ticket, ticket->b, NZ_TICKET_BYTES);
    ipc_call(v->ipc, NZ_VAULT_PART, slice_of(&body, sizeof body), deadline, on_erased, ask_new((struct ask){ .erased = done, .arg = arg }));
    explicit_bzero(&body, sizeof body);
}

/* ---- DROP ---- */

static void on_dropped(void *arg, struct err e, struct slice body) { (void)arg, (void)e, (void)body; }

void nz_vault_drop(struct nz_vault *v, const struct nz_ticket *ticket, uint64_t deadline)
{
    ipc_call(v->ipc, NZ_VAULT_DROP, ARR(ticket->b), deadline, on_dropped, NULL);
}
