/* Reaches nz_user_decode(), nz_session_decode() and the bodies of the routes of staff; passwords of any bytes are judged. */

#include <stdint.h>
#include <stdlib.h>

#include "keys/staff/form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool known(void *arg, struct slice word)
{
    (void)arg;
    return slice_eq(word, LIT("immunization"));
}

/* What is read is written back as it was; the older form of a user in the newer one, where it stays as it is. */
static void stored(struct slice in)
{
    struct nz_user u;
    struct nz_session s;
    struct buf out;
    buf_init(&out, NZ_USER_MAX);
    if (err_ok(nz_user_decode(in, &u))) {
        nz_user_encode(&u, &out);
        struct err e = buf_check(&out);
        bool older = in.p[0] == 1;
        if (!err_ok(e) || (!older && !slice_eq(buf_slice(&out), in)) || !nz_user_id_ok(slice_str(u.id)))
            abort();
        if (older && (!err_ok(nz_user_decode(buf_slice(&out), &u)) || out.n != in.n + sizeof u.giver || !slice_eq(slice_of(out.p + 1, in.n - 1), slice_of(in.p + 1, in.n - 1))))
            abort();
    }
    buf_reset(&out);
    if (err_ok(nz_session_decode(in, &s))) {
        nz_session_encode(&s, &out);
        if (!slice_eq(buf_slice(&out), in))
            abort();
    }
    buf_done(&out);
}

static void user_body(struct slice in, struct arena *a)
{
    struct field_report r = { 0 };
    struct nz_user_ask ask;
    struct nz_user u = { .id = "sato" };
    if (!err_ok(nz_user_ask_read(in, a, known, NULL, &ask, &r)))
        return;
    nz_user_apply(&u, &ask);
    if (!nz_user_shown_ok(slice_str(u.shown)) || u.n_programs > NZ_USER_PROGRAMS_MAX)
        abort();
}

static void bodies(struct slice in, struct arena *a)
{
    struct field_report r = { 0 };
    struct nz_login_ask login;
    struct nz_password_ask password;
    struct nz_totp_ask totp;
    struct nz_reveal_ask reveal;
    if (err_ok(nz_login_ask_read(in, a, &login, &r)) &&
        (!nz_user_id_ok(login.id) || login.password.n > NZ_PASSWORD_BYTES_MAX || (login.totp.n && login.totp.n != 6)))
        abort();
    r = (struct field_report){ 0 };
    if (err_ok(nz_password_ask_read(in, a, &password, &r)) && (!password.fresh.n || password.fresh.n > NZ_PASSWORD_BYTES_MAX))
        abort();
    r = (struct field_report){ 0 };
    if (err_ok(nz_totp_ask_read(in, a, &totp, &r)) && (!totp.code.n == !totp.password.n || (totp.code.n && totp.code.n != 6) || totp.password.n > NZ_PASSWORD_BYTES_MAX))
        abort();
    r = (struct field_report){ 0 };
    if (err_ok(nz_reveal_ask_read(in, a, &reveal, &r)) && (!reveal.resident_key.n || !reveal.purpose.n))
        abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice in = slice_of(data, n);
    struct arena *a = arena_new(8 << 20);
    json_in_setup();
    stored(in);
    bodies(in, a);
    user_body(in, a);
    (void)nz_user_shown_ok(in);
    if (nz_password_ok(in, LIT("sato")) && n > NZ_PASSWORD_BYTES_MAX)
        abort();
    arena_free(a);
    return 0;
}
