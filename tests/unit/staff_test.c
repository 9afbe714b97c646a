/* Staff: codes of a second factor, passwords, the stored forms, request bodies, and who may call what. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "gateway/base/text.h"
#include "keys/staff/form.h"
#include "keys/staff/permits.h"
#include "keys/staff/totp.h"

#define COUNT(a) (sizeof(a) / sizeof *(a))

/* ---- RFC 6238, appendix B (SHA-1), the last six digits ---- */

static const struct slice RFC_SECRET = { (const uint8_t *)"12345678901234567890", 20 };

static void codes_are_those_of_the_rfc(void **state)
{
    (void)state;
    static const struct { uint64_t at; const char *code; } CASES[] = {
        { 59, "287082" }, { 1111111109, "081804" }, { 1111111111, "050471" }, { 1234567890, "005924" }, { 2000000000, "279037" }, { 20000000000, "353130" },
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        char code[NZ_TOTP_DIGITS];
        assert_true(err_ok(nz_totp_code(RFC_SECRET, CASES[i].at / NZ_TOTP_STEP_S, code)));
        assert_memory_equal(code, CASES[i].code, NZ_TOTP_DIGITS);
    }
}

static void a_code_works_for_its_step_and_its_neighbours_once(void **state)
{
    (void)state;
    const struct slice code = LIT("050471"); /* of step 37037037, from 1111111110 to ...139 */
    uint64_t step = 0;
    assert_true(nz_totp_check(RFC_SECRET, code, 1111111111, 0, &step));
    assert_int_equal(step, 37037037);
    assert_true(nz_totp_check(RFC_SECRET, code, 1111111169, 0, &step));
    assert_true(nz_totp_check(RFC_SECRET, code, 1111111080, 0, &step));
    assert_false(nz_totp_check(RFC_SECRET, code, 1111111170, 0, &step));
    assert_false(nz_totp_check(RFC_SECRET, code, 1111111079, 0, &step));
    assert_true(nz_totp_check(RFC_SECRET, code, 1111111111, 37037036, &step));
    step = 7;
    assert_false(nz_totp_check(RFC_SECRET, code, 1111111111, 37037037, &step));
    assert_false(nz_totp_check(RFC_SECRET, code, 1111111111, 37037038, &step));
    assert_false(nz_totp_check(RFC_SECRET, LIT("050472"), 1111111111, 0, &step));
    assert_false(nz_totp_check(RFC_SECRET, LIT("0504710"), 1111111111, 0, &step));
    assert_false(nz_totp_check(RFC_SECRET, SLICE_NONE, 1111111111, 0, &step));
    assert_int_equal(step, 7);
}

static void a_secret_is_told_as_apps_read_it(void **state)
{
    (void)state;
    struct buf out;
    buf_init(&out, 256);
    nz_base32(LIT("foobar"), &out); /* = RFC 4648 §10, without padding */
    buf_putc(&out, ' ');
    nz_base32(LIT("foob"), &out);
    assert_true(slice_eq(buf_slice(&out), LIT("MZXW6YTBOI MZXW6YQ")));
    buf_reset(&out);
    nz_totp_uri(LIT("foobar"), LIT("331007"), LIT("sato-2"), &out);
    assert_true(slice_eq(buf_slice(&out), LIT("otpauth://totp/pmhgw%20331007:sato-2?secret=MZXW6YTBOI&issuer=pmhgw%20331007&algorithm=SHA1&digits=6&period=30")));
    buf_done(&out);
}

/* ---- passwords ---- */

static void passwords_are_judged(void **state)
{
    (void)state;
    static const struct { const char *word; bool good; } CASES[] = {
        { "correct horse battery", true },
        { "みかんと青い自転車と七つの鐘", true },
        { "xK4-vv9q_Lm2t", true },
        { "tanaka goes fishing", true },
        { "wN7jtq0pzsKd", true },
        { "", false },
        { "wN7jtq0pzsK", false },                 /* eleven */
        { "みかんと青い自転車", false },          /* nine characters, many bytes */
        { "aaaaaaaaaaaaaaaa", false },
        { "abababababababab", false },
        { "qwfpqwfpqwfp", false },
        { "abcdefghijklmnop", false },
        { "ponmlkjihgfedcba", false },
        { "9182736450918273", false },            /* digits alone; twelve of them could be a number */
        { "passwordpassword", false },
        { "Password12345!", false },
        { "P@ssw0rd-2026", false },
        { "welcome-2026-!!", false },
        { "Shiyakusho2026", false },
        { "qwertyuiop123", false },
        { "Sakura-Haru-2026", false },
        { "sato-hanako-1", false },               /* the user id and a character */
        { "SATO-HANAKO!!", false },
        { "tab\there is bad", false },
        { "\xff\xfe nonsense bytes", false },
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        bool good = nz_password_ok(slice_str(CASES[i].word), LIT("sato-hanako"));
        if (good != CASES[i].good)
            print_error("%s\n", CASES[i].word);
        assert_int_equal(good, CASES[i].good);
    }
    char longest[NZ_PASSWORD_BYTES_MAX + 1];
    for (size_t i = 0; i < sizeof longest; i++)
        longest[i] = (char)('a' + (i * i / 7 + i) % 25);
    assert_true(nz_password_ok(slice_of(longest, NZ_PASSWORD_BYTES_MAX), LIT("sato")));
    assert_false(nz_password_ok(slice_of(longest, NZ_PASSWORD_BYTES_MAX + 1), LIT("sato")));
}

static void one_time_passwords_are_good_and_never_the_same(void **state)
{
    (void)state;
    char a[NZ_ONE_TIME_CHARS], b[NZ_ONE_TIME_CHARS];
    for (int i = 0; i < 200; i++) {
        nz_password_one_time(a);
        nz_password_one_time(b);
        assert_true(nz_password_ok(ARR(a), LIT("sato")));
        assert_false(slice_eq(ARR(a), ARR(b)));
        assert_int_equal(a[4], '-');
    }
}

static void hashes_are_argon2id_of_password_and_salt(void **state)
{
    (void)state;
    uint8_t salt[NZ_SALT_BYTES], other[NZ_SALT_BYTES], h[NZ_HASH_BYTES], again[NZ_HASH_BYTES];
    memcpy(salt, "0123456789abcdef", sizeof salt);
    memcpy(other, "0123456789abcdeg", sizeof other);
    assert_true(err_ok(nz_password_hash(LIT("correct horse battery"), salt, h)));
    assert_true(err_ok(nz_password_hash(LIT("correct horse battery"), salt, again)));
    assert_memory_equal(h, again, sizeof h);
    assert_true(err_ok(nz_password_hash(LIT("correct horse batterz"), salt, again)));
    assert_memory_not_equal(h, again, sizeof h);
    assert_true(err_ok(nz_password_hash(LIT("correct horse battery"), other, again)));
    assert_memory_not_equal(h, again, sizeof h);
}

/* ---- users ---- */

static struct nz_user a_user(void)
{
    struct nz_user u = { .id = "sato-2", .shown = "佐藤　花子", .role = NZ_ROLE_OFFICER, .reveal = true, .must_change = true, .n_programs = 2,
                         .program = { "immunization", "health_checkup" }, .from = 20260401, .until = 20270331, .version = UINT64_MAX - 1, .made_ms = 5,
                         .password_ms = 6, .totp = NZ_TOTP_PENDING, .step = 37037037 };
    memset(u.giver, 9, sizeof u.giver);
    for (int i = 0; i < 20; i++)
        u.secret[i] = (uint8_t)(i + 1);
    for (uint8_t i = 0; i < 7; i++) {
        struct nz_password p;
        memset(&p, i, sizeof p);
        nz_user_password_put(&u, &p, 100 + i);
    }
    return u;
}

static void users_are_kept_whole_and_nothing_else_is_taken_for_one(void **state)
{
    (void)state;
    struct nz_user u = a_user(), back = { .version = 0 };
    struct buf plain;
    assert_int_equal(u.n_passwords, NZ_PASSWORDS_KEPT);
    assert_int_equal(u.password[0].salt[0], 6);
    assert_int_equal(u.password[4].salt[0], 2);
    buf_init(&plain, NZ_USER_MAX);
    nz_user_encode(&u, &plain);
    assert_true(err_ok(buf_check(&plain)));
    assert_true(err_ok(nz_user_decode(buf_slice(&plain), &back)));
    assert_memory_equal(&u.password, &back.password, sizeof u.password);
    assert_memory_equal(u.secret, back.secret, sizeof u.secret);
    assert_string_equal(back.shown, u.shown);
    assert_string_equal(back.program[1], "health_checkup");
    assert_true(back.reveal && back.must_change && !back.withdrawn);
    assert_true(back.version == u.version && back.step == u.step && back.until == u.until && back.role == u.role && back.totp == u.totp);
    assert_memory_equal(back.giver, u.giver, sizeof u.giver);
    for (size_t n = 0; n < plain.n; n++)
        assert_true(err_is(nz_user_decode(slice_of(plain.p, n), &back), E_SEAL));
    buf_putc(&plain, 0);
    assert_true(err_is(nz_user_decode(buf_slice(&plain), &back), E_SEAL));
    plain.p[0] = 3; /* of a later format */
    assert_true(err_is(nz_user_decode(slice_of(plain.p, plain.n - 1), &back), E_SEAL));
    plain.p[0] = 1; /* of the one before: nobody knows who gave the password */
    assert_true(err_ok(nz_user_decode(slice_of(plain.p, plain.n - 1 - sizeof u.giver), &back)));
    assert_int_equal(back.giver[0], 0);
    plain.p[0] = 0;
    assert_true(err_is(nz_user_decode(slice_of(plain.p, plain.n - 1 - sizeof u.giver), &back), E_SEAL));
    buf_done(&plain);
}

static void the_largest_user_fits(void **state)
{
    (void)state;
    struct nz_user u = a_user();
    struct buf plain;
    memset(u.id, 'a', NZ_USER_ID_MAX);
    memset(u.shown, 'b', NZ_USER_SHOWN_MAX);
    u.n_programs = NZ_USER_PROGRAMS_MAX;
    for (int i = 0; i < NZ_USER_PROGRAMS_MAX; i++)
        memset(u.program[i], 'c', NZ_PROGRAM_MAX);
    buf_init(&plain, NZ_USER_MAX);
    nz_user_encode(&u, &plain);
    assert_true(err_ok(buf_check(&plain)));
    buf_done(&plain);
}

static void a_user_is_on_within_its_days(void **state)
{
    (void)state;
    struct nz_user u = a_user();
    assert_false(nz_user_on(&u, 20260331));
    assert_true(nz_user_on(&u, 20260401));
    assert_true(nz_user_on(&u, 20270331));
    assert_false(nz_user_on(&u, 20270401));
    u.until = 0;
    assert_true(nz_user_on(&u, 20990101));
    u.withdrawn = true;
    assert_false(nz_user_on(&u, 20260601));
}

static void ids_and_names_that_could_harm_a_log_are_refused(void **state)
{
    (void)state;
    static const char *const BAD_IDS[] = { "", "ab", "Sato", "a b", "a/b", "a.b", "sato\n", "sato\x1b[2J", "佐藤太郎", "123456789012", "a1b2c3d4e5f6g7h8i9j0k1l2",
                                           "abcdefghijklmnopqrstuvwxyzabcdefg" };
    static const char *const BAD_NAMES[] = { "", "a\nb", "a\rb", "a\tb", "\x1b[31mred", "a\x7f", "\xc2\x85", "a\xe2\x80\xae" "b" /* U+202E */, "a\xe2\x81\xa6" "b" /* U+2066 */,
                                             "a\xe2\x80\x8b" "b" /* U+200B */, "\xef\xbb\xbfname", "\xff", "1234 5678 9018", "１２３４５６７８９０１８", "a\xe2\x80\xa8" "b",
                                             "\xe3\x85\xa4" /* U+3164, a letter that is not seen */, "a\xe1\x85\x9f" /* U+115F */, "a\xef\xbe\xa0" /* U+FFA0 */ };
    for (size_t i = 0; i < COUNT(BAD_IDS); i++)
        assert_false(nz_user_id_ok(slice_str(BAD_IDS[i])));
    for (size_t i = 0; i < COUNT(BAD_NAMES); i++)
        assert_false(nz_user_shown_ok(slice_str(BAD_NAMES[i])));
    assert_true(nz_user_id_ok(LIT("sato-2_x")));
    assert_true(nz_user_shown_ok(LIT("佐藤 花子 (子育て課) O'Neil \"x\" <b> 12345")));
    assert_false(nz_user_id_ok(slice_of("a\0b-c", 5)));
    assert_false(nz_user_shown_ok(slice_of("a\0b", 3)));
}

static void sessions_are_kept_whole(void **state)
{
    (void)state;
    struct nz_session s = { .version = 9, .opened_ms = UINT64_C(1) << 41 }, back;
    struct buf plain;
    memset(s.user, 3, sizeof s.user);
    memset(s.cert_sha256, 4, sizeof s.cert_sha256);
    buf_init(&plain, NZ_SESSION_BYTES + 1);
    nz_session_encode(&s, &plain);
    assert_int_equal(plain.n, NZ_SESSION_BYTES);
    assert_true(err_ok(nz_session_decode(buf_slice(&plain), &back)));
    assert_true(back.version == 9 && back.opened_ms == s.opened_ms);
    assert_memory_equal(back.user, s.user, sizeof s.user);
    assert_memory_equal(back.cert_sha256, s.cert_sha256, sizeof s.cert_sha256);
    for (size_t n = 0; n < plain.n; n++)
        assert_true(err_is(nz_session_decode(slice_of(plain.p, n), &back), E_SEAL));
    buf_putc(&plain, 0);
    assert_true(err_is(nz_session_decode(buf_slice(&plain), &back), E_SEAL));
    buf_done(&plain);
}

/* ---- bodies ---- */

static bool known(void *arg, struct slice word)
{
    (void)arg;
    return slice_eq(word, LIT("immunization")) || slice_eq(word, LIT("medical_subsidy"));
}

static void bodies_are_read(void **state)
{
    (void)state;
    struct arena *a = arena_new(1 << 20);
    struct field_report r = { 0 };
    struct nz_login_ask login;
    struct nz_user_ask user;
    struct nz_reveal_ask reveal;
    struct nz_totp_ask totp;
    assert_true(err_ok(nz_login_ask_read(LIT("{\"user_id\":\"sato-2\",\"password\":\"x y\"}"), a, &login, &r)));
    assert_int_equal(login.totp.n, 0);
    assert_true(err_ok(nz_login_ask_read(LIT("{\"totp\":\"012345\",\"user_id\":\"sato-2\",\"password\":\"x\"}"), a, &login, &r)));
    assert_true(slice_eq(login.totp, LIT("012345")));
    assert_true(err_ok(nz_totp_ask_read(LIT("{\"password\":\"x y\"}"), a, &totp, &r)));
    assert_true(totp.code.n == 0 && slice_eq(totp.password, LIT("x y")));
    assert_true(err_ok(nz_totp_ask_read(LIT("{\"code\":\"012345\"}"), a, &totp, &r)));
    assert_true(totp.password.n == 0 && slice_eq(totp.code, LIT("012345")));
    assert_true(err_ok(nz_reveal_ask_read(LIT("{\"municipalityIdentityKey\":\"r-1\",\"purpose\":\"number_check\"}"), a, &reveal, &r)));
    assert_true(err_ok(nz_user_ask_read(LIT("{\"display_name\":\"佐藤\",\"role\":\"officer\",\"programs\":[\"immunization\",\"medical_subsidy\"],\"reveal\":true,"
                                            "\"state\":\"withdrawn\",\"from\":\"2026-04-01\",\"until\":\"2027-03-31\",\"reset_password\":true}"), a, known, NULL, &user, &r)));
    assert_true(user.role == NZ_ROLE_OFFICER && user.n_programs == 2 && user.reveal && user.withdrawn && user.reset_password && !user.reset_totp);
    assert_int_equal(user.until, 20270331);
    struct nz_user u = a_user();
    nz_user_apply(&u, &user);
    assert_true(u.withdrawn && u.from == 20260401 && u.n_passwords == NZ_PASSWORDS_KEPT);
    assert_string_equal(u.program[1], "medical_subsidy");
    assert_true(err_ok(nz_user_ask_read(LIT("{\"display_name\":\"佐藤\",\"role\":\"admin\",\"programs\":[\"*\"]}"), a, known, NULL, &user, &r)));
    nz_user_apply(&u, &user);
    assert_true(!u.withdrawn && !u.reveal && !u.from && !u.until && nz_user_all_programs(&u));
    arena_free(a);
}

static void bodies_are_refused(void **state)
{
    (void)state;
    enum { LOGIN, USER, REVEAL, TOTP };
    static const struct { int form; const char *body; enum err_code code; const char *field; } CASES[] = {
        { LOGIN, "[]", E_JSON_SHAPE, NULL },
        { LOGIN, "{\"user_id\":\"sato-2\"}", E_FIELD, "password" },
        { LOGIN, "{\"user_id\":\"Sato\",\"password\":\"x\"}", E_FIELD, "user_id" },
        { LOGIN, "{\"user_id\":\"sato\\n\",\"password\":\"x\"}", E_FIELD, "user_id" },
        { LOGIN, "{\"user_id\":\"sato\",\"password\":\"\"}", E_FIELD, "password" },
        { LOGIN, "{\"user_id\":\"sato\",\"password\":1}", E_FIELD, "password" },
        { LOGIN, "{\"user_id\":\"sato\",\"password\":\"x\",\"totp\":\"12345\"}", E_FIELD, "totp" },
        { LOGIN, "{\"user_id\":\"sato\",\"password\":\"x\",\"totp\":\"12345a\"}", E_FIELD, "totp" },
        { LOGIN, "{\"user_id\":\"sato\",\"password\":\"x\",\"totp\":123456}", E_FIELD, "totp" },
        { LOGIN, "{\"user_id\":\"sato\",\"password\":\"x\",\"role\":\"admin\"}", E_FIELD, "" },
        { LOGIN, "{\"user_id\":\"sato\",\"user_id\":\"sato\",\"password\":\"x\"}", E_JSON_DUPLICATE, NULL },
        { USER, "{\"display_name\":\"a\",\"role\":\"admin\"}", E_FIELD, "programs" },
        { USER, "{\"display_name\":\"a\",\"role\":\"root\",\"programs\":[]}", E_FIELD, "role" },
        { USER, "{\"display_name\":\"a\",\"role\":\"admin\",\"programs\":[\"taxes\"]}", E_FIELD, "programs" },
        { USER, "{\"display_name\":\"a\",\"role\":\"admin\",\"programs\":[1]}", E_FIELD, "programs" },
        { USER, "{\"display_name\":\"a\",\"role\":\"admin\",\"programs\":\"*\"}", E_FIELD, "programs" },
        { USER, "{\"display_name\":\"a\",\"role\":\"admin\",\"programs\":[\"immunization\",\"immunization\"]}", E_FIELD, "programs" },
        { USER, "{\"display_name\":\"a\",\"role\":\"admin\",\"programs\":[\"*\",\"*\",\"*\",\"*\",\"*\",\"*\",\"*\",\"*\",\"*\"]}", E_FIELD, "programs" },
        { USER, "{\"display_name\":\"a\\u202eb\",\"role\":\"admin\",\"programs\":[]}", E_FIELD, "display_name" },
        { USER, "{\"display_name\":\"a\\u001b[2J\",\"role\":\"admin\",\"programs\":[]}", E_FIELD, "display_name" },
        { USER, "{\"display_name\":\"1234-5678-9018\",\"role\":\"admin\",\"programs\":[]}", E_FIELD, "display_name" },
        { USER, "{\"display_name\":\"a\",\"role\":\"admin\",\"programs\":[],\"from\":\"2026-02-30\"}", E_FIELD, "from" },
        { USER, "{\"display_name\":\"a\",\"role\":\"admin\",\"programs\":[],\"from\":\"2026-02-02\",\"until\":\"2026-02-01\"}", E_FIELD, "until" },
        { USER, "{\"display_name\":\"a\",\"role\":\"admin\",\"programs\":[],\"password\":\"x\"}", E_FIELD, "" },
        { USER, "{\"display_name\":\"a\",\"role\":\"admin\",\"programs\":[],\"reveal\":1}", E_FIELD, "reveal" },
        { REVEAL, "{\"municipalityIdentityKey\":\"r-1\"}", E_FIELD, "purpose" },
        { REVEAL, "{\"municipalityIdentityKey\":\"r-1\",\"purpose\":\"Number check\"}", E_FIELD, "purpose" },
        { REVEAL, "{\"municipalityIdentityKey\":[\"r-1\",\"r-2\"],\"purpose\":\"number_check\"}", E_FIELD, "municipalityIdentityKey" },
        { TOTP, "{\"code\":\"１２３４５６\"}", E_FIELD, "code" },
        { TOTP, "{\"secret\":\"x\"}", E_FIELD, "" },
        { TOTP, "{}", E_FIELD, "password" },
        { TOTP, "{\"password\":\"\"}", E_FIELD, "password" },
        { TOTP, "{\"password\":\"x\",\"code\":\"012345\"}", E_FIELD, "code" },
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        struct arena *a = arena_new(1 << 20);
        struct field_report r = { 0 };
        struct nz_login_ask login;
        struct nz_user_ask user;
        struct nz_reveal_ask reveal;
        struct nz_totp_ask totp;
        struct slice body = slice_str(CASES[i].body);
        struct err e = CASES[i].form == LOGIN ? nz_login_ask_read(body, a, &login, &r) : CASES[i].form == USER ? nz_user_ask_read(body, a, known, NULL, &user, &r)
                       : CASES[i].form == REVEAL ? nz_reveal_ask_read(body, a, &reveal, &r) : nz_totp_ask_read(body, a, &totp, &r);
        if (e.code != CASES[i].code || (CASES[i].field && strcmp(r.faults[0].field, CASES[i].field) != 0))
            print_error("%s\n", CASES[i].body);
        assert_int_equal(e.code, CASES[i].code);
        if (CASES[i].field)
            assert_string_equal(r.faults[0].field, CASES[i].field);
        arena_free(a);
    }
}

/* ---- who may call what ---- */

static void rights_are_those_of_the_table(void **state)
{
    (void)state;
    struct nz_demands none = { false, 0, 1000 };
    static const struct { const char *operation; bool viewer, officer, admin; } CASES[] = {
        { "getTask", true, true, true }, { "postRegistrationTasks", false, true, true }, { "releaseRows", false, true, true },
        { "setControlFlags", false, true, true }, { "readControlFlags", false, true, true }, { "eraseResident", false, true, true }, { "putUser", false, false, true },
        { "listUsers", false, false, true }, { "exportOperationLog", false, false, true }, { "changePassword", true, true, true },
        { "revealNumber", false, false, false } /* nobody without the flag, whatever the role */, { "loginStaff", false, false, false },
        { "noSuchOperation", false, false, false },
    };
    for (size_t i = 0; i < COUNT(CASES); i++) {
        bool want[NZ_ROLE__MAX] = { false, CASES[i].viewer, CASES[i].officer, CASES[i].admin };
        for (enum nz_role role = NZ_ROLE_VIEWER; role < NZ_ROLE__MAX; role++) {
            struct nz_user u = { .role = role, .n_programs = 1, .program = { "*" } };
            struct err e = nz_permit_judge(nz_permit_of(slice_str(CASES[i].operation)), &u, SLICE_NONE, &none);
            assert_int_equal(e.code, want[role] ? E_OK : E_FORBIDDEN);
            u.reveal = true;
            e = nz_permit_judge(nz_permit_of(slice_str(CASES[i].operation)), &u, SLICE_NONE, &none);
            assert_int_equal(e.code, want[role] || strcmp(CASES[i].operation, "revealNumber") == 0 ? E_OK : E_FORBIDDEN);
        }
    }
}

static void programs_limit_what_is_in_charge(void **state)
{
    (void)state;
    struct nz_demands none = { false, 0, 1000 };
    struct nz_user u = { .role = NZ_ROLE_OFFICER, .n_programs = 1, .program = { "immunization" } };
    const struct nz_permit *p = nz_permit_of(LIT("postRegistrationTasks"));
    assert_true(err_is(nz_permit_judge(p, &u, LIT("medical_subsidy"), &none), E_FORBIDDEN));
    assert_true(err_ok(nz_permit_judge(p, &u, LIT("immunization"), &none)));
    assert_true(err_ok(nz_permit_judge(p, &u, SLICE_NONE, &none)));
    assert_false(nz_user_all_programs(&u));
    struct nz_user all = { .role = NZ_ROLE_ADMIN, .n_programs = 1, .program = { "*" } };
    static const char *const OF_ALL[] = { "eraseResident", "readOperationLog", "exportOperationLog" };
    for (size_t i = 0; i < COUNT(OF_ALL); i++) {
        u.role = NZ_ROLE_ADMIN;
        assert_true(err_is(nz_permit_judge(nz_permit_of(slice_str(OF_ALL[i])), &u, SLICE_NONE, &none), E_FORBIDDEN));
        assert_true(err_ok(nz_permit_judge(nz_permit_of(slice_str(OF_ALL[i])), &all, SLICE_NONE, &none)));
    }
    assert_true(nz_user_covers(&all, &u) && nz_user_covers(&u, &u) && nz_user_covers(&all, &all));
    assert_false(nz_user_covers(&u, &all));
    struct nz_user more = { .n_programs = 2, .program = { "immunization", "medical_subsidy" } };
    assert_false(nz_user_covers(&u, &more));
    assert_true(nz_user_covers(&more, &u));
    u.role = NZ_ROLE_OFFICER;
    u.n_programs = 0;
    assert_true(nz_user_covers(&more, &u));
    assert_true(err_is(nz_permit_judge(p, &u, LIT("immunization"), &none), E_FORBIDDEN));
}

static void what_is_due_comes_first(void **state)
{
    (void)state;
    struct nz_demands d = { true, 0, 1000 };
    struct nz_user u = { .role = NZ_ROLE_ADMIN, .must_change = true, .n_programs = 1, .program = { "*" } };
    for (size_t i = 0; i < nz_permits(); i++) {
        const struct nz_permit *p = nz_permit_at(i);
        bool free = strcmp(p->operation, "logoutStaff") == 0 || strcmp(p->operation, "changePassword") == 0;
        struct err e = nz_permit_judge(p, &u, SLICE_NONE, &d);
        assert_int_equal(e.code, free ? E_OK : p->need == NZ_NEED_NONE ? E_FORBIDDEN : E_PASSWORD_DUE);
    }
    u.must_change = false;
    assert_true(err_ok(nz_permit_judge(nz_permit_of(LIT("enrolTotp")), &u, SLICE_NONE, &d)));
    assert_true(err_is(nz_permit_judge(nz_permit_of(LIT("getTask")), &u, SLICE_NONE, &d), E_TOTP_DUE));
    u.totp = NZ_TOTP_PENDING;
    assert_true(err_is(nz_permit_judge(nz_permit_of(LIT("getTask")), &u, SLICE_NONE, &d), E_TOTP_DUE));
    u.totp = NZ_TOTP_ACTIVE;
    assert_true(err_ok(nz_permit_judge(nz_permit_of(LIT("getTask")), &u, SLICE_NONE, &d)));
    u.password_ms = 100;
    d.password_ms = 900;
    assert_false(nz_password_due(&u, &d));
    d.now_ms = 1001;
    assert_true(nz_password_due(&u, &d));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_are_those_of_the_rfc),
        cmocka_unit_test(a_code_works_for_its_step_and_its_neighbours_once),
        cmocka_unit_test(a_secret_is_told_as_apps_read_it),
        cmocka_unit_test(passwords_are_judged),
        cmocka_unit_test(one_time_passwords_are_good_and_never_the_same),
        cmocka_unit_test(hashes_are_argon2id_of_password_and_salt),
        cmocka_unit_test(users_are_kept_whole_and_nothing_else_is_taken_for_one),
        cmocka_unit_test(the_largest_user_fits),
        cmocka_unit_test(a_user_is_on_within_its_days),
        cmocka_unit_test(ids_and_names_that_could_harm_a_log_are_refused),
        cmocka_unit_test(sessions_are_kept_whole),
        cmocka_unit_test(bodies_are_read),
        cmocka_unit_test(bodies_are_refused),
        cmocka_unit_test(rights_are_those_of_the_table),
        cmocka_unit_test(programs_limit_what_is_in_charge),
        cmocka_unit_test(what_is_due_comes_first),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
