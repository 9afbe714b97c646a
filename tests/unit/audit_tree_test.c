/* The tree without files: RFC 6962 with the test vectors that the Certificate Transparency project published, proofs of every size. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdlib.h>

#include "gateway/audit/note.h"
#include "gateway/audit/tiles.h"
#include "gateway/base/text.h"
#include "gateway/crypto/crypto.h"

enum { SIZES = 70 };

static void leaf_hash(struct slice data, uint8_t out[static TREE_HASH])
{
    static const uint8_t ZERO[1];
    struct slice parts[] = { ARR(ZERO), data };
    assert_true(err_ok(sha256(2, parts, out)));
}

static void assert_hex(const uint8_t hash[static TREE_HASH], const char *hex)
{
    uint8_t want[TREE_HASH];
    assert_true(hex_decode(slice_str(hex), want, sizeof want));
    assert_memory_equal(hash, want, sizeof want);
}

/* ---- the tree, the simple way ---- */

struct plain { uint8_t leaf[SIZES + 1][TREE_HASH]; };

static void plain_hash(const struct plain *p, uint64_t begin, uint64_t end, uint8_t out[static TREE_HASH])
{
    uint8_t l[TREE_HASH], r[TREE_HASH];
    if (end - begin == 1) {
        memcpy(out, p->leaf[begin], TREE_HASH);
        return;
    }
    uint64_t k = 1;
    while (2 * k < end - begin)
        k *= 2;
    plain_hash(p, begin, begin + k, l);
    plain_hash(p, begin + k, end, r);
    assert_true(err_ok(tree_node(l, r, out)));
}

static struct err plain_get(void *arg, unsigned level, uint64_t index, uint8_t out[static TREE_HASH])
{
    plain_hash(arg, index << level, (index + 1) << level, out);
    return OK;
}

static struct plain *plain_new(void)
{
    struct plain *p = calloc(1, sizeof *p);
    assert_non_null(p);
    for (int i = 0; i <= SIZES; i++) {
        uint8_t b[1] = { (uint8_t)i };
        leaf_hash(ARR(b), p->leaf[i]);
    }
    return p;
}

/* ---- the vectors ---- */

static const struct { const char *data; const char *root; } CT[] = {
    { "", "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d" },
    { "00", "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125" },
    { "10", "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77" },
    { "2021", "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7" },
    { "3031", "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4" },
    { "40414243", "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef" },
    { "5051525354555657", "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c" },
    { "606162636465666768696a6b6c6d6e6f", "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328" },
};

static void the_published_vectors_hold(void **state)
{
    (void)state;
    struct tree_range r = { 0 };
    uint8_t root[TREE_HASH];
    assert_true(err_ok(tree_root(&r, root)));
    assert_hex(root, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
    for (size_t i = 0; i < sizeof CT / sizeof CT[0]; i++) {
        uint8_t data[16], leaf[TREE_HASH];
        size_t n = strlen(CT[i].data) / 2;
        assert_true(hex_decode(slice_str(CT[i].data), data, n));
        leaf_hash(slice_of(data, n), leaf);
        assert_true(err_ok(tree_add(&r, leaf, NULL, NULL)));
        assert_true(err_ok(tree_root(&r, root)));
        assert_hex(root, CT[i].root);
    }
}

static struct err collect(void *arg, unsigned level, uint64_t index, const uint8_t hash[static TREE_HASH])
{
    uint8_t want[TREE_HASH];
    plain_hash(arg, index << level, (index + 1) << level, want);
    assert_memory_equal(hash, want, sizeof want);
    return OK;
}

static void a_growing_range_has_the_root_of_the_definition(void **state)
{
    (void)state;
    struct plain *p = plain_new();
    struct tree_nodes nodes = { plain_get, p };
    struct tree_range r = { 0 }, again;
    for (uint64_t n = 1; n <= SIZES; n++) {
        uint8_t root[TREE_HASH], want[TREE_HASH];
        assert_true(err_ok(tree_add(&r, p->leaf[n - 1], collect, p)));
        assert_true(err_ok(tree_root(&r, root)));
        plain_hash(p, 0, n, want);
        assert_memory_equal(root, want, sizeof want);
        assert_true(err_ok(tree_root_of(&nodes, n, root)));
        assert_memory_equal(root, want, sizeof want);
        assert_true(err_ok(tree_range_of(&nodes, n, &again)) && err_ok(tree_root(&again, root)));
        assert_memory_equal(root, want, sizeof want);
    }
    free(p);
}

/* ---- proofs ---- */

static void flip(uint8_t *h, size_t n) { h[n % TREE_HASH] ^= (uint8_t)(1u << n % 8); }

static void no_altered_inclusion_holds(const struct plain *p, uint64_t i, const struct tree_head *head, const struct tree_path *path)
{
    struct tree_path x = *path;
    struct tree_head h = *head;
    for (size_t k = 0; k < path->n; k++) {
        flip(x.hash[k], i + k);
        assert_false(tree_included(p->leaf[i], i, &x, head));
        x = *path;
    }
    x.n++;
    assert_false(tree_included(p->leaf[i], i, &x, head));
    x.n = path->n - 1;
    assert_false(path->n && tree_included(p->leaf[i], i, &x, head));
    flip(h.root, i);
    assert_false(tree_included(p->leaf[i], i, path, &h));
    assert_false(tree_included(p->leaf[i + 1], i, path, head));
    assert_false(tree_included(p->leaf[i], head->size, path, head));
    assert_false(tree_included(p->leaf[i], UINT64_MAX, path, head));
    if (head->size > 1)
        assert_false(tree_included(p->leaf[i], i ^ 1, path, head));
}

static void every_leaf_of_every_size_is_proved(void **state)
{
    (void)state;
    struct plain *p = plain_new();
    struct tree_nodes nodes = { plain_get, p };
    for (uint64_t n = 1; n <= SIZES; n++) {
        struct tree_head head = { .size = n };
        plain_hash(p, 0, n, head.root);
        for (uint64_t i = 0; i < n; i++) {
            struct tree_path path;
            assert_true(err_ok(tree_inclusion(&nodes, i, n, &path)));
            assert_true(tree_included(p->leaf[i], i, &path, &head));
            no_altered_inclusion_holds(p, i, &head, &path);
        }
        struct tree_path path;
        assert_true(err_is(tree_inclusion(&nodes, n, n, &path), E_FULL));
    }
    struct tree_head none = { 0 };
    struct tree_path empty = { 0 };
    assert_false(tree_included(p->leaf[0], 0, &empty, &none));
    free(p);
}

static void no_altered_consistency_holds(const struct tree_head *old, const struct tree_head *now, const struct tree_path *path)
{
    struct tree_path x = *path;
    struct tree_head h = *old;
    for (size_t k = 0; k < path->n; k++) {
        flip(x.hash[k], k + old->size);
        assert_false(tree_consistent(old, now, &x));
        x = *path;
    }
    x.n++;
    assert_false(tree_consistent(old, now, &x));
    x.n = path->n - 1;
    assert_false(path->n && tree_consistent(old, now, &x));
    flip(h.root, old->size);
    assert_false(tree_consistent(&h, now, path));
    h = *now;
    flip(h.root, old->size);
    assert_false(tree_consistent(old, &h, path));
}

static void every_earlier_size_is_proved_to_be_a_beginning(void **state)
{
    (void)state;
    struct plain *p = plain_new();
    struct tree_nodes nodes = { plain_get, p };
    for (uint64_t n = 1; n <= SIZES; n++) {
        struct tree_head now = { .size = n };
        plain_hash(p, 0, n, now.root);
        for (uint64_t m = 1; m <= n; m++) {
            struct tree_head old = { .size = m };
            struct tree_path path;
            plain_hash(p, 0, m, old.root);
            assert_true(err_ok(tree_consistency(&nodes, m, n, &path)));
            assert_true(tree_consistent(&old, &now, &path));
            no_altered_consistency_holds(&old, &now, &path);
            assert_false(m < n && tree_consistent(&now, &old, &path));
        }
    }
    struct tree_head none = { 0 }, one = { .size = 1 };
    struct tree_path empty = { 0 };
    assert_true(err_ok(tree_root_of(&nodes, 0, none.root)));
    assert_true(tree_consistent(&none, &one, &empty));
    flip(none.root, 3);
    assert_false(tree_consistent(&none, &one, &empty));
    free(p);
}

/* ---- names of tiles ---- */

static void tiles_are_named_as_published(void **state)
{
    (void)state;
    static const struct { unsigned level; uint64_t n; unsigned width; const char *path; } CASES[] = {
        { 0, 0, 256, "0/000" }, { 0, 1234067, 256, "0/x001/x234/067" }, { 1, 273, 17, "1/273.p/17" }, { 0, 1000, 255, "0/x001/000.p/255" },
        { 2, 999, 1, "2/999.p/1" }, { 7, UINT64_MAX, 256, "7/x018/x446/x744/x073/x709/x551/615" },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        char path[TILE_PATH_MAX];
        tile_path(CASES[i].level, CASES[i].n, CASES[i].width, path);
        assert_string_equal(path, CASES[i].path);
    }
}

/* ---- notes ---- */

/* The published example of the note format. */
static const char PETER_KEY[] = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
static const char PETER_NOTE[] =
    "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n\n"
    "\xE2\x80\x94 PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
static const char EXAMPLE_KEY[] = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
static const char EXAMPLE_NOTE[] =
    "This is an example message.\n\n"
    "\xE2\x80\x94 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n";

static struct note_key key_of(const char *line)
{
    struct note_key k;
    assert_true(note_key_read(slice_str(line), &k));
    return k;
}

static void published_notes_open(void **state)
{
    (void)state;
    static const struct { const char *key, *note; size_t text; } CASES[] = { { PETER_KEY, PETER_NOTE, 99 }, { EXAMPLE_KEY, EXAMPLE_NOTE, 28 } };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct slice text;
        struct note_key k = key_of(CASES[i].key), other = key_of(CASES[1 - i].key);
        struct buf line;
        assert_int_equal(note_open(slice_str(CASES[i].note), &k, &text), NOTE_GOOD);
        assert_int_equal(text.n, CASES[i].text);
        assert_int_equal(note_open(slice_str(CASES[i].note), &other, &text), NOTE_STRANGER);
        buf_init(&line, NOTE_KEY_LINE_MAX);
        note_key_write(&k, &line);
        assert_true(line.n == strlen(CASES[i].key) + 1 && memcmp(line.p, CASES[i].key, line.n - 1) == 0);
        assert_true(note_key_read(buf_slice(&line), &other) && other.id == k.id);
        buf_done(&line);
    }
}

static void other_notes_do_not(void **state)
{
    (void)state;
    struct note_key k = key_of(EXAMPLE_KEY);
    static const struct { const char *name, *note; enum note_verdict v; } CASES[] = {
        { "empty", "", NOTE_SHAPE },
        { "no signature", "This is an example message.\n\n", NOTE_SHAPE },
        { "no blank line", "This is an example message.\n\xE2\x80\x94 example.com/foo Uw2QOkn8\n", NOTE_SHAPE },
        { "control byte", "This is an\x1B[1m example message.\n\n\xE2\x80\x94 a AAAA\n", NOTE_SHAPE },
        { "two hyphens", "This is an example message.\n\n-- example.com/foo Uw2QOkn8\n", NOTE_SHAPE },
        { "not UTF-8", "This is \xFF.\n\n\xE2\x80\x94 a AAAA\n", NOTE_SHAPE },
        { "no newline at the end", "This is an example message.\n\n\xE2\x80\x94 a AAAA", NOTE_SHAPE },
        { "a stranger", "This is an example message.\n\n\xE2\x80\x94 a AAAA\n", NOTE_STRANGER },
        { "the name with another key's number", "This is an example message.\n\n"
          "\xE2\x80\x94 example.com/foo Xw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n", NOTE_STRANGER },
        { "another text", "This is an example message!\n\n"
          "\xE2\x80\x94 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n", NOTE_FORGED },
        { "a stranger beside ours", "This is an example message.\n\n\xE2\x80\x94 witness AAAA\n"
          "\xE2\x80\x94 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n", NOTE_GOOD },
        { "a signature inside the text", "This is an example message.\n\n"
          "\xE2\x80\x94 example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONncAlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n\n\xE2\x80\x94 a AAAA\n",
          NOTE_STRANGER },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct slice text;
        enum note_verdict v = note_open(slice_str(CASES[i].note), &k, &text);
        if (v != CASES[i].v)
            fail_msg("%s: %d", CASES[i].name, (int)v);
    }
    static const char *const KEYS[] = {
        "", "a", "a+b", "example.com/foo+530d903b+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", "example.com/fop+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903a+AukyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k", "example.com/foo+530D903A+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
        "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2", "+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k",
    };
    for (size_t i = 0; i < sizeof KEYS / sizeof KEYS[0]; i++)
        assert_false(note_key_read(slice_str(KEYS[i]), &k));
}

/* After a rotation: the older key opens what it may have signed, and nothing beyond. */
static void an_older_key_opens_what_lies_in_its_range(void **state)
{
    (void)state;
    static const uint8_t SEEDS[3][NOTE_KEY] = { { 1 }, { 2 }, { 3 } };
    struct note_signer *s[3];
    struct note_keys keys;
    struct tree_head at = { .size = 100 }, back;
    struct buf text, note, both;
    buf_init(&text, NOTE_KEYS_TEXT_MAX), buf_init(&note, NOTE_MAX), buf_init(&both, NOTE_MAX);
    for (int i = 0; i < 3; i++) {
        struct secret *seed;
        assert_int_equal(secret_new(&seed, ARR(SEEDS[i])).code, E_OK);
        assert_int_equal(note_signer_new(&s[i], AUDIT_ORIGIN_DEFAULT, seed).code, E_OK);
        secret_free(seed);
        note_key_write(note_signer_key(s[i]), &text);
        if (i) {
            text.n--;
            buf_puts(&text, i == 1 ? " 100\n" : " 40\n");
        }
    }
    assert_true(note_keys_read(buf_slice(&text), &keys) && keys.n == 3);
    static const struct { int by; uint64_t size; enum note_verdict want; } CASES[] = {
        { 0, 1, NOTE_GOOD }, { 0, 1000, NOTE_GOOD }, { 1, 100, NOTE_GOOD }, { 1, 101, NOTE_RETIRED }, { 2, 40, NOTE_GOOD }, { 2, 41, NOTE_RETIRED } };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        at.size = CASES[i].size;
        buf_reset(&note);
        assert_int_equal(checkpoint_sign(s[CASES[i].by], &at, &note).code, E_OK);
        assert_int_equal(checkpoint_open(buf_slice(&note), &keys.key[0], &back), CASES[i].want);
    }
    at.size = 101; /* beyond the range of one, and signed by the other too */
    buf_reset(&note);
    assert_int_equal(checkpoint_sign(s[1], &at, &note).code, E_OK);
    assert_int_equal(note_sign_too(s[0], buf_slice(&note), &both).code, E_OK);
    assert_true(checkpoint_open(buf_slice(&both), &keys.key[0], &back) == NOTE_GOOD && back.size == 101);
    assert_int_equal(note_sign_too(s[0], LIT("no note\n"), &both).code, E_PROTOCOL);
    for (int i = 0; i < 3; i++)
        note_signer_free(s[i]);
    buf_done(&text), buf_done(&note), buf_done(&both);
}

static void a_checkpoint_opens_under_its_key_only(void **state)
{
    (void)state;
    static const uint8_t SEED[NOTE_KEY] = { 1, 2, 3 }, OTHER[NOTE_KEY] = { 1, 2, 4 };
    struct secret *seed, *other;
    struct note_signer *s, *o;
    struct tree_head h = { .size = 20852163, .root = { 9 } }, back;
    struct buf note;
    assert_true(err_ok(secret_new(&seed, ARR(SEED))) && err_ok(secret_new(&other, ARR(OTHER))));
    assert_true(err_ok(note_signer_new(&s, "pmhgw.example/audit", seed)) && err_ok(note_signer_new(&o, "pmhgw.example/audit", other)));
    assert_true(err_is(note_signer_new(&o, "two words", seed), E_CONFIG));
    buf_init(&note, NOTE_MAX);
    assert_true(err_ok(checkpoint_sign(s, &h, &note)));
    assert_int_equal(checkpoint_open(buf_slice(&note), note_signer_key(s), &back), NOTE_GOOD);
    assert_true(back.size == h.size && memcmp(back.root, h.root, TREE_HASH) == 0);
    assert_int_equal(checkpoint_open(buf_slice(&note), note_signer_key(o), &back), NOTE_STRANGER);
    for (size_t i = 0; i < note.n; i++) { /* whatever bit is altered: it does not open, or says the same */
        note.p[i] ^= 1;
        if (checkpoint_open(buf_slice(&note), note_signer_key(s), &back) == NOTE_GOOD)
            fail_msg("byte %zu of %zu", i, note.n);
        note.p[i] ^= 1;
    }
    static const char *const TEXTS[] = { "", "o\n", "o\n1\n", "o\n01\nAAAA\n", "p\n1\nCQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n",
        "o\n1\nCQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n", "o\n1\nCQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n\n", "o\n-1\nCQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n" };
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++)
        assert_false(checkpoint_read(slice_str(TEXTS[i]), "o", &back));
    assert_true(checkpoint_read(LIT("o\n1\nCQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\nextension\n"), "o", &back));
    buf_done(&note);
    note_signer_free(s);
    note_signer_free(o);
    secret_free(seed);
    secret_free(other);
}

static void a_line_of_the_history_is_signed(void **state)
{
    (void)state;
    static const uint8_t SEED[NOTE_KEY] = { 5 };
    struct secret *seed = NULL;
    struct note_signer *s = NULL;
    struct tree_head h = { .size = 7, .root = { 1 } }, back;
    struct buf note, line;
    uint64_t ms, at = 1795248060000; /* 2026-11-21T08:01:00Z */
    assert_true(err_ok(secret_new(&seed, ARR(SEED))) && err_ok(note_signer_new(&s, "pmhgw.example/audit", seed)));
    buf_init(&note, NOTE_MAX);
    buf_init(&line, NOTE_MAX);
    assert_true(err_ok(checkpoint_sign(s, &h, &note)));
    history_line_write(&h, buf_slice(&note), at, &line);
    struct slice l = slice_of(line.p, line.n - 1);
    assert_true(history_line_read(l, note_signer_key(s), &back, &ms) && back.size == 7 && ms == at);
    for (size_t i = 0; i + 25 < l.n; i++) {
        line.p[i] ^= 1;
        assert_false(history_line_read(l, note_signer_key(s), &back, &ms));
        line.p[i] ^= 1;
    }
    assert_false(history_line_read(slice_of(l.p, l.n - 1), note_signer_key(s), &back, &ms));
    buf_done(&note);
    buf_done(&line);
    note_signer_free(s);
    secret_free(seed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_published_vectors_hold),
        cmocka_unit_test(a_growing_range_has_the_root_of_the_definition),
        cmocka_unit_test(every_leaf_of_every_size_is_proved),
        cmocka_unit_test(every_earlier_size_is_proved_to_be_a_beginning),
        cmocka_unit_test(tiles_are_named_as_published),
        cmocka_unit_test(published_notes_open),
        cmocka_unit_test(other_notes_do_not),
        cmocka_unit_test(a_checkpoint_opens_under_its_key_only),
        cmocka_unit_test(an_older_key_opens_what_lies_in_its_range),
        cmocka_unit_test(a_line_of_the_history_is_signed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
