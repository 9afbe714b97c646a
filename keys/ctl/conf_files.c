#include "keys/ctl/conf_files.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/must.h"

#define CREDENTIALS "/run/credentials/pmhgw-"

static const struct conf_file FILES[CONF_FILES_N] = {
    [FILE_FRONT] = { "front", "front", CONF_F, NULL },
    [FILE_INTAKE] = { "intake", "intake", CONF_I, NULL },
    [FILE_VAULT] = { "vault", "vault", CONF_V, NULL },
    [FILE_AUDIT] = { "audit", "audit", CONF_A, NULL },
    [FILE_SIGNER] = { "signer", "signer", CONF_S, NULL },
    [FILE_COURIER] = { "courier", "courier", CONF_C, NULL },
    [FILE_RELAY_VAULT] = { "relay-vault", "relay@vault", CONF_R, "redis-vault" },
    [FILE_RELAY_LINK] = { "relay-link", "relay@link", CONF_R, "redis-link" },
};

const struct conf_file *conf_file(size_t i)
{
    MUST(i < CONF_FILES_N);
    return &FILES[i];
}

const struct conf_file *conf_file_of(const char *name)
{
    for (size_t i = 0; i < CONF_FILES_N; i++)
        if (strcmp(FILES[i].name, name) == 0)
            return &FILES[i];
    return NULL;
}

/* config/systemd/pmhgw.tmpfiles */
bool state_of_packages(const struct state *s)
{
    char to[16];
    const ssize_t n = readlink(state_at(s, "run").c, to, sizeof to);
    return n > 0 && slice_eq(slice_of(to, (size_t)n), LIT("/run/pmhgw"));
}

struct state_path conf_file_path(const struct state *s, const struct conf_file *f)
{
    struct state_path p;
    if (!state_of_packages(s))
        return state_at(s, "conf/%s.yaml", f->name);
    snprintf(p.c, sizeof p.c, "/etc/pmhgw/%s.yaml", f->name);
    return p;
}

/* What was set for another unit is not what the command was handed. */
void conf_file_as_unit(const struct conf_file *f)
{
    char path[64];
    const char *given = getenv("CREDENTIALS_DIRECTORY");
    snprintf(path, sizeof path, CREDENTIALS "%s.service", f->unit);
    if (!given || strncmp(given, CREDENTIALS, sizeof CREDENTIALS - 1) == 0)
        (void)setenv("CREDENTIALS_DIRECTORY", path, 1);
}

const struct conf_file *conf_file_relay(const struct state *s, const char *store)
{
    for (size_t i = 0; i < CONF_FILES_N; i++)
        if (FILES[i].store && strcmp(FILES[i].store, store) == 0 && file_exists(conf_file_path(s, &FILES[i]).c))
            return &FILES[i];
    return NULL;
}
