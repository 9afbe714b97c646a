#include "keys/ctl/link_open.h"

#include "keys/ctl/conf_files.h"

enum { PASSWORD_ANY = 0, QUEUE = 4 };

static const struct { const char *name; size_t file; } USERS[LINK__USERS] = { [LINK_FRONT] = { "front", FILE_FRONT }, [LINK_INTAKE] = { "intake", FILE_INTAKE } };

static ERR read_replicas(const struct state *s, const struct conf_file *f, struct redis_conf *to)
{
    struct conf c;
    conf_file_as_unit(f);
    TRY(conf_load(&c, f->who, conf_file_path(s, f).c));
    to->replicas = (unsigned)c.redis_wait_replicas;
    to->wait_ms = (unsigned)c.redis_wait_ms;
    conf_free(&c);
    return OK;
}

ERR link_open(struct redis **ret_r, struct loop *l, const struct state *s, enum link_user user)
{
    const struct state_path socket = state_at(s, "run/redis-link.sock");
    struct redis_conf c = { .path = socket.c, .user = USERS[user].name, .conns = 1, .queue_max = QUEUE };
    TRY(read_replicas(s, conf_file(USERS[user].file), &c));
    TRY(secret_read_file(&c.password, state_at(s, "keys/redis-link-%s.pass", USERS[user].name).c, PASSWORD_ANY));
    return redis_new(ret_r, l, c);
}
