#include "connectors/core/address.h"

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* The first `bits` bits are these. */
struct range { uint8_t bytes[16]; unsigned bits; };

static const struct range FOUR[] = {
    { { 0 }, 8 },          { { 10 }, 8 },       { { 100, 64 }, 10 },  { { 127 }, 8 },      { { 169, 254 }, 16 }, { { 172, 16 }, 12 },
    { { 192, 0, 0 }, 24 }, { { 192, 168 }, 16 }, { { 198, 18 }, 15 }, { { 224 }, 3 },
};
static const struct range SIX[] = {
    { { 0 }, 64 } /* ::, ::1, IPv4 in its old forms */, { { 0xfc }, 7 }, { { 0xfe, 0x80 }, 9 } /* link-local, site-local */, { { 0xff }, 8 }, { { 0x20, 0x02 }, 16 } /* 6to4 */,
    { { 0x20, 0x01, 0, 0 }, 32 } /* Teredo */, { { 0, 0x64, 0xff, 0x9b, 0, 1 }, 48 } /* translated, of one's own */,
};
static const struct range NAT64 = { { 0, 0x64, 0xff, 0x9b }, 32 };

static bool in_range(const uint8_t *address, const struct range *r)
{
    const unsigned whole = r->bits / 8, rest = r->bits % 8;
    const uint8_t mask = (uint8_t)(0xff00u >> rest);
    for (unsigned i = 0; i < whole; i++)
        if (address[i] != r->bytes[i])
            return false;
    return !rest || (address[whole] & mask) == (r->bytes[whole] & mask);
}

static bool in_any(const uint8_t *address, const struct range *r, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (in_range(address, &r[i]))
            return true;
    return false;
}

bool address_is_inside(const struct sockaddr *a)
{
    if (a->sa_family == AF_INET) {
        struct sockaddr_in in;
        uint8_t bytes[4];
        memcpy(&in, a, sizeof in);
        memcpy(bytes, &in.sin_addr, sizeof bytes);
        return in_any(bytes, FOUR, sizeof FOUR / sizeof FOUR[0]);
    }
    if (a->sa_family == AF_INET6) {
        struct sockaddr_in6 in;
        uint8_t bytes[16];
        memcpy(&in, a, sizeof in);
        memcpy(bytes, &in.sin6_addr, sizeof bytes);
        return in_any(bytes, SIX, sizeof SIX / sizeof SIX[0]) || (in_range(bytes, &NAT64) && in_any(bytes + 12, FOUR, sizeof FOUR / sizeof FOUR[0]));
    }
    return true;
}
