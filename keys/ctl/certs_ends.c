#include "keys/ctl/certs_ends.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "gateway/tls/ends.h"

bool certs_first_end(const struct state *s, struct cert_end *ret_end)
{
    DIR *d = opendir(state_at(s, "certs").c);
    int64_t first = INT64_MAX;
    for (struct dirent *e; d && (e = readdir(d));) {
        const char *dot = strrchr(e->d_name, '.');
        int64_t end;
        if (!dot || strcmp(dot, ".pem") != 0 || strcmp(e->d_name, "crl.pem") == 0 || !err_ok(ends_read(state_at(s, "certs/%s", e->d_name).c, &end)) || end >= first)
            continue;
        first = end;
        snprintf(ret_end->name, sizeof ret_end->name, "%s", e->d_name);
    }
    if (d)
        closedir(d);
    ret_end->left_s = first - (int64_t)time(NULL);
    return first != INT64_MAX;
}
