/* pmhgw certificate keys | rotate-key USE | retire-key USE NUMBER: the signer's keys, which rotate with overlap. The ring is changed here; pmhgw-signer reads it
 * when it starts. */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>

#include "gateway/base/text.h"
#include "gateway/crypto/keyring.h"
#include "gateway/jose/es256.h"
#include "gateway/signer/box_of_keys.h"
#include "keys/ctl/certificate_keys.h"
#include "keys/ctl/grid.h"
#include "keys/ctl/probe.h"
#include "keys/ctl/say.h"
#include "keys/ctl/setup.h"

static const struct { const char *name; enum key_kind kind; } USES[SIGNER_USE__MAX] = {
    [SIGNER_SHC] = { "shc", KEY_SIGN_SHC }, [SIGNER_VDS] = { "vds-nc", KEY_SIGN_VDS }, [SIGNER_WEBHOOK] = { "messages", KEY_SIGN_WEBHOOK },
};

static bool use_named(const char *name, enum signer_use *ret_u)
{
    for (enum signer_use u = SIGNER_SHC; u < SIGNER_USE__MAX; u++)
        if (strcmp(USES[u].name, name) == 0) {
            *ret_u = u;
            return true;
        }
    say_error("鍵の用途は shc、vds-nc、messages のいずれかです", "the use of a key is shc, vds-nc or messages");
    return false;
}

/* ---- keys ---- */

static const struct grid_col COLS[] = {
    { "use", "用途", "use", GRID_TEXT, false }, { "number", "番号", "number", GRID_NUMBER, false }, { "kid", "kid", "kid", GRID_TEXT, false }, { "state", "状態", "state", GRID_TEXT, false },
};

static bool add_key(struct grid *g, const struct signer_keys *keys, const struct signer_key *k)
{
    struct es256_key key;
    char kid[ES256_KID];
    memcpy(key.x, k->x, sizeof key.x);
    memcpy(key.y, k->y, sizeof key.y);
    if (!err_ok(es256_thumbprint(&key, kid)))
        return false;
    GRID_ADD(g, USES[k->use].name, say_form("%u", k->number).c, say_form("%.*s", (int)sizeof kid, kid).c,
             signer_newest(keys, k->use) == k ? say_pick("最も新しい鍵\tnewest", "newest\tnewest") : say_pick("以前の鍵\tolder", "older\tolder"));
    return true;
}

int certificate_keys(const struct state *s)
{
    struct signer_keys keys;
    struct err e = probe_signer_keys(s, &keys);
    struct grid *g = err_ok(e) ? grid_new(COLS, sizeof COLS / sizeof *COLS) : NULL;
    for (size_t i = 0; g && err_ok(e) && i < keys.n; i++)
        if (!add_key(g, &keys, &keys.key[i]))
            e = FAIL(E_CRYPTO);
    if (!err_ok(e))
        say_err("署名の鍵を確認できません", "the signing keys cannot be listed", e);
    if (err_ok(e))
        return grid_show(g, "keys") ? 0 : 2;
    grid_free(g);
    return 2;
}

/* ---- changes ---- */

struct rings { struct state_path ring, master; };

static struct rings rings_of(const struct state *s) { return (struct rings){ state_at(s, "keys/signer.ring"), state_at(s, "keys/signer.master") }; }

/* One change at a time; given back when the command ends. */
static bool alone(const struct state *s)
{
    int fd = open(state_at(s, "keys/signer.lock").c, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
        return true;
    say_error("別の pmhgw certificate が実行中か、keys に書けません", "another pmhgw certificate is running, or the folder keys cannot be written");
    return false;
}

/* The highest number of that use in the ring; 0: there is none. */
static ERR ring_look(const struct rings *r, enum signer_use use, uint64_t *ret_highest)
{
    struct keyring *ring;
    size_t at = 0;
    struct slice id;
    const struct secret *key;
    uint64_t n;
    *ret_highest = 0;
    TRY(keyring_load(&ring, RING_SIGNER, r->ring.c, r->master.c));
    while (keyring_each(ring, USES[use].kind, &at, &id, &key))
        if (u64_parse(id, &n) && n > *ret_highest)
            *ret_highest = n;
    keyring_free(ring);
    return OK;
}

static void say_restart(void)
{
    say_hint("pmhgw-signer は次の起動から新しい状態で動きます(front は 30 秒以内に気付きます)", "pmhgw-signer has it from its next start on (the fronts notice within 30 seconds)");
}

int certificate_rotate_key(const struct state *s, const char *use_name)
{
    enum signer_use use;
    const struct rings r = rings_of(s);
    uint64_t highest = 0;
    char id[21];
    if (!use_named(use_name, &use) || !alone(s))
        return 2;
    struct err e = ring_look(&r, use, &highest);
    if (err_ok(e) && highest + 1 >= SIGNER_NUMBER_URI)
        e = FAIL(E_FULL);
    if (err_ok(e)) {
        int n = snprintf(id, sizeof id, "%llu", (unsigned long long)(highest + 1));
        e = keyring_add(RING_SIGNER, r.ring.c, r.master.c, USES[use].kind, slice_of(id, (size_t)n), NULL);
    }
    if (err_ok(e) && use == SIGNER_VDS)
        e = setup_signer_public(s);
    if (!err_ok(e)) {
        say_err("鍵を替えられません", "the key cannot be rotated", e);
        return 2;
    }
    say_ok("%s の鍵 %s を作りました。以前の鍵で署名した証明書は引き続き有効です", "%s has key %s now; what the older ones signed stays good", use_name, id);
    if (use == SIGNER_VDS)
        say_hint("certs/vds-signer.pub を CSCA に認証させ、vds_signer_cert を差し替えてから使われます", "it signs when the country's CA has certified certs/vds-signer.pub and vds_signer_cert has that certificate");
    say_restart();
    return 0;
}

int certificate_retire_key(const struct state *s, const char *use_name, const char *number)
{
    enum signer_use use;
    const struct rings r = rings_of(s);
    uint64_t highest = 0, n = 0;
    if (!use_named(use_name, &use) || !alone(s))
        return 2;
    struct err e = ring_look(&r, use, &highest);
    if (err_ok(e) && (!u64_parse(slice_str(number), &n) || n == highest)) {
        say_error("番号ではないか、最も新しい鍵です。先に pmhgw certificate rotate-key を実行してください", "no number, or the newest key; first run pmhgw certificate rotate-key");
        return 2;
    }
    if (err_ok(e))
        e = keyring_destroy(RING_SIGNER, r.ring.c, r.master.c, USES[use].kind, slice_str(number));
    if (!err_ok(e)) {
        say_err("鍵を廃止できません", "the key cannot be retired", e);
        return 2;
    }
    say_ok("%s の鍵 %s を廃止しました。この鍵の証明書は確認できなくなります", "retired key of %s: %s; what it signed can no longer be verified", use_name, number);
    say_restart();
    return 0;
}
