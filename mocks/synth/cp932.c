#include "mocks/synth/cp932.h"

#include <errno.h>
#include <iconv.h>
#include <stdlib.h>

struct cp932 { iconv_t to; };

ERR cp932_new(struct cp932 **ret_c)
{
    struct cp932 *c = calloc(1, sizeof *c);
    if (!c)
        return FAIL(E_NOMEM);
    c->to = iconv_open("CP932", "UTF-8");
    if (c->to == (iconv_t)-1) {
        free(c);
        return FAIL(E_CONFIG);
    }
    *ret_c = c;
    return OK;
}

void cp932_free(struct cp932 *c)
{
    if (!c)
        return;
    iconv_close(c->to);
    free(c);
}

static bool convert(struct cp932 *c, struct slice in, char *out, size_t room, size_t *ret_n)
{
    char *from = (char *)(uintptr_t)in.p, *to = out;
    size_t left = in.n;
    bool good = iconv(c->to, &from, &left, &to, &room) != (size_t)-1 && left == 0;
    iconv(c->to, NULL, NULL, NULL, NULL);
    *ret_n = (size_t)(to - out);
    return good;
}

bool cp932_holds(struct cp932 *c, const char *utf8)
{
    char room[256];
    size_t n;
    return convert(c, slice_str(utf8), room, sizeof room, &n);
}

/* No character of CP932 is longer than it is in UTF-8. */
ERR cp932_put(struct cp932 *c, struct slice utf8, struct buf *out)
{
    size_t n;
    char *to = (char *)buf_room(out, utf8.n);
    if (!to)
        return buf_check(out);
    if (!convert(c, utf8, to, utf8.n, &n))
        return FAIL(E_FIELD);
    buf_grew(out, n);
    return OK;
}
