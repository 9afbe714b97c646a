#include "gateway/crypto/nonce.h"

#include <sys/mman.h>
#include <unistd.h>

enum { BLOCK = 256 };

struct nonces {
    size_t left; /* unused nonces at the front of block; 0 after fork: the kernel cleared the page */
    uint8_t block[BLOCK][AEAD_NONCE];
};
_Static_assert(sizeof(struct nonces) <= 4096, "one page");

struct err nonces_new(struct nonces **ret_n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *p = mmap(NULL, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED)
        return FAIL(E_NOMEM);
    if (madvise(p, page, MADV_WIPEONFORK) != 0) {
        munmap(p, page);
        return FAIL(E_NOMEM);
    }
    *ret_n = p;
    return OK;
}

void nonces_free(struct nonces *n)
{
    if (n)
        munmap(n, (size_t)sysconf(_SC_PAGESIZE));
}

void nonces_next(struct nonces *n, uint8_t out[static AEAD_NONCE])
{
    if (n->left == 0) {
        rnd_bytes(n->block, sizeof n->block);
        n->left = BLOCK;
    }
    n->left--;
    memcpy(out, n->block[n->left], AEAD_NONCE);
}
