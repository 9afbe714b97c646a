#include "keys/staff/user.h"

#include "gateway/base/text.h"

enum { FORMAT = 1, USER_FORMAT = 2 /* 1: without the giver */, DIGITS_MAX = 12, FLAG_REVEAL = 1, FLAG_WITHDRAWN = 2, FLAG_MUST_CHANGE = 4, FLAGS_ALL = 7 };

/* ---- words ---- */

static const struct { enum nz_role role; const char *word; } ROLES[] = {
#define X(sym, number, word) { NZ_ROLE_##sym, word },
    NZ_ROLES(X)
#undef X
};

const char *nz_role_word(enum nz_role role)
{
    for (size_t i = 0; i < sizeof ROLES / sizeof *ROLES; i++)
        if (ROLES[i].role == role)
            return ROLES[i].word;
    return "";
}

bool nz_role_parse(struct slice word, enum nz_role *ret_role)
{
    for (size_t i = 0; i < sizeof ROLES / sizeof *ROLES; i++)
        if (slice_eq(slice_str(ROLES[i].word), word)) {
            *ret_role = ROLES[i].role;
            return true;
        }
    return false;
}

static bool few_digits(struct slice s)
{
    size_t digits = 0;
    for (size_t i = 0; i < s.n; i++)
        digits += s.p[i] >= '0' && s.p[i] <= '9';
    return digits < DIGITS_MAX;
}

bool nz_user_id_ok(struct slice id)
{
    if (id.n < NZ_USER_ID_MIN || id.n > NZ_USER_ID_MAX)
        return false;
    for (size_t i = 0; i < id.n; i++) {
        uint8_t c = id.p[i];
        if (!(c >= 'a' && c <= 'z') && !(c >= '0' && c <= '9') && c != '_' && c != '-')
            return false;
    }
    return few_digits(id);
}

/* One character of well-formed UTF-8. */
static uint32_t code_point(struct slice *in)
{
    uint8_t c = in->p[0];
    size_t n = c < 0x80 ? 1 : c < 0xE0 ? 2 : c < 0xF0 ? 3 : 4;
    uint32_t v = n == 1 ? c : c & (0xFFu >> (n + 1));
    for (size_t i = 1; i < n; i++)
        v = v << 6 | (in->p[i] & 0x3F);
    in->p += n;
    in->n -= n;
    return v;
}

/* Controls, line ends, and what turns, joins or hides text on a screen. */
static bool shown_char(uint32_t c)
{
    static const struct { uint32_t from, to; } BAD[] = {
        { 0, 0x1F }, { 0x7F, 0x9F }, { 0xAD, 0xAD }, { 0x61C, 0x61C }, { 0x115F, 0x1160 }, { 0x180B, 0x180F }, { 0x200B, 0x200F }, { 0x2028, 0x202E },
        { 0x2060, 0x206F }, { 0x2800, 0x2800 }, { 0x3164, 0x3164 }, { 0xFEFF, 0xFEFF }, { 0xFFA0, 0xFFA0 }, { 0xFFF9, 0xFFFB }, { 0xE0000, 0xE007F },
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++)
        if (c >= BAD[i].from && c <= BAD[i].to)
            return false;
    return true;
}

static bool is_digit(uint32_t c) { return (c >= '0' && c <= '9') || (c >= 0xFF10 && c <= 0xFF19); }

bool nz_user_shown_ok(struct slice shown)
{
    size_t digits = 0;
    if (!shown.n || shown.n > NZ_USER_SHOWN_MAX || !utf8_valid(shown) || utf8_count(shown) > NZ_USER_SHOWN_CHARS)
        return false;
    while (shown.n) {
        uint32_t c = code_point(&shown);
        digits += is_digit(c);
        if (!shown_char(c))
            return false;
    }
    return digits < DIGITS_MAX;
}

/* ---- rights ---- */

bool nz_user_all_programs(const struct nz_user *u) { return nz_user_in_charge(u, LIT("*")); }

bool nz_user_in_charge(const struct nz_user *u, struct slice program)
{
    for (unsigned i = 0; program.n && i < u->n_programs; i++)
        if (slice_eq(slice_str(u->program[i]), program) || slice_eq(slice_str(u->program[i]), LIT("*")))
            return true;
    return !program.n;
}

bool nz_user_covers(const struct nz_user *u, const struct nz_user *other)
{
    for (unsigned i = 0; i < other->n_programs; i++)
        if (!nz_user_in_charge(u, slice_str(other->program[i])))
            return false;
    return true;
}

bool nz_user_on(const struct nz_user *u, ymd_t today) { return !u->withdrawn && u->from <= today && (!u->until || today <= u->until); }

void nz_user_password_put(struct nz_user *u, const struct nz_password *fresh, uint64_t now_ms)
{
    unsigned keep = u->n_passwords < NZ_PASSWORDS_KEPT ? u->n_passwords : NZ_PASSWORDS_KEPT - 1;
    for (unsigned i = keep; i > 0; i--)
        u->password[i] = u->password[i - 1];
    u->password[0] = *fresh;
    u->n_passwords = keep + 1;
    u->password_ms = now_ms;
}

/* ---- stored ---- */

static void put_text(struct buf *out, const char *s)
{
    struct slice t = slice_str(s);
    buf_putc(out, (uint8_t)t.n);
    buf_put(out, t);
}

void nz_user_encode(const struct nz_user *u, struct buf *out)
{
    buf_putc(out, USER_FORMAT);
    put_text(out, u->id);
    put_text(out, u->shown);
    buf_putc(out, (uint8_t)u->role);
    buf_putc(out, (uint8_t)((u->reveal ? FLAG_REVEAL : 0) | (u->withdrawn ? FLAG_WITHDRAWN : 0) | (u->must_change ? FLAG_MUST_CHANGE : 0)));
    buf_putc(out, (uint8_t)u->n_programs);
    for (unsigned i = 0; i < u->n_programs; i++)
        put_text(out, u->program[i]);
    buf_be32(out, u->from);
    buf_be32(out, u->until);
    buf_be64(out, u->version);
    buf_be64(out, u->made_ms);
    buf_be64(out, u->password_ms);
    buf_putc(out, (uint8_t)u->n_passwords);
    for (unsigned i = 0; i < u->n_passwords; i++) {
        buf_put(out, ARR(u->password[i].salt));
        buf_put(out, ARR(u->password[i].hash));
    }
    buf_putc(out, (uint8_t)u->totp);
    buf_put(out, ARR(u->secret));
    buf_be64(out, u->step);
    buf_put(out, ARR(u->giver));
}

static bool take_u(struct slice *in, size_t n, uint64_t *ret)
{
    struct slice s;
    if (!slice_take(in, n, &s))
        return false;
    *ret = 0;
    for (size_t i = 0; i < n; i++)
        *ret = *ret << 8 | s.p[i];
    return true;
}

static bool take_text(struct slice *in, char *to, size_t max)
{
    uint64_t n;
    struct slice s;
    if (!take_u(in, 1, &n) || n > max || !slice_take(in, (size_t)n, &s))
        return false;
    if (n)
        memcpy(to, s.p, s.n);
    to[n] = 0;
    return n == strlen(to);
}

static bool take_bytes(struct slice *in, uint8_t *to, size_t n)
{
    struct slice s;
    if (!slice_take(in, n, &s))
        return false;
    memcpy(to, s.p, n);
    return true;
}

static bool take_rights(struct slice *in, struct nz_user *u)
{
    uint64_t role, flags, n, from, until;
    if (!take_u(in, 1, &role) || role < NZ_ROLE_VIEWER || role >= NZ_ROLE__MAX || !take_u(in, 1, &flags) || flags > FLAGS_ALL ||
        !take_u(in, 1, &n) || n > NZ_USER_PROGRAMS_MAX)
        return false;
    u->role = (enum nz_role)role;
    u->reveal = flags & FLAG_REVEAL;
    u->withdrawn = flags & FLAG_WITHDRAWN;
    u->must_change = flags & FLAG_MUST_CHANGE;
    u->n_programs = (unsigned)n;
    for (unsigned i = 0; i < u->n_programs; i++)
        if (!take_text(in, u->program[i], NZ_PROGRAM_MAX) || !u->program[i][0])
            return false;
    if (!take_u(in, 4, &from) || !take_u(in, 4, &until))
        return false;
    u->from = (ymd_t)from;
    u->until = (ymd_t)until;
    return true;
}

static bool take_secrets(struct slice *in, struct nz_user *u)
{
    uint64_t n, totp;
    if (!take_u(in, 1, &n) || n > NZ_PASSWORDS_KEPT)
        return false;
    u->n_passwords = (unsigned)n;
    for (unsigned i = 0; i < u->n_passwords; i++)
        if (!take_bytes(in, u->password[i].salt, NZ_SALT_BYTES) || !take_bytes(in, u->password[i].hash, NZ_HASH_BYTES))
            return false;
    if (!take_u(in, 1, &totp) || totp >= NZ_TOTP__MAX || !take_bytes(in, u->secret, NZ_TOTP_BYTES) || !take_u(in, 8, &u->step))
        return false;
    u->totp = (enum nz_totp_state)totp;
    return true;
}

ERR nz_user_decode(struct slice plain, struct nz_user *ret_u)
{
    struct nz_user u = { .role = NZ_ROLE_VIEWER };
    uint64_t format;
    bool good = take_u(&plain, 1, &format) && format >= 1 && format <= USER_FORMAT && take_text(&plain, u.id, NZ_USER_ID_MAX) && nz_user_id_ok(slice_str(u.id)) &&
                take_text(&plain, u.shown, NZ_USER_SHOWN_MAX) && take_rights(&plain, &u) && take_u(&plain, 8, &u.version) &&
                take_u(&plain, 8, &u.made_ms) && take_u(&plain, 8, &u.password_ms) && take_secrets(&plain, &u) && (format == 1 || take_bytes(&plain, u.giver, sizeof u.giver)) && plain.n == 0;
    if (good)
        *ret_u = u;
    explicit_bzero(&u, sizeof u);
    return good ? OK : FAIL(E_SEAL);
}

void nz_session_encode(const struct nz_session *s, struct buf *out)
{
    buf_putc(out, FORMAT);
    buf_put(out, ARR(s->user));
    buf_put(out, ARR(s->cert_sha256));
    buf_be64(out, s->version);
    buf_be64(out, s->opened_ms);
}

ERR nz_session_decode(struct slice plain, struct nz_session *ret_s)
{
    struct nz_session s = { .version = 0 };
    uint64_t format;
    if (!take_u(&plain, 1, &format) || format != FORMAT || !take_bytes(&plain, s.user, sizeof s.user) ||
        !take_bytes(&plain, s.cert_sha256, sizeof s.cert_sha256) || !take_u(&plain, 8, &s.version) || !take_u(&plain, 8, &s.opened_ms) || plain.n)
        return FAIL(E_SEAL);
    *ret_s = s;
    return OK;
}
