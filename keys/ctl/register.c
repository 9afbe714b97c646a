#include "keys/ctl/register.h"

#include <stdio.h>

#include "gateway/conf/conf.h"
#include "keys/ctl/say.h"

static ERR path_of(const struct state *s, struct state_path *ret_p)
{
    struct state_path file = state_at(s, "conf/front.yaml");
    struct conf conf = { 0 };
    int n;
    if (file_exists(file.c)) {
        TRY(conf_load(&conf, CONF_F, file.c));
        n = snprintf(ret_p->c, sizeof ret_p->c, "%s", conf.legal_basis_file);
        conf_free(&conf);
    } else {
        n = snprintf(ret_p->c, sizeof ret_p->c, "%s/legal-basis.yaml", s->share);
    }
    return n > 0 && n < (int)sizeof ret_p->c ? OK : FAIL(E_CONFIG);
}

bool ctl_register(const struct state *s, const char *given, struct basis **ret_b)
{
    struct state_path path;
    struct err e = given ? OK : path_of(s, &path);
    if (err_ok(e))
        e = basis_load(ret_b, given ? given : path.c);
    if (!err_ok(e))
        say_err("法的根拠の台帳を読めません", "the register of legal bases cannot be read", e);
    return err_ok(e);
}
