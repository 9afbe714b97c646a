#include "gateway/relay/settings.h"

#include "gateway/relay/names.h"

enum { PASSWORD_ANY = 0 };

static ERR wrong(struct relay_fault *bad, const char *setting, const char *ja, const char *en)
{
    *bad = (struct relay_fault){ setting, ja, en };
    return FAIL(E_CONFIG);
}

static ERR read_place(const struct conf *c, struct place *ret_p, struct relay_fault *bad)
{
    struct place p;
    if (!err_ok(place_parse(slice_str(c->relay_store), &p)))
        return wrong(bad, "relay_store", "読めません(docs/redis.md)", "cannot be understood (docs/redis.md)");
    if (p.tls && !(c->relay_ca[0] && c->relay_cert[0] && c->relay_key[0]))
        return wrong(bad, "relay_store", "TLS には relay_ca、relay_cert、relay_key が必要です", "TLS needs relay_ca, relay_cert and relay_key");
    for (size_t i = 0; i < p.n && !p.tls && !c->relay_plain; i++)
        if (!place_is_loopback(&p.at[i]))
            return wrong(bad, "relay_store", "この機械の外へは TLS で接続してください(TLS なしなら relay_plain: 1)", "beyond this machine it has to be TLS (without: relay_plain: 1)");
    if (!names_tag_ok(slice_str(c->relay_tag)))
        return wrong(bad, "relay_tag", "英数字と - _ で 32 文字まで", "at most 32 letters, digits, - and _");
    *ret_p = p;
    return OK;
}

ERR relay_settings_read(const struct conf *c, struct relay_settings *to, struct relay_fault *bad_fault)
{
    TRY(read_place(c, &to->place, bad_fault));
    if (to->place.tls && !err_ok(secure_new(&to->secure, &(struct secure_conf){ c->relay_ca, c->relay_cert, c->relay_key, c->relay_name })))
        return wrong(bad_fault, "relay_cert", "relay_ca、relay_cert、relay_key の組を使えません", "relay_ca, relay_cert and relay_key cannot be used together");
    if (!err_ok(secret_read_file(&to->password, c->relay_pass_file, PASSWORD_ANY)))
        return wrong(bad_fault, "relay_pass_file", "読めません", "cannot be read");
    if (c->relay_sentinel_user[0] && !err_ok(secret_read_file(&to->sentinel_password, c->relay_sentinel_pass_file, PASSWORD_ANY)))
        return wrong(bad_fault, "relay_sentinel_pass_file", "読めません", "cannot be read");
    return OK;
}

void relay_settings_done(struct relay_settings *s)
{
    secure_free(s->secure);
    secret_free(s->password);
    secret_free(s->sentinel_password);
    *s = (struct relay_settings){ 0 };
}
